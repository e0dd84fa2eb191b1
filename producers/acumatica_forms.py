"""Acumatica's documents through the contract-based API, where the feeds are not allowed: forms, in labels (facts/acumatica.md §4.3,
§5.4-5.7a, §13.3), as rows of acumatica_document_tables.

Its lists have no applications: whoever has any is read by itself. What a payment was applied to changes without its own stamp, so the
documents that a changed payment names are read again (`hints`). It does not show write-offs of balances, nor at a payment what was refunded
of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from producers.acumatica_codes import code_of
from producers.acumatica_document_tables import INVOICE, ONLY_INVOICES, PAYMENT, DocumentTable, Key, key_of, ordered
from producers.acumatica_tables import CUSTOMER
from producers.acumatica_walk import STAMP, Ask, ByKey, Terms
from weighlock.clients.acumatica import Reads
from weighlock.clients.acumatica_odata import Part, any_pair
from weighlock.clients.acumatica_values import Row, any_of, literal

#: Room for the values in one `$filter`, encoded.
ROOM = 1300
CURRENCY = "Document.CuryID"
TYPES = {
    **{"Invoice": "INV", "Debit Memo": "DRM", "Credit Memo": "CRM", "Overdue Charge": "FCH", "Credit WO": "SMC", "Cash Sale": "CSL"},
    **{"Cash Return": "RCS", "Payment": "PMT", "Prepayment": "PPM", "Voided Payment": "RPM", "Refund": "REF", "Customer Refund": "REF"},
    **{"Voided Refund": "VRF", "Balance WO": "SMB"},
}
LABELS = {code: label for label, code in reversed(TYPES.items())}
STATUSES = {
    **{"On Hold": "H", "Balanced": "B", "Open": "N", "Closed": "C", "Voided": "V", "Credit Hold": "R", "Pending Processing": "W"},
    **{"Pending Print": "P", "Pending Email": "E", "Pending Approval": "D", "Rejected": "J", "Canceled": "L", "Scheduled": "S"},
    "Reserved": "Z",
}
RELEASED = frozenset("NCVLZ")
#: In the order of their codes, as a walk through everything meets them.
WALKED = {INVOICE.entity: ("CRM", "DRM", "FCH", "INV", "SMC"), PAYMENT.entity: ("PMT", "PPM", "REF", "RPM", "VRF")}
KEY = ["Type", "ReferenceNbr"]
_HEADER = [*KEY, STAMP, "Status", "Hold", "Description"]
FORMS = {INVOICE.entity: "Invoice", PAYMENT.entity: "Payment"}
LINES = {"LineNbr": "LineNbr", "InventoryID": "InventoryID", "TransactionDescription": "TranDesc", "Qty": "Qty", "UOM": "UOM",
         "UnitPrice": "CuryUnitPrice", "DiscountAmount": "CuryDiscAmt", "Amount": "CuryTranAmt"}  # fmt: skip
SELECT = {
    INVOICE.entity: [*_HEADER, "Customer", "Date", "DueDate", "Amount", "Balance", "TaxTotal", "Terms", "CustomerOrder",
                     "BillToContactOverride", *(f"Details/{name}" for name in LINES), "BillToContact/Attention",
                     "BillToContact/BusinessName", "BillToContact/Email"],
    PAYMENT.entity: [*_HEADER, "CustomerID", "ApplicationDate", "PaymentAmount", "AvailableBalance", "AppliedToDocuments",
                     "AppliedToOrders", "CurrencyID", "PaymentMethod", "PaymentRef"],
}  # fmt: skip
EXPAND = {INVOICE.entity: ["Details", "BillToContact"], PAYMENT.entity: []}
_PAID = [f"ApplicationsDefault/{name}" for name in ("DocType", "ReferenceNbr", "AmountPaid", "CashDiscountTaken", "PaymentDate", "Status")]
_PAYS = [*(f"ApplicationHistory/{name}" for name in ("AdjustedRefNbr", "AdjustmentNbr", "AmountPaid", "CashDiscountTaken",
                                                     "BalanceWriteOff", "CurrencyID")),
         *(f"DocumentsToApply/{name}" for name in ("DocType", "ReferenceNbr", "AmountPaid"))]  # fmt: skip


class Forms:
    """Asks the forms. A walk through everything goes type by type, for labels and codes are not in the same order; windows are parted by
    time alone."""

    terms: Terms = ByKey("ReferenceNbr")
    by_key = False

    def __init__(self, client: Reads) -> None:
        self._client = client
        self._firms: dict[str, Row] = {}

    def forget(self) -> None:
        """What is kept through one walk: the customers by code."""
        self._firms.clear()

    def narrow(self, table: DocumentTable, ask: Ask) -> Part:
        """Keys and stamps alone."""
        rows = self._client.list(FORMS[table.entity], [*KEY, STAMP], filter=ask.filter, top=ask.top)
        shown = [_named(row) for row in rows]
        return Part([row for row in shown if table is INVOICE or row["DocType"] not in ONLY_INVOICES], len(rows) >= ask.top)

    def page(self, table: DocumentTable, ask: Ask, since: datetime | None) -> Part:
        """Whole documents of one type after the other, until the page is full."""
        code, number = _after(ask.after)
        found: list[Row] = []
        kinds = [kind for kind in WALKED[table.entity] if kind >= code]
        for kind in kinds:
            terms = [f"Type eq {literal(LABELS[kind])}"]
            if kind == code and number:
                terms.append(f"ReferenceNbr gt {literal(number)}")
            if since is not None:
                day = "Date" if table is INVOICE else "ApplicationDate"
                terms.append(f"({day} ge {literal(since)} or {_OPEN})")
            found += self._list(table, " and ".join(terms), ask.top - len(found))
            if len(found) >= ask.top:
                return Part(self._completed(table, found), True)
        return Part(self._completed(table, found), False)

    def whole(self, table: DocumentTable, keys: Iterable[Key], window: Ask | None = None) -> list[Row]:
        """These documents as they are now, each by a call or two of its own."""
        found: list[Row] = []
        labelled = {(LABELS.get(code, code), number) for code, number in keys}
        for _, filter in any_pair("Type", "ReferenceNbr", labelled, ROOM):
            found += self._client.list(FORMS[table.entity], [*KEY, STAMP], filter=filter)
        ids = [row["id"] for row in found if isinstance(row.get("id"), str)]
        return self._completed(table, [row for id in ids if (row := self._one(table, id)) is not None], read=True)

    def hints(self, rows: Sequence[Row]) -> dict[str, set[Key]]:
        """The other documents that these took from: by entity."""
        found: dict[str, set[Key]] = {}
        for row in rows:
            for one in row.get("Applications") or ():
                for kind in one.get("Candidates") or ():
                    entity = PAYMENT.entity if kind in PAYMENT.kinds else INVOICE.entity
                    found.setdefault(entity, set()).add((kind, one["AdjdRefNbr"]))
        return found

    def _list(self, table: DocumentTable, filter: str, top: int) -> list[Row]:
        entity = table.entity
        return self._client.list(FORMS[entity], SELECT[entity], EXPAND[entity], filter, top, custom=_custom(table))

    def _one(self, table: DocumentTable, id: str) -> Row | None:
        entity = table.entity
        more, ways = (_PAID, ["ApplicationsDefault"]) if table is INVOICE else (_PAYS, ["ApplicationHistory", "DocumentsToApply"])
        return self._client.get(FORMS[entity], id, [*SELECT[entity], *more], [*EXPAND[entity], *ways], custom=_custom(table))

    def _completed(self, table: DocumentTable, rows: Sequence[Row], read: bool = False) -> list[Row]:
        """With their applications and customers. `read`: they were read one by one already."""
        whole: list[Row] = []
        for row in rows:
            if not read and _untouched(row):
                whole.append(row)
            elif (one := row if read else self._one(table, str(row.get("id")))) is not None:
                whole.append(one)
        if table is INVOICE:
            whole = [row | self._memo(row) for row in whole]
        self._learn(code for row in whole if (code := code_of(row, _owner(table))) is not None)
        shaped = [self._shaped(table, row) for row in whole]
        return self._typed(shaped)

    def _memo(self, row: Row) -> Row:
        """A credit memo takes from others like a payment, and the form of payments shows what."""
        if row.get("Type") != LABELS["CRM"] or _untouched(row):
            return {}
        found = self._client.get(FORMS[PAYMENT.entity], str(row.get("id")), [*KEY, "CurrencyID", *_PAYS],
                                 ["ApplicationHistory", "DocumentsToApply"])  # fmt: skip
        return {name: found.get(name) for name in ("ApplicationHistory", "DocumentsToApply", "CurrencyID")} if found else {}

    def _learn(self, codes: Iterable[str]) -> None:
        for _, filter in any_of(CUSTOMER.key, sorted(set(codes) - self._firms.keys()), ROOM):
            for row in self._client.list(CUSTOMER.name, [CUSTOMER.key, "BAccountID", "CurrencyID"], filter=filter):
                if (code := code_of(row, CUSTOMER.key)) is not None:
                    self._firms[code] = row

    def _shaped(self, table: DocumentTable, row: Row) -> Row:
        firm = self._firms.get(code_of(row, _owner(table)) or "", {})
        status = STATUSES.get(str(row.get("Status")), row.get("Status"))
        shaped = _named(row) | {
            "AcctCD": row.get(_owner(table)),
            "CustomerID": firm.get("BAccountID"),
            "CustomerNote": firm.get("id"),
            "Status": status,
            "Released": status in RELEASED,
            "Voided": status == "V",
            "Hold": row.get("Hold"),
            "DocDesc": row.get("Description"),
        }
        return shaped | (_invoice(row, firm, status) if table is INVOICE else _payment(row)) | {"Applications": _applications(shaped, row)}

    def _typed(self, rows: list[Row]) -> list[Row]:
        """The postings of a payment name what it paid by its number alone: of which type that is, the lists say."""
        untyped = [(row, one) for row in rows for one in row["Applications"] if one.get("AdjdDocType") is None]
        numbers = {False: set[str](), True: set[str]()}
        for row, one in untyped:
            if isinstance(one["AdjdRefNbr"], str):
                numbers[row["DocType"] in _BACK].add(one["AdjdRefNbr"])
        known = {back: self._kinds(back, sorted(wanted)) for back, wanted in numbers.items()}
        for row, one in untyped:
            own = {key for key, code in known[row["DocType"] in _BACK] if key[1] == one["AdjdRefNbr"] and code == code_of(row, "AcctCD")}
            one["Candidates"] = sorted(kind for kind, _ in own)
            one["AdjdDocType"] = one["Candidates"][0] if len(own) == 1 else None
        return rows

    def _kinds(self, back: bool, numbers: Sequence[str]) -> list[tuple[Key, str | None]]:
        """Who has these numbers, and whose they are: of what is paid back, or else of what is paid."""
        table, wanted = (PAYMENT, ("PMT", "PPM", "CRM")) if back else (INVOICE, ("INV", "DRM", "FCH", "SMC"))
        found = []
        for _, filter in any_of("ReferenceNbr", numbers, ROOM):
            for row in self._client.list(FORMS[table.entity], [*KEY, _owner(table)], filter=filter):
                key = key_of(_named(row))
                if key is not None and key[0] in wanted:
                    found.append((key, code_of(row, _owner(table))))
        return found


#: What pays a payment or a memo back.
_BACK = frozenset({"REF", "VRF"})
_OPEN = "Status eq 'Open' or Status eq 'On Hold' or Status eq 'Balanced'"


def _after(text: str) -> tuple[str, str]:
    code, number = json.loads(text) if text else ("", "")
    return str(code), str(number)


def _owner(table: DocumentTable) -> str:
    return "Customer" if table is INVOICE else "CustomerID"


def _custom(table: DocumentTable) -> tuple[str, ...]:
    return (CURRENCY,) if table is INVOICE else ()


def _named(row: Row) -> Row:
    label = row.get("Type")
    return {"id": row.get("id"), STAMP: row.get(STAMP), "DocType": TYPES.get(label, label) if isinstance(label, str) else label,
            "RefNbr": row.get("ReferenceNbr")}  # fmt: skip


def _untouched(row: Row) -> bool:
    """Nothing was taken from it, nor is about to be."""
    if "PaymentAmount" in row:
        return row.get("PaymentAmount") is not None and row.get("PaymentAmount") == row.get("AvailableBalance")
    return row.get("Amount") is not None and row.get("Amount") == row.get("Balance")


def _invoice(row: Row, firm: Row, status: Any) -> Row:
    custom = row.get("custom")
    currency = custom.get("Document", {}).get("CuryID", {}).get("value") if isinstance(custom, dict) else None
    bill = row.get("BillToContact")
    return {
        "DocDate": row.get("Date"),
        "DueDate": row.get("DueDate"),
        "CuryID": currency or firm.get("CurrencyID"),
        "CuryOrigDocAmt": row.get("Amount"),
        "CuryDocBal": row.get("Balance"),
        "CuryTaxTotal": row.get("TaxTotal"),
        "TermsID": row.get("Terms"),
        "InvoiceNbr": row.get("CustomerOrder"),
        "CreditHold": status == "R",
        "BillTo": None
        if not isinstance(bill, dict)
        else {
            "FullName": bill.get("BusinessName"),
            "Attention": bill.get("Attention"),
            "Email": bill.get("Email"),
            "IsDefaultContact": not row.get("BillToContactOverride"),
        },
        "Lines": ordered([{ours: line.get(name) for name, ours in LINES.items()} for line in row.get("Details") or ()], "LineNbr"),
    }


def _payment(row: Row) -> Row:
    parts = [row.get(name) for name in ("AvailableBalance", "AppliedToDocuments", "AppliedToOrders")]
    return {
        "DocDate": row.get("ApplicationDate"),
        "AdjDate": row.get("ApplicationDate"),
        "CuryID": row.get("CurrencyID"),
        "CuryOrigDocAmt": row.get("PaymentAmount"),
        "CuryDocBal": None if parts[0] is None else sum(part or 0 for part in parts),
        "PaymentMethodID": row.get("PaymentMethod"),
        "ExtRefNbr": row.get("PaymentRef"),
    }


def _applications(document: Row, row: Row) -> list[Row]:
    """What was posted of it and waits to be, then what others took from it. Amounts of the side that the form shows."""
    own = (document["DocType"], document["RefNbr"])
    day = row.get("ApplicationDate") or row.get("Date")
    found = [_posted(own, day, one, one.get("CurrencyID") == row.get("CurrencyID")) for one in row.get("ApplicationHistory") or ()]
    found += [_waiting(own, day, one) for one in row.get("DocumentsToApply") or ()]
    found += [_taken(own, one) for one in row.get("ApplicationsDefault") or ()]
    return ordered(found, "AdjdDocType", "AdjdRefNbr", "AdjgDocType", "AdjgRefNbr", "AdjNbr", "CuryAdjgAmt", "CuryAdjdAmt")


def _posted(own: tuple[Any, Any], day: Any, one: Mapping[str, Any], same: bool) -> Row:
    """In the payment's currency, and only if that is the other one's too in both."""
    row = {"AdjdDocType": None, "AdjdRefNbr": one.get("AdjustedRefNbr"), "AdjgDocType": own[0], "AdjgRefNbr": own[1],
           "AdjNbr": one.get("AdjustmentNbr"), "AdjgDocDate": day, "CuryAdjgAmt": one.get("AmountPaid"), "Released": True}  # fmt: skip
    both = {
        "CuryAdjdAmt": one.get("AmountPaid"),
        "CuryAdjdDiscAmt": one.get("CashDiscountTaken"),
        "CuryAdjdWOAmt": one.get("BalanceWriteOff"),
    }
    return row | (both if same else {})


def _waiting(own: tuple[Any, Any], day: Any, one: Mapping[str, Any]) -> Row:
    label = one.get("DocType")
    return {"AdjdDocType": TYPES.get(str(label), label), "AdjdRefNbr": one.get("ReferenceNbr"), "AdjgDocType": own[0], "AdjgRefNbr": own[1],
            "AdjgDocDate": day, "CuryAdjgAmt": one.get("AmountPaid"), "Released": False}  # fmt: skip


def _taken(own: tuple[Any, Any], one: Mapping[str, Any]) -> Row:
    """Taken by a payment that is not released yet, it waits as well."""
    label, status = one.get("DocType"), STATUSES.get(str(one.get("Status")))
    return {"AdjdDocType": own[0], "AdjdRefNbr": own[1], "AdjgDocType": TYPES.get(str(label), label), "AdjgRefNbr": one.get("ReferenceNbr"),
            "AdjgDocDate": one.get("PaymentDate"), "CuryAdjdAmt": one.get("AmountPaid"), "CuryAdjdDiscAmt": one.get("CashDiscountTaken"),
            "Released": status in RELEASED}  # fmt: skip
