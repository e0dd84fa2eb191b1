"""The first match: is a new subject in HubSpot already, under our key, or as somebody else's record that may be adopted?

Search and e-mail only propose. A candidate is read by id and adopted only if it is nobody's: our key is empty on it, and no link or ledger
entry holds it (docs/agreement.md, rules 7 and 10 to 13).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from schemas.records import Wish
from schemas.refs import Ref
from sinks.contract import Ask, Claims, Resolved
from sinks.hubspot_aliases import Aliases, has_domain
from weighlock.clients.hubspot import BATCH, SEARCH_BODY, HubSpot
from weighlock.clients.hubspot_answers import Conflict, Item
from weighlock.errors import RejectedError

#: What goes around the values in a search body, generously.
SEARCH_FRAME = 150
MERGED = "hs_merged_object_ids"
#: A contact's primary company, kept by HubSpot (facts/hubspot.md §14).
COMPANY = "associatedcompanyid"
T = TypeVar("T")


@dataclass
class Places:
    """Where each wish goes: by key, onto a candidate (record id first), back, or into a later round; `gone`: its record is not there."""

    upsert: list[Resolved] = field(default_factory=list)
    adopt: dict[str, Resolved] = field(default_factory=dict)
    refused: dict[str, RejectedError] = field(default_factory=dict)
    later: list[Resolved] = field(default_factory=list)
    gone: list[Resolved] = field(default_factory=list)


class Matcher:
    """For one batch of one object. By what it matches: companies by `domain`, contacts by `email`."""

    def __init__(self, client: HubSpot, kind: str, ask: Ask, claims: Claims, aliases: Aliases) -> None:
        self._client, self._kind, self._ask, self._claims, self._aliases = client, kind, ask, claims, aliases
        self.companies: dict[str, str] = {}  # of the contacts that were read: the company that they had then

    def match(self, wishes: Sequence[Resolved]) -> Places:
        """A place for each of them; none of them has been written by us as far as we know."""
        places = Places()
        if not wishes:
            return places
        key = wishes[0].wish.key_property
        named = self.read([one.linked for one in wishes if one.linked is not None], key, "name", MERGED)
        linked = {id: item for item in reversed(named) for id in item.ids()}
        proposed = self._propose([one for one in wishes if one.linked not in linked], key)
        wanted = Counter(value for one in wishes for value in [_match_value(one.wish)] if value)
        for one in wishes:
            value = _match_value(one.wish)
            candidates = [linked[one.linked]] if one.linked in linked else proposed.get(value or "", [])
            self._place(one, candidates, places, contested=wanted[value or ""] > 1)
        self._admit_known(wishes, places, key)
        return places

    def _admit_known(self, wishes: Sequence[Resolved], places: Places, key: str) -> None:
        """Nobody is refused whose record is there under its key, unlike any candidate. The others need no such question:
        an upsert goes to it by itself, and an adoption meets the key's holder (`match_holder`)."""
        refused = [one for one in wishes if one.wish.subject in places.refused]
        keyed = {value_of(item, key) for item in self.read([one.wish.key_value for one in refused], key, by=key)}
        for one in refused:
            if one.wish.key_value.lower() in keyed:
                del places.refused[one.wish.subject]
                places.upsert.append(one)

    def match_holder(self, one: Resolved, conflict: Conflict) -> Places:
        """A value of this wish is held by the record that HubSpot named."""
        places = Places()
        held = self.read([conflict.existing or ""], one.wish.key_property)
        if not held:
            places.refused[one.wish.subject] = conflict
            return places
        holder = value_of(held[0], one.wish.key_property)
        if holder == one.wish.key_value.lower() and one.written is None:
            places.upsert.append(one)
        elif holder or one.written is not None or self.owner(held[0], one) is not None:
            places.refused[one.wish.subject] = self.held(one, held[0], conflict)
        else:
            places.adopt[held[0].id] = one
        return places

    def match_known(self, wishes: Sequence[Resolved]) -> Places:
        """Those that we wrote before, by the record that we wrote: people may have merged it, deleted it or taken our key off it.

        One that is gone is made again. One that was merged goes on in the survivor, unless that is another's.
        """
        places = Places()
        if not wishes:
            return places
        key = wishes[0].wish.key_property
        found = self.read([one.written or "" for one in wishes], key, "name", MERGED)
        by_id = {id: item for item in reversed(found) for id in item.ids()}
        for one in wishes:
            item = by_id.get(one.written or "")
            owner = None if item is None else self.owner(item, one)
            if item is None or value_of(item, key) == one.wish.key_value.lower():
                places.upsert.append(one)
            elif owner is not None and item.id != one.written:
                places.refused[one.wish.subject] = self._merged(one, item, owner)
            elif owner is not None:  # somebody else's key is on it now: each gets one of its own
                places.upsert.append(one)
            elif item.id in places.adopt:
                places.later.append(one)
            else:
                places.adopt[item.id] = one
        return places

    def match_further(self, wishes: Sequence[Resolved]) -> Places:
        """Those that add to a record that another facet made: by its id, if it still is ours. None of them makes one or looks for one."""
        places = Places()
        if not wishes:
            return places
        key = wishes[0].wish.key_property
        made = [id for id in map(_made, wishes) if id]
        found = {id: item for item in self.read(made, key, MERGED) for id in item.ids()}
        for one in wishes:
            item = found.get(_made(one))
            if item is None or self.owner(item, one) is not None or item.id in places.adopt:
                places.gone.append(one)
            else:
                places.adopt[item.id] = one
        return places

    def match_decided(self, wishes: Sequence[Resolved]) -> tuple[Places, list[str]]:
        """Those that a person linked to a record; and the records that have to give our key back before."""
        places, giving = Places(), []
        if not wishes:
            return places, []
        key = wishes[0].wish.key_property
        keyed = {value_of(item, key): item for item in self.read([one.wish.key_value for one in wishes], key, by=key)}
        chosen = {id: item for item in self.read([one.decided or "" for one in wishes], key, "name", MERGED) for id in item.ids()}
        for one in wishes:
            item, holder = chosen.get(one.decided or ""), keyed.get(one.wish.key_value.lower())
            owner = None if item is None else self.owner(item, one)
            if item is None:
                reason = f"HubSpot has no {self._kind} {one.decided}, to which a link was set"
                places.refused[one.wish.subject] = RejectedError(reason, candidates=(one.decided or "",))
            elif owner is not None or item.id in places.adopt:
                owner = owner or places.adopt[item.id].wish.subject
                reason = f"{self._kind} {item.id}, to which a link was set, is {owner}'s: unset that link first"
                places.refused[one.wish.subject] = RejectedError(reason, candidates=(item.id,))
            elif holder is not None and holder.id == item.id:
                places.upsert.append(one)
            else:
                places.adopt[item.id] = one
                giving += [holder.id] if holder is not None else []
        return places, giving

    def ours(self, wishes: Sequence[Resolved]) -> list[str]:
        """The ids of the records that carry their keys."""
        if not wishes:
            return []
        key = wishes[0].wish.key_property
        return [item.id for item in self.read([one.wish.key_value for one in wishes], key, by=key)]

    def _merged(self, one: Resolved, item: Item, owner: str) -> RejectedError:
        name = item.properties.get("name") or "no name"
        what = f"{self._kind} {one.written} was merged into {item.id} ({name}), which is {owner}'s"
        reason = f"{what}. Merge the two at their source, or decide with `weighlock links`."
        return RejectedError(reason, candidates=(item.id,))

    def _place(self, one: Resolved, candidates: Sequence[Item], places: Places, contested: bool) -> None:
        free = [item for item in candidates if self.owner(item, one) is None]
        if any(value_of(item, one.wish.key_property) == one.wish.key_value.lower() for item in candidates):
            places.upsert.append(one)  # written before its result was
        elif len(free) > 1:
            listed = tuple(f"{self._kind} {item.id} ({item.properties.get('name') or 'no name'})" for item in free)
            reason = f"{len(free)} records of HubSpot may be this one: {', '.join(listed)}. Merge them, or link one by hand."
            places.refused[one.wish.subject] = RejectedError(reason, candidates=tuple(item.id for item in free))
        elif free and free[0].id in places.adopt:
            places.later.append(one)
        elif free:
            places.adopt[free[0].id] = one
        elif candidates and (self._kind == "contact" or one.linked in candidates[0].ids()):
            places.refused[one.wish.subject] = self.held(one, candidates[0])
        elif contested and self._kind == "contact" and self._is_sent(_match_value(one.wish), places):
            places.later.append(one)
        else:
            places.upsert.append(one)

    def _is_sent(self, value: str | None, places: Places) -> bool:
        return any(_match_value(other.wish) == value for other in (*places.upsert, *places.adopt.values()))

    def owner(self, item: Item, one: Resolved) -> str | None:
        """Whose it is, if it is another's: by our key on it, by link or by ledger."""
        key = value_of(item, one.wish.key_property)
        if key:
            return None if key == one.wish.key_value.lower() else key
        owner = self._claims(self._kind, item.id, Ref.parse(one.wish.subject).system)
        return owner if owner != one.wish.subject else None

    def held(self, one: Resolved, item: Item, conflict: Conflict | None = None) -> RejectedError:
        owner = self.owner(item, one) or "nobody of ours"
        value = f"{one.wish.matches[0].property} {_match_value(one.wish)}" if one.wish.matches else "a value of it"
        what = f"{value} is held by {self._kind} {item.id} of HubSpot, which is {owner}"
        if one.linked in item.ids():
            said = f"a link, or the record itself, names {self._kind} {item.id} of HubSpot, which is {owner}"
            return RejectedError(said, candidates=(item.id,))
        reason = f"{what}. HubSpot gives it to one record only: change it, or merge the two."
        kept = conflict or RejectedError("")
        return RejectedError(reason, request=kept.request, response=kept.response, candidates=(item.id,))

    def _propose(self, wishes: Sequence[Resolved], key: str) -> dict[str, list[Item]]:
        """Candidates for each value that is matched by, as they are now (not as the index has them)."""
        values = list(dict.fromkeys(value for one in wishes for value in [_match_value(one.wish)] if value))
        if not values:
            return {}
        if self._kind == "contact":
            return _by_email(self.read(values, key, "email", "hs_additional_emails", by="email"), values)
        found = [item.id for some in _fitting(values) for item in self._search(some)]
        found += self._aliases.of(values, self._ask)
        candidates = self.read(found, key, "domain", "hs_additional_domains", "name")
        return {value: [item for item in candidates if has_domain(item.properties, value)] for value in values}

    def _search(self, domains: Sequence[str], after: str | None = None) -> list[Item]:
        wanted = [{"propertyName": "domain", "operator": "IN", "values": list(domains)}]
        found, following = self._ask(partial(self._client.search, self._kind, wanted, ["domain"], after), ())
        return found + (self._search(domains, following) if following else [])

    def read(self, ids: Iterable[str], *properties: str, by: str | None = None) -> list[Item]:
        found: list[Item] = []
        properties = (*properties, COMPANY) if self._kind == "contact" else properties
        for some in portions(list(dict.fromkeys(ids)), BATCH):
            found += self._ask(partial(self._client.read, self._kind, some, properties, by), ())
        self.companies |= {item.id: company for item in found if (company := item.properties.get(COMPANY))}
        return list({item.id: item for item in found}.values())


