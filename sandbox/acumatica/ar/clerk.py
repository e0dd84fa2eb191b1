"""What the people of accounts receivable do on their forms (`POST /__sandbox__/edit` with `ar`), and what a form refuses."""

import random
import uuid
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from sandbox.acumatica.ar.books import Books
from sandbox.acumatica.ar.codes import TYPES, money
from sandbox.acumatica.ar.records import BillTo, Document, Line, NotAllowed
from sandbox.data import Row

ENTERED = ("INV", "DRM", "CRM", "FCH", "PMT", "PPM")
Json = dict[str, Any]


class Clerk:
    """Does one request. `customer` finds a customer's row by its key, NoteID or BAccountID. ValueError says what is wrong; nothing was
    changed then."""

    def __init__(self, books: Books, customer: Callable[[Any], Row | None]) -> None:
        self.books, self._customer = books, customer

    def edit(self, request: Json) -> None:
        work: dict[str, Callable[[Json], object]] = {
            "enter": self.enter,
            "hold": lambda asked: self.books.hold(self.document(asked["document"]), asked.get("on", True) is True),
            "release": lambda asked: self.books.release(self.document(asked["document"])),
            "pay": self.pay,
            "apply": self._apply,
            "reverse": self._reverse,
            "void": lambda asked: self.books.void(self.document(asked["document"])),
            "write-off": lambda asked: self.books.write_off(self.document(asked["document"]), amount(asked.get("amount"))),
            "refund": lambda asked: self.books.refund(self.document(asked["document"]), amount(asked.get("amount")), method="CHECK"),
            "delete": lambda asked: self.books.delete(self.document(asked["document"])),
            "random": self._random,
        }
        if request.get("ar") not in work:
            raise ValueError(f"`ar` is one of {', '.join(work)}")
        try:
            work[request["ar"]](request)
        except KeyError as missing:
            raise ValueError(f"{request['ar']} needs {missing}") from missing

    def document(self, name: Any) -> Document:
        """The document `INV/000012` (or with that NoteID) of a customer that may be worked with."""
        code, _, number = str(name).partition("/")
        found = self.books.by_id.get(str(name).lower()) or self.books.find((code, number))
        if found is None:
            raise ValueError(f"no document {name!r}: name it by type and number, INV/000012, or by its NoteID")
        self.customer(found.customer)
        return found

    def customer(self, key: Any) -> Row:
        row = self._customer(key)
        if row is None:
            raise ValueError(f"no customer {key!r}")
        if row.get("Status") == "Inactive":  # §8: its documents cannot be changed
            raise ValueError(f"the customer {row['CustomerID']} is inactive")
        return row

    def enter(self, asked: Json) -> Document:
        """An invoice, memo or payment; `release` true releases it."""
        code = asked.get("type", "INV")
        if code not in ENTERED:
            raise ValueError(f"type is one of {', '.join(ENTERED)}")
        firm = self.customer(asked["customer"])
        if firm.get("Status") == "Credit Hold" and code == "INV":  # §13.1
            raise ValueError(f"the customer {firm['CustomerID']} is on credit hold: no new invoices")
        lines = tuple(line(number, one) for number, one in enumerate(asked.get("lines", ()), start=1))
        tax = amount(asked.get("tax")) or Decimal(0)
        total = sum((one.amount for one in lines), tax) if lines else amount(asked["amount"]) or Decimal(0)
        fields: Json = {name: asked[name] for name in ("description", "reference", "external_ref", "terms", "method") if name in asked}
        fields["day"] = day(asked.get("date")) or self.books.clock().date()
        if TYPES[code].invoice:
            fields |= {"due": day(asked.get("due")) or fields["day"] + timedelta(days=0 if code == "CRM" else 30)}
            fields |= {"origin": "SO" if asked.get("origin") == "SO" else "AR", "lines": lines, "tax": tax, "bill_to": bill_to(firm, asked)}
        hold, release = asked.get("hold", False) is True, asked.get("release", False) is True
        if hold and release:
            raise ValueError("a document on hold cannot be released")
        currency = asked.get("currency") or firm.get("CurrencyID") or "USD"
        document = self.books.enter(code, firm["BAccountID"], total, hold=hold, currency=currency, **fields)
        if release:
            self.books.release(document)
        return document

    def pay(self, asked: Json) -> Document:
        """A payment over `documents` (names, or names with amounts), released; more than they take stays on it."""
        named = asked.get("documents", {})
        parts = [
            (self.document(name), amount(named[name]) if isinstance(named, dict) else None)
            for name in (named if isinstance(named, (dict, list)) else [named])
        ]
        shares = [(one, one.balance if share is None else share) for one, share in parts]
        firm = self.customer(asked["customer"] if "customer" in asked else shares[0][0].customer if shares else asked["customer"])
        currency = asked.get("currency") or (shares[0][0].currency if shares else firm.get("CurrencyID"))
        total = sum((share for _, share in shares), Decimal(0))
        for one, share in shares:
            if not one.open or not 0 < share <= one.balance or one.customer != firm["BAccountID"] or share != money(share):
                raise NotAllowed(f"{share} of {one.name} ({one.status}, {one.balance} left) cannot be paid")
            if one.currency != currency or one.type.sign < 0 or [other for other, _ in shares].count(one) > 1:
                raise NotAllowed(f"{one.name} cannot be paid so: it is no debt, in another currency, or named twice")
        wanted = amount(asked.get("amount"))
        if (wanted is None and not shares) or (wanted is not None and wanted < total):
            raise ValueError(f"an amount of at least {total} is needed")
        payment = self.enter({**asked, "type": asked.get("type", "PMT"), "customer": firm["id"], "currency": currency, "release": False,
                              "amount": total if wanted is None else wanted, "lines": ()})  # fmt: skip
        for one, share in shares:
            self.books.apply(payment, one, share)
        if asked.get("release", True) is True:
            self.books.release(payment)
        return payment

    def _apply(self, asked: Json) -> None:
        more = {name: amount(asked[name]) or Decimal(0) for name in ("discount", "write_off") if name in asked}
        self.books.apply(self.document(asked["from"]), self.document(asked["to"]), amount(asked.get("amount")), **more)

    def _reverse(self, asked: Json) -> None:
        """The latest application of `from` to `to` that is in force."""
        source, target = self.document(asked["from"]), self.document(asked["to"])
        found = [one for one in self.books.paid_by(source) if one.adjusted is target and one.released and not one.voided]
        if not found:
            raise ValueError(f"{source.name} is not applied to {target.name}")
        self.books.reverse(found[-1])

    def _random(self, asked: Json) -> None:
        for turn in range(int(asked.get("count", 1))):
            at_random(self, random.Random(f"{asked.get('seed', 1)} {turn} {len(self.books.by_id)} {len(self.books.applications)}"))


