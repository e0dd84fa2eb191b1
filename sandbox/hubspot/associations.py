"""Associations: default and labelled, one by one and in batches, in the form of v4 and dated paths and in that of v3 (§5, §14.7)."""

from __future__ import annotations

from sandbox.hubspot.api import Answer, Call, Handler, Needs, object_scopes
from sandbox.hubspot.errors import ApiError, Json, bad_request
from sandbox.hubspot.kinds import Kind
from sandbox.hubspot.links import LABELS, NAMES, default_type, invalid_pair
from sandbox.hubspot.objects import show
from sandbox.hubspot.portal import Record
from sandbox.hubspot.rules import one_parent
from sandbox.hubspot.values import instant

MOST_CREATED, MOST_READ, MOST_ARCHIVED = 2000, 1000, 100


def _one(call: Call) -> Kind:
    return call.portal.kind(call.path["from"])


def _other(call: Call) -> Kind:
    return call.portal.kind(call.path["to"])


def _ends(call: Call, one: str, other: str) -> tuple[Record, Record]:
    """Both records; 400 if one is not there or is of another type."""
    pairs = ((_one(call), one), (_other(call), other))
    found = [call.portal.find(kind, id) for kind, id in pairs]
    merged = call.portal.merged if call.portal.switches.merged_ends == "refused" else {}
    wrong = [(kind.name, id) for (kind, id), record in zip(pairs, found, strict=True) if record is None or id in merged]
    if wrong:
        raise invalid_pair(wrong)
    first, second = found
    assert first is not None
    assert second is not None
    return first, second


def put_default(call: Call) -> Answer:
    one, other = _ends(call, call.path["id"], call.path["other"])
    return Answer(_batch(call, _associate(call, one, other), []))


def put_labels(call: Call) -> Answer:
    """The body's labels become the pair's only ones."""
    one, other = _ends(call, call.path["id"], call.path["other"])
    return Answer(_label(call, one, other, _types(call, call.body, (one.id, other.id))), 201)


def delete(call: Call) -> Answer:
    _part(call, call.path["id"], call.path["other"], None)
    return Answer(None, 204)


def list_of(call: Call) -> Answer:
    """`GET /{from}/{id}/associations/{to}`: pages of 500; the ids are numbers on the wire (§5.2)."""
    record = call.portal.get(_one(call), call.path["id"])
    limit, after = int(call.one("limit") or 500), int(call.one("after") or 0)
    rows = [_target(call, id, types) for id, types in call.portal.links.of(record.end, _other(call)).items()]
    body: Json = {"results": rows[after : after + limit]}
    if len(rows) > after + limit:
        link = f"{call.base_url}{call.scope['path']}?limit={limit}&after={after + limit}"
        body["paging"] = {"next": {"after": str(after + limit), "link": link}}
    return Answer(body)


def batch_default(call: Call) -> Answer:
    results, errors = [], []
    for one_id, other_id, _ in _pairs(call, MOST_CREATED):
        try:
            results += _associate(call, *_ends(call, one_id, other_id))
        except ApiError as error:
            errors.append(error.in_batch(None))
    return _batch_answer(call, results, errors, 200)


def batch_create(call: Call) -> Answer:
    """As the labelled PUT; a type that is not the pair's rejects the whole call."""
    pairs = [(one, other, _types(call, row.get("types"), (one, other))) for one, other, row in _pairs(call, MOST_CREATED)]
    results, errors = [], []
    for one_id, other_id, types in pairs:
        try:
            results.append(_label(call, *_ends(call, one_id, other_id), types))
        except ApiError as error:
            errors.append(error.in_batch(None))
    return _batch_answer(call, results, errors, 200 if call.version == "2026-09" else 201)


def batch_read(call: Call) -> Answer:
    """A record without any association is an error of a 207, not an empty list (§5.2)."""
    one, other = _one(call), _other(call)
    results, errors = [], []
    for row in call.inputs(MOST_READ):
        id = str(row.get("id"))
        record = call.portal.find(one, id)
        linked = {} if record is None else call.portal.links.of(record.end, other)
        if linked:
            to = _named(linked) if call.version == "v3" else [_target(call, to, types) for to, types in linked.items()]
            results.append({"from": {"id": id}, "to": to})
            continue
        message = f"No {other.singular} is associated with {one.singular} {id}."
        context = {"fromObjectId": [id], "fromObjectType": [one.singular], "toObjectType": [other.singular]}
        error = ApiError(404, message, "OBJECT_NOT_FOUND", subCategory="crm.associations.NO_ASSOCIATIONS_FOUND", context=context)
        errors.append(error.in_batch(None))
    call.portal.random.shuffle(results)
    return _batch_answer(call, results, errors, 200)


