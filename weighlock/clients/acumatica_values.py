"""Acumatica's way of writing values, and plain ones: `{"value": x}` is x, `{}` is None (facts/acumatica.md §3.1)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, TypeVar
from urllib.parse import quote_plus

Row = dict[str, Any]
V = TypeVar("V", str, int)
#: What a query may carry as it is.
PLAIN = "',()/:$@"
#: What surrounds the fields of every entity and says nothing about the record.
ENVELOPE = frozenset({"rowNumber", "note", "files", "_links", "error", "delete"})


def parse(text: str | bytes) -> Any:
    """JSON with its numbers as they stand: a fraction becomes Decimal, never float. One odd value must not make a whole page unreadable:
    a number may have any length, and a text control characters that nobody escaped."""
    return json.loads(text, parse_float=Decimal, parse_int=_whole, strict=False)


def _whole(digits: str) -> int | Decimal:
    return int(digits) if len(digits) < 1000 else Decimal(digits)


def plain(entity: Mapping[str, Any]) -> Row:
    """An entity as the API gives it, without value objects; `id` stays, the envelope and empty custom fields go."""
    return {
        name: _plain(value) for name, value in entity.items() if name not in ENVELOPE and not (name == "custom" and value in ({}, None))
    }


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() <= {"value", "error"}:
        return value.get("value")
    return plain(value)


def wrapped(fields: Mapping[str, Any]) -> Row:
    """Plain fields as value objects. None clears a field; a field that is left out is left alone."""
    return {
        name: value if name == "id" else wrapped(value) if isinstance(value, Mapping) else {"value": value}
        for name, value in fields.items()
    }


def instant(text: str) -> datetime:
    """An instant with its offset, in UTC. ValueError for anything else: an instant without an offset could be any hour."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"{text!r} carries no offset")
    return at.astimezone(UTC)


def day(text: str) -> date:
    """A date-only field comes as a bare date or as midnight with the site's offset: its date part, before any conversion (§4.6)."""
    return date.fromisoformat(text[:10])


def literal(value: str | int | datetime) -> str:
    """A value as `$filter` wants it (OData v3, §4.2). Instants go to the millisecond, which is what the ERP's stamps have."""
    if isinstance(value, datetime):
        return f"datetimeoffset'{value.astimezone(UTC).isoformat(timespec='milliseconds')}'"
    if isinstance(value, int):
        return str(value)
    return "'" + value.replace("'", "''") + "'"


def encoded(params: Mapping[str, str]) -> str:
    """A query string in as few characters as can be: servers of this kind refuse long ones."""
    return "&".join(f"{name}={quote_plus(value, safe=PLAIN)}" for name, value in params.items())


def any_of(field: str, values: Iterable[V], room: int) -> Iterator[tuple[list[V], str]]:
    """Filters that take any of the values: (values, filter), each filter within `room` characters once encoded."""
    chunk: list[V] = []
    length = 0
    for value in values:
        size = len(quote_plus(f"{field} eq {literal(value)} or ", safe=PLAIN))
        if chunk and length + size > room:
            yield chunk, " or ".join(f"{field} eq {literal(one)}" for one in chunk)
            chunk, length = [], 0
        chunk.append(value)
        length += size
    if chunk:
        yield chunk, " or ".join(f"{field} eq {literal(one)}" for one in chunk)


def packed(terms: Iterable[str], room: int) -> Iterator[str]:
    """The terms joined by `or`, in as few filters as there is room for."""
    chunk: list[str] = []
    length = 0
    for term in terms:
        size = encoded_size(f"{term} or ")
        if chunk and length + size > room:
            yield " or ".join(chunk)
            chunk, length = [], 0
        chunk.append(term)
        length += size
    if chunk:
        yield " or ".join(chunk)


def encoded_size(text: str) -> int:
    """Characters of a text in a query, encoded."""
    return len(quote_plus(text, safe=PLAIN))
