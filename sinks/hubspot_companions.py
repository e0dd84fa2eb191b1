"""Contacts and their companies: associated as the wishes say, what we associated before taken away, and both read back.

HubSpot's answer names the pairs that were asked for; whether they were saved only shows in a read (a call for 1,000 contacts).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import NoReturn

from schemas.records import Wish
from schemas.refs import Ref
from sinks.contract import Answer, Ask, Resolved, Written
from sinks.hubspot_match import MERGED, portions
from weighlock.clients.hubspot import BATCH, PAIRED, PAIRS, HubSpot
from weighlock.clients.hubspot_answers import Item
from weighlock.errors import TransientError

#: Our property with the id of the company that people had associated a contact with when we adopted it: written with our key, in one call,
#: so that no crash comes between the two. That association is never taken away.
BEFORE = "acumatica_company_before"
#: So often what was answered and is not there is done at once; then as after any failure.
ROUNDS = 2
#: Contact id, company id.
Pair = tuple[str, str]


class Companions:
    """For one batch of contacts."""

    def __init__(self, client: HubSpot, ask: Ask) -> None:
        self._client, self._ask = client, ask

    def associate(self, wishes: Sequence[Resolved], answers: Mapping[str, Answer]) -> dict[str, Answer]:
        """The new company first, then the one that we made before is taken away, but for what people had made. Gives the answers anew.

        `TransientError` where HubSpot says again and again that it is done, and it is not.
        """
        done: dict[str, Answer] = {}
        make: dict[Pair, Resolved] = {}
        drop: dict[Pair, Resolved] = {}
        for one in wishes:
            answer = answers.get(one.wish.subject)
            if not isinstance(answer, Written):
                continue
            old = one.associations.get("company") if answer.id == one.written else None
            new = one.references.get("company")
            done[one.wish.subject] = Written(answer.id, answer.origin, {} if new is None else {"company": new}, answer.note)
            strays = {Ref.parse(ref).id for ref in one.strays if Ref.parse(ref).entity == "company"}
            if new is not None and (new != old or one.again):
                make[answer.id, new] = one
            drop |= {(answer.id, gone): one for gone in {old, *strays} - {new} if gone is not None}
        done |= self._make(make)
        self._part({pair: one.wish for pair, one in drop.items() if isinstance(done[one.wish.subject], Written)}, make)
        return done

    def _make(self, pairs: Mapping[Pair, Resolved]) -> dict[str, Answer]:
        """The refusals, by subject. A company that people merged may be refused under its old id (facts/hubspot.md does not know)."""
        refused = self._make_as_named(pairs)
        now = self._now(company for _, company in refused) if refused else {}
        moved = {(contact, company): (contact, now.get(company, company)) for contact, company in refused}
        again = {new: pairs[old] for old, new in moved.items() if new != old}
        refused = {pair: refusal for pair, refusal in refused.items() if moved[pair] == pair} | self._make_as_named(again)
        return {{**pairs, **again}[pair].wish.subject: refusal for pair, refusal in refused.items()}

    def _make_as_named(self, pairs: Mapping[Pair, Resolved]) -> dict[Pair, Answer]:
        refused: dict[Pair, Answer] = {}
        left = list(pairs)
        for _ in range(ROUNDS):
            if not left:
                return refused
            for some in portions(left, PAIRS):
                refusals = self._ask(partial(self._client.associate, some), [pairs[pair].wish for pair in some])
                refused |= refusals
            left = [pair for pair in left if pair not in refused]
            held = self._held(left)
            left = [(contact, company) for contact, company in left if not held[contact].get(company)]
            left = self._not_merged(left, held) if left else []
        if left:
            self._complain("associate", left)
        return refused

    def _not_merged(self, pairs: Sequence[Pair], held: Mapping[str, Mapping[str, bool]]) -> list[Pair]:
        """Those that are not there under the id of the company that theirs was merged into, either."""
        now = self._now(company for _, company in pairs)
        return [(contact, company) for contact, company in pairs if not held[contact].get(now.get(company, company))]

    def _part(self, pairs: Mapping[Pair, Wish], made: Iterable[Pair]) -> None:
        """A company that people merged answers under its new id: what was made with that one stays, and what people had made."""
        parted = {contact for contact, _ in pairs}
        kept = [*(pair for pair in made if pair[0] in parted), *self._before(parted).items()]
        now = self._now(company for _, company in (*pairs, *kept))
        stay = {(contact, now.get(company, company)) for contact, company in kept}
        gone = {(contact, now[company]): wish for (contact, company), wish in pairs.items() if company in now}
        left = [pair for pair in gone if pair not in stay]
        for _ in range(ROUNDS):
            for some in portions(left, BATCH):
                self._ask(partial(self._client.disassociate, some), [gone[pair] for pair in some])
            held = self._held(left)
            left = [(contact, company) for contact, company in left if company in held[contact]]
        if left:
            self._complain("take apart", left)

    def _before(self, contacts: Iterable[str]) -> dict[str, str]:
        """The company that people had associated each contact with, for those that had one."""
        found: list[Item] = []
        for some in portions(list(dict.fromkeys(contacts)), BATCH):
            found += self._ask(partial(self._client.read, "contact", some, [BEFORE]), ())
        return {item.id: company for item in found if (company := item.properties.get(BEFORE))}

    def _held(self, pairs: Iterable[Pair]) -> dict[str, dict[str, bool]]:
        held: dict[str, dict[str, bool]] = {}
        for some in portions(list(dict.fromkeys(contact for contact, _ in pairs)), PAIRED):
            held |= self._ask(partial(self._client.companies_of, some), ())
        return held

    def _now(self, companies: Iterable[str]) -> dict[str, str]:
        """The id that each company has today, of those that are there."""
        found: list[Item] = []
        for some in portions(list(dict.fromkeys(companies)), BATCH):
            found += self._ask(partial(self._client.read, "company", some, [MERGED]), ())
        return {id: item.id for item in found for id in item.ids()}

    def _complain(self, what: str, pairs: Sequence[Pair]) -> NoReturn:
        some = ", ".join("-".join(pair) for pair in pairs[:3])
        said = f"HubSpot was asked {ROUNDS} times to {what} {len(pairs)} pairs of contact and company, and has not: {some}"
        raise TransientError(said, ambiguous=True)
