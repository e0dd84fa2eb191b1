"""The first match: is a new subject in HubSpot already, under our key, or as somebody else's record that may be adopted?

Search and e-mail only propose. A candidate is read by id and adopted only if it is nobody's: our key is empty on it, and no link or ledger
entry holds it (docs/agreement.md, rules 7 and 10 to 13).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from schemas.records import Wish
from schemas.refs import Ref
from sinks.contract import Ask, Claims, Resolved
from weighlock.clients.hubspot import BATCH, SEARCH_BODY, HubSpot
from weighlock.clients.hubspot_answers import Conflict, Item
from weighlock.errors import RejectedError

#: What goes around the values in a search body, generously.
SEARCH_FRAME = 400
#: A contact's primary company, kept by HubSpot (facts/hubspot.md §5).
COMPANY = "associatedcompanyid"


@dataclass
class Places:
    """Where each wish goes: by key, onto a candidate (record id first), back, or into a later round."""

    upsert: list[Resolved] = field(default_factory=list)
    adopt: dict[str, Resolved] = field(default_factory=dict)
    refused: dict[str, RejectedError] = field(default_factory=dict)
    later: list[Resolved] = field(default_factory=list)


class Matcher:
    """For one batch of one object. By what it matches: companies by `domain`, contacts by `email`."""

    def __init__(self, client: HubSpot, kind: str, ask: Ask, claims: Claims) -> None:
        self._client, self._kind, self._ask, self._claims = client, kind, ask, claims
        self.companies: dict[str, str] = {}  # of the contacts that were read: the company that they had then

    def match(self, wishes: Sequence[Resolved]) -> Places:
        """A place for each of them; none of them has been written by us as far as we know."""
        places = Places()
        if not wishes:
            return places
        key = wishes[0].wish.key_property
        keyed = {_value(item, key) for item in self._read([one.wish.key_value for one in wishes], key, by=key)}
        places.upsert += [one for one in wishes if one.wish.key_value.lower() in keyed]  # written before its result was
        rest = [one for one in wishes if one.wish.key_value.lower() not in keyed]
        linked = {item.id: item for item in self._read([one.linked for one in rest if one.linked is not None], key)}
        proposed = self._propose([one for one in rest if one.linked not in linked], key)
        wanted = Counter(value for one in rest for value in [_match_value(one.wish)] if value)
        for one in rest:
            value = _match_value(one.wish)
            candidates = [linked[one.linked]] if one.linked in linked else proposed.get(value or "", [])
            self._place(one, candidates, places, contested=wanted[value or ""] > 1)
        return places

    def match_holder(self, one: Resolved, conflict: Conflict) -> Places:
        """A value of this wish is held by the record that HubSpot named."""
        places = Places()
        held = self._read([conflict.existing or ""], one.wish.key_property)
        if not held:
            places.refused[one.wish.subject] = conflict
            return places
        holder = _value(held[0], one.wish.key_property)
        if holder == one.wish.key_value.lower() and one.written is None:
            places.upsert.append(one)
        elif holder or one.written is not None or self._owner(held[0], one) is not None:
            places.refused[one.wish.subject] = self._held(one, held[0], conflict)
        else:
            places.adopt[held[0].id] = one
        return places

    def _place(self, one: Resolved, candidates: Sequence[Item], places: Places, contested: bool) -> None:
        free = [item for item in candidates if self._owner(item, one) is None]
        if len(free) > 1:
            listed = tuple(f"{self._kind} {item.id} ({item.properties.get('name') or 'no name'})" for item in free)
            reason = f"{len(free)} records of HubSpot may be this one: {', '.join(listed)}. Merge them, or link one by hand."
            places.refused[one.wish.subject] = RejectedError(reason, candidates=tuple(item.id for item in free))
        elif free and free[0].id in places.adopt:
            places.later.append(one)
        elif free:
            places.adopt[free[0].id] = one
        elif candidates and self._kind == "contact":
            places.refused[one.wish.subject] = self._held(one, candidates[0])
        elif contested and self._kind == "contact" and self._is_sent(_match_value(one.wish), places):
            places.later.append(one)
        else:
            places.upsert.append(one)

    def _is_sent(self, value: str | None, places: Places) -> bool:
        return any(_match_value(other.wish) == value for other in (*places.upsert, *places.adopt.values()))

    def _owner(self, item: Item, one: Resolved) -> str | None:
        """Whose it is, if it is another's: by our key on it, by link or by ledger."""
        key = _value(item, one.wish.key_property)
        if key:
            return None if key == one.wish.key_value.lower() else key
        owner = self._claims(self._kind, item.id, Ref.parse(one.wish.subject).system)
        return owner if owner != one.wish.subject else None

    def _held(self, one: Resolved, item: Item, conflict: Conflict | None = None) -> RejectedError:
        owner = self._owner(item, one) or "nobody of ours"
        what = f"{_match_value(one.wish) or 'a value of it'} is held by {self._kind} {item.id} of HubSpot, which is {owner}"
        reason = f"{what}. HubSpot gives it to one record only: change it, or merge the two."
        kept = conflict or RejectedError("")
        return RejectedError(reason, request=kept.request, response=kept.response, candidates=(item.id,))

    def _propose(self, wishes: Sequence[Resolved], key: str) -> dict[str, list[Item]]:
        """Candidates for each value that is matched by, as they are now (not as the index has them)."""
        values = list(dict.fromkeys(value for one in wishes for value in [_match_value(one.wish)] if value))
        if not values:
            return {}
        if self._kind == "contact":
            return _by_email(self._read(values, key, "email", "hs_additional_emails", by="email"), values)
        found = [item.id for some in _fitting(values) for item in self._search(some)]
        candidates = self._read(found, key, "domain", "name")
        return {value: [item for item in candidates if bare_domain(item.properties.get("domain")) == value] for value in values}

    def _search(self, domains: Sequence[str], after: str | None = None) -> list[Item]:
        wanted = [{"propertyName": "domain", "operator": "IN", "values": list(domains)}]
        found, following = self._ask(lambda: self._client.search(self._kind, wanted, ["domain"], after))
        return found + (self._search(domains, following) if following else [])

    def _read(self, ids: Iterable[str], *properties: str, by: str | None = None) -> list[Item]:
        wanted = list(dict.fromkeys(ids))
        found: list[Item] = []
        properties = (*properties, COMPANY) if self._kind == "contact" else properties
        for start in range(0, len(wanted), BATCH):
            some = wanted[start : start + BATCH]
            found += self._ask(lambda some=some: self._client.read(self._kind, some, properties, by))  # type: ignore[misc]
        self.companies |= {item.id: company for item in found if (company := item.properties.get(COMPANY))}
        return list({item.id: item for item in found}.values())


