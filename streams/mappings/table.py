"""One row for each field, in both vendors' tables: what it is called with us and with them, and whose word counts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Context, Decimal, Inexact
from typing import Any

from weighlock.errors import RejectedError

#: Room for any sum of amounts that our records hold; a digit that had to go would be an error, not a rounding.
EXACT = Context(prec=100, traps=[Inexact])


@dataclass(frozen=True)
class Field:
    """`canonical` and `vendor` are dotted paths; several are joined by " + ". `kind` says how a value is read or written (see the vendor's
    file). `length` is the vendor's column, in characters, where it is known. `owner` is the system whose value wins; `label` is for people:
    the setup and the docs."""

    canonical: str
    vendor: str
    kind: str
    label: str
    length: int | None = None
    owner: str = "acumatica"


def value_at(record: Any, path: str) -> Any:
    """What stands at that dotted path; None as soon as a step is missing."""
    for name in path.split("."):
        if record is None:
            return None
        record = getattr(record, name)
    return record


def text(value: object) -> str | None:
    """Trimmed; what is empty then is None."""
    return None if value is None else str(value).strip() or None


def plain(number: Decimal) -> str:
    """A decimal as text, all of its digits: no exponent, no trailing zeros, no negative zero. Arithmetic would round to 28 digits."""
    text = format(number, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return text if number else "0"


def total(amounts: Iterable[Decimal]) -> Decimal:
    """The sum, all of its digits: Python's own would round to 28 of them."""
    found = Decimal(0)
    for amount in amounts:
        found = EXACT.add(found, amount)
    return found


def within(field: Field, value: str | None) -> str | None:
    """The value as it is. `RejectedError` naming the field where the vendor's column is shorter: nothing is cut silently."""
    if value is not None and field.length is not None and len(value) > field.length:
        size = f"{len(value)} characters, {field.length} at the most"
        raise RejectedError(f"{field.canonical} is too long for {field.vendor}: {size}; shorten it at the source")
    return value
