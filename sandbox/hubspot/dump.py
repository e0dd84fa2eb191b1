"""The whole state of a portal, for `GET /__sandbox__/dump`."""

from __future__ import annotations

from sandbox.hubspot.errors import Json
from sandbox.hubspot.portal import Portal


def dump(portal: Portal) -> Json:
    """`seeded`: the records of people, with the properties as people left them, at the reset or later;
    `automatic`: what HubSpot itself made; `access` and `currencies`: as `POST /__sandbox__/portal` left them."""
    rows = {
        name: [
            {"id": r.id, "properties": r.properties, "archived": r.archived is not None, "seeded": r.seeded}
            for r in records.values()
            if r.id not in portal.merged
        ]
        for name, records in portal.records.items()
    }
    definitions = {name: list(each.values()) for name, each in portal.definitions.items()}
    head = {"system": "hubspot", "portal": portal.switches.portal_id, **rows, "associations": portal.links.rows()}
    links = [{"from_id": contact, "to_id": company} for contact, company in sorted(portal.seeded_links)]
    seeded = {**portal.seeded, "associations": links}
    companies, pairs = portal.automatic
    made = {"companies": sorted(companies), "associations": [{"from_id": one, "to_id": other} for one, other in sorted(pairs)]}
    tail = {"access": portal.access.as_json(), "currencies": portal.currencies, "pipelines": portal.pipelines}
    return {
        **head,
        "seeded": seeded,
        "automatic": made,
        "merged": portal.merged,
        "properties": definitions,
        "groups": portal.groups,
        **tail,
    }