def _made(one: Resolved) -> str:
    return one.written or one.linked or one.itself or ""


def _fitting(domains: Sequence[str]) -> Iterator[list[str]]:
    """Both spellings of each, in portions whose search body HubSpot takes. Its filter knows no case (facts/hubspot.md §3)."""
    portion: list[str] = []
    length = 0
    for domain in domains:
        more = [domain, f"www.{domain}"]
        size = sum(len(json.dumps(value)) + 1 for value in more)
        if portion and length + size > SEARCH_BODY - SEARCH_FRAME:
            yield portion
            portion, length = [], 0
        portion, length = portion + more, length + size
    yield portion


def portions(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """At most so many of them at a time."""
    return (values[start : start + size] for start in range(0, len(values), size))


def _by_email(items: Sequence[Item], values: Sequence[str]) -> dict[str, list[Item]]:
    """HubSpot answers for additional addresses too, and shows the primary one."""
    found: dict[str, list[Item]] = {value: [] for value in values}
    for item in items:
        own = {value_of(item, "email"), *(item.properties.get("hs_additional_emails") or "").lower().split(";")}
        for address in own & found.keys():
            found[address].append(item)
    return found


def _match_value(wish: Wish) -> str | None:
    return wish.matches[0].value.strip().lower() if wish.matches else None


def value_of(item: Item, name: str) -> str:
    return (item.properties.get(name) or "").strip().lower()
