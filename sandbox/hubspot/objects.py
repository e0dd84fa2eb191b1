"""Records one at a time: list, read, create, change, archive, merge (§2.1-2.3, §14.3)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import urlencode

from starlette.exceptions import HTTPException

from sandbox.hubspot.api import Answer, Call
from sandbox.hubspot.auto import associate_by_domain
from sandbox.hubspot.draft import Draft, Pending
from sandbox.hubspot.errors import Json, bad_request, not_found, not_unique
from sandbox.hubspot.kinds import CONTACTS, Kind
from sandbox.hubspot.links import LABELS, NAMES
from sandbox.hubspot.portal import Portal, Properties, Record
from sandbox.hubspot.values import instant


def show(portal: Portal, record: Record, names: Iterable[str] = (), properties: Properties | None = None) -> Json:
    """A record as the API answers it. Without `names` its default properties; a name without a definition is left out (§2.2)."""
    kind = record.kind
    wanted = [*(names or kind.defaults), kind.created, "hs_object_id", kind.modified]
    held = record.properties if properties is None else properties
    shown = {name: held.get(name) for name in dict.fromkeys(wanted) if portal.definition(kind, name) is not None}
    answer = {
        "id": record.id,
        "properties": shown,
        "createdAt": instant(record.created),
        "updatedAt": instant(record.updated),
        "archived": record.archived is not None,
        "url": f"https://app.hubspot.com/contacts/{portal.switches.portal_id}/record/{kind.id}/{record.id}",
    }
    return {**answer, "archivedAt": instant(record.archived)} if isinstance(record.archived, datetime) else answer


def resolve(draft: Draft, kind: Kind, id_property: str | None, value: str) -> Record | None:
    """The record by id or by a unique property, as it will be after the draft; 400 for a property that is not unique (§2.6)."""
    portal = draft.portal
    if id_property is None:
        return portal.find(kind, value)
    if id_property not in portal.unique_names(kind):
        raise not_unique(kind.id, id_property)
    id = draft.holder((kind.name, id_property, portal.fold(id_property, value)))
    record = None if id is None else draft.record(id, kind)
    return None if record is None or record.archived is not None else record


def _find(call: Call) -> Record:
    id_property, value = call.one("idProperty"), call.path["id"]
    if id_property is None:
        return call.portal.get(call.kind, value)
    usable = id_property in call.portal.unique_names(call.kind)
    record = resolve(Draft(call.portal), call.kind, id_property, value) if usable else None  # by domain: 404, §14.3
    if record is None:
        raise not_found()
    return record


def _find_archived(call: Call) -> Record:
    record = call.portal.records[call.kind.name].get(call.path["id"])
    if record is None or record.archived is None or record.id in call.portal.merged:
        raise not_found()
    return record


def read(call: Call) -> Answer:
    record = _find_archived(call) if call.one("archived") == "true" else _find(call)
    return Answer(_with_associations(call, record, show(call.portal, record, call.names("properties"))))


def list_all(call: Call) -> Answer:
    """Pages in the order of the ids; `after` is the id of the next record, `link` is absolute (§2.2)."""
    limit = _whole_number(call.one("limit", "10"), "limit")
    if not 1 <= limit <= 100:
        raise bad_request("Invalid limit: it must be between 1 and 100")
    after = _whole_number(call.one("after", "0"), "after")
    archived = call.one("archived") == "true"
    records = call.portal.records[call.kind.name].values()
    rest = [r for r in records if int(r.id) >= after and (r.archived is not None) == archived and r.id not in call.portal.merged]
    names = call.names("properties")
    body: Json = {"results": [_with_associations(call, r, show(call.portal, r, names)) for r in rest[:limit]]}
    if len(rest) > limit:
        query = [(name, value) for name, value in call.query if name != "after"] + [("after", rest[limit].id)]
        link = f"{call.base_url}{call.scope['path']}?{urlencode(query, safe=',')}"
        body["paging"] = {"next": {"after": rest[limit].id, "link": link}}
    return Answer(body)


def create(call: Call) -> Answer:
    may_link(call, [call.body])
    draft = Draft(call.portal, call.required)
    pending = draft.create(call.kind, properties_of(call.body), call.body.get("associations"))
    if not call.silent:
        commit(call.portal, draft)
    location = f"{call.base_url}{call.scope['path']}/{pending.record.id}"
    return Answer(_after(call, pending), 201, {"Location": location})


def update(call: Call) -> Answer:
    draft = Draft(call.portal, call.required)
    pending = draft.update(_find(call), properties_of(call.body))
    if not call.silent:
        commit(call.portal, draft)
    return Answer(_after(call, pending))


def archive(call: Call) -> Answer:
    record = call.portal.find(call.kind, call.path["id"])
    if record is not None and not call.silent:  # what is not there is archived already
        call.portal.archive(record, "api")
    return Answer(None, 204)


def merge(call: Call) -> Answer:
    kind = call.kind
    if not kind.merges:  # there is no such route (§6.1)
        raise HTTPException(404)
    try:
        ids = str(call.body["primaryObjectId"]), str(call.body["objectIdToMerge"])
    except KeyError as error:
        raise bad_request(f"Invalid input JSON on line 1, column 1: {error.args[0]} is not set") from error
    primary, other = (call.portal.get(kind, id) for id in ids)
    return Answer(show(call.portal, merge_records(call.portal, primary, other, "api")))


def merge_records(portal: Portal, primary: Record, other: Record, actor: str) -> Record:
    """A new record with a new id; the primary's values win, both old ids lead to it from now on (§14.3)."""
    if primary is other:
        raise bad_request(f"Cannot merge object {primary.id} with itself")
    kind, now = primary.kind, portal.clock()
    properties = {**other.properties, **primary.properties}
    for name in portal.unique_names(kind):
        if name in properties and name not in primary.properties and name != "email":
            del properties[name]  # the loser's key value is gone
    if kind is CONTACTS:
        emails = [e for r in (primary, other) for e in (r.properties.get("email", ""), *_additional(r)) if e]
        additional = [email for email in dict.fromkeys(emails) if email != properties.get("email")]
        properties |= {"hs_additional_emails": ";".join(additional)} if additional else {}
    past = [id for r in (primary, other) for id in (r.id, *r.properties.get("hs_merged_object_ids", "").split(";")) if id]
    properties["hs_merged_object_ids"] = ";".join(past)
    survivor = Record(kind, portal.new_id(), primary.created, now, past=[(now, None)], seeded=primary.seeded or other.seeded)
    portal.store(survivor, properties, now)
    for old in (primary, other):
        portal.links.move(old.end, survivor.end)
        portal.retire(old, survivor)
    portal.refresh_primaries(survivor)
    portal.log.add(actor, "merge", kind.singular, survivor.id, survivor.log_key, [], merged=[primary.id, other.id])
    return survivor


