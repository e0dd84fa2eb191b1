"""The books as rows of the database's tables, under the names of their DACs (facts/acumatica.md §5.9, §13.3)."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, Literal

from sandbox.acumatica.ar.books import Books
from sandbox.acumatica.ar.codes import BASE_CURRENCY, money
from sandbox.acumatica.ar.records import Application, Document, Line, balance
from sandbox.data import Row

BRANCH = 16
LOCATION = 1
DAYS = ("DocDate", "DueDate", "ClosedDate", "AdjDate", "AdjgDocDate", "AdjdDocDate", "LastInvoiceDate", "OldInvoiceDate", "LastDocDate")
ZERO = Decimal(0)


class Rows:
    """Rows of each table, made again only where the books changed. `voided_amount` is the switch `voided_payment_amount`."""

    def __init__(self, books: Books, voided_amount: Literal["negative", "positive"]) -> None:
        self.books, self.voided_amount = books, voided_amount
        self._made: dict[tuple[str, str], tuple[int, Row]] = {}

    def registers(self) -> Iterator[Row]:
        return (self._kept("register", one, self.register) for one in self.books.documents.values())

    def invoices(self) -> Iterator[Row]:
        return (self._kept("invoice", one, self.invoice) for one in self.books.documents.values() if one.type.invoice)

    def payments(self) -> Iterator[Row]:
        return (self._kept("payment", one, self.payment) for one in self.books.documents.values() if one.type.payment)

    def lines(self) -> Iterator[Row]:
        for one in self.books.documents.values():
            for line in one.lines:
                yield tran(one, line)

    def applications(self) -> Iterator[Row]:
        for one in self.books.applications:
            found = self._made.get(("adjust", one.note_id))
            if found is None or found[0] != one.version:
                found = self._made["adjust", one.note_id] = (one.version, adjust(one))
            yield found[1]

    def balances(self) -> Iterator[Row]:
        for customer in self.books.customers:
            one = balance(customer, self.books.of_customer(customer))
            days = one.days_to_pay
            yield {
                "BranchID": BRANCH,
                "CustomerID": customer,
                "CustomerLocationID": LOCATION,
                "CuryID": BASE_CURRENCY,
                "CurrentBal": one.current,
                "UnreleasedBal": one.unreleased,
                "TotalPrepayments": one.prepaid,
                "TotalOpenOrders": ZERO,
                "TotalShipped": ZERO,
                "LastInvoiceDate": midnight(one.last_invoice),
                "OldInvoiceDate": midnight(one.oldest_open),
                "LastDocDate": midnight(one.last_document),
                "AverageDaysToPay": sum(days) // len(days) if days else 0,
                "LastModifiedDateTime": self.books.balance_stamps[customer],
            }

    def _kept(self, table: str, document: Document, make: Callable[[Document], Row]) -> Row:
        found = self._made.get((table, document.note_id))
        if found is None or found[0] != document.version:
            found = self._made[table, document.note_id] = (document.version, make(document))
        return found[1]

    def signed(self, document: Document) -> Decimal:
        """The amount as it is shown: that of a voiding document is negative, if the site does it so (§13.3)."""
        negative = document.type.code in ("RPM", "VRF") and self.voided_amount == "negative"
        return -document.amount if negative else document.amount

    def register(self, one: Document) -> Row:
        amount = self.signed(one)
        return {
            "DocType": one.type.code,
            "RefNbr": one.number,
            "BranchID": BRANCH,
            "CustomerID": one.customer,
            "CustomerLocationID": LOCATION,
            "DocDate": midnight(one.day),
            "DueDate": midnight(one.due),
            "ClosedDate": midnight(one.closed),
            "FinPeriodID": period(one.day),
            "CuryID": one.currency,
            "CuryOrigDocAmt": amount,
            "OrigDocAmt": one.base(amount),
            "CuryDocBal": one.balance,
            "DocBal": one.base(one.balance),
            "Status": one.status,
            "Released": one.released,
            "OpenDoc": one.status not in ("C", "V", "L"),
            "Hold": one.status == "H",
            "Voided": one.voided,
            "OrigModule": one.origin,
            "OrigDocType": one.original[0] if one.original else None,
            "OrigRefNbr": one.original[1] if one.original else None,
            "ExternalRef": one.external_ref,
            "BatchNbr": f"AR{one.number}" if one.released else None,
            "DocDesc": one.description,
            "NoteID": one.note_id,
            "CreatedDateTime": one.created,
            "LastModifiedDateTime": one.stamp,
        }

    def invoice(self, one: Document) -> Row:
        paid = sum((row.amount for row in self.books.paying(one) if row.released), ZERO)
        return self.register(one) | {
            "InvoiceNbr": one.reference,
            "BillContactID": None if one.bill_to is None else int(one.bill_to.note_id[:7], 16),
            "TermsID": one.terms,
            "CuryLineTotal": one.amount - one.tax,
            "CuryTaxTotal": one.tax,
            "CuryPaymentTotal": paid,
            "CuryUnpaidBalance": one.balance,
            "CreditHold": one.status == "R",
        }

    def payment(self, one: Document) -> Row:
        return self.register(one) | {
            "ExtRefNbr": one.reference,
            "AdjDate": midnight(one.day),
            "PaymentMethodID": one.method,
            "ProcessingCenterID": None,
            "IsCCPayment": one.method == "CCARD",
            "Cleared": False,
        }


def tran(document: Document, line: Line) -> Row:
    return {
        "TranType": document.type.code,
        "RefNbr": document.number,
        "LineNbr": line.number,
        "BranchID": BRANCH,
        "CustomerID": document.customer,
        "InventoryID": None if line.item is None else 10_000 + sum(line.item.encode()),
        "InventoryCD": line.item,  # no field of ARTran: where the item's number leads
        "Qty": line.qty,
        "UOM": line.uom,
        "CuryUnitPrice": line.price,
        "CuryDiscAmt": line.discount,
        "CuryTranAmt": line.amount,
        "TranDesc": line.text or None,
        "SOOrderType": "SO" if line.order else None,
        "SOOrderNbr": line.order,
        "NoteID": line.note_id,
        "LastModifiedDateTime": document.created,
    }


def adjust(one: Application) -> Row:
    adjusted, adjusting = one.adjusted, one.adjusting
    return {
        "AdjdDocType": adjusted.type.code,
        "AdjdRefNbr": adjusted.number,
        "AdjdLineNbr": 0,
        "AdjgDocType": adjusting.type.code,
        "AdjgRefNbr": adjusting.number,
        "AdjNbr": one.number,
        "CustomerID": adjusting.customer,
        "AdjdCustomerID": adjusted.customer,
        "AdjgDocDate": midnight(one.day),
        "AdjdDocDate": midnight(adjusted.day),
        "AdjgFinPeriodID": period(one.day),
        "AdjdFinPeriodID": period(adjusted.day),
        "CuryAdjdAmt": one.amount,
        "CuryAdjgAmt": one.taken,
        "AdjAmt": adjusted.base(one.amount),
        "CuryAdjdDiscAmt": one.discount,
        "CuryAdjgDiscAmt": exchanged(one, one.discount),
        "CuryAdjdWOAmt": one.write_off,
        "CuryAdjgWOAmt": exchanged(one, one.write_off),
        "CuryAdjdPPDAmt": ZERO,
        "RGOLAmt": ZERO,
        "Released": one.released,
        "Hold": False,
        "Voided": one.voided,
        "VoidAdjNbr": one.reverses,
        "IsInitialApplication": one.initial,
        "WriteOffReasonCode": "WRITEOFF" if one.write_off else None,
        "InvoiceID": adjusted.note_id if adjusted.type.invoice else None,
        "PaymentID": adjusting.note_id if adjusting.type.code != "CRM" else None,
        "MemoID": adjusting.note_id if adjusting.type.code == "CRM" else None,
        "NoteID": one.note_id,
        "CreatedDateTime": one.created,
        "LastModifiedDateTime": one.stamp,
    }


def exchanged(one: Application, amount: Decimal) -> Decimal:
    """An amount of the adjusted document in the currency of the adjusting one."""
    if one.adjusted.currency == one.adjusting.currency:
        return amount
    return money(amount * one.adjusted.rate / one.adjusting.rate)


def midnight(day: date | None) -> datetime | None:
    return None if day is None else datetime.combine(day, time(), UTC)


def period(day: date) -> str:
    return f"{day.year:04d}{day.month:02d}"


def shown(books: Books, rows: Rows, customers: dict[int, Row]) -> dict[str, Any]:
    """The books for the dump: the tables' rows with decimals as text and days as dates; each document with its lines, its billing contact
    and the NoteID of its customer (null where that one is gone)."""
    documents = []
    for one in books.documents.values():
        row = (rows.payment(one) if one.type.payment else {}) | (rows.invoice(one) if one.type.invoice else {})
        customer = customers.get(one.customer)
        row |= {"CustomerNoteID": customer["id"] if customer else None, "AcctCD": customer["CustomerID"] if customer else None}
        row["Lines"] = [_plain(tran(one, line)) for line in one.lines]
        row["BillTo"] = None if one.bill_to is None else vars(one.bill_to)
        documents.append(_plain(row))
    return {
        "documents": documents,
        "applications": [_plain(row) for row in rows.applications()],
        "balances": [_plain(row) for row in rows.balances()],
        "deleted": [{"NoteID": gone.document.note_id, "at": gone.at.isoformat()} for gone in books.deleted],
    }


def _plain(row: Row) -> Row:
    return {name: _text(name, value) for name, value in row.items()}


def _text(name: str, value: Any) -> Any:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return value.date().isoformat() if name in DAYS else value.astimezone(UTC).isoformat()
    return value
