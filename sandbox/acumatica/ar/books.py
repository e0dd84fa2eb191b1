"""The books: a small AR engine. Each operation is done whole or refused; the balances always are what the applications leave.

The amounts of a document are positive in its own currency; its type says on which side it stands (`codes.TYPES`). A released
application takes `amount + discount + write_off` off the adjusted document (an invoice) and `taken` off the adjusting one (a payment).
"""

import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from typing import Any

from sandbox.acumatica.ar.codes import APPLIES_TO, CENT, RATES, REVERSED_BY, TYPES, VOIDED_BY, DocType, money
from sandbox.acumatica.ar.records import ZERO, Application, Deleted, Document, Key, NotAllowed, Rules

Log = Callable[[str, str, str, str, list[str]], None]  # op, entity, id, key, fields


class Books:
    """All documents and applications of the site."""

    def __init__(self, clock: Callable[[], datetime], log: Log, rules: Rules = Rules()) -> None:
        self.clock, self.log, self.rules = clock, log, rules
        self.new_id: Callable[[], str] = lambda: str(uuid.uuid4())
        self.documents: dict[Key, Document] = {}
        self.by_id: dict[str, Document] = {}
        self.applications: list[Application] = []
        self.deleted: list[Deleted] = []
        self.balance_stamps: dict[int, datetime] = {}
        self._of: defaultdict[Key, list[Application]] = defaultdict(list)
        self._customers: defaultdict[int, list[Document]] = defaultdict(list)
        self._numbers: Counter[str] = Counter()

    # --- reading

    def find(self, key: Key) -> Document | None:
        return self.documents.get(key)

    def of_customer(self, customer: int) -> list[Document]:
        return self._customers.get(customer, [])

    @property
    def customers(self) -> list[int]:
        return sorted(number for number, documents in self._customers.items() if documents)

    def paying(self, document: Document) -> list[Application]:
        """The applications that other documents have on this one."""
        return [one for one in self._of.get(document.key, ()) if one.adjusted is document]

    def paid_by(self, document: Document) -> list[Application]:
        """The applications that this document has on others."""
        return [one for one in self._of.get(document.key, ()) if one.adjusting is document]

    # --- writing

    def enter(self, code: str, customer: int, amount: Decimal, *, hold: bool = False, **fields: Any) -> Document:
        """A new document, not released: On Hold or Balanced. `fields` are those of Document; `lines`, if any, and tax make the amount."""
        kind, now = TYPES[code], self.clock()
        if amount != money(amount) or amount < 0:
            raise NotAllowed(f"{amount} is no amount of money: it has cents and no sign")
        if fields.get("currency", "USD") not in RATES:
            raise NotAllowed(f"there is no currency {fields['currency']!r}; there are {', '.join(RATES)}")
        number = fields.pop("number", None) or self._next(kind, fields.get("origin", "AR"))
        if (code, number) in self.documents:
            raise NotAllowed(f"there is a document {code}/{number} already")
        base: dict[str, Any] = {"day": now.date(), "currency": "USD", "note_id": self.new_id(), "created": now, "stamp": now}
        document = Document(
            kind, number, customer=customer, amount=amount, balance=amount, status="H" if hold else "B", **{**base, **fields}
        )
        self.documents[document.key] = self.by_id[document.note_id] = document
        self._customers[customer].append(document)
        self.balance_stamps[customer] = now
        self.log("create", "document", document.note_id, document.name, ["CuryOrigDocAmt", "CuryDocBal", "Status"])
        return document

    def revise(self, document: Document, **fields: Any) -> Document:
        """Changes fields of a document that is not released; `lines` make a new amount."""
        if document.released:
            raise NotAllowed(f"{document.name} is released")
        if "lines" in fields:
            amount = sum((line.amount for line in fields["lines"]), document.tax)
            if amount < 0:
                raise NotAllowed(f"{amount} is no amount of a document")
            fields |= {"amount": amount, "balance": amount}
        self._change(document, **fields)
        return document

    def hold(self, document: Document, on: bool) -> None:
        """Puts a document that is not released on hold, or takes it off."""
        if document.released:
            raise NotAllowed(f"{document.name} is released")
        self._change(document, status="H" if on else "B")

    def release(self, document: Document) -> None:
        """Balanced -> Open, or Closed where nothing is left; the applications entered with it are released too."""
        if document.status != "B" or document.released:
            raise NotAllowed(f"{document.name} cannot be released: its status is {document.status}")
        waiting = [one for one in self.paid_by(document) if not one.released]
        for one in waiting:
            self._fits(one.adjusting, one.adjusted, one.total, one.taken, waiting)
        self._change(document, released=True, status="N")
        for one in waiting:
            self._post(one)
        self._settle(document)

    def apply(
        self,
        adjusting: Document,
        adjusted: Document,
        amount: Decimal | None = None,
        discount: Decimal = ZERO,
        write_off: Decimal = ZERO,
    ) -> Application:
        """Applies a payment or memo; without an amount as much as there is on both sides. Where the adjusting document is released the
        application is released at once, else it waits for that."""
        if adjusted.type.code not in APPLIES_TO.get(adjusting.type.code, ()):
            raise NotAllowed(f"{adjusting.name} cannot be applied to {adjusted.name}")
        if adjusting.customer != adjusted.customer:
            raise NotAllowed(f"{adjusting.name} and {adjusted.name} are not of one customer")
        if min(discount, write_off) < 0 or any(one != money(one) for one in (discount, write_off)):
            raise NotAllowed("a discount or write-off has cents and no sign")
        if amount is None:
            there = (adjusting.balance * adjusting.rate / adjusted.rate).quantize(CENT, ROUND_DOWN)
            amount = max(ZERO, min(adjusted.balance - discount - write_off, there))
        taken = self._in_currency_of(adjusting, adjusted, amount)
        if amount <= 0 or amount != money(amount) or taken <= 0:
            raise NotAllowed(f"{amount} cannot be applied")
        self._fits(adjusting, adjusted, amount + discount + write_off, taken)
        one = self._row(adjusting, adjusted, amount, taken, discount=discount, write_off=write_off, initial=not adjusting.released)
        if adjusting.released:
            self._post(one)
            self._settle(adjusting)
        return one

    def reverse(self, one: Application) -> Application:
        """Takes a released application back: a second row with negative amounts."""
        if not one.released or one.voided or one.reverses is not None:
            raise NotAllowed(f"{one.name} is not in force")
        for side in (one.adjusting, one.adjusted):
            if side.voided:
                raise NotAllowed(f"{side.name} is voided")
        back = self._back(one, one.adjusting)
        self._settle(one.adjusting)
        return back

    def void(self, document: Document) -> Document:
        """A payment or refund: a document of the voiding type under the same number, its applications reversed. An invoice or memo: a
        document of the other side over the whole amount, applied to it. Gives the new document."""
        if not document.released or document.status not in ("N", "C") or document.voided:
            raise NotAllowed(f"{document.name} cannot be voided: its status is {document.status}")
        code = VOIDED_BY.get(document.type.code)
        if code is None:
            return self._cancel(document)
        if (code, document.number) in self.documents:
            raise NotAllowed(f"there is a document {code}/{document.number} already")
        if any(one.released and not one.voided for one in self.paying(document)):
            raise NotAllowed(f"{document.name} was refunded or written off: void that first")
        same = {name: getattr(document, name) for name in ("number", "currency", "method", "reference", "description")}
        void = self.enter(code, document.customer, document.amount, original=document.key, **same)
        for one in self.paid_by(document):
            if one.released and not one.voided:
                self._back(one, void)
        self._change(void, released=True, status="C", balance=ZERO, closed=self.clock().date())
        self._change(document, status="V", voided=True, balance=ZERO, closed=self.clock().date())
        return void

    def write_off(self, document: Document, amount: Decimal | None = None) -> Document:
        """Clears what is left of a document: a Balance WO for a debt, a Credit WO for a credit. Gives that document."""
        amount = document.balance if amount is None else amount
        if not document.open or not 0 < amount <= document.balance:
            raise NotAllowed(f"{amount} of {document.name} cannot be written off")
        debt = document.type.code in APPLIES_TO["SMB"]
        if not debt and "SMC" not in APPLIES_TO.get(document.type.code, ()):
            raise NotAllowed(f"a {document.type.label} cannot be written off")
        other = self.enter("SMB" if debt else "SMC", document.customer, amount, currency=document.currency, due=self.clock().date())
        self.release(other)
        self.apply(*((other, document) if debt else (document, other)), amount)
        return other

    def refund(self, document: Document, amount: Decimal | None = None, **fields: Any) -> Document:
        """Pays back what is left of a payment or credit memo."""
        amount = document.balance if amount is None else amount
        if not document.open or document.type.code not in APPLIES_TO["REF"] or not 0 < amount <= document.balance:
            raise NotAllowed(f"{amount} of {document.name} cannot be refunded")
        other = self.enter("REF", document.customer, amount, currency=document.currency, **fields)
        self.release(other)
        self.apply(other, document, amount)
        return other

    def delete(self, document: Document) -> None:
        """Removes a document that was never released, and what was entered with it."""
        if document.released or self.paying(document):
            raise NotAllowed(f"{document.name} is released or in use: it cannot be deleted")
        for one in self.paid_by(document):
            self.applications.remove(one)
            self._of[one.adjusted.key].remove(one)
        self._of.pop(document.key, None)
        del self.documents[document.key], self.by_id[document.note_id]
        self._customers[document.customer].remove(document)
        self.balance_stamps[document.customer] = self.clock()
        self.deleted.append(Deleted(document, self.clock()))
        self.log("delete", "document", document.note_id, document.name, [])

    # --- inside

    def _next(self, kind: DocType, origin: str) -> str:
        sequence = "SO" if origin == "SO" else "WO" if kind.code in ("SMB", "SMC") else "AR" if kind.invoice else "PAY"
        self._numbers[sequence] += 1
        number = f"{self._numbers[sequence]:06d}"
        return {"SO": f"INV{number}", "WO": f"WO{number}"}.get(sequence, number)

    def _in_currency_of(self, adjusting: Document, adjusted: Document, amount: Decimal) -> Decimal:
        """The invoice's amount as the payment's. As the payment holds no fraction of a cent more, the last cent is not overdrawn."""
        if adjusting.currency == adjusted.currency:
            return amount
        return money(amount * adjusted.rate / adjusting.rate)

    def _fits(self, adjusting: Document, adjusted: Document, total: Decimal, taken: Decimal, also: Iterable[Application] = ()) -> None:
        """Refuses what one of the sides does not hold; `also`: applications that are released together, this one among them."""
        together = list(also)
        total = sum((one.total for one in together if one.adjusted is adjusted), ZERO) or total
        taken = sum((one.taken for one in together), ZERO) or taken
        if not adjusted.open or total > adjusted.balance:
            raise NotAllowed(f"{adjusted.name} ({adjusted.status}) has {adjusted.balance} left, not {total}")
        if adjusting.status not in ("N", "B", "H") or taken > adjusting.balance:
            raise NotAllowed(f"{adjusting.name} ({adjusting.status}) has {adjusting.balance} left, not {taken}")

    def _row(self, adjusting: Document, adjusted: Document, amount: Decimal, taken: Decimal, **fields: Any) -> Application:
        now = self.clock()
        number = 1 + sum(1 for one in self._of[adjusting.key] if one.adjusting is adjusting)
        one = Application(adjusted, adjusting, number, self.new_id(), now.date(), amount, taken, now, now, **fields)
        self.applications.append(one)
        self._of[adjusting.key].append(one)
        self._of[adjusted.key].append(one)
        self.log("create", "application", one.note_id, one.name, ["CuryAdjdAmt", "CuryAdjgAmt"])
        return one

    def _post(self, one: Application) -> None:
        """Releases an application: both balances move; the adjusted document's stamp does by rule."""
        one.released, one.stamp, one.version = True, self.clock(), one.version + 1
        self._change(one.adjusting, balance=one.adjusting.balance - one.taken)
        bumps = self.rules.application_bumps
        self._change(one.adjusted, bumps, balance=one.adjusted.balance - one.total)
        self._settle(one.adjusted, bumps)

    def _back(self, one: Application, adjusting: Document) -> Application:
        """The row that takes an application back, under `adjusting`: the payment itself, or the document that voids it."""
        fields = {"discount": -one.discount, "write_off": -one.write_off, "released": True, "voided": True, "reverses": one.number}
        back = self._row(adjusting, one.adjusted, -one.amount, -one.taken, **fields)
        one.voided, one.stamp, one.version = True, self.clock(), one.version + 1
        self.log("update", "application", one.note_id, one.name, ["Voided"])
        bumps = self.rules.application_bumps
        if adjusting is one.adjusting:
            self._change(adjusting, balance=adjusting.balance + one.taken)
        self._change(one.adjusted, bumps, balance=one.adjusted.balance + one.total)
        self._settle(one.adjusted, bumps)
        return back

    def _cancel(self, document: Document) -> Document:
        code = REVERSED_BY.get(document.type.code)
        if code is None or document.balance != document.amount or document.amount == 0:
            raise NotAllowed(f"{document.name} cannot be voided: it is written off or applied already, or nothing is in it")
        fields = {name: getattr(document, name) for name in ("currency", "description", "lines", "tax", "bill_to", "origin")}
        other = self.enter(code, document.customer, document.amount, original=document.key, due=document.due, **fields)
        self.release(other)
        self.apply(*((other, document) if code == "CRM" else (document, other)))
        status = self.rules.reversed_status
        self._change(document, status=status, voided=status == "V")
        return other

    def _settle(self, document: Document, bumps: bool = True) -> None:
        """Open or Closed, as the balance says."""
        if document.released and document.status in ("N", "C", "L") and not document.voided:
            done = document.balance == 0
            self._change(document, bumps, status="C" if done else "N", closed=self.clock().date() if done else None)

    def _change(self, document: Document, bumps: bool = True, **values: Any) -> None:
        changed = [name for name, value in values.items() if getattr(document, name) != value]
        for name in changed:
            setattr(document, name, values[name])
        if changed:
            document.version += 1
            self.balance_stamps[document.customer] = self.clock()
            if bumps:
                document.stamp = self.clock()
            names = {"balance": "CuryDocBal", "amount": "CuryOrigDocAmt", "closed": "ClosedDate"}
            fields = [names.get(name, name.capitalize()) for name in changed] + (["LastModifiedDateTime"] if bumps else [])
            self.log("update", "document", document.note_id, document.name, fields)
