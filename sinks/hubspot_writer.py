"""One batch of one of HubSpot's objects, by our own unique property; the first match of a new subject is sinks/hubspot_match.py's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from schemas.records import Wish
from sinks.contract import Answer, Ask, Claims, Gone, Resolved, Unlinked, Written
from sinks.hubspot_aliases import Aliases
from sinks.hubspot_companions import BEFORE, BELONGS, Companions
from sinks.hubspot_match import Matcher, portions
from weighlock.clients.hubspot import BATCH, HubSpot
from weighlock.clients.hubspot_answers import Conflict, Item
from weighlock.errors import RejectedError


class Writer:
    """One batch of one object."""

    def __init__(self, client: HubSpot, kind: str, ask: Ask, claims: Claims, aliases: Aliases) -> None:
        self._client, self._kind, self._ask = client, kind, ask
        self._matcher = Matcher(client, kind, ask, claims, aliases)
        self._items: dict[str, Item] = {}  # by subject: what HubSpot said last of its record

    def write(self, wishes: Sequence[Resolved]) -> dict[str, Answer]:
        if not wishes:
            return {}
        there = [one for one in wishes if one.arrived and one.written is not None]
        usual = [one for one in wishes if one.decided is None and not one.further and one not in there]
        further = self._matcher.match_further([one for one in wishes if one.decided is None and one.further])
        known = self._matcher.match_known([one for one in usual if one.written is not None])
        new = self._matcher.match([one for one in usual if one.written is None])
        clash = [new.adopt.pop(id) for id in known.adopt if id in new.adopt]
        answers: dict[str, Answer] = known.refused | new.refused | self._follow([one for one in wishes if one.decided is not None])
        answers |= self._adopt(known.adopt | new.adopt)
        answers |= self._adopt(further.adopt, "known") | {one.wish.subject: Gone() for one in further.gone}
        answers |= self._upsert([*known.upsert, *new.upsert])
        answers |= {one.wish.subject: Written(one.written or "", "known") for one in there}
        answers |= self._settle_conflicts(usual, answers)
        for between in BELONGS.get(self._kind, ()):
            answers |= Companions(self._client, self._ask, between).associate(wishes, answers)
        whole = [replace(one, arrived=frozenset()) for one in there if isinstance(answers[one.wish.subject], RejectedError)]
        return answers | self.write([*known.later, *new.later, *clash, *whole])  # they wait for the fate of one that wants the same

    def _follow(self, decided: Sequence[Resolved]) -> dict[str, Answer]:
        """What people linked: the record of before gives our key back, the chosen one gets it; or (unlinked) none does."""
        property_ = decided[0].wish.key_property if decided else ""
        unlinked = [one for one in decided if not one.decided]
        places, giving = self._matcher.match_decided([one for one in decided if one.decided])
        giving += self._matcher.ours(unlinked)
        for some in portions(giving, BATCH):
            self._ask(partial(self._client.update, self._kind, {id: {property_: None} for id in some}), [one.wish for one in decided])
        answers: dict[str, Answer] = {one.wish.subject: Unlinked() for one in unlinked}
        return answers | places.refused | self._adopt(places.adopt) | self._upsert(places.upsert)

    def _upsert(self, wishes: Sequence[Resolved]) -> dict[str, Answer]:
        answers: dict[str, Answer] = {}
        for some in portions(wishes, BATCH):
            rows = {one.wish.key_value: _properties(one.wish) for one in some}
            property_ = some[0].wish.key_property
            found = self._ask(partial(self._client.upsert, self._kind, property_, rows), [one.wish for one in some])
            answers |= {one.wish.subject: self._answer(one, found[one.wish.key_value]) for one in some}
        return answers

    def _adopt(self, adopt: Mapping[str, Resolved], origin: str = "adopted") -> dict[str, Answer]:
        """By record id, our key with the rest: from then on the record is ours."""
        answers: dict[str, Answer] = {}
        for some in portions(list(adopt.items()), BATCH):
            rows = {id: {**_properties(one.wish), **self._company_before(id, one)} for id, one in some}
            found = self._ask(partial(self._client.update, self._kind, rows), [one.wish for _, one in some])
            answers |= {one.wish.subject: self._answer(one, found[id], origin) for id, one in some}
        return answers

    def _company_before(self, id: str, one: Resolved) -> dict[str, str | None]:
        """What people had made of a contact until now. Where the record was ours already, what it has is perhaps our work."""
        return {BEFORE: self._matcher.companies.get(id)} if self._kind == "contact" and id != one.written else {}

    def _settle_conflicts(self, wishes: Sequence[Resolved], answers: Mapping[str, Answer]) -> dict[str, Answer]:
        """A value is held by a record that the match did not see: look at that record, once."""
        settled: dict[str, Answer] = {}
        for one in wishes:
            conflict = answers.get(one.wish.subject)
            if not isinstance(conflict, Conflict) or conflict.existing is None:
                continue
            places = self._matcher.match_holder(one, conflict)
            settled |= places.refused | self._adopt(places.adopt) | self._upsert(places.upsert)
        return settled

    def _answer(self, one: Resolved, found: Item | RejectedError, origin: str | None = None) -> Answer:
        if isinstance(found, RejectedError):
            return found
        self._items[one.wish.subject] = found
        note = "it was gone and was made again" if found.new and one.written is not None else None
        return Written(found.id, origin or ("created" if found.new else "known"), note=note)


def _properties(wish: Wish) -> dict[str, str | None]:
    return {**wish.properties, wish.key_property: wish.key_value}
