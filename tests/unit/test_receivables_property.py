"""streams/receivables.py, accounts.py, route_receivables.py: whatever comes in whatever order, the roll-ups are the sums over the books."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.entities import Customer, Invoice, Payment
from schemas.headers import Passage
from schemas.records import Record, Wish
from schemas.sources import SourceAcumaticaDay
from streams import route, route_receivables
from streams.accounts import Accounts
from streams.contract import Arrival, Context, Links
from tests.unit.crashing_table import CrashingTable
from tests.unit.streams_kit import AT, codec

PARTIES = ("acumatica:customer:a", "acumatica:customer:b")
FIRST = date(2026, 3, 1)
CODEC = codec()

PLUS = ("invoice", "debit_memo", "overdue_charge", "credit_write_off", "voided_payment", "refund")
OWED = ("invoice", "debit_memo", "overdue_charge")
INVOICES = (*OWED, "credit_memo", "credit_write_off")
PAYMENTS = ("payment", "prepayment", "voided_payment", "refund", "voided_refund", "balance_write_off")
AMOUNTS = ("0", "0.01", "12.50", "100", "250", "99.99", *["98765432109876543210.00000001"] * 3)
STATUSES = ("open", "open", "open", "open", "closed", "voided", "canceled")
CURRENCIES = ("USD", "USD", "USD", "EUR")


def a_day(dice: Random) -> date:
    return FIRST + timedelta(days=dice.choice((-33, -1, 0, 0, 1, 2, 3, 4, 5, 40)))


def a_document(dice: Random, kind: str) -> dict[str, Any] | None:
    if dice.random() < 0.1:
        return None
    named = dice.choice((*OWED, "invoice", "invoice", *INVOICES)) if kind == "invoice" else dice.choice(("payment", *PAYMENTS))
    found = {"kind": named, "status": dice.choice(STATUSES), "balance": Decimal(dice.choice(AMOUNTS)), "date": a_day(dice)}
    return found | {"due": None if dice.random() < 0.1 else a_day(dice), "currency": dice.choice(CURRENCIES)}


def a_customer(dice: Random) -> dict[str, Any] | None:
    if dice.random() < 0.1:
        return None
    limit = dice.choice((None, "0", "100", "1E+21"))
    known = {"currency": dice.choice((*CURRENCIES, None)), "status": dice.choice(("Active", "Credit Hold", None))}
    return known | {"credit_limit": None if limit is None else Decimal(limit)}


def a_story(dice: Random) -> list[tuple[str, Any]]:
    """What is told, in any order and with repeats, with new days, commits and crashes in between."""
    told: list[tuple[str, Any]] = []
    for number in range(dice.randint(1, 6)):
        party, kind = dice.choice(PARTIES), dice.choice(("invoice", "invoice", "payment"))
        for version in range(dice.randint(1, 3)):
            told.append((kind, (f"acumatica:{kind}:{number}", party, version, a_document(dice, kind))))
    for party in PARTIES:
        told += [("customer", (party, party, version, a_customer(dice))) for version in range(dice.randint(0, 3))]
    told += dice.choices(told, k=dice.randint(0, 3))
    if dice.random() < 0.7:
        dice.shuffle(told)
    for day in sorted(dice.sample(range(7), dice.randint(0, 4))):
        before = max((place for place, (kind, _) in enumerate(told) if kind == "day"), default=-1)
        told.insert(dice.randint(before + 1, len(told)), ("day", FIRST + timedelta(days=day)))
    if dice.random() < 0.5:  # time goes by before anybody tells of a day
        told.insert(dice.randint(0, len(told)), ("night", None))
        told.append(("day", FIRST + timedelta(days=8)))
    for _ in range(dice.randint(0, 6)):  # the last: what only the store had is looked for elsewhere
        stops = dice.choice((("commit",), ("crash",), ("crash", "commit", "crash")))
        place = dice.randint(0, len(told))
        told[place:place] = [(stop, dice.randrange(10**6)) for stop in stops]
    return told


def record_of(kind: str, ref: str, party: str, fields: dict[str, Any]) -> Record:
    if kind == "customer":
        return Customer(ref=ref, name="A", modified_at=AT, **fields)
    common = {"ref": ref, "party": party, "number": ref[-1], "modified_at": AT} | fields
    if kind == "invoice":
        return Invoice.model_validate(common | {"total": fields["balance"] + 1})
    del common["due"]
    return Payment.model_validate(common | {"amount": fields["balance"] + 1})


class World:
    """The steps over a table that crashes; what the sink would hold."""

    def __init__(self) -> None:
        self.table = CrashingTable()
        self.moment = datetime(2026, 3, 1, 13, tzinfo=UTC)
        self.context = Context("demo", frozenset(), Links({}, CODEC), Accounts(self.table, CODEC), clock=lambda: self.moment)
        self.open: list[tuple[str, Any]] = []  # done and not committed
        self.sent: list[Wish] = []
        self.committed = 0

    def play(self, story: list[tuple[str, Any]]) -> None:
        for kind, what in story:
            if kind == "commit":
                self.table.commit()
                self.open.clear()
                self.committed = len(self.sent)
            elif kind == "crash":
                dice = Random(what)
                self.table.crash(dice)
                lost = {place for place in range(self.committed, len(self.sent)) if dice.random() < 0.7}
                self.sent = [wish for place, wish in enumerate(self.sent) if place not in lost]
                for again in self.open:
                    self.step(*again)
            elif kind == "night":
                self.moment += timedelta(days=2)
            else:
                self.open.append((kind, what))
                self.step(kind, what)

    def step(self, kind: str, what: Any) -> None:
        self.moment += timedelta(milliseconds=3)
        if kind == "day":
            arrival = Arrival("0", SourceAcumaticaDay(day=what, read_at=AT), Passage("t", "acumatica", AT, 0))
            outputs = route_receivables.day(arrival, self.context)
        else:
            ref, party, version, fields = what
            record = None if fields is None else record_of(kind, ref, party, fields)
            arrival = Arrival(ref, record, Passage("t", "acumatica", AT, version))
            outputs = route.customer(arrival, self.context) if kind == "customer" else route_receivables.document(arrival, self.context)
        self.sent += [out.value for out in outputs if isinstance(out.value, Wish) and out.value.facet == "receivables"]

    def held(self) -> dict[str, Wish]:
        """What the sink holds: of each company the newest wish."""
        found: dict[str, Wish] = {}
        for wish in self.sent:
            if wish.subject not in found or found[wish.subject].version <= wish.version:
                found[wish.subject] = wish
        return found


def books(story: list[tuple[str, Any]]) -> tuple[dict[str, dict[str, Any]], dict[str, list[dict[str, Any]]], date]:
    """What counts in the end, worked out plainly: each party's customer and documents, the last version of each, and the day."""
    last: dict[tuple[str, str], tuple[int, str, dict[str, Any] | None]] = {}
    for kind, what in story:
        if kind in ("customer", "invoice", "payment"):
            ref, party, version, fields = what
            if version >= last.get((kind, ref), (-1,))[0]:
                last[kind, ref] = version, party, fields
    customers = {ref: fields for (kind, ref), (_, _, fields) in last.items() if kind == "customer" and fields is not None}
    documents: dict[str, list[dict[str, Any]]] = {party: [] for party in PARTIES}
    for (kind, ref), (_, party, fields) in last.items():
        if kind != "customer" and fields is not None:
            documents[party].append(fields | {"number": ref[-1]})
    return customers, documents, max([FIRST, *(what for kind, what in story if kind == "day")])


