"""Records and those that they belong to: associated as the wishes say, and what we associated before taken away."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from schemas.records import Wish
from schemas.refs import Ref
from sinks.contract import Answer, Ask, Resolved, Written
from sinks.hubspot_match import portions
from sinks.hubspot_pairs import CONTACT_COMPANY, Pairs
from weighlock.clients.hubspot import BATCH, HubSpot
from weighlock.clients.hubspot_answers import Item
from weighlock.clients.hubspot_associations import Between, Pair

#: Our property with the id of the company that people had associated a contact with when we adopted it: written with our key, in one call,
#: so that no crash comes between the two. That association is never taken away.
BEFORE = "acumatica_company_before"
#: What belongs to what, by object: the second one is the reference's name.
BELONGS: Mapping[str, tuple[Between, ...]] = {
    "contact": (CONTACT_COMPANY,),
    "invoice": (("invoice", "company"), ("invoice", "contact")),
}


class Companions:
    """For one batch of records of the first kind."""

    def __init__(self, client: HubSpot, ask: Ask, between: Between) -> None:
        self._client, self._ask, self._between = client, ask, between
        self._pairs = Pairs(client, ask, between)

    def associate(self, wishes: Sequence[Resolved], answers: Mapping[str, Answer]) -> dict[str, Answer]:
        """The new companion first, then the one that we made before is taken away, but for what people had made. Gives the answers anew.

        `TransientError` where HubSpot says again and again that it is done, and it is not.
        """
        name = self._between[1]
        done: dict[str, Answer] = {}
        make: dict[Pair, Resolved] = {}
        drop: dict[Pair, Resolved] = {}
        for one in wishes:
            answer = answers.get(one.wish.subject)
            if not isinstance(answer, Written):
                continue
            old = one.associations.get(name) if answer.id == one.written else None
            new = one.references.get(name)
            made = one.associations if answer.associations is None else answer.associations
            others = {other: id for other, id in made.items() if other != name}
            done[one.wish.subject] = Written(answer.id, answer.origin, others if new is None else {**others, name: new}, answer.note)
            strays = {Ref.parse(ref).id for ref in one.strays if Ref.parse(ref).entity == name}
            if new is not None and (new != old or one.again):
                make[answer.id, new] = one
            drop |= {(answer.id, gone): one for gone in {old, *strays} - {new} if gone is not None}
        refused = self._pairs.make({pair: one.wish for pair, one in make.items()})
        done |= {make[pair].wish.subject: refusal for pair, refusal in refused.items()}
        self._part({pair: one.wish for pair, one in drop.items() if isinstance(done[one.wish.subject], Written)}, make)
        return done

    def _part(self, pairs: Mapping[Pair, Wish], made: Iterable[Pair]) -> None:
        """What people merged answers under its new id: what was made with that one stays, and what people had made."""
        parted = {one for one, _ in pairs}
        kept = [*(pair for pair in made if pair[0] in parted), *self._before(parted).items()]
        now = self._pairs.now(other for _, other in (*pairs, *kept))
        stay = {(one, now.get(other, other)) for one, other in kept}
        gone = {(one, now[other]): wish for (one, other), wish in pairs.items() if other in now}
        self._pairs.part({pair: wish for pair, wish in gone.items() if pair not in stay})

    def _before(self, ids: Iterable[str]) -> dict[str, str]:
        """The company that people had associated each contact with, for those that had one."""
        found: list[Item] = []
        for some in portions(list(dict.fromkeys(ids)) if self._between == CONTACT_COMPANY else (), BATCH):
            found += self._ask(partial(self._client.read, "contact", some, [BEFORE]), ())
        return {item.id: company for item in found if (company := item.properties.get(BEFORE))}
