"""Some years of invoices and payments for the demo's customers, made from a seed by the books themselves."""

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from sandbox.acumatica.ar.books import Books
from sandbox.acumatica.ar.codes import RATES, money
from sandbox.acumatica.ar.records import BillTo, Document, Line
from sandbox.data import Row
from sandbox.data.demo import note_id

FIRST = date(2023, 3, 1)
LAST = date(2026, 10, 31)  # nothing happens after this day: the latest invoices are open, and some are not due yet
DAYS = {"30D": 30, "15D": 15, "NET60": 60, "COD": 0, "2/10N30": 30, "7D": 7}
METHODS = ("CHECK", "CHECK", "CHECK", "ACH", "WIRE", "CCARD")
ITEMS = (
    ("DRYWALL58", 'Gypsum board 5/8" 4x8', "SHEET", "14.25"),
    ("STUD2X4", "Stud 2x4x96, kiln dried", "EA", "3.98"),
    ("SHINGLE-AR", "Architectural shingles, bundle", "BDL", "38.50"),
    ("INSUL-R19", "Batt insulation R-19", "ROLL", "61.075"),
    ("CEMENT94", "Portland cement 94 lb", "BAG", "15.49"),
    ("REBAR-4", "Rebar #4, 20'", "EA", "11.333"),
    ("NAIL16D", "Nails 16d, 50 lb", "BOX", "72.00"),
    ("WINDOW-DH", "Double-hung window 36x54", "EA", "412.90"),
    ("FREIGHT", "Delivery & unloading", "EA", "85.00"),
    ("TILE-CER", "Ceramic tile 12x12 – “Sand”", "SQFT", "2.19"),
)


def history(books: Books, customers: list[Row], contacts: list[Row], invoices: int, seed: int) -> None:
    """Fills empty books with that many invoices (and what follows from them). Same arguments, same books."""
    clerk = _Clerk(books, customers, contacts, random.Random(f"books {seed}"))
    clock, log, new_id = books.clock, books.log, books.new_id
    books.clock, books.log = lambda: clerk.now, lambda *entry: None
    books.new_id = lambda: note_id(clerk.rng)
    try:
        clerk.work(invoices)
    finally:
        books.clock, books.log, books.new_id = clock, log, new_id


@dataclass(frozen=True)
class _Firm:
    row: Row
    number: int
    people: list[Row]
    habit: float  # how many days after the due date it pays, more or less; from 100 on it does not pay