def at_random(clerk: Clerk, rng: random.Random) -> None:
    """One believable thing that somebody does; where the books have nothing for it, a new invoice."""
    books = clerk.books
    usable = [one for one in books.documents.values() if (clerk._customer(one.customer) or {}).get("Status", "Inactive") != "Inactive"]
    debts = [one for one in usable if one.open and one.type.code in ("INV", "DRM") and one.balance > 0]
    credits = [one for one in usable if one.open and one.type.code in ("PMT", "CRM") and one.balance > 0]
    payments = [one for one in usable if one.type.code == "PMT" and one.status in ("N", "C") and not books.paying(one)]
    roll, debt = rng.random(), rng.choice(debts) if debts else None
    if roll < 0.25 and debt:
        clerk.pay({"documents": [debt.name], "method": "CHECK", "reference": str(rng.randrange(1000, 9999))})
    elif roll < 0.45 and debt and debt.balance > 1:
        part = money(debt.balance * rng.randrange(1, 100) / 100)
        clerk.pay({"documents": {debt.name: str(part)}, "method": "ACH"})
    elif roll < 0.5 and debt:
        books.write_off(debt)
    elif roll < 0.58 and credits:
        credit = rng.choice(credits)
        owed = [one for one in debts if one.customer == credit.customer and one.currency == credit.currency]
        _ = books.apply(credit, rng.choice(owed)) if owed else books.refund(credit, method="CHECK")
    elif roll < 0.66 and payments:
        books.void(rng.choice(payments))
    elif roll < 0.7 and (waiting := [one for one in usable if one.status in "HB" and not one.released]):
        one = rng.choice(waiting)
        (books.release if one.status == "B" else lambda held: books.hold(held, False))(one)
    else:
        firms = {one.customer for one in usable}
        firms = {one for one in firms if (clerk._customer(one) or {}).get("Status") != "Credit Hold"}
        if firms:
            code = rng.choice(("INV", "INV", "INV", "INV", "DRM", "CRM"))
            goods = {"item": "DRYWALL58", "text": "Gypsum board", "qty": str(rng.randrange(1, 90)), "uom": "SHEET", "price": "14.25"}
            asked = {"type": code, "customer": rng.choice(sorted(firms)), "lines": [goods], "origin": rng.choice(("SO", "AR"))}
            clerk.enter({**asked, "release": rng.random() < 0.8})


def amount(value: Any) -> Decimal | None:
    """Money out of a request: a text or a whole number. ValueError for anything else, a float too."""
    if value is None:
        return None
    if isinstance(value, Decimal) or (isinstance(value, (str, int)) and not isinstance(value, bool)):
        try:
            number = Decimal(value)
        except InvalidOperation:
            number = Decimal("NaN")
        if number.is_finite() and number == money(number):
            return number
    raise ValueError(f'{value!r} is no amount: write it as a text, "12.50"')


def day(text: Any) -> date | None:
    return None if text is None else date.fromisoformat(text)


def line(number: int, asked: Json) -> Line:
    """One row of a document: amount = qty x price - discount."""
    qty, price = Decimal(str(asked.get("qty", 1))), Decimal(str(asked["price"]))
    discount = amount(asked.get("discount")) or Decimal(0)
    total = money(qty * price) - discount
    return Line(number, str(uuid.uuid4()), asked.get("item"), asked.get("text", ""), qty, asked.get("uom"), price, discount, total)


def bill_to(firm: Row, asked: Json) -> BillTo:
    """The customer's billing contact as it is now, or what was typed in."""
    main = firm.get("MainContact") or {}
    common: Json = {"note_id": str(uuid.uuid4()), "contact": main.get("ContactID"), "name": firm["CustomerName"]}
    common |= {"attention": main.get("Attention"), "email": main.get("Email"), "phone": main.get("Phone1")}
    typed = {name: asked["bill_to"].get(name) for name in ("attention", "email", "phone")} if "bill_to" in asked else {}
    return BillTo(**{**common, **typed, "standard": not typed})