def _additional(record: Record) -> list[str]:
    return [email for email in record.properties.get("hs_additional_emails", "").split(";") if email]


def written(pending: Pending) -> list[str]:
    """What the answer to a write shows: the default properties and all that have a value."""
    return [*pending.record.kind.defaults, *pending.record.properties, *pending.properties]


def _after(call: Call, pending: Pending) -> Json:
    return show(call.portal, pending.record, written(pending), pending.properties if call.silent else None)


def properties_of(body: Any) -> Json:
    properties = body.get("properties", {}) if isinstance(body, dict) else None
    if not isinstance(properties, dict):
        raise bad_request("Invalid input JSON on line 1, column 1: properties must be an object")
    return properties


def may_link(call: Call, rows: Iterable[Json]) -> None:
    """Inline associations need the other object type and its scope as well (§1.2)."""
    try:
        types = {int(t["associationTypeId"]) for row in rows for link in row.get("associations") or () for t in link["types"]}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise bad_request("Invalid input JSON on line 1, column 1: an association has `to` and `types`") from error
    for (one, other), labels in LABELS.items():
        if one == call.kind.name and types & set(labels):
            call.allow(call.portal.kind(other), "write")


def commit(portal: Portal, draft: Draft) -> None:
    """Makes the changes; a new contact may bring its company along after a while (§2.7, §14.2)."""
    draft.commit()
    if portal.switches.auto_company:
        for pending in draft.pending.values():
            if pending.new and pending.record.kind is CONTACTS:
                portal.later(portal.switches.auto_company_seconds, partial(associate_by_domain, portal, pending.record))


def _with_associations(call: Call, record: Record, shown: Json) -> Json:
    wanted = call.names("associations")
    associations: Json = {}
    for name in wanted:
        kind = call.portal.kind(name)
        call.allow(kind, "read")
        rows = [
            {"id": id, "type": NAMES.get(type, f"type_{type}")}
            for id, types in call.portal.links.of(record.end, kind).items()
            for type in sorted(types)
        ]
        if rows:
            associations[kind.name] = {"results": rows}
    return {**shown, "associations": associations} if associations else shown


def _whole_number(text: str | None, name: str) -> int:
    if text is None or not text.isdigit():
        raise bad_request(f"Invalid {name}: {text}")
    return int(text)