class _Clerk:
    """Does the events in the order of their time."""

    def __init__(self, books: Books, customers: list[Row], contacts: list[Row], rng: random.Random) -> None:
        self.books, self.rng = books, rng
        self.now = datetime.combine(FIRST, datetime.min.time(), UTC)
        self._events: list[tuple[datetime, int, Callable[[], None]]] = []
        self._count = 0
        people: dict[str, list[Row]] = {}
        for person in contacts:
            people.setdefault(person["BusinessAccount"], []).append(person)
        self.firms = [
            _Firm(row, row["BAccountID"], people.get(row["CustomerID"], []), rng.choice((-3, 0, 2, 5, 12, 35, 100)))
            for row in customers
            if rng.random() < 0.92
        ]

    def work(self, invoices: int) -> None:
        if not self.firms:
            return
        weights = [self.rng.paretovariate(1.6) for _ in self.firms]
        span = (LAST - FIRST).days
        for firm in self.rng.choices(self.firms, weights, k=invoices):
            self.at(FIRST + timedelta(days=int(span * self.rng.random() ** 0.8)), self._invoice(firm))
        while self._events:
            self.now, _, event = heapq.heappop(self._events)
            event()

    def at(self, day: date, event: Callable[[], None]) -> None:
        """Puts an event on that day, in working hours; nothing after the last day."""
        moment = datetime.combine(day, datetime.min.time(), UTC) + timedelta(milliseconds=self.rng.randrange(8 * 3_600_000, 18 * 3_600_000))
        moment = max(moment, self.now + timedelta(minutes=1))
        if moment.date() <= LAST:
            self._count += 1
            heapq.heappush(self._events, (moment, self._count, event))

    def later(self, days: float, event: Callable[[], None]) -> None:
        self.at(self.now.date() + timedelta(days=max(0, round(days))), event)

    def _invoice(self, firm: _Firm) -> Callable[[], None]:
        def event() -> None:
            roll = self.rng.random()
            code = "DRM" if roll < 0.02 else "CRM" if roll < 0.07 else "INV"
            document = self._document(firm, code)
            if self.rng.random() < 0.995:
                self.later(0 if self.rng.random() < 0.9 else self.rng.randrange(1, 4), self._release(firm, document))

        return event

    def _document(self, firm: _Firm, code: str) -> Document:
        rng, terms = self.rng, firm.row.get("Terms")
        own = firm.row.get("CurrencyID") if firm.row.get("CurrencyID") in RATES else "USD"
        lines = tuple(self._line(number) for number in range(1, rng.choice((2, 2, 3, 4, 6))))
        if code == "CRM":
            lines = lines[:1]
        tax = money(sum((line.amount for line in lines), Decimal(0)) * rng.choice((Decimal(0), Decimal("0.0575"), Decimal("0.0725"))))
        day = self.now.date()
        return self.books.enter(
            code,
            firm.number,
            sum((line.amount for line in lines), tax),
            hold=rng.random() < 0.15,
            due=day if code == "CRM" else day + timedelta(days=DAYS.get(terms or "", 30)),
            currency=rng.choice(tuple(RATES)) if rng.random() < 0.01 else own,
            origin="SO" if code == "INV" and rng.random() < 0.75 else "AR",
            description=rng.choice(("Yard order", "Job site delivery", "Smith & Sons – Lot #7", None)),
            reference=f"PO {rng.randrange(1000, 99999)}" if rng.random() < 0.6 else None,
            terms=terms if code != "CRM" else None,
            lines=lines,
            tax=tax,
            bill_to=self._bill_to(firm),
        )

    def _line(self, number: int) -> Line:
        rng = self.rng
        item, text, uom, price = rng.choice(ITEMS)
        qty = Decimal(rng.randrange(1, 120)) if rng.random() < 0.9 else Decimal(rng.randrange(1, 4000)) / 8
        gross = money(qty * Decimal(price))
        discount = money(gross * Decimal("0.05")) if rng.random() < 0.1 else Decimal(0)
        order = f"SO{rng.randrange(1, 99999):06d}" if rng.random() < 0.7 else None
        return Line(number, note_id(rng), item, text, qty, uom, Decimal(price), discount, gross - discount, order)

    def _bill_to(self, firm: _Firm) -> BillTo:
        """Mostly the customer's own billing contact; sometimes one of its people was typed in instead, or an address nobody knows."""
        main, roll = firm.row["MainContact"], self.rng.random()
        common = {"note_id": note_id(self.rng), "contact": main.get("ContactID"), "name": firm.row["CustomerName"]}
        if roll < 0.25 and firm.people:
            person = self.rng.choice(firm.people)
            return BillTo(**common, attention=person["DisplayName"], email=person["Email"], phone=main.get("Phone1"), standard=False)
        if roll < 0.3:
            return BillTo(**common, email=f"billing{self.rng.randrange(900)}@somewhere.example", standard=False)
        return BillTo(**common, attention=main.get("Attention"), email=main.get("Email"), phone=main.get("Phone1"))

    def _release(self, firm: _Firm, document: Document) -> Callable[[], None]:
        def event() -> None:
            if document.status == "H":
                self.books.hold(document, False)
            self.books.release(document)
            roll = self.rng.random()
            if document.type.code == "CRM":
                self.later(self.rng.randrange(0, 30), lambda: self._use(document))
            elif roll < 0.015:
                self.later(2, lambda: self._undo(document))
            elif firm.habit < 100 or roll < 0.5:
                due = document.due or document.day
                self.at(due + timedelta(days=round(self.rng.gauss(firm.habit % 100, 4))), lambda: self._pay(firm, document))

        return event

    def _use(self, credit: Document) -> None:
        """A credit is applied to the oldest invoices of its currency, or paid back, or stays."""
        for one in self._owed(credit):
            if credit.open:
                self.books.apply(credit, one)
        if credit.open and self.rng.random() < 0.3:
            self.books.refund(credit, method="CHECK")

    def _owed(self, like: Document) -> list[Document]:
        rows = [one for one in self.books.of_customer(like.customer) if one.open and one.type.code in ("INV", "DRM")]
        return sorted((one for one in rows if one.currency == like.currency), key=lambda one: one.due or one.day)

    def _undo(self, document: Document) -> None:
        if document.open and document.balance == document.amount > 0:
            self.books.void(document)

    def _pay(self, firm: _Firm, document: Document) -> None:
        """Pays this invoice, mostly with all others that are due by now; in parts, too little, too much, or with a cheque that bounces."""
        if not document.open:
            return
        today = self.now.date()
        group = [document, *(one for one in self._owed(document) if one is not document and (one.due or one.day) <= today)][:5]
        roll, total = self.rng.random(), sum((one.balance for one in group), Decimal(0))
        if roll < 0.12:
            group, total = [document], money(document.balance * Decimal("0.4")) or document.balance
            self.later(25, lambda: self._pay(firm, document))
        elif roll < 0.15:
            total = max(total - Decimal("0.37"), Decimal("0.01"))
            self.later(3, lambda: self._clear(document))
        elif roll < 0.18:
            total += Decimal(self.rng.randrange(100, 20000)) / 100
        early = firm.row.get("Terms") == "2/10N30" and roll > 0.6 and (today - document.day).days <= 14
        discount = money(document.balance * Decimal("0.02")) if early and group == [document] and roll > 0.18 else Decimal(0)
        payment = self._payment(firm, document, total - discount)
        for one in group:
            if payment.balance > sum((row.taken for row in self.books.paid_by(payment)), Decimal(0)):
                left = payment.balance - sum((row.taken for row in self.books.paid_by(payment)), Decimal(0))
                self.books.apply(payment, one, min(left, one.balance - discount), discount=discount)
        self.books.release(payment)
        if roll > 0.98:
            self.later(4, lambda: self._bounce(firm, payment, document))

    def _payment(self, firm: _Firm, document: Document, amount: Decimal) -> Document:
        rng, method = self.rng, self.rng.choice(METHODS)
        reference = f"{rng.randrange(1000, 9999)}" if method == "CHECK" else f"{method}-{rng.randrange(10**8):08d}"
        return self.books.enter(
            "PPM" if rng.random() < 0.02 else "PMT",
            firm.number,
            amount,
            currency=document.currency,
            method=method,
            reference=reference,
            description=rng.choice(("Payment on account", None, None)),
        )

    def _clear(self, document: Document) -> None:
        if document.open and document.balance < 1:
            self.books.write_off(document)

    def _bounce(self, firm: _Firm, payment: Document, document: Document) -> None:
        if payment.status in ("N", "C") and not any(row.released and not row.voided for row in self.books.paying(payment)):
            self.books.void(payment)
            self.later(9, lambda: self._pay(firm, document))
