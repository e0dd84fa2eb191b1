"""Invoices and payments of Acumatica: which kinds there are, and how a row becomes a source record.

A row here has the fields of its DAC (facts/acumatica.md §5.9, §13.3), whichever feed it came from, and beside them `id`, `AcctCD`,
`CustomerNote` (the customer's NoteID, None where it is no customer), and for the whole of it `Applications`, `Lines` and `BillTo`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from pydantic import BaseModel

from producers.acumatica_tables import CUSTOMER, OWN, Table, ref_of
from producers.acumatica_walk import STAMP
from schemas.sources import (
    AcumaticaApplication,
    AcumaticaBillTo,
    AcumaticaRow,
    AcumaticaTran,
    SourceAcumaticaInvoice,
    SourceAcumaticaPayment,
)
from schemas.topics import SOURCE_INVOICE, SOURCE_PAYMENT
from weighlock.clients.acumatica_values import Row, instant
from weighlock.errors import RejectedError, brief, sayable

#: Type and number: what names a document among people and in applications.
Key = tuple[str, str]
KEYS = ("DocType", "RefNbr")
#: What takes from others: its applications name it on the paying side, and where it is paid back on the other one too.
PAYING = frozenset({"CRM", "PMT", "PPM", "RPM", "REF", "VRF", "SMB"})
#: What has a row among the payments as well, and is read as an invoice only.
ONLY_INVOICES = ("CRM", "CSL", "RCS")
DAYS = ("DocDate", "DueDate", "AdjDate")
#: Put together by us.
MADE = frozenset({"AcctCD", "Applications", "Lines", "BillTo"})
_DAY = re.compile(r"\d{4}-\d\d-\d\d(?:T|$)")


@dataclass(frozen=True)
class DocumentTable(Table):
    """`name` is the DAC; `kinds` the types of documents that we mirror, with the words that people have for them."""

    kinds: Mapping[str, str]

    def called(self, row: Row) -> str:
        return f"{brief(str(row.get('DocType')))} {brief(str(row.get('RefNbr')))}"

    @property
    def select(self) -> list[str]:
        return ["NoteID", STAMP, *(name for name in self.record.model_fields if name not in OWN | MADE)]

    def document_of(self, row: Row, change: str, read_at: datetime, contact: str | None) -> AcumaticaRow:
        """A whole row as a record. `RejectedError` where it cannot be one, with the field and why."""
        if key_of(row) is None:
            raise RejectedError(f"{self.called(row)} has no type or no number: nobody could find it in Acumatica")
        whole = {**row, STAMP: newest(row)}
        for name in DAYS:
            whole[name] = self._day(row, name, row.get(name))
        if isinstance(row.get("Applications"), list):
            whole["Applications"] = [
                _only(AcumaticaApplication, {**one, "AdjgDocDate": self._day(row, "AdjgDocDate", one.get("AdjgDocDate"))})
                for one in row["Applications"]
            ]
        if "Lines" in row:
            whole["Lines"] = [_only(AcumaticaTran, one) for one in row["Lines"]]
        if row.get("BillTo") is not None:
            whole["BillTo"] = _only(AcumaticaBillTo, row["BillTo"])
        own: dict[str, Any] = {"contact": contact} if self is INVOICE else {}
        return self.record_of({k: v for k, v in whole.items() if k in self.record.model_fields or k in (STAMP, "id", "NoteID")},
                              change, read_at, **self._owner(row), **own)  # fmt: skip

    def _owner(self, row: Row) -> dict[str, str | None]:
        """Whose it is, and why it is out of scope if it is."""
        kind, note = str(row.get("DocType")), row.get("CustomerNote")
        party = ref_of(CUSTOMER.entity, note) if isinstance(note, str) and note else None
        if kind not in self.kinds:
            return {"party": party, "scope": f"documents of type {sayable(brief(kind))} are not mirrored"}
        if party is None:
            whose = row.get("AcctCD") or row.get("CustomerID")
            return {"party": None, "scope": f"its customer {sayable(brief(str(whose)))} is none that we can see"}
        return {"party": party, "scope": None}

    def _day(self, row: Row, name: str, value: Any) -> date | None:
        """A day comes as midnight in UTC (§13.4), or by itself: its date part."""
        if value is None:
            return None
        try:
            if not isinstance(value, str) or not _DAY.match(value):
                raise ValueError("no day")
            return date.fromisoformat(value[:10])
        except ValueError:
            raise RejectedError(
                f"{self.called(row)} does not fit {self.record.schema_name}: {name}: {brief(str(value))} is no day"
            ) from None


def newest(row: Row) -> Any:
    """The stamp of the document, or of its newest application where that is later."""
    own = row.get(STAMP)
    try:
        latest = instant(own)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return own  # said when the record is made
    for one in row.get("Applications") or ():
        try:
            at = instant(one[STAMP])
        except (KeyError, TypeError, ValueError, OverflowError):
            continue
        if at > latest:
            own, latest = one[STAMP], at
    return own


def key_of(row: Row) -> Key | None:
    """None for a row that no filter can name."""
    kind, number = row.get("DocType"), row.get("RefNbr")
    if INVOICE.usable(kind) and INVOICE.usable(number):
        return str(kind), str(number)
    return None


def named(row: Row) -> dict[Key, str]:
    """The two documents that an application is about, each with the entity that it is."""
    found: dict[Key, str] = {}
    for side, usual in (("Adjd", INVOICE), ("Adjg", PAYMENT)):
        key = key_of({"DocType": row.get(f"{side}DocType"), "RefNbr": row.get(f"{side}RefNbr")})
        if key is not None:
            known = [table for table in DOCUMENTS.values() if key[0] in table.kinds]
            found[key] = "invoice" if key[0] in ONLY_INVOICES else (known or [usual])[0].entity
    return found


def _only(record: type[BaseModel], row: Mapping[str, Any]) -> Row:
    return {name: row.get(name) for name in record.model_fields}


def ordered(rows: Sequence[Row], *keys: str) -> list[Row]:
    """In an order that does not depend on how they were asked for."""
    return sorted(rows, key=lambda row: [str(row.get(key)).zfill(12) for key in keys])


_INVOICES = {"INV": "invoice", "DRM": "debit memo", "CRM": "credit memo", "FCH": "overdue charge", "SMC": "credit write-off"}
_PAYMENTS = {
    "PMT": "payment",
    "PPM": "prepayment",
    "RPM": "voided payment",
    "REF": "refund",
    "VRF": "voided refund",
    "SMB": "balance write-off",
}
INVOICE = DocumentTable("invoice", "ARInvoice", "RefNbr", False, SOURCE_INVOICE, SourceAcumaticaInvoice, _INVOICES)
PAYMENT = DocumentTable("payment", "ARPayment", "RefNbr", False, SOURCE_PAYMENT, SourceAcumaticaPayment, _PAYMENTS)
DOCUMENTS = {table.entity: table for table in (INVOICE, PAYMENT)}