def batch_archive(call: Call) -> Answer:
    """`{"from": {"id"}, "to": [{"id"}]}`: all labels of each pair."""
    for row in call.inputs(MOST_ARCHIVED):
        for to in row.get("to") or []:
            _part(call, str(row["from"]["id"]), str(to["id"]), None)
    return Answer(None, 204)


def batch_labels_archive(call: Call) -> Answer:
    for one, other, row in _pairs(call, MOST_ARCHIVED):
        _part(call, one, other, _types(call, row.get("types"), (one, other)))
    return Answer(None, 204)


def labels(call: Call) -> Answer:
    """The order is not stable (§14.7)."""
    known = LABELS.get((_one(call).name, _other(call).name), {})
    rows = [{"category": "HUBSPOT_DEFINED", "typeId": type, "label": label} for type, label in known.items()]
    call.portal.random.shuffle(rows)
    return Answer({"results": rows})


def _associate(call: Call, one: Record, other: Record) -> list[Json]:
    """One pair is answered by two rows, one for each direction (§5.2)."""
    types = default_type(one.kind.name, other.kind.name), default_type(other.kind.name, one.kind.name)
    one_parent(call.portal.links, one.end, other.end)
    if not call.silent:
        call.portal.relinked(call.portal.links.associate(one.end, other.end), "api")
    return [
        {
            "from": {"id": a.id},
            "to": {"id": b.id},
            "associationSpec": {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": type},
        }
        for a, b, type in ((one, other, types[0]), (other, one, types[1]))
    ]


def _label(call: Call, one: Record, other: Record, types: frozenset[int]) -> Json:
    one_parent(call.portal.links, one.end, other.end)
    if not call.silent:
        call.portal.relinked(call.portal.links.label(one.end, other.end, types), "api")
    known = LABELS[one.kind.name, other.kind.name]
    return {
        "fromObjectTypeId": one.kind.id,
        "fromObjectId": int(one.id),
        "toObjectTypeId": other.kind.id,
        "toObjectId": int(other.id),
        "labels": [label for type in sorted(types) if (label := known[type])],
    }


def _part(call: Call, one_id: str, other_id: str, types: frozenset[int] | None) -> None:
    one, other = call.portal.find(_one(call), one_id), call.portal.find(_other(call), other_id)
    if one is not None and other is not None and not call.silent:
        call.portal.relinked(call.portal.links.part(one.end, other.end, types), "api")


def _target(call: Call, id: str, types: frozenset[int]) -> Json:
    known = LABELS[_one(call).name, _other(call).name]
    listed = [{"category": "HUBSPOT_DEFINED", "typeId": type, "label": known[type]} for type in sorted(types, reverse=True)]
    return {"toObjectId": int(id), "associationTypes": listed}


def _types(call: Call, rows: object, ids: tuple[str, str]) -> frozenset[int]:
    """The label types of a body. 400 for one of another pair of kinds: HubSpot takes the ids for records of those (§5.2)."""
    try:
        types = frozenset(int(row["associationTypeId"]) for row in rows)  # type: ignore[attr-defined]
    except (TypeError, KeyError, ValueError) as error:
        raise bad_request("Invalid input JSON on line 1, column 1: a list of association types is expected") from error
    pair = _one(call).name, _other(call).name
    if not types or not types <= set(LABELS.get(pair, {})):
        kinds = next((kinds for kinds, labels in LABELS.items() if types and types <= set(labels)), pair)
        raise invalid_pair(list(zip(kinds, ids, strict=True)))
    return types


def _pairs(call: Call, limit: int) -> list[tuple[str, str, Json]]:
    try:
        return [(str(row["from"]["id"]), str(row["to"]["id"]), row) for row in call.inputs(limit)]
    except (KeyError, TypeError) as error:
        raise bad_request("Invalid input JSON on line 1, column 1: from and to are required") from error


def put_named(call: Call) -> Answer:
    """v3: one label by its number or name, beside those that are there. The answer is the record."""
    one, other = _ends(call, call.path["id"], call.path["other"])
    _add(call, one, other, call.path["label"])
    return Answer(show(call.portal, one, ()))


def delete_named(call: Call) -> Answer:
    type = _number(call.path["label"], (call.path["id"], call.path["other"]), call)
    _part(call, call.path["id"], call.path["other"], frozenset({type}))
    return Answer(None, 204)


def list_named(call: Call) -> Answer:
    """v3: each label of a pair is a row of its own (§5.2)."""
    record = call.portal.get(_one(call), call.path["id"])
    return Answer({"results": _named(call.portal.links.of(record.end, _other(call)))})


def batch_create_named(call: Call) -> Answer:
    results, errors = [], []
    for one, other, row in _pairs(call, MOST_CREATED):
        try:
            _add(call, *_ends(call, one, other), str(row.get("type")))
            results.append({"from": {"id": one}, "to": {"id": other}, "type": row["type"]})
        except ApiError as error:
            errors.append(error.in_batch(None))
    return _batch_answer(call, results, errors, 201)


def batch_archive_named(call: Call) -> Answer:
    for one, other, row in _pairs(call, MOST_ARCHIVED):
        _part(call, one, other, frozenset({_number(str(row.get("type")), (one, other), call)}))
    return Answer(None, 204)


def _named(linked: dict[str, frozenset[int]]) -> list[Json]:
    return [{"id": id, "type": NAMES[type]} for id, types in linked.items() for type in sorted(types) if type in NAMES]


def _number(name: str, ids: tuple[str, str], call: Call) -> int:
    """The label that v3 calls so, or by its number; 400 if it is none of this pair of kinds."""
    known = LABELS.get((_one(call).name, _other(call).name), {})
    type = next((type for type in known if name in (str(type), NAMES.get(type))), None)
    if type is None:
        raise invalid_pair([(_one(call).name, ids[0]), (_other(call).name, ids[1])])
    return type


def _add(call: Call, one: Record, other: Record, name: str) -> None:
    held = call.portal.links.of(one.end, other.kind).get(other.id, frozenset())
    _label(call, one, other, held | {_number(name, (one.id, other.id), call)})


def _batch(call: Call, results: list[Json], errors: list[Json]) -> Json:
    now = instant(call.portal.clock())
    body: Json = {"status": "COMPLETE", "results": results}
    if errors:
        body |= {"numErrors": len(errors), "errors": errors}
    return {**body, "startedAt": now, "completedAt": now}


def _batch_answer(call: Call, results: list[Json], errors: list[Json], status: int) -> Answer:
    return Answer(_batch(call, results, errors), 207 if errors else status)


def _scopes(right: str) -> Needs:
    """There is no scope for associations: both objects' are needed (§1.2)."""
    return lambda call: [object_scopes(kind, right) for kind in {_one(call): None, _other(call): None}]


_READ, _WRITE = _scopes("read"), _scopes("write")

ROUTES_BY_RECORD: list[tuple[str, str, Handler, Needs]] = [
    ("PUT", "/{from}/{id}/associations/default/{to}/{other}", put_default, _WRITE),
    ("PUT", "/{from}/{id}/associations/{to}/{other}", put_labels, _WRITE),
    ("DELETE", "/{from}/{id}/associations/{to}/{other}", delete, _WRITE),
    ("GET", "/{from}/{id}/associations/{to}", list_of, _READ),
]
ROUTES_BY_PAIR: list[tuple[str, str, Handler, Needs]] = [
    ("POST", "/{from}/{to}/batch/associate/default", batch_default, _WRITE),
    ("POST", "/{from}/{to}/batch/create", batch_create, _WRITE),
    ("POST", "/{from}/{to}/batch/read", batch_read, _READ),
    ("POST", "/{from}/{to}/batch/archive", batch_archive, _WRITE),
    ("POST", "/{from}/{to}/batch/labels/archive", batch_labels_archive, _WRITE),
    ("GET", "/{from}/{to}/labels", labels, _READ),
]
V3_BY_RECORD: list[tuple[str, str, Handler, Needs]] = [
    ("PUT", "/{from}/{id}/associations/{to}/{other}/{label}", put_named, _WRITE),
    ("DELETE", "/{from}/{id}/associations/{to}/{other}/{label}", delete_named, _WRITE),
    ("GET", "/{from}/{id}/associations/{to}", list_named, _READ),
]
V3_BY_PAIR: list[tuple[str, str, Handler, Needs]] = [
    ("POST", "/{from}/{to}/batch/create", batch_create_named, _WRITE),
    ("POST", "/{from}/{to}/batch/read", batch_read, _READ),
    ("POST", "/{from}/{to}/batch/archive", batch_archive_named, _WRITE),
]
