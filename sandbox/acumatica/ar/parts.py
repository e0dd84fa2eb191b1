"""Lines, taxes, applications and contacts of AR documents as the contract-based API shows them (facts/acumatica.md §5.1, §13.3)."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from decimal import Decimal
from typing import Any

from sandbox.acumatica.ar.books import Books
from sandbox.acumatica.ar.codes import STATUSES, money
from sandbox.acumatica.ar.records import ZERO, Application, Document
from sandbox.acumatica.ar.rows import exchanged
from sandbox.acumatica.query import PlainDay
from sandbox.acumatica.schema import Entity
from sandbox.data import Row


@dataclass(frozen=True)
class Site:
    """What the rows need besides the books: the zone, the form of days, the sign of voided payments, which invoices are of sales."""

    zone: tzinfo
    plain_days: bool
    voided_negative: bool
    all_sales: bool


class Parts:
    """What stands below the header of the documents of one entity."""

    def __init__(self, entity: Entity, books: Books, customers: Callable[[], dict[int, Row]], site: Site) -> None:
        self.entity, self.books, self.site = entity, books, site
        self._customers = customers()

    def full(self, row: Row, wanted: Iterable[str]) -> Row:
        """The row with those of its linked entities and details that are asked for."""
        one = self.books.by_id.get(row["id"])
        if one is None:  # what a silent PUT shows
            return row
        made: dict[str, Callable[[Document], Any]] = {
            "Details": self._sales_lines if self.entity.name == "SalesInvoice" else self._lines,
            "TaxDetails": self._taxes,
            "ApplicationsInvoice": self._sales_applications,
            "ApplicationsDefault": self._applications,
            "ApplicationsCreditMemo": self._memo_applications,
            "DocumentsToApply": self._to_apply,
            "ApplicationHistory": self._history,
            "BillingSettings": self._billing,
            "FinancialDetails": self._financial,
            "BillToContact": lambda one: None if self.entity.name == "SalesInvoice" else self._contact(one),  # not mapped there (§5.1)
            "ShipToContact": self._contact,
            "BillToAddress": self._address,
            "ShipToAddress": self._address,
        }
        return {**row, **{name: made[name](one) for name in wanted if name in made}}

    def _day(self, day: date | None) -> datetime | None:
        if day is None:
            return None
        return (PlainDay if self.site.plain_days else datetime)(day.year, day.month, day.day, tzinfo=self.site.zone)

    def _code(self, one: Document) -> str | None:
        customer = self._customers.get(one.customer)
        return None if customer is None else customer["CustomerID"]

    def _line_rows(self, one: Document, text: str) -> list[Row]:
        return [
            {
                "id": line.note_id,
                "LineNbr": line.number,
                "InventoryID": line.item,
                text: line.text or None,
                "Qty": line.qty,
                "UOM": line.uom,
                "UnitPrice": line.price,
                "DiscountAmount": line.discount,
                "Amount": line.amount,
                "Account": "40000",
                "TaxCategory": "TAXABLE",
            }
            for line in one.lines
        ]

    def _lines(self, one: Document) -> list[Row]:
        rows = self._line_rows(one, "TransactionDescription")
        for row, line in zip(rows, one.lines, strict=True):
            row |= {"ExtendedPrice": money(line.qty * line.price), "LastModifiedDateTime": one.created, "Branch": "MAIN"}
        return rows

    def _sales_lines(self, one: Document) -> list[Row]:
        """`Description` is that of the account; the line's own text is `TransactionDescr` (§5.1)."""
        rows = self._line_rows(one, "TransactionDescr")
        for row, line in zip(rows, one.lines, strict=True):
            row |= {"Description": "Sales Revenue", "BranchID": "MAIN", "NoteID": line.note_id}
            row |= {"OrderType": "SO", "OrderNbr": line.order, "OrderLineNbr": line.number} if line.order else {}
        return rows

    def _taxes(self, one: Document) -> list[Row]:
        if not one.tax:
            return []
        taxable = one.amount - one.tax
        rate = (
            {}
            if self.entity.name == "SalesInvoice"
            else {"TaxRate": (one.tax * 100 / taxable).quantize(Decimal("0.01")) if taxable else ZERO}
        )
        return [{"id": one.note_id, "TaxID": "SALESTAX", "TaxableAmount": taxable, "TaxAmount": one.tax, **rate}]

    def _paying(self, one: Document) -> list[Application]:
        """What is applied to it, without what was taken back."""
        return [row for row in self.books.paying(one) if not row.voided]

    def _sales_applications(self, one: Document) -> list[Row]:
        """`DocType` is the payment's, `DocumentType` the invoice's own (§13.3)."""
        return [
            {
                "id": row.note_id,
                "AdjustedDocReferenceNbr": one.number,
                "AdjustingDocReferenceNbr": row.adjusting.number,
                "AdjustmentNbr": row.number,
                "AmountPaid": row.amount,
                "Balance": row.adjusting.balance,
                "CashDiscountTaken": row.discount,
                "Currency": row.adjusting.currency,
                "Customer": self._code(one),
                "Description": row.adjusting.description,
                "DocType": row.adjusting.type.label,
                "DocumentType": one.type.label,
                "PaymentDate": self._day(row.adjusting.day),
                "PaymentPeriod": period(row.adjusting.day),
                "PaymentRef": row.adjusting.reference,
                "Status": STATUSES[row.adjusting.status],
            }
            for row in self._paying(one)
        ]

    def _applications(self, one: Document) -> list[Row]:
        return [
            {
                "id": row.note_id,
                "DocType": row.adjusting.type.label,
                "ReferenceNbr": row.adjusting.number,
                "AmountPaid": row.amount,
                "Balance": row.adjusting.balance,
                "CashDiscountTaken": row.discount,
                "PaymentDate": self._day(row.adjusting.day),
                "Status": STATUSES[row.adjusting.status],
            }
            for row in self._paying(one)
        ]

    def _memo_applications(self, one: Document) -> list[Row]:
        """Of a credit memo: the invoices that it pays."""
        sales = self.entity.name == "SalesInvoice"
        return [
            {
                "id": row.note_id,
                "DocType": row.adjusted.type.label,
                "ReferenceNbr": row.adjusted.number,
                "AmountPaid": row.taken,
                "Balance": row.adjusted.balance,
                "Customer": self._code(one),
                "CustomerOrder": row.adjusted.reference,
                "Description": row.adjusted.description,
                "PostPeriod": period(row.adjusted.day),
                "Status": STATUSES[row.adjusted.status],
                **({"Currency": row.adjusted.currency, "Date": self._day(row.adjusted.day)} if sales else {}),
            }
            for row in self.books.paid_by(one)
            if not row.voided
        ]

    def _to_apply(self, one: Document) -> list[Row]:
        """What waits for the release of the payment."""
        return [
            {
                "id": row.note_id,
                "DocType": row.adjusted.type.label,
                "ReferenceNbr": row.adjusted.number,
                "DocLineNbr": 0,
                "AmountPaid": row.taken,
                "CashDiscountTaken": exchanged(row, row.discount),
                "BalanceWriteOff": exchanged(row, row.write_off),
                "CustomerOrder": row.adjusted.reference,
                "Description": row.adjusted.description,
                "WriteOffReasonCode": "WRITEOFF" if row.write_off else None,
            }
            for row in self.books.paid_by(one)
            if not row.released
        ]

    def _history(self, one: Document) -> list[Row]:
        """The postings: reversed ones too. All type fields show the type of the payment itself (§13.3)."""
        types = dict.fromkeys(("AdjustedDocType", "AdjustingDocType", "DisplayDocType"), one.type.label)
        return [
            {
                "id": row.note_id,
                **types,
                "AdjustedRefNbr": row.adjusted.number,
                "AdjustingRefNbr": one.number,
                "DisplayRefNbr": row.adjusted.number,
                "AdjustmentNbr": row.number,
                "AmountPaid": row.taken,
                "Balance": row.adjusted.balance,
                "BalanceWriteOff": exchanged(row, row.write_off),
                "CashDiscountTaken": exchanged(row, row.discount),
                "CashDiscountBalance": ZERO,
                "ApplicationPeriod": period(row.day),
                "PostPeriod": period(row.adjusted.day),
                "BatchNbr": f"AR{one.number}",
                "CurrencyID": row.adjusted.currency,
                "Customer": self._code(one),
                "CustomerOrder": row.adjusted.reference,
                "Description": row.adjusted.description,
                "Date": self._day(row.adjusted.day),
                "DueDate": self._day(row.adjusted.due),
                "AdjustsVAT": False,
            }
            for row in self.books.paid_by(one)
            if row.released
        ]

    def _billing(self, one: Document) -> Row:
        contact = self._contact(one)
        override = one.bill_to is not None and not one.bill_to.standard
        row: Row = {"id": one.note_id, "CustomerLocation": "MAIN", "BillToAddressOverride": False, "BillToContactOverride": override}
        return row | {"BillToContact": contact, "BillToAddress": self._address(one)}

    def _financial(self, one: Document) -> Row:
        return {"id": one.note_id, "BatchNbr": f"AR{one.number}" if one.released else None, "Branch": "MAIN"}

    def _contact(self, one: Document) -> Row | None:
        """As it was copied when the document was entered; no contact's number (§13.3)."""
        to = one.bill_to
        if to is None:
            return None
        return {"id": to.note_id, "BusinessName": to.name, "Attention": to.attention, "Email": to.email, "Phone1": to.phone}

    def _address(self, one: Document) -> Row | None:
        customer = self._customers.get(one.customer) or {}
        found: Row | None = (customer.get("MainContact") or {}).get("Address")
        return found


def period(day: date) -> str:
    """`MMYYYY` (§5.7a)."""
    return f"{day.month:02d}{day.year:04d}"
