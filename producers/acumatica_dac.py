"""Acumatica's documents through the DAC feeds (facts/acumatica.md §5.9, §13.3, §13.4): what is asked, and the rows as
acumatica_document_tables has them.

An application is a row of its own, of ARAdjust: a change of it need not touch the stamp of the documents that it is about. So it is walked
by itself, and tells which documents to read again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import structlog

from producers.acumatica_document_tables import INVOICE, KEYS, ONLY_INVOICES, PAYING, PAYMENT, DocumentTable, Key, key_of, ordered
from producers.acumatica_walk import STAMP, Ask, Terms
from schemas.sources import AcumaticaApplication, AcumaticaBillTo, AcumaticaTran
from weighlock.clients.acumatica import Reads
from weighlock.clients.acumatica_odata import Part, any_pair, beyond, every, literal, ranges
from weighlock.clients.acumatica_values import Row, packed
from weighlock.errors import RejectedError, brief

APPLICATIONS = "ARAdjust"
APPLICATION_KEYS = ("AdjdDocType", "AdjdLineNbr", "AdjdRefNbr", "AdjgDocType", "AdjgRefNbr", "AdjNbr")
APPLICATION_SELECT = list(dict.fromkeys(("NoteID", STAMP, *APPLICATION_KEYS, *AcumaticaApplication.model_fields)))
#: Room for the keys in one `$filter`, encoded, beside what is selected: IIS takes 2,048 characters of query where nobody has raised it.
DOCUMENT_ROOM, APPLICATION_ROOM = 1000, 1000
CODES = ("DocType", "RefNbr", "CuryID", "Status", "TermsID", "AcctCD", "OrigDocType", "OrigRefNbr", "PaymentMethodID", "AdjdDocType",
         "AdjdRefNbr", "AdjgDocType", "AdjgRefNbr", "InventoryCD", "UOM", "SOOrderNbr")  # fmt: skip
ITEM = "InventoryItemByInventoryID"

log = structlog.get_logger(worker="source-acumatica")


@dataclass(frozen=True)
class DacTerms:
    """Filters of a walk by several keys: `after` is a JSON list of their values."""

    keys: tuple[str, ...]

    def window(self, since: datetime, until: datetime) -> str:
        return f"{STAMP} ge {literal(since)} and {STAMP} lt {literal(until)}"

    def beyond(self, after: str) -> str:
        return f"({beyond(self.keys, json.loads(after))})"


class Dac:
    """Asks the feeds."""

    terms: Terms = DacTerms(KEYS)
    by_key = True

    def __init__(self, client: Reads) -> None:
        self._client = client
        self._items = True

    def probe(self) -> None:
        """A row of each set, as it will be asked for. Raises what the feeds answer if we may not read them."""
        try:
            self._feed(INVOICE.name, INVOICE.select, self._expand(INVOICE), top=1)
        except RejectedError as refusal:
            self._items = False
            self._feed(INVOICE.name, INVOICE.select, self._expand(INVOICE), top=1)
            log.warning("the feeds do not lead from a line to its item: lines have the item's number", reason=brief(str(refusal), 500))
        self._feed(PAYMENT.name, PAYMENT.select, self._expand(PAYMENT), top=1)
        self._feed(APPLICATIONS, APPLICATION_SELECT, top=1)

    def forget(self) -> None:
        """A walk is through."""

    def hints(self, rows: Sequence[Row]) -> dict[str, set[Key]]:
        """None: the walk of applications tells which documents to read again."""
        return {}

    def narrow(self, table: DocumentTable, ask: Ask) -> Part:
        """Keys and stamps alone."""
        return self._listed(table, ask, ["NoteID", STAMP, *KEYS], ())

    def page(self, table: DocumentTable, ask: Ask, since: datetime | None) -> Part:
        """Whole documents, then their applications, which lie in one range of keys for each type; those of documents from before
        `since` lie scattered (they are asked for only if they are open), and these are asked for by name."""
        if since is not None:
            recent = f"(DocDate ge {literal(since)} or OpenDoc eq true)"
            ask = replace(ask, filter=f"{ask.filter} and {recent}" if ask.filter else recent)
        found = self._listed(table, ask, table.select, self._expand(table))
        keyed = [(key, row) for row in found.rows if (key := key_of(row)) is not None]
        old = {key for key, row in keyed if since is not None and str(row.get("DocDate")) < since.date().isoformat()}
        filters = packed([*_ranges([key for key, _ in keyed if key not in old]), *_names(old)], APPLICATION_ROOM)
        applications = self._applications(filters)
        return Part([_with(row, applications) for row in found.rows], found.more)

    def whole(self, table: DocumentTable, keys: Iterable[Key], window: Ask | None = None) -> list[Row]:
        """These documents as they are now. Their applications are read first: then what a document owes never lags behind them.
        `window`: where they were seen, asked for again if that is one call instead of several."""
        wanted = sorted(set(keys))
        if not wanted:
            return []
        applications = self._applications(packed(_names(wanted), APPLICATION_ROOM))
        asked = list(any_pair(*KEYS, wanted, DOCUMENT_ROOM))
        found: dict[Key, Row] = {}
        if window is not None and len(asked) > 1:
            found = _by_key(self._listed(table, window, table.select, self._expand(table)).rows)
            asked = list(any_pair(*KEYS, set(wanted) - found.keys(), DOCUMENT_ROOM))  # what has left the window meanwhile
        for _, filter in asked:
            rows = every(self._client.feed, table.name, table.select, filter, KEYS, self._expand(table))
            found |= _by_key([_shaped(row) for row in rows])
        return [_with(row, applications) for key, row in found.items() if key in set(wanted)]

    def applications(self, ask: Ask) -> Part:
        found = self._feed(APPLICATIONS, APPLICATION_SELECT, (), ask.filter, APPLICATION_KEYS, ask.top)
        return Part([_trimmed(row) for row in found.rows], found.more)

    def _applications(self, filters: Iterable[str]) -> dict[Key, list[Row]]:
        """By the key of each document that they name."""
        found: dict[str, Row] = {}
        for filter in filters:
            for row in every(self._client.feed, APPLICATIONS, APPLICATION_SELECT, filter, APPLICATION_KEYS):
                found[json.dumps([str(row.get(key)) for key in APPLICATION_KEYS])] = _trimmed(row)
        by_key: dict[Key, list[Row]] = {}
        for row in ordered(list(found.values()), *APPLICATION_KEYS):
            sides = {(str(row.get(f"{side}DocType")), str(row.get(f"{side}RefNbr"))) for side in ("Adjd", "Adjg")}
            for key in sides:
                by_key.setdefault(key, []).append(row)
        return by_key

    def _listed(self, table: DocumentTable, ask: Ask, select: Sequence[str], expand: Sequence[str]) -> Part:
        filter = ask.filter
        if table is PAYMENT:
            others = " and ".join(f"DocType ne {literal(kind)}" for kind in ONLY_INVOICES)
            filter = f"({filter}) and {others}" if filter else others
        found = self._feed(table.name, select, expand, filter, KEYS, ask.top)
        return Part([_shaped(row) for row in found.rows], found.more)

    def _feed(
        self,
        name: str,
        select: Sequence[str],
        expand: Sequence[str] = (),
        filter: str = "",
        order: Sequence[str] = (),
        top: int | None = None,
    ) -> Part:
        return self._client.feed(name, select, expand, filter, order, top)

    def _expand(self, table: DocumentTable) -> list[str]:
        customer = "CustomerByCustomerID($select=AcctCD,NoteID)"
        if table is not INVOICE:
            return [customer]
        tran = f"$select={','.join(AcumaticaTran.model_fields)}" + (f";$expand={ITEM}($select=InventoryCD)" if self._items else "")
        return [
            customer,
            f"ARContactByBillContactID($select={','.join(AcumaticaBillTo.model_fields)})",
            f"ARTranCollection({tran})",
        ]


def _ranges(keys: Sequence[Key]) -> list[str]:
    paying = [key for key in keys if _pays(key)]
    return [*ranges("AdjdDocType", "AdjdRefNbr", keys), *ranges("AdjgDocType", "AdjgRefNbr", paying)]


def _names(keys: Iterable[Key]) -> list[str]:
    keys = list(keys)
    adjusted = any_pair("AdjdDocType", "AdjdRefNbr", keys, APPLICATION_ROOM)
    adjusting = any_pair("AdjgDocType", "AdjgRefNbr", [key for key in keys if _pays(key)], APPLICATION_ROOM)
    return [filter for _, filter in (*adjusted, *adjusting)]


def _pays(key: Key) -> bool:
    """Can it be the paying side? What we do not know may be."""
    return key[0] in PAYING or key[0] not in INVOICE.kinds


def _by_key(rows: Iterable[Row]) -> dict[Key, Row]:
    return {key: row for row in rows if (key := key_of(row)) is not None}


def _with(row: Row, applications: dict[Key, list[Row]]) -> Row:
    key = key_of(row)
    return {**row, "Applications": applications.get(key, []) if key else []}


def _shaped(row: Row) -> Row:
    """A row of the feed as acumatica_document_tables wants it."""
    shaped = _trimmed(row)
    shaped["id"] = row.get("NoteID")
    if "CustomerByCustomerID" in row:
        customer = shaped.pop("CustomerByCustomerID") or {}
        shaped |= {"AcctCD": _trimmed(customer).get("AcctCD"), "CustomerNote": customer.get("NoteID")}
    if "ARContactByBillContactID" in row:
        shaped["BillTo"] = shaped.pop("ARContactByBillContactID")
    if "ARTranCollection" in row:
        lines = [_line(line) for line in shaped.pop("ARTranCollection") or ()]
        shaped["Lines"] = ordered(lines, "LineNbr")
    return shaped


def _line(row: Row) -> Row:
    """With the code of its item, where the feeds lead there, else with the item's number."""
    item = _trimmed(row.get(ITEM) or {}).get("InventoryCD")
    number = row.get("InventoryID")
    return {**_trimmed(row), "InventoryID": item if item is not None else None if number is None else str(number)}


def _trimmed(row: Row) -> Row:
    """Codes are stored with blanks up to their length (facts §13.4)."""
    return {name: value.rstrip(" ") if name in CODES and isinstance(value, str) else value for name, value in row.items()}


def text_of(values: Iterable[Any]) -> str:
    """A key as a position holds it."""
    return json.dumps(list(values))
