"""The tables of Acumatica that we read, and how a row becomes a source record. The fields are those of the records in schemas/."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, get_args
from urllib.parse import quote_plus

from pydantic import BaseModel, ValidationError

from producers.acumatica_walk import STAMP
from schemas.refs import Ref
from schemas.sources import AcumaticaRow, SourceAcumaticaContact, SourceAcumaticaCustomer
from schemas.topics import SOURCE_CONTACT, SOURCE_CUSTOMER, Topic
from weighlock.clients.acumatica_values import Row, instant
from weighlock.errors import RejectedError, brief

SYSTEM = "acumatica"
#: What we add to a row ourselves.
OWN = frozenset({"ref", "change", "modified_at", "read_at", "party", "scope", "contact", "extra"})
#: The longest code that is asked for, encoded.
CODE_ROOM = 1000
#: Asked for and used, but no field of the record.
ASKED = frozenset({"id", "NoteID", STAMP, "custom"})


@dataclass(frozen=True)
class Table:
    """`name` as the vendor calls the entity, `key` as it calls its key."""

    entity: str
    name: str
    key: str
    number: bool
    topic: Topic
    record: type[AcumaticaRow]

    def usable(self, key: object) -> bool:
        """Can a filter name this key? (Whole numbers there are Int32, facts/acumatica.md §4.2.)"""
        if self.number:
            return isinstance(key, int) and not isinstance(key, bool) and -(2**31) <= key < 2**31
        return askable(key)

    @property
    def select(self) -> list[str]:
        return [STAMP, *_paths(self.record)]

    @property
    def expand(self) -> list[str]:
        """Every linked entity on the way to a field, each level by itself (facts/acumatica.md §4.1)."""
        return list(dict.fromkeys(path.rpartition("/")[0] for path in self.select if "/" in path))

    def called(self, row: Row) -> str:
        """For people."""
        return f"{self.name} {brief(str(row.get(self.key)))}"

    def ref(self, row: Row) -> str:
        """`RejectedError` for a row without its id."""
        note = row.get("id")
        if not isinstance(note, str) or not note:
            raise RejectedError(f"a row of {self.name} without an id: {self.key} {brief(str(row.get(self.key)))}")
        return ref_of(self.entity, note)

    def record_of(self, row: Row, change: str, read_at: datetime, **own: Any) -> AcumaticaRow:
        """The row as a source record. `RejectedError` where it cannot be one, with the field and why."""
        known = {name: row.get(name) for name in self.record.model_fields if name not in OWN}
        extra = {name: json.dumps(value, default=_json) for name, value in row.items() if name not in known and name not in ASKED}
        ref, called = self.ref(row), self.called(row)
        if row.get(self.key) is None:
            raise RejectedError(f"{ref} has no {self.key}: nobody could find it in Acumatica")
        if row.get(STAMP) is None:
            raise RejectedError(f"{called} has no {STAMP}: nobody can say when it changed")
        try:
            stamp = instant(row[STAMP])
            own |= {"ref": ref, "change": change, "modified_at": stamp, "read_at": read_at, "extra": extra}
            return self.record(**own, **_fitted(self.record, known))
        except ValidationError as error:
            faults = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
            raise RejectedError(f"{called} does not fit {self.record.schema_name}: {faults}") from None
        except (ValueError, TypeError, OverflowError) as error:
            raise RejectedError(f"{called}: {STAMP}: {brief(str(error))}") from None


def askable(code: object) -> bool:
    """Is it a text that fits into a `$filter`, and into UTF-8? Acumatica's own codes have 30 characters at the most."""
    if not isinstance(code, str):
        return False
    try:
        return 0 < len(quote_plus(code.strip())) <= CODE_ROOM
    except UnicodeEncodeError:
        return False


def ref_of(entity: str, note: str) -> str:
    """NoteIDs come in either case; a ref has them in lower case."""
    return str(Ref(SYSTEM, entity, note.lower()))


def as_text(row: Row) -> str:
    """A row as JSON, for digests and dead letters. Half of a surrogate pair stands there as JSON's own escape."""
    return json.dumps(row, default=_json, sort_keys=True, ensure_ascii=False).encode(errors="backslashreplace").decode()


CUSTOMER = Table("customer", "Customer", "CustomerID", False, SOURCE_CUSTOMER, SourceAcumaticaCustomer)
CONTACT = Table("contact", "Contact", "ContactID", True, SOURCE_CONTACT, SourceAcumaticaContact)
TABLES = {table.entity: table for table in (CUSTOMER, CONTACT)}


def _linked(annotation: Any) -> type[BaseModel] | None:
    for one in (annotation, *get_args(annotation)):
        if isinstance(one, type) and issubclass(one, BaseModel):
            return one
    return None


def _paths(record: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in record.model_fields.items():
        if prefix or name not in OWN:
            linked = _linked(field.annotation)
            yield from _paths(linked, f"{prefix}{name}/") if linked else (f"{prefix}{name}",)


def _fitted(record: type[BaseModel], values: Row) -> Row:
    """Linked entities bring an `id` and more than was asked for: only what the record has."""
    fitted: Row = {}
    for name, value in values.items():
        linked = _linked(record.model_fields[name].annotation)
        if linked is not None and isinstance(value, dict):
            value = _fitted(linked, {inner: value.get(inner) for inner in linked.model_fields})
        fitted[name] = value
    return fitted


def _json(value: Any) -> str:
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"no JSON for {type(value).__name__}")
