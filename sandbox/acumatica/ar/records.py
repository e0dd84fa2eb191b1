"""Documents and applications, as the books keep them, and what a customer's sum up to."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from sandbox.acumatica.ar.codes import RATES, DocType, money

Key = tuple[str, str]  # DocType, RefNbr
ZERO = Decimal(0)


class NotAllowed(ValueError):
    """An operation that the books refuse; nothing was changed."""


@dataclass(frozen=True)
class Line:
    """A row of a document: `amount` is net of `discount`, without tax."""

    number: int
    note_id: str
    item: str | None
    text: str
    qty: Decimal
    uom: str | None
    price: Decimal
    discount: Decimal
    amount: Decimal
    order: str | None = None


@dataclass(frozen=True)
class BillTo:
    """The billing contact, copied when the document was entered (§13.3). `standard`: it is the customer's own."""

    note_id: str
    contact: int | None = None
    name: str | None = None
    attention: str | None = None
    email: str | None = None
    phone: str | None = None
    standard: bool = True


@dataclass
class Document:
    """A row of ARRegister. Changed by the books only: `version` counts the changes."""

    type: DocType
    number: str
    note_id: str
    customer: int
    day: date
    currency: str
    amount: Decimal
    balance: Decimal
    status: str
    created: datetime
    stamp: datetime
    due: date | None = None
    origin: str = "AR"
    description: str | None = None
    reference: str | None = None
    external_ref: str | None = None
    terms: str | None = None
    method: str | None = None
    tax: Decimal = ZERO
    lines: tuple[Line, ...] = ()
    bill_to: BillTo | None = None
    original: Key | None = None
    released: bool = False
    voided: bool = False
    closed: date | None = None
    version: int = 0

    @property
    def key(self) -> Key:
        return self.type.code, self.number

    @property
    def name(self) -> str:
        return f"{self.type.code}/{self.number}"

    @property
    def rate(self) -> Decimal:
        return RATES[self.currency]

    @property
    def open(self) -> bool:
        return self.released and self.status == "N"

    def base(self, amount: Decimal) -> Decimal:
        return money(amount * self.rate)


@dataclass
class Application:
    """A row of ARAdjust: `adjusting` (a payment) pays `adjusted` (an invoice). A reversal is a row of its own with negative amounts."""

    adjusted: Document
    adjusting: Document
    number: int
    note_id: str
    day: date
    amount: Decimal
    taken: Decimal
    created: datetime
    stamp: datetime
    discount: Decimal = ZERO
    write_off: Decimal = ZERO
    released: bool = False
    voided: bool = False
    initial: bool = False
    reverses: int | None = None
    version: int = 0

    @property
    def total(self) -> Decimal:
        return self.amount + self.discount + self.write_off

    @property
    def name(self) -> str:
        return f"{self.adjusting.name}>{self.adjusted.name}#{self.number}"


@dataclass(frozen=True)
class Rules:
    """What sites may do differently: does an application move the adjusted document's stamp; what becomes of a reversed invoice."""

    application_bumps: bool = True
    reversed_status: Literal["L", "V", "C"] = "L"


@dataclass
class Deleted:
    document: Document
    at: datetime


@dataclass
class Balance:
    """A customer's row of ARBalances: base currency."""

    customer: int
    current: Decimal = ZERO
    unreleased: Decimal = ZERO
    prepaid: Decimal = ZERO
    last_invoice: date | None = None
    oldest_open: date | None = None
    last_document: date | None = None
    days_to_pay: list[int] = field(default_factory=list)


def balance(customer: int, documents: Iterable[Document]) -> Balance:
    """The sums over a customer's documents. Prepayments stand beside the current balance, not in it (§5.8)."""
    out = Balance(customer)
    for one in documents:
        amount = one.type.sign * one.base(one.balance)
        out.last_document = max(one.day, out.last_document or one.day)
        if not one.released:
            out.unreleased += amount
        elif one.type.code == "PPM":
            out.prepaid -= amount
        else:
            out.current += amount
        if one.type.code == "INV" and one.released:
            out.last_invoice = max(one.day, out.last_invoice or one.day)
            if one.status == "N":
                out.oldest_open = min(one.day, out.oldest_open or one.day)
            elif one.closed is not None:
                out.days_to_pay.append((one.closed - one.day).days)
    return out
