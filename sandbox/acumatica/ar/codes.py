"""Codes of AR documents, their labels and their side of the customer's balance (facts/acumatica.md §5.7a, §13.3)."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

CENT = Decimal("0.01")


@dataclass(frozen=True)
class DocType:
    """A kind of document. `sign`: +1 adds to what the customer owes; `invoice`, `payment`: the tables (and forms) it is a row of."""

    code: str
    label: str
    sign: int
    invoice: bool = False
    payment: bool = False


TYPES = {
    one.code: one
    for one in (
        DocType("INV", "Invoice", 1, invoice=True),
        DocType("DRM", "Debit Memo", 1, invoice=True),
        DocType("FCH", "Overdue Charge", 1, invoice=True),
        DocType("CRM", "Credit Memo", -1, invoice=True, payment=True),
        DocType("SMC", "Credit WO", 1, invoice=True),
        DocType("PMT", "Payment", -1, payment=True),
        DocType("PPM", "Prepayment", -1, payment=True),
        DocType("RPM", "Voided Payment", 1, payment=True),
        DocType("REF", "Refund", 1, payment=True),
        DocType("VRF", "Voided Refund", -1, payment=True),
        DocType("SMB", "Balance WO", -1, payment=True),
    )
}
LABELS = {one.label: one.code for one in TYPES.values()}
STATUSES = {"H": "On Hold", "B": "Balanced", "N": "Open", "C": "Closed", "V": "Voided", "L": "Canceled", "R": "Credit Hold"}

# What may take what: the adjusting document's type -> the types of those that it can be applied to.
OWED = ("INV", "DRM", "FCH", "SMC")
APPLIES_TO = {"PMT": OWED, "PPM": OWED, "CRM": OWED, "SMB": OWED, "REF": ("PMT", "PPM", "CRM")}
VOIDED_BY = {"PMT": "RPM", "PPM": "RPM", "REF": "VRF"}
REVERSED_BY = {"INV": "CRM", "DRM": "CRM", "FCH": "CRM", "CRM": "DRM"}

BASE_CURRENCY = "USD"
# One rate for all time: a document's base amounts are its own times this.
RATES = {"USD": Decimal(1), "CAD": Decimal("0.73"), "EUR": Decimal("1.08"), "GBP": Decimal("1.27"), "MXN": Decimal("0.055")}


def money(amount: Decimal) -> Decimal:
    """An amount in whole cents."""
    return amount.quantize(CENT, ROUND_HALF_UP)
