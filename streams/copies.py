"""What HubSpot shows of an invoice and of its lines: values as they are to be read there (docs/receivables.md). Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date as Day
from decimal import ROUND_HALF_EVEN, Context, Decimal

from schemas.entities import Application, Invoice, InvoiceLine
from streams.receivables import money

#: Of a unit's price or discount, which HubSpot multiplies again; our records hold no more places.
PLACES = Decimal("1E-8")
WIDE = Context(prec=80)
VOID = frozenset({"voided", "canceled"})


@dataclass(frozen=True)
class InvoiceCopy:
    """`status` is one of HubSpot's. Never billable: nothing is validated, rendered or mailed there (facts/hubspot.md §6.2)."""

    number: str
    currency: str
    billable: bool
    status: str
    date: Day
    due: Day | None
    total: Decimal
    po_number: str | None
    description: str | None
    balance: Decimal
    tax: Decimal | None
    kind: str
    erp_status: str
    terms: str | None
    payments: str | None


@dataclass(frozen=True)
class LineCopy:
    """`price` and `discount` are of one unit and never negative, as HubSpot wants them."""

    name: str
    description: str | None
    item: str | None
    quantity: Decimal
    price: Decimal
    discount: Decimal | None
    currency: str


def invoice_copy(found: Invoice) -> InvoiceCopy:
    """Paid is what has nothing left, whatever the ERP calls it; voided what was voided or canceled there."""
    void = found.status in VOID
    return InvoiceCopy(
        number=found.number,
        currency=found.currency,
        billable=False,
        status="voided" if void else "open" if found.balance else "paid",
        date=found.date,
        due=found.due,
        total=found.total,
        po_number=found.po_number,
        description=found.description,
        balance=Decimal(0) if void else found.balance,
        tax=found.tax,
        kind=found.kind.replace("_", " ").capitalize(),
        erp_status=found.status.capitalize(),
        terms=found.terms,
        payments="\n".join(_payment(one, found.currency) for one in _in_order(found.applications)) or None,
    )


def line_copy(line: InvoiceLine, currency: str) -> LineCopy:
    """A line without a quantity is one piece of its amount. HubSpot takes no negative line: it stands there for nothing, and says why."""
    price, quantity, amount = _unit(line)
    discount = line.discount or Decimal(0)
    less = amount < 0 or price < 0 or quantity < 0
    if less:
        price, quantity, discount = Decimal(0), quantity.copy_abs(), Decimal(0)
    elif discount < 0:
        price, discount = _each(amount, quantity), Decimal(0)
    return LineCopy(
        name=line.text or line.item or f"Line {line.number}",
        description=_description(line, f"{money(amount, currency)}: HubSpot takes no negative line" if less else None),
        item=line.item,
        quantity=quantity,
        price=price,
        discount=_each(discount, quantity) if discount else None,
        currency=currency,
    )


def _unit(line: InvoiceLine) -> tuple[Decimal, Decimal, Decimal]:
    """Price of one, how many, and what they come to."""
    quantity, price, discount = line.quantity or Decimal(0), line.price, line.discount or Decimal(0)
    amount = line.amount
    if amount is None:
        amount = WIDE.subtract(WIDE.multiply(price or Decimal(0), quantity), discount)
    if not quantity:
        return WIDE.add(amount, discount), Decimal(1), amount
    return _each(WIDE.add(amount, discount), quantity) if price is None else price, quantity, amount


def _each(amount: Decimal, quantity: Decimal) -> Decimal:
    return WIDE.divide(amount, quantity).quantize(PLACES, ROUND_HALF_EVEN, WIDE)


def _description(line: InvoiceLine, more: str | None) -> str | None:
    told = (line.unit and f"unit: {line.unit}", line.order and f"order: {line.order}", more)
    return "\n".join(one for one in told if one) or None


def _in_order(applications: Iterable[Application]) -> list[Application]:
    return sorted(applications, key=lambda one: (one.date or Day.min, one.document))


def _payment(one: Application, currency: str) -> str:
    """`payment 000012 of 2026-03-01: 60.00 USD, discount 1.00 USD`"""
    more = [f"{name} {money(value, currency)}" for name, value in (("discount", one.discount), ("write-off", one.write_off)) if value]
    day = "" if one.date is None else f" of {one.date}"
    return f"{one.document}{day}: {', '.join([money(one.amount, currency), *more])}"
