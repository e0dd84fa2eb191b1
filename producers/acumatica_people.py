"""Who gets an invoice: the person that it names, else that customer's contact with the e-mail that stands on it, else nobody."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from producers.acumatica_codes import code_of
from producers.acumatica_tables import CONTACT, askable, ref_of
from producers.acumatica_walk import Position
from weighlock.clients.acumatica import Reads
from weighlock.clients.acumatica_values import Row, any_of

ROOM = 1500
SELECT = [CONTACT.key, "BusinessAccount", "Email", "Type"]


class People:
    """Looks contacts up, by a page's distinct numbers, then by its distinct e-mails. What was found is kept until `forget`: a walk
    through everything asks once for each. Nothing is asked as long as `known` has everybody."""

    def __init__(self, client: Reads) -> None:
        self._client = client
        self.known = Known()
        self.forget()

    def forget(self) -> None:
        self._numbers: dict[int, list[Row]] = {}
        self._mails: dict[str, list[Row]] = {}

    def of(self, rows: Sequence[Row]) -> list[str | None]:
        """For each row the ref of its contact."""
        if not self.known.whole:
            return self._asked(rows)
        found = [self._by_number(row, self.known.numbers) or self._by_mail(row, self.known.mails) for row in rows]
        # a person of another customer: of one that has another code now, it may be
        unsure = [row for row, ref in zip(rows, found, strict=True) if ref is None and self.known.has(row)]
        asked = iter(self._asked(unsure))
        return [ref or (next(asked) if self.known.has(row) else None) for row, ref in zip(rows, found, strict=True)]

    def _asked(self, rows: Sequence[Row]) -> list[str | None]:
        numbers = {number for row in rows if _owned(row) and (number := _number(row)) is not None}
        self._ask_numbers(numbers - self._numbers.keys())
        found = [self._by_number(row, self._numbers) for row in rows]
        left = [row for row, ref in zip(rows, found, strict=True) if ref is None and _owned(row)]
        self._ask_mails({mail for row in left if (mail := _mail(_bill_to(row).get("Email"))) is not None} - self._mails.keys())
        return [ref or self._by_mail(row, self._mails) for row, ref in zip(rows, found, strict=True)]

    def _by_number(self, row: Row, people: Mapping[int, list[Row]]) -> str | None:
        number = _number(row)
        return None if number is None else _chosen(people.get(number, []), row)

    def _by_mail(self, row: Row, people: Mapping[str, list[Row]]) -> str | None:
        mail = _mail(_bill_to(row).get("Email"))
        return None if mail is None else _chosen(people.get(mail, []), row)

    def _ask_numbers(self, numbers: Iterable[int]) -> None:
        for chunk, filter in any_of(CONTACT.key, sorted(numbers), ROOM):
            self._numbers |= {number: [] for number in chunk}
            for row in self._client.list(CONTACT.name, SELECT, filter=filter):
                self._numbers.setdefault(row.get(CONTACT.key), []).append(row)  # type: ignore[arg-type]

    def _ask_mails(self, mails: Iterable[str]) -> None:
        for chunk, filter in any_of("Email", sorted(mails), ROOM):
            self._mails |= {mail: [] for mail in chunk}
            for row in self._client.list(CONTACT.name, SELECT, filter=filter):
                if (mail := _mail(row.get("Email"))) is not None:
                    self._mails.setdefault(mail, []).append(row)


class Known:
    """Everybody, as the first walk through all contacts showed them: kept for the first one through all invoices, which then asks for
    nobody. The contacts' changes come in between, so it stays as fresh as they are."""

    def __init__(self) -> None:
        self.wanted = True
        self._clear()

    def _clear(self) -> None:
        self.numbers: dict[int, list[Row]] = {}
        self.mails: dict[str, list[Row]] = {}
        self._after: str | None = None
        self.whole = False

    def has(self, row: Row) -> bool:
        """Is there anybody with the number or the e-mail that stands on the document?"""
        number, mail = _number(row), _mail(_bill_to(row).get("Email"))
        return bool((number is not None and self.numbers.get(number)) or (mail is not None and self.mails.get(mail)))

    def drop(self) -> None:
        """The invoices are through."""
        self.wanted = False
        self._clear()

    def learn(self, position: Position, rows: Sequence[Row]) -> None:
        """A page of contacts, read from that position."""
        if self.wanted and position["walk"] == "full" and not position["after"]:
            self._clear()
            self._after = ""
        for row in rows if self._after is not None else ():
            number = row.get(CONTACT.key)
            if isinstance(number, int) and CONTACT.usable(number):
                for old in self.numbers.get(number, []):
                    if mail := _mail(old.get("Email")):
                        self.mails[mail] = [one for one in self.mails[mail] if one is not old]
                kept = {name: row.get(name) for name in ("id", *SELECT)}
                self.numbers[number] = [kept]
                if mail := _mail(row.get("Email")):
                    self.mails.setdefault(mail, []).append(kept)

    def safe(self, before: Position, after: Position) -> None:
        """That page is safe. Only a walk whose pages all were ours has seen everybody."""
        if self._after is not None and before["walk"] == "full" and before["after"] == self._after:
            self._after = after.get("after", self._after)
            self.whole = self.whole or after["walk"] != "full"


def _chosen(people: Sequence[Row], document: Row) -> str | None:
    """Of the customer's people the one with the lowest number."""
    code = code_of(document, "AcctCD")
    own = [row for row in people if row.get("Type") == "Contact" and code_of(row, "BusinessAccount") == code and row.get("id")]
    own.sort(key=lambda row: row[CONTACT.key] if CONTACT.usable(row.get(CONTACT.key)) else 2**31)
    return ref_of(CONTACT.entity, str(own[0]["id"])) if own else None


def _bill_to(row: Row) -> Row:
    found = row.get("BillTo")
    return found if isinstance(found, dict) else {}


def _owned(row: Row) -> bool:
    return code_of(row, "AcctCD") is not None


def _number(row: Row) -> int | None:
    number = _bill_to(row).get("CustomerContactID")
    return number if CONTACT.usable(number) else None


def _mail(value: Any) -> str | None:
    """To compare with: the server does not look at the case either."""
    return value.strip().lower() if isinstance(value, str) and value.strip() and askable(value) else None
