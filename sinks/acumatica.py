"""Customers into Acumatica, made of companies of HubSpot: each once, and never changed again, for from then on Acumatica owns them.

A customer holds the ref of its company in a field that the settings name (the wish's `key_property`), joined with those of others by `;`
(facts/acumatica.md §13.2). Neither that field nor a new customer's number is unique to the site, so a create is preceded by an intent
(sinks/intents.py), and whoever finds one looks for the ref first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from schemas.refs import Ref
from sinks.acumatica_candidates import ACCOUNT, ENTITY, KIND, Candidates, carries, described, listed
from sinks.contract import Answer, Ask, Claims, Postponed, Resolved, TakesAll, Unlinked, Written
from weighlock.clients.acumatica_values import Row, literal
from weighlock.clients.acumatica_writes import AcumaticaWrites, AlreadyThere
from weighlock.errors import RejectedError, TransientError
from weighlock.settings import Settings

#: A call that the client has given up may go on at the server; and what a clock may be wrong.
MARGIN = 60.0
#: So many calls without an answer in a row: the others are not tried now.
FRUITLESS = 3


class AcumaticaTarget(TakesAll):
    system = "acumatica"
    objects: tuple[str, ...] = (KIND,)
    batch = 20  # two calls each, of some a minute

    def __init__(self, settings: Settings, client: AcumaticaWrites | None = None) -> None:
        self._client = client or AcumaticaWrites.of(settings)
        self._attempts = settings.attempts
        self.longest_call = settings.need_acumatica().timeout_seconds + MARGIN

    def check(self) -> None:
        """Sign in, the endpoint, and the two forms that we read."""
        self._client.check()
        self._client.list(ENTITY, ["CustomerID"], top=1)
        self._client.list(ACCOUNT, ["BusinessAccountID"], top=1)

    def close(self) -> None:
        self._client.close()

    def write(self, wishes: Sequence[Resolved], ask: Ask, claims: Claims) -> Mapping[str, Answer]:
        return Seeder(self._client, self._attempts, self.longest_call, ask, claims).write(wishes)


class Seeder:
    """One batch."""

    def __init__(self, client: AcumaticaWrites, attempts: int, longest: float, ask: Ask, claims: Claims) -> None:
        self._client, self._attempts, self._longest, self._ask, self._claims = client, attempts, longest, ask, claims
        self._candidates = Candidates(client, ask, claims)
        self._fruitless = 0

    def write(self, wishes: Sequence[Resolved]) -> dict[str, Answer]:
        answers: dict[str, Answer] = {one.wish.subject: known for one in wishes if (known := self._known(one)) is not None}
        todo = [one for one in wishes if one.wish.subject not in answers]
        carrying = self._candidates.carrying([one.wish for one in todo])
        new: list[Resolved] = []
        for one in todo:
            if rows := carrying[one.wish.subject]:
                answers[one.wish.subject] = self._found(one, rows)
            elif one.intent is not None and not one.intent.over(self._longest):
                answers[one.wish.subject] = self._perhaps(one)
            else:
                new.append(one)
        return answers | self._make_all(new)

    def _known(self, one: Resolved) -> Answer | None:
        """By what a person decided, the links or the ledger; whether a customer that no link names any more is still there is asked."""
        if one.decided == "":
            return Unlinked()
        known = one.decided or one.linked or one.written
        if known is not None and known == one.written and one.linked is None and one.decided is None:
            known = known if self._ask(partial(self._client.get, ENTITY, known, ["CustomerID"]), ()) is not None else None
        return None if known is None else Written(known, "known", note="already a customer; nothing is changed there", linked=True)

    def _make_all(self, new: Sequence[Resolved]) -> dict[str, Answer]:
        """Of several that look alike the first one; the others are then held against it."""
        answers: dict[str, Answer] = {}
        candidates = self._candidates.alike([one.wish for one in new])
        accounts = self._candidates.accounts([one.wish for one in new])
        taken: set[tuple[str, str]] = set()
        later: list[Resolved] = []
        for one in new:
            looks = {(match.property, match.value.casefold()) for match in one.wish.matches}
            if rows := candidates[one.wish.subject]:
                answers[one.wish.subject] = self._candidates.refusal(one.wish, rows)
            elif rows := accounts[one.wish.subject]:
                answers[one.wish.subject] = self._candidates.no_customer_yet(one.wish, rows)
            elif taken & looks:
                later.append(one)
            else:
                taken |= looks
                answers[one.wish.subject] = self._make(one)
        return answers | (self._make_all(later) if later else {})

    def _make(self, one: Resolved) -> Answer:
        if one.intent is not None and one.intent.count >= self._attempts:
            return RejectedError(
                f"Acumatica was asked {one.intent.count} times to make this customer; no answer came, and no customer is there"
            )
        wish, fields = one.wish, fields_of(one.wish.properties | {one.wish.key_property: one.wish.key_value})
        numbered = "CustomerID" not in fields  # by the site
        filter = f"{wish.key_property} eq {literal(wish.key_value)}" if numbered else ""
        put = partial(self._client.put, ENTITY, fields, filter=filter, new=not numbered)
        try:
            row = self._ask(put, [wish], creates=True)
            self._fruitless = 0
            return self._made(one, row)
        except AlreadyThere:
            return self._number_taken(one, str(fields["CustomerID"]))
        except RejectedError as error:
            return error
        except TransientError as error:
            self._fruitless += 1
            if not error.ambiguous or self._fruitless >= FRUITLESS:
                raise
            return Postponed(f"{error}: until it is certain whether the customer was made")

    def _made(self, one: Resolved, row: Row) -> Answer:
        """Read back: what was silently not saved is told (facts/acumatica.md §4.8)."""
        found = self._ask(partial(self._client.get, ENTITY, str(row.get("id")), *listed(one.wish.properties, one.wish.key_property)), ())
        if found is None:
            raise TransientError("Acumatica says that it made the customer, and there is none", ambiguous=True)
        wanted = one.wish.properties | {one.wish.key_property: one.wish.key_value}
        unsaved = [name for name, value in wanted.items() if value is not None and not _same(_at(found, name), value)]
        note = f"{described(found)}; not saved as asked: {', '.join(sorted(unsaved))}" if unsaved else described(found)
        return Written(_id(found), "created", note=note)

    def _found(self, one: Resolved, rows: Sequence[Row]) -> Answer:
        """A customer carries the company's ref: a person wrote it there, or a call of ours whose answer nobody heard."""
        if len(rows) > 1:
            reason = f"{len(rows)} customers of Acumatica carry {one.wish.key_value} in {one.wish.key_property}: take it off all but one"
            return RejectedError(f"{reason} ({', '.join(map(described, rows))})", candidates=_refs(rows))
        owner = self._claims(KIND, _id(rows[0]), Ref.parse(one.wish.subject).system)
        if owner not in (None, one.wish.subject):
            reason = f"{described(rows[0])} carries {one.wish.key_value} in {one.wish.key_property}, and is {owner}'s"
            return RejectedError(reason, candidates=_refs(rows))
        if one.intent is not None:
            return Written(_id(rows[0]), "created", note=f"{described(rows[0])}, found by its ref: its answer was lost")
        return Written(_id(rows[0]), "adopted", note=f"{described(rows[0])} carries this company's ref")

    def _number_taken(self, one: Resolved, number: str) -> Answer:
        rows = self._candidates.numbered(number, one.wish.key_property)
        carrying = [row for row in rows if carries(row, one.wish)]
        if carrying:
            return self._found(one, carrying)
        said = ", ".join(map(described, rows)) or "a business account that is no customer"
        return RejectedError(f"the number {number} that this company would get is taken by {said}", candidates=_refs(rows))

    def _perhaps(self, one: Resolved) -> Postponed:
        until = one.intent.until(self._longest) if one.intent else None
        return Postponed(f"a call of before may still make this customer, until {until:%H:%M:%S} UTC")


def fields_of(properties: Mapping[str, str | None]) -> Row:
    """Dotted names as nested entities; what is empty is left to the site's defaults."""
    found: Row = {}
    for name, value in properties.items():
        *way, last = name.split(".")
        inner = found
        if value is not None:
            for step in way:
                inner = inner.setdefault(step, {})
            inner[last] = value
    return found


def _at(row: Row, name: str) -> object:
    found: Any = row
    for step in name.split("."):
        found = found.get(step) if isinstance(found, dict) else None
    return found


def _same(found: object, wanted: str) -> bool:
    return str(found if found is not None else "").strip().casefold() == wanted.strip().casefold()


def _id(row: Row) -> str:
    return str(row["id"]).lower()


def _refs(rows: Iterable[Row]) -> tuple[str, ...]:
    return tuple(str(Ref("acumatica", KIND, _id(row))) for row in rows)
