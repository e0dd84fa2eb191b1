"""The headers of AR documents in the contract-based API (facts/acumatica.md §3.1, §5.1, §5.4-5.7a, §13.3): labels instead of codes."""

from collections.abc import Iterator
from typing import Any

from sandbox.acumatica.ar.codes import LABELS, STATUSES, TYPES
from sandbox.acumatica.ar.parts import Parts, period
from sandbox.acumatica.ar.records import ZERO, Document
from sandbox.data import Row

SHOWN = ("PMT", "PPM", "REF", "RPM", "VRF", "CRM")  # what the form of payments shows: no write-offs (§5.7a)


class DocumentTable(Parts):
    """The rows of one entity, in key order, as `sandbox.acumatica.store.Table` has them."""

    def __iter__(self) -> Iterator[Row]:
        return (self.row(one) for one in sorted(self.books.documents.values(), key=lambda one: one.key) if self.holds(one))

    def holds(self, one: Document) -> bool:
        match self.entity.name:
            case "Payment":
                return one.type.code in SHOWN
            case "SalesInvoice":  # the form of sales shows what sales made; the other documents have no such record (§3.5)
                return one.type.invoice and (one.origin == "SO" or self.site.all_sales)
        return one.type.invoice

    def document(self, key: str) -> Document | None:
        """By `Invoice/000012`, `Invoice|000012`, or the NoteID."""
        label, _, number = key.replace("|", "/").partition("/")
        found = self.books.by_id.get(key.lower()) or self.books.find((LABELS.get(label, ""), number))
        return found if found is not None and self.holds(found) else None

    def label(self, code: str) -> str:
        """The label of a code, which a request may use as well (§3.1)."""
        return TYPES[code].label if code in TYPES else code

    def find(self, key: Any) -> Row | None:
        found = self.document(str(key))
        return None if found is None else self.row(found)

    def row(self, one: Document) -> Row:
        make = {"Payment": self._payment, "SalesInvoice": self._sales_invoice, "Invoice": self._invoice}
        return make[self.entity.name](one)

    def _common(self, one: Document) -> Row:
        return {
            "id": one.note_id,
            "Type": one.type.label,
            "ReferenceNbr": one.number,
            "Status": STATUSES[one.status],
            "Description": one.description,
            "Hold": one.status == "H",
            "LastModifiedDateTime": one.stamp,
        }

    def _document(self, one: Document) -> Row:
        return self._common(one) | {
            "Amount": one.amount,
            "Balance": one.balance,
            "CustomerOrder": one.reference,
            "Date": self._day(one.day),
            "DueDate": self._day(one.due),
            "TaxTotal": one.tax,
            "IsTaxValid": False,
            "Project": "X",
            "BillToContactOverride": one.bill_to is not None and not one.bill_to.standard,
        }

    def _invoice(self, one: Document) -> Row:
        return self._document(one) | {
            "CuryID": one.currency,
            "Customer": self._code(one),
            "CreatedDateTime": one.created,
            "Terms": one.terms,
            "PostPeriod": period(one.day),
            "LocationID": "MAIN",
            "LinkARAccount": "11000",
            "LinkBranch": "MAIN",
            "BillingPrinted": False,
            "ShipToContactOverride": False,
        }

    def _sales_invoice(self, one: Document) -> Row:
        lines = sum((line.amount for line in one.lines), ZERO)
        return self._document(one) | {
            "CustomerID": self._code(one),
            "Currency": one.currency,
            "CreatedDate": one.created,
            "LastModifiedDate": one.stamp,
            "ExternalRef": one.external_ref,
            "DetailTotal": lines or one.amount - one.tax,
            "PaymentTotal": sum((row.amount for row in self.books.paying(one) if row.released), ZERO),
            "CreditHold": one.status == "R",
            **dict.fromkeys(("CashDiscount", "DiscountTotal", "FreightPrice", "VATExemptTotal", "VATTaxableTotal"), ZERO),
            **dict.fromkeys(("BillToAddressOverride", "ShipToAddressOverride", "ShipToContactOverride"), False),
        }

    def _payment(self, one: Document) -> Row:
        waiting = sum((row.taken for row in self.books.paid_by(one) if not row.released), ZERO)
        negative = self.site.voided_negative and one.type.code in ("RPM", "VRF")
        return self._common(one) | {
            "CustomerID": self._code(one),
            "ApplicationDate": self._day(one.day),
            "PaymentAmount": -one.amount if negative else one.amount,
            "AvailableBalance": one.balance - waiting,
            "AppliedToDocuments": waiting,
            "AppliedToOrders": ZERO,
            "CurrencyID": one.currency,
            "PaymentMethod": one.method,
            "PaymentRef": one.reference if one.type.code != "CRM" else None,
            "ExternalRef": one.external_ref,
            "CashAccount": "10200" if one.method else None,
            "Branch": "MAIN",
            "CustomerLocationID": "MAIN",
            "IsCCPayment": one.method == "CCARD",
            "NoteID": one.note_id,
        }
