"""What has to become of each record of tests/harness/nonsense.py, from Acumatica's dump, docs/agreement.md and what its answers said.

Shares no code with what it judges: owned values, and what HubSpot takes, are the comparer's.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sandbox.compare import owned

Row = dict[str, Any]
#: Bytes of a source record, about: more goes nowhere. Nothing in the world is near it on the other side.
LARGEST = 1_100_000
LONGEST = 65_536


@dataclass(frozen=True)
class Fate:
    """`end` is held, refused, out of scope or waits. `names`: the fields of which a dead letter has to name one; `values`: what is held."""

    end: str
    names: frozenset[str] = frozenset()
    values: Mapping[str, str] = field(default_factory=dict)
    company: str | None = None


def customer(row: Row, garbled: Mapping[str, str]) -> Fate:
    row, wrong = _as_answered(row, garbled)
    if faults := wrong | _amount(row.get("CreditLimit")) | _large(row):
        return _refused(faults)
    values = owned.company(row)
    if not values["name"]:
        return _refused({"CustomerName"})
    long = _long(values)
    return _refused(long) if long else Fate("held", values=values)


def contact(row: Row, garbled: Mapping[str, str], customers: Mapping[str, tuple[str, Fate]]) -> Fate:
    """`customers`: id and fate by code, of those whose code can be read."""
    row, wrong = _as_answered(row, garbled)
    if faults := wrong | _large(row):
        return _refused(faults)
    party = customers.get(owned.text(row.get("BusinessAccount")).upper())
    if row.get("Type") != "Contact" or party is None:
        return Fate("out of scope")
    values = owned.contact(row) | {"acumatica_active": "true" if row.get("Active") else "false"}
    if long := _long(values):
        return _refused(long)
    if party[1].end != "held":
        return Fate("waits", company=party[0])
    faults = {"email"} if values["email"] and not owned.valid_email(values["email"]) else set()
    faults |= {name for name in ("firstname", "lastname") if owned.is_code(values[name])}
    return _refused(faults, values) if faults else Fate("held", values=values, company=party[0])


def _refused(names: set[str], values: Mapping[str, str] | None = None) -> Fate:
    return Fate("refused", frozenset(names), values or {})


def _as_answered(row: Row, garbled: Mapping[str, str]) -> tuple[Row, set[str]]:
    """The row as the answers showed it, and the fields that no record can be made of."""
    row, wrong = copy.deepcopy(row), set()
    for path, text in garbled.items():
        *way, last = path.split("/")
        value = _plain(json.loads(text, parse_float=Decimal, parse_int=lambda digits: int(digits) if len(digits) < 50 else Decimal(digits)))
        if not _fits(last, value):
            wrong.add(path.replace("/", "."))
            continue
        inner = row
        for step in way:
            inner = inner[step]
        inner[last] = value
    return row, wrong


def _plain(value: Any) -> Any:
    return value.get("value") if isinstance(value, dict) and value.keys() <= {"value", "error"} else value


def _fits(name: str, value: Any) -> bool:
    """May a field of this name be so? All that is garbled to be wrong is of another type, or empty where that cannot be."""
    if value is None:
        return name not in ("LastModifiedDateTime", "CustomerID", "ContactID")
    known = name in ("LastModifiedDateTime", "CreditLimit", "BAccountID", "ContactID", "Active", "MainContact", "Address")
    return not known and isinstance(value, str) and not any(0xD800 <= ord(letter) < 0xE000 for letter in value)


def _amount(value: Any) -> set[str]:
    """38 digits, eight of them behind the point."""
    whole, _, rest = str(value or "0").lstrip("-").partition(".")
    return set() if len(whole.lstrip("0")) <= 30 and len(rest.rstrip("0")) <= 8 else {"CreditLimit"}


def _large(row: Row) -> set[str]:
    """The largest fields of a record that is too large for Kafka."""
    sizes = dict(_sizes(row, ""))
    return {name for name, size in sizes.items() if size == max(sizes.values())} if sum(sizes.values()) > LARGEST else set()


def _sizes(row: Row, prefix: str) -> list[tuple[str, int]]:
    found = []
    for name, value in row.items():
        found += _sizes(value, f"{prefix}{name}.") if isinstance(value, dict) else [(prefix + name, len(str(value or "").encode()))]
    return found


def _long(values: Mapping[str, str]) -> set[str]:
    return {name for name, value in values.items() if len(value) > LONGEST}
