"""What a customer owes: sums over plain values, exact, whatever the order in which the documents came (docs/receivables.md)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from heapq import nlargest

from schemas.state import AccountCustomer, BookedDocument, BucketSums, DueSum, OpenSum
from streams.mappings.table import plain, total

#: Which way an open balance counts: +1 the customer owes it, -1 it is the customer's (facts/acumatica.md §13.3).
SIGNS: Mapping[str, int] = {
    **dict.fromkeys(("invoice", "debit_memo", "overdue_charge", "credit_write_off", "voided_payment", "refund"), 1),
    **dict.fromkeys(("credit_memo", "payment", "prepayment", "voided_refund", "balance_write_off"), -1),
}
#: What is billed and due on a day: the open ones are counted and listed, and may be overdue.
BILLED = frozenset({"invoice", "debit_memo", "overdue_charge"})
MONEY = frozenset({"payment", "prepayment"})
#: So many of the latest open invoices are listed.
LISTED = 10
ON_HOLD = "credit hold"


@dataclass(frozen=True)
class Rollup:
    """A company's receivables. Amounts are in the customer's currency, None where there is none to say them in."""

    open_balance: Decimal | None
    overdue_balance: Decimal | None
    oldest_due: date | None
    open_invoices: int
    last_payment_date: date | None
    last_payment_amount: Decimal | None
    last_invoice_date: date | None
    credit_status: str
    credit_hold: bool
    latest_open: str | None
    other_currencies: str | None


def sums(bucket: str, documents: Iterable[BookedDocument]) -> BucketSums:
    """What the documents of one bucket come to."""
    open_: defaultdict[str, list[Decimal]] = defaultdict(list)
    dues: defaultdict[tuple[str, date | None], list[Decimal]] = defaultdict(list)
    unpaid: list[BookedDocument] = []
    payments: list[BookedDocument] = []
    invoiced: list[date] = []
    for one in documents:
        if one.balance:
            open_[one.currency].append(one.balance if SIGNS[one.kind] > 0 else one.balance.copy_negate())
            if one.kind in BILLED:
                dues[one.currency, one.due].append(one.balance)
                unpaid.append(one)
        if one.kind in MONEY and not one.void:
            payments.append(one)
        if one.kind == "invoice" and not one.void:
            invoiced.append(one.date)
    return BucketSums(
        bucket=bucket,
        open=[OpenSum(currency=currency, balance=total(open_[currency])) for currency in sorted(open_)],
        dues=[
            DueSum(currency=currency, due=due, balance=total(dues[currency, due]), count=len(dues[currency, due]))
            for currency, due in sorted(dues, key=lambda one: (one[0], one[1] or date.min))
        ],
        latest=latest(unpaid),
        payment=max(payments, key=_age, default=None),
        invoiced=max(invoiced, default=None),
    )


def latest(documents: Iterable[BookedDocument]) -> list[BookedDocument]:
    """The latest of them, newest first; of one day the highest number."""
    return nlargest(LISTED, documents, key=_age)


def _age(one: BookedDocument) -> tuple[date, str, str]:
    return one.date, one.number, one.kind


def rollup(buckets: Sequence[BucketSums], customer: AccountCustomer, today: date) -> Rollup:
    """All buckets together, as of that day: overdue is what was due before it."""
    open_, overdue = _by_currency((one.currency, one.balance) for each in buckets for one in each.open), _overdue(buckets, today)
    due = [one for each in buckets for one in each.dues]
    currency = customer.currency or _only({*open_, *(one.currency for one in due)})
    balance = None if currency is None and open_ else open_.get(currency or "", Decimal(0))
    payment = max((one.payment for one in buckets if one.payment is not None), key=_age, default=None)
    paid_here = payment is not None and payment.currency == currency
    return Rollup(
        open_balance=balance,
        overdue_balance=None if balance is None else overdue.get(currency or "", Decimal(0)),
        oldest_due=min((one.due for one in due if one.due is not None), default=None),
        open_invoices=sum(one.count for one in due),
        last_payment_date=None if payment is None else payment.date,
        last_payment_amount=payment.amount if payment is not None and paid_here else None,
        last_invoice_date=max((one.invoiced for one in buckets if one.invoiced is not None), default=None),
        credit_status=_credit(customer, balance),
        credit_hold=_on_hold(customer),
        latest_open=_listed(buckets, today),
        other_currencies=_elsewhere(currency, open_, overdue, {one.currency for one in due}, None if paid_here else payment),
    )


def is_overdue(due: date | None, today: date) -> bool:
    """What has no due date is never overdue."""
    return due is not None and due < today


def money(amount: Decimal, currency: str) -> str:
    """For people: at least two places."""
    whole, _, cents = plain(amount).partition(".")
    return f"{whole}.{cents:0<2} {currency}"


def _by_currency(amounts: Iterable[tuple[str, Decimal]]) -> dict[str, Decimal]:
    found: defaultdict[str, list[Decimal]] = defaultdict(list)
    for currency, amount in amounts:
        found[currency].append(amount)
    return {currency: total(found[currency]) for currency in sorted(found)}


def _overdue(buckets: Iterable[BucketSums], today: date) -> dict[str, Decimal]:
    return _by_currency((one.currency, one.balance) for each in buckets for one in each.dues if is_overdue(one.due, today))


def _only(currencies: Iterable[str]) -> str | None:
    found = set(currencies)
    return found.pop() if len(found) == 1 else None


def _on_hold(customer: AccountCustomer) -> bool:
    return (customer.status or "").lower() == ON_HOLD


def _credit(customer: AccountCustomer, balance: Decimal | None) -> str:
    """A limit of 0 is what customers have whose credit nobody checks: it is no limit."""
    if _on_hold(customer):
        return "Credit hold"
    if not customer.credit_limit or balance is None:
        return "No limit"
    return "Over the limit" if balance > customer.credit_limit else "Within the limit"


def _listed(buckets: Iterable[BucketSums], today: date) -> str | None:
    """A line for each of the latest open invoices, and how many more there are."""
    found = latest(one for each in buckets for one in each.latest)
    lines = [_line(one, today) for one in found]
    more = sum(one.count for each in buckets for one in each.dues) - len(found)
    return "\n".join([*lines, f"and {more} more"] if more else lines) or None


def _line(one: BookedDocument, today: date) -> str:
    due = "" if one.due is None else f", due {one.due}" + (" (overdue)" if is_overdue(one.due, today) else "")
    of = "" if one.balance == one.amount else f" of {money(one.amount, one.currency)}"
    return f"{one.kind.replace('_', ' ')} {one.number} of {one.date}{due}: {money(one.balance, one.currency)}{of} open"


def _elsewhere(
    own: str | None, open_: Mapping[str, Decimal], overdue: Mapping[str, Decimal], due: set[str], payment: BookedDocument | None
) -> str | None:
    """What stands in other currencies than the customer's, a line each; nothing is converted."""
    lines = [
        f"{money(open_[one], one)} open" + (f", {money(overdue[one], one)} overdue" if overdue.get(one) else "")
        for one in open_
        if one != own and (open_[one] or one in due)
    ]
    if payment is not None:
        lines.append(f"last payment: {money(payment.amount, payment.currency)}")
    return "\n".join(lines) or None
