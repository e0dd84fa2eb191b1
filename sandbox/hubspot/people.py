"""Changes that people make in HubSpot's own pages: past the API, its token and its limits."""

from __future__ import annotations

import random
from typing import Any

from sandbox.hubspot.draft import Draft
from sandbox.hubspot.errors import ApiError, Json
from sandbox.hubspot.kinds import COMPANIES, CONTACTS, DEALS, Kind, kind_of
from sandbox.hubspot.links import DEFAULT, PRIMARY
from sandbox.hubspot.objects import commit, merge_records
from sandbox.hubspot.portal import Portal, Record

_FIRST = ("Amélie", "Björn", "Chidi", "Dana", "Eoin", "Farah", "Giulia", "Hanako", "Ivo", "Jovana")
_LAST = ("O'Hara", "Müller", "Søndergaard", "de la Cruz", "Nakamura", "Kowalczyk", "Smith-Jones", "Şahin")
_NOTES = ("Asked for samples", "Met at the trade fair", "Wants a call in spring", "Prefers e-mail", "Compares prices")


def edit(portal: Portal, request: dict[str, Any]) -> None:
    """`{"entity", "key", "fields" | "delete" | "merge": id | "associate": id}`, `{"entity", "create"}` or `{"random", "seed"}`.

    `associate` is a company, which becomes the primary one; `"with": "contact"` (deals): a contact. A deal is made with `"company"`
    and `"contact"`, if they are given. Keys are record ids or Acumatica keys. ValueError says what is wrong; then nothing has changed.
    """
    try:
        if "random" in request:
            _random(portal, int(request["random"]), int(request.get("seed", 1)))
        elif "create" in request:
            kind = kind_of(str(request.get("entity")))
            others = [_find(portal, other, str(request[other.singular])) for other in (COMPANIES, CONTACTS) if other.singular in request]
            for other in others:
                _pair(kind, other.kind)
            record = _create(portal, kind, request["create"])
            for other in others:
                _associate(portal, record, other)
        else:
            _change(portal, request)
    except ApiError as error:
        raise ValueError(error.message) from error


def _create(portal: Portal, kind: Kind, properties: Json) -> Record:
    draft = Draft(portal, actor="person")
    record = draft.create(kind, properties).record
    commit(portal, draft)
    portal.remember(record)
    return record


def _change(portal: Portal, request: dict[str, Any]) -> None:
    kind = kind_of(str(request.get("entity")))
    record = _find(portal, kind, str(request.get("key")))
    if request.get("delete"):
        portal.archive(record, "person")
    elif "merge" in request:
        merge_records(portal, record, _find(portal, kind, str(request["merge"])), "person")
    elif "associate" in request and kind in (CONTACTS, DEALS):
        _associate(portal, record, _find(portal, kind_of(str(request.get("with", "company"))), str(request["associate"])))
    elif "fields" in request:
        draft = Draft(portal, actor="person")
        draft.update(record, request["fields"])
        commit(portal, draft)
        portal.remember(record, request["fields"])
    else:
        raise ValueError("an edit has fields, create, delete, merge, associate or random")


def _associate(portal: Portal, record: Record, other: Record) -> None:
    """A company becomes the primary one."""
    pair = _pair(record.kind, other.kind)
    types = frozenset({DEFAULT[pair], PRIMARY.get(pair, DEFAULT[pair])})
    portal.relinked(portal.links.label(record.end, other.end, types), "person")
    if pair == (CONTACTS.name, COMPANIES.name):
        portal.seeded_links.add((record.id, other.id))


def _pair(one: Kind, other: Kind) -> tuple[str, str]:
    if (one.name, other.name) not in DEFAULT:
        raise ValueError(f"a {one.singular} has no association with a {other.singular}")
    return one.name, other.name


def _find(portal: Portal, kind: Kind, key: str) -> Record:
    record = portal.find(kind, key) or next((r for r in portal.live(kind) if r.log_key == key), None)
    if record is None:
        raise ValueError(f"there is no {kind.singular} {key}")
    return record


def _random(portal: Portal, count: int, seed: int) -> None:
    """Changes to what a sync from Acumatica does not own, and people and companies of nobody's domain."""
    chance = random.Random(seed)
    for number in range(count):
        kind = chance.choice((COMPANIES, CONTACTS))
        records = list(portal.live(kind))
        if not records or chance.random() < 0.2:
            _create(portal, kind, _newcomer(kind, chance, f"{seed}-{number}-{len(portal.log.entries)}"))
            continue
        record = chance.choice(records)
        field = chance.choice(("description", "hs_lead_status", "numberofemployees" if kind is COMPANIES else "company"))
        value = {"description": chance.choice(_NOTES), "hs_lead_status": chance.choice(("NEW", "OPEN", "CONNECTED"))}.get(field)
        value = value or (str(chance.randint(2, 900)) if kind is COMPANIES else f"{chance.choice(_LAST)} & Sons")
        _change(portal, {"entity": kind.name, "key": record.id, "fields": {field: value}})


def _newcomer(kind: Kind, chance: random.Random, unique: str) -> Json:
    last = chance.choice(_LAST)
    if kind is COMPANIES:
        return {"name": f"{last} Holding {unique}", "city": "Lyon", "country": "France"}
    return {"firstname": chance.choice(_FIRST), "lastname": last, "email": f"walk-in-{unique}@visitors.invalid"}
