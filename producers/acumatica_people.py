"""Who gets an invoice: the person that it names, else that customer's contact with the e-mail that stands on it, else nobody."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from producers.acumatica_codes import code_of
from producers.acumatica_tables import CONTACT, askable, ref_of
from weighlock.clients.acumatica import Reads
from weighlock.clients.acumatica_values import Row, any_of

ROOM = 1500
SELECT = [CONTACT.key, "BusinessAccount", "Email", "Type"]


class People:
    """Looks contacts up, by a page's distinct numbers, then by its distinct e-mails. What was found is kept until `forget`: a walk
    through everything asks once for each."""

    def __init__(self, client: Reads) -> None:
        self._client = client
        self.forget()

    def forget(self) -> None:
        self._numbers: dict[int, list[Row]] = {}
        self._mails: dict[str, list[Row]] = {}

    def of(self, rows: Sequence[Row]) -> list[str | None]:
        """For each row the ref of its contact."""
        numbers = {number for row in rows if _owned(row) and (number := _number(row)) is not None}
        self._ask_numbers(numbers - self._numbers.keys())
        found = [self._by_number(row) for row in rows]
        left = [row for row, ref in zip(rows, found, strict=True) if ref is None and _owned(row)]
        self._ask_mails({mail for row in left if (mail := _mail(_bill_to(row).get("Email"))) is not None} - self._mails.keys())
        return [ref or self._by_mail(row) for row, ref in zip(rows, found, strict=True)]

    def _by_number(self, row: Row) -> str | None:
        number = _number(row)
        return None if number is None else _chosen(self._numbers.get(number, []), row)

    def _by_mail(self, row: Row) -> str | None:
        mail = _mail(_bill_to(row).get("Email"))
        return None if mail is None else _chosen(self._mails.get(mail, []), row)

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