def bare_domain(text: str | None) -> str:
    """As people spell it in HubSpot, to compare: lower case, without scheme, `www.`, port and path."""
    bare = (text or "").strip().lower().rpartition("://")[2].partition("/")[0].partition(":")[0]
    return bare.removeprefix("www.").rstrip(".")


def _fitting(domains: Sequence[str]) -> Iterator[list[str]]:
    """Both spellings of each, in portions whose search body HubSpot takes. Its filter knows no case (facts/hubspot.md §3)."""
    portion: list[str] = []
    for domain in domains:
        more = [domain, f"www.{domain}"]
        if portion and len(json.dumps(portion + more).encode()) > SEARCH_BODY - SEARCH_FRAME:
            yield portion
            portion = []
        portion = portion + more
    yield portion


def _by_email(items: Sequence[Item], values: Sequence[str]) -> dict[str, list[Item]]:
    """HubSpot answers for additional addresses too, and shows the primary one."""
    found: dict[str, list[Item]] = {value: [] for value in values}
    for item in items:
        own = {_value(item, "email"), *(item.properties.get("hs_additional_emails") or "").lower().split(";")}
        for address in own & found.keys():
            found[address].append(item)
    return found


def _match_value(wish: Wish) -> str | None:
    return wish.matches[0].value.strip().lower() if wish.matches else None


def _value(item: Item, name: str) -> str:
    return (item.properties.get(name) or "").strip().lower()