def wanted(customer: dict[str, Any], documents: list[dict[str, Any]], today: date) -> dict[str, Any]:
    """The sums over the books as docs/receivables.md says them, one document at a time."""
    live = [one for one in documents if one["status"] not in ("voided", "canceled")]
    unpaid = [one for one in live if one["kind"] in OWED and one["balance"]]
    open_: dict[str, Fraction] = {}
    for one in live:
        if one["balance"]:
            sign = 1 if one["kind"] in PLUS else -1
            open_[one["currency"]] = open_.get(one["currency"], Fraction(0)) + sign * Fraction(one["balance"])
    currency = customer["currency"] or (next(iter(open_)) if len(open_) == 1 else None)
    late = [one for one in unpaid if one["currency"] == currency and one["due"] and one["due"] < today]
    overdue = sum(Fraction(one["balance"]) for one in late)
    paid = [one for one in live if one["kind"] in ("payment", "prepayment")]
    last = max(paid, key=lambda one: (one["date"], one["number"])) if paid else None
    unsaid = currency is None and bool(open_)
    return {
        "acumatica_ar_balance": None if unsaid else open_.get(currency or "", Fraction(0)),
        "acumatica_overdue_amount": None if unsaid else overdue,
        "acumatica_oldest_due_date": min((str(one["due"]) for one in unpaid if one["due"]), default=None),
        "acumatica_open_invoice_count": str(len(unpaid)),
        "acumatica_last_payment_date": str(last["date"]) if last else None,
        "acumatica_last_payment_amount": Fraction(last["balance"]) + 1 if last and last["currency"] == currency else None,
        "acumatica_last_invoice_date": max((str(one["date"]) for one in live if one["kind"] == "invoice"), default=None),
        "acumatica_credit_hold": "true" if customer["status"] == "Credit Hold" else "false",
    }


def read(properties: dict[str, str | None]) -> Iterator[tuple[str, Any]]:
    for name, value in properties.items():
        money = name in ("acumatica_ar_balance", "acumatica_overdue_amount", "acumatica_last_payment_amount")
        yield name, Fraction(value) if money and value is not None else value


@settings(max_examples=400, deadline=None)
@given(seed=st.integers(0, 2**40))
def test_rollups_are_the_sums_over_the_books(seed: int) -> None:
    """For any documents and payments, in any order, with repeats, new days and crashes that redo what was not committed, what a company
    holds in the end is the sum over the books; a company of a customer that is unknown, or without documents, holds nothing."""
    story = a_story(Random(seed))
    world = World()
    world.play(story)
    customers, documents, today = books(story)
    held = world.held()
    for party, customer in customers.items():
        if documents[party] or party in held:
            found = dict(read(held[party].properties))
            should = wanted(customer, documents[party], today)
            assert {name: found[name] for name in should} == should
            lines = (found["acumatica_open_invoices"] or "").splitlines()
            assert len(lines) == min(int(found["acumatica_open_invoice_count"]), 10)
    told = {what[1] for kind, what in story if kind in ("invoice", "payment") and what[3] is not None}
    assert held.keys() <= told & {what[0] for kind, what in story if kind == "customer" and what[3] is not None}
