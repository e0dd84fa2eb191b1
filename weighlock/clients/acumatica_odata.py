"""Acumatica's DAC feeds: OData v4, read only (facts/acumatica.md §5.9, §13.4). How a question is written, and what an answer holds.

The calls are made by `weighlock.clients.acumatica`: the same session, seat and budget as all others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from weighlock.clients.acumatica_values import Row, encoded_size
from weighlock.errors import RejectedError, TransientError


@dataclass(frozen=True)
class Part:
    """Some rows of a set in the order that was asked for. `more`: there are others behind them, whoever cut them off, we or the server."""

    rows: list[Row]
    more: bool


def address(url: str, tenant: str, name: str) -> str:
    """Where a set is. The tenant's name may hold blanks (§5.9)."""
    return f"{url}/t/{quote(tenant, safe='')}/api/odata/dac/{name}"


def options(select: Sequence[str], expand: Sequence[str], filter: str, order: Sequence[str], top: int | None) -> dict[str, str]:
    """The query options. Paging wants an order (§5.9), so `order` is sent even where it is the default one."""
    given = {"$select": ",".join(select), "$expand": ",".join(expand), "$filter": filter, "$orderby": ",".join(order)}
    return {name: text for name, text in given.items() if text} | ({} if top is None else {"$top": str(top)})


def part(answer: Any, top: int | None) -> Part:
    """What an answer holds. TransientError for anything but a set's: a formula that fails gives an empty body (§5.9)."""
    rows = answer.get("value") if isinstance(answer, Mapping) else None
    if not isinstance(rows, list):
        raise TransientError("Acumatica answers a feed with something else than rows")
    # the link leads on with $skip, over which rows are lost when one before them leaves the set: it only says that there is more
    more = bool(answer.get("@odata.nextLink")) or (top is not None and len(rows) >= top)
    return Part([row for row in rows if isinstance(row, dict)], more)


def literal(value: str | int | datetime) -> str:
    """A value as `$filter` wants it (OData 4.01): instants bare and in UTC, to the millisecond, which is what the ERP's stamps have."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, int):
        return str(value)
    return "'" + value.replace("'", "''") + "'"


def beyond(keys: Sequence[str], values: Sequence[str | int]) -> str:
    """The rows behind the one with these values of these keys, in the order of the keys."""
    here = f"{keys[0]} gt {literal(values[0])}"
    if len(keys) == 1:
        return here
    return f"{here} or {keys[0]} eq {literal(values[0])} and ({beyond(keys[1:], values[1:])})"


def every(
    feed: Callable[..., Part], name: str, select: Sequence[str], filter: str, keys: Sequence[str], expand: Sequence[str] = ()
) -> list[Row]:
    """All rows of that filter, each once, however many the server gives at a time: behind the last one by its `keys`, which `select`
    has. RejectedError where the server does not say them."""
    found: dict[tuple[Any, ...], Row] = {}
    behind = ""
    while True:
        asked = f"({filter}) and ({behind})" if behind else filter
        answer = feed(name, select, expand, asked, keys)
        found |= {tuple(str(row.get(key)) for key in keys): row for row in answer.rows}
        if not answer.more:
            return list(found.values())
        values = next((v for row in reversed(answer.rows) if (v := _values(row, keys)) is not None), None)
        if values is None:
            raise RejectedError(f"Acumatica lists rows of {name} without their keys: there is no paging without them")
        behind = beyond(keys, values)


def _values(row: Row, keys: Sequence[str]) -> list[str | int] | None:
    values = [row.get(key) for key in keys]
    return values if all(isinstance(value, str | int) and not isinstance(value, bool) for value in values) else None  # type: ignore[return-value]


def ranges(first: str, second: str, pairs: Iterable[tuple[str, str]]) -> list[str]:
    """For each value of the first field a term that takes everything from the first to the last one of the second, in the order given."""
    ends: dict[str, list[str]] = {}
    for one, other in pairs:
        ends.setdefault(one, []).append(other)
    return [
        f"{first} eq {literal(one)} and {second} ge {literal(found[0])} and {second} le {literal(found[-1])}" for one, found in ends.items()
    ]


def any_pair(first: str, second: str, pairs: Iterable[tuple[str, str]], room: int) -> Iterator[tuple[list[tuple[str, str]], str]]:
    """Filters that take any of the pairs of values of two fields: (pairs, filter), each filter within `room` characters once encoded."""
    chunk: list[tuple[str, str]] = []
    length, before = 0, ""
    for pair in sorted(pairs):
        size = encoded_size(f"{second} eq {literal(pair[1])} or ")
        if pair[0] != before:
            size += encoded_size(f"{first} eq {literal(pair[0])} and () or ")
        if chunk and length + size > room:
            yield chunk, _pairs(first, second, chunk)
            chunk, length = [], 0
            size = encoded_size(f"{first} eq {literal(pair[0])} and () or {second} eq {literal(pair[1])} or ")
        chunk.append(pair)
        length, before = length + size, pair[0]
    if chunk:
        yield chunk, _pairs(first, second, chunk)


def _pairs(first: str, second: str, pairs: Sequence[tuple[str, str]]) -> str:
    groups: dict[str, list[str]] = {}
    for one, other in pairs:
        groups.setdefault(one, []).append(f"{second} eq {literal(other)}")
    return " or ".join(f"{first} eq {literal(one)} and ({' or '.join(others)})" for one, others in groups.items())
