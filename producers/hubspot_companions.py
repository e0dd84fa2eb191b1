"""The company and the main contact of deals, a hundred and more at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from schemas.sources import HubspotCompany, HubspotPerson
from weighlock.clients.hubspot import BATCH
from weighlock.clients.hubspot_answers import Item
from weighlock.clients.hubspot_deals import HubSpotDeals

MERGED = "hs_merged_object_ids"
COMPANY = tuple(name for name in HubspotCompany.model_fields if name != "id")
PERSON = tuple(name for name in HubspotPerson.model_fields if name != "id")


class Companions:
    """For one page."""

    def __init__(self, client: HubSpotDeals) -> None:
        self._client = client

    def of(self, deals: Sequence[Item], primary: str) -> dict[str, dict[str, Any]]:
        """By deal: `companies` (ids), `company` and `contact` as fields of the source record. `primary`: the deal's own property of it."""
        if not deals:
            return {}
        held = self._client.associations.held(("deal", "company"), [deal.id for deal in deals])
        chosen = {deal.id: _chosen(held[deal.id], deal.properties.get(primary)) for deal in deals}
        companies = self._read("company", chosen.values(), COMPANY)
        contacts = self._contacts(chosen)
        people = self._read("contact", contacts.values(), PERSON)
        return {
            deal.id: {
                "companies": sorted(held[deal.id], key=_age),
                "company": _fields(companies.get(chosen[deal.id] or ""), COMPANY),
                "contact": _fields(people.get(contacts.get(deal.id) or ""), PERSON),
            }
            for deal in deals
        }

    def _contacts(self, chosen: Mapping[str, str | None]) -> dict[str, str]:
        """The deal's contact; of a deal without one its company's. Of several the oldest: HubSpot has no main one of a deal."""
        own = self._client.associations.held(("deal", "contact"), list(chosen))
        lacking = {company for deal, company in chosen.items() if company is not None and not own[deal]}
        others = self._client.associations.held(("company", "contact"), sorted(lacking, key=_age)) if lacking else {}
        found: dict[str, str] = {}
        for deal, company in chosen.items():
            if ids := own[deal] or others.get(company or "", {}):
                found[deal] = min(ids, key=_age)
        return found

    def _read(self, kind: str, ids: Iterable[str | None], properties: Sequence[str]) -> dict[str, Item]:
        """By every id that leads to them: of those that were merged into them too."""
        asked = sorted({id for id in ids if id is not None}, key=_age)
        portions = [asked[at : at + BATCH] for at in range(0, len(asked), BATCH)]
        items = [item for some in portions for item in self._client.read(kind, some, (*properties, MERGED))]
        return {id: item for item in items for id in item.ids() if id}


def _chosen(held: Mapping[str, bool], named: str | None) -> str | None:
    """The primary one, else the one that the deal names, else the only one (facts/hubspot.md §14.5)."""
    primary = [id for id, is_primary in held.items() if is_primary]
    if len(primary) == 1:
        return primary[0]
    if named:
        return named
    return next(iter(held)) if len(held) == 1 else None


def _age(id: str) -> tuple[int, str]:
    """Ids grow."""
    return len(id), id


def _fields(item: Item | None, properties: Sequence[str]) -> dict[str, str | None] | None:
    return None if item is None else {"id": item.id, **{name: item.properties.get(name) or None for name in properties}}
