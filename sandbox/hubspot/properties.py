"""Property definitions and their groups (§4, §14.6)."""

from __future__ import annotations

import re

from sandbox.hubspot.api import Answer, Call
from sandbox.hubspot.catalogue import define
from sandbox.hubspot.errors import ApiError, Json, bad_request
from sandbox.hubspot.values import instant, moment

TYPES = ("bool", "date", "datetime", "enumeration", "number", "phone_number", "string")
FIELD_TYPES = (
    *("booleancheckbox", "calculation_equation", "checkbox", "date", "file", "html", "number", "phonenumber", "radio", "select"),
    *("text", "textarea"),
)
MOST_UNIQUE = 10
_NAME = re.compile(r"[a-z][a-z0-9_]{0,99}")
_REQUIRED = ("name", "label", "type", "fieldType", "groupName")
_CHANGEABLE = ("label", "description", "groupName", "type", "fieldType", "options", "displayOrder", "hidden", "formField")
_CREATABLE = (*_CHANGEABLE, "name", "hasUniqueValue", "externalOptions", "dataSensitivity")


def list_all(call: Call) -> Answer:
    archived = call.one("archived") == "true"
    sensitivity = call.one("dataSensitivity", "non_sensitive")
    found = call.portal.definitions[call.kind.name].values()
    results = [d for d in found if d["archived"] == archived and d["dataSensitivity"] == sensitivity and _readable(call, d)]
    return Answer({"results": [_shown(call, d) for d in results]})


def read(call: Call) -> Answer:
    definition = call.portal.definitions[call.kind.name].get(call.path["name"])
    if definition is None or definition["archived"] != (call.one("archived") == "true") or not _readable(call, definition):
        raise _unknown(call.path["name"])
    return Answer(_shown(call, definition))


def create(call: Call) -> Answer:
    definition = _create(call, call.body)
    return Answer(definition, 201, {"Location": f"{call.base_url}{call.scope['path']}/{definition['name']}"})


def update(call: Call) -> Answer:
    """`options` are replaced as a whole; `hasUniqueValue` is ignored and the answer is 200 all the same."""
    definition = call.portal.definition(call.kind, call.path["name"])
    if definition is None:
        raise _unknown(call.path["name"])
    if definition["modificationMetadata"]["readOnlyDefinition"]:
        raise bad_request(f"Property '{definition['name']}' is read-only and its definition cannot be changed.")
    changes = {name: call.body[name] for name in _CHANGEABLE if name in call.body}
    _check(call, {**definition, **changes})
    definition |= {**changes, "updatedAt": instant(call.portal.clock())}
    return Answer(definition)


def archive(call: Call) -> Answer:
    _archive(call, call.path["name"])
    return Answer(None, 204)


def batch_read(call: Call) -> Answer:
    names = [str(row.get("name")) for row in call.inputs(100)]
    found = [_shown(call, d) for name in names if (d := call.portal.definition(call.kind, name)) is not None]
    errors = [_unknown(name).in_batch(None) for name in names if call.portal.definition(call.kind, name) is None]
    return _batch_answer(call, found, errors, 200)


def batch_create(call: Call) -> Answer:
    """How an existing name answers here is not known: one error in a 207."""
    made, errors = [], []
    for row in call.inputs(100):
        try:
            made.append(_create(call, row))
        except ApiError as error:
            errors.append(error.in_batch(None))
    return _batch_answer(call, made, errors, 200 if call.version == "2026-09" else 201)


def batch_archive(call: Call) -> Answer:
    for row in call.inputs(100):
        _archive(call, str(row.get("name")))
    return Answer(None, 204)


def list_groups(call: Call) -> Answer:
    groups = call.portal.groups[call.kind.name].values()
    return Answer({"results": [group for group in groups if not group["archived"]]})


def read_group(call: Call) -> Answer:
    return Answer(_group(call))


def create_group(call: Call) -> Answer:
    groups = call.portal.groups[call.kind.name]
    name = str(call.body.get("name", ""))
    if not name or not call.body.get("label"):
        raise bad_request("Invalid input JSON on line 1, column 1: some required fields were not set: [name, label]")
    if name in groups:
        more = {"subCategory": "PropertyGroupError.GROUP_WITH_NAME_EXISTS"}
        raise ApiError(409, f"A property group named '{name}' already exists.", "OBJECT_ALREADY_EXISTS", **more)
    groups[name] = {
        "name": name,
        "label": call.body["label"],
        "displayOrder": call.body.get("displayOrder", -1),
        "archived": False,
    }
    return Answer(groups[name], 201, {"Location": f"{call.base_url}{call.scope['path']}/{name}"})


def update_group(call: Call) -> Answer:
    group = _group(call)
    group |= {name: call.body[name] for name in ("label", "displayOrder") if name in call.body}
    return Answer(group)


def archive_group(call: Call) -> Answer:
    group = _group(call)
    definitions = call.portal.definitions[call.kind.name].values()
    if any(d["groupName"] == group["name"] and not d["archived"] for d in definitions):
        more = {"subCategory": "PropertyGroupError.GROUP_WITH_ACTIVE_PROPERTIES"}
        raise bad_request(f"Property group '{group['name']}' has active properties and cannot be deleted.", **more)
    group["archived"] = True
    return Answer(None, 204)


def _shown(call: Call, definition: Json) -> Json:
    """With what the portal has made read-only in the meantime (§14.4)."""
    if call.portal.writable(call.kind, definition["name"]):
        return definition
    return {**definition, "modificationMetadata": {**definition["modificationMetadata"], "readOnlyValue": True}}


def _readable(call: Call, definition: Json) -> bool:
    """What was made a moment ago may not be there yet for who reads (§4)."""
    made = moment(definition["createdAt"])
    return made is not None and (call.portal.clock() - made).total_seconds() >= call.portal.switches.property_lag_seconds


def _create(call: Call, body: Json) -> Json:
    portal, kind = call.portal, call.kind
    missing = [name for name in _REQUIRED if not body.get(name)]
    if missing:
        raise bad_request(f"Invalid input JSON on line 1, column 1: some required fields were not set: [{', '.join(missing)}]")
    definitions, name = portal.definitions[kind.name], str(body["name"])
    if portal.definition(kind, name) is not None:
        more = {"subCategory": "Properties.PROPERTY_WITH_NAME_EXISTS"}
        raise ApiError(409, f"A property named '{name}' already exists.", "OBJECT_ALREADY_EXISTS", **more)
    _check(call, body)
    unique = bool(body.get("hasUniqueValue"))
    held = [d for d in definitions.values() if d["hasUniqueValue"] and not d["hubspotDefined"] and not d["archived"]]
    if unique and (body["type"], body["fieldType"]) not in (("string", "text"), ("number", "number")):
        raise bad_request(f"Property '{name}' cannot have unique values: only single-line text and number can.")
    if unique and len(held) >= MOST_UNIQUE:
        raise bad_request(f"There are {MOST_UNIQUE} unique properties already, which is the limit for {kind.name}.")
    now = instant(portal.clock())
    rest = {field: body[field] for field in _CREATABLE if field in body and field not in ("name", "type", "fieldType", "groupName")}
    made = define(name, body["type"], body["fieldType"], body["groupName"], **{**rest, "options": ()})
    made |= {**rest, "createdAt": now, "updatedAt": now, "createdUserId": "9586504", "updatedUserId": "9586504"}
    made["modificationMetadata"] = {"archivable": True, "readOnlyDefinition": False, "readOnlyValue": False}
    made["hubspotDefined"] = False
    definitions[name] = made  # an archived one comes back with this definition, and with its old values (§14.6)
    if unique:
        portal.index(kind)
    return made


def _check(call: Call, body: Json) -> None:
    name, group = str(body["name"]), call.portal.groups[call.kind.name].get(str(body["groupName"]))
    if not _NAME.fullmatch(name):
        raise bad_request(f"Property name '{name}' is invalid: lower-case letters, digits and underscores, a letter first.")
    if group is None or group["archived"]:
        raise bad_request(f"Property group '{body['groupName']}' does not exist.")
    if body["type"] not in TYPES or body["fieldType"] not in FIELD_TYPES:
        raise bad_request(f"Invalid type '{body['type']}' or field type '{body['fieldType']}'.")
    options = body.get("options") or []
    for option in options:
        if lacking := {"label", "value", "displayOrder", "hidden"} - set(option):
            raise bad_request(f"An option of property '{name}' lacks {', '.join(sorted(lacking))}.")
    if body["type"] == "bool" and {option["value"] for option in options} != {"true", "false"}:
        more = {"subCategory": "PropertyValidationError.INVALID_BOOLEAN_OPTION"}
        raise bad_request(f"Boolean property '{name}' must have exactly the options true and false.", **more)


def _archive(call: Call, name: str) -> None:
    definition = call.portal.definition(call.kind, name)
    if definition is None:
        raise _unknown(name)
    if not definition["modificationMetadata"]["archivable"]:
        more = {"subCategory": "PropertyValidationError.CANNOT_DELETE_PROPERTY_IN_USE"}
        raise bad_request(f"Property '{name}' cannot be deleted.", **more)
    definition |= {"archived": True, "archivedAt": instant(call.portal.clock())}


def _group(call: Call) -> Json:
    group = call.portal.groups[call.kind.name].get(call.path["name"])
    if group is None or group["archived"]:
        raise ApiError(404, f"Property group '{call.path['name']}' does not exist.", "OBJECT_NOT_FOUND")
    return group


def _unknown(name: str) -> ApiError:
    return ApiError(404, f"Property '{name}' does not exist.", "OBJECT_NOT_FOUND")


def _batch_answer(call: Call, results: list[Json], errors: list[Json], status: int) -> Answer:
    now = instant(call.portal.clock())
    body: Json = {"status": "COMPLETE", "results": results, "startedAt": now, "completedAt": now}
    return Answer({**body, "numErrors": len(errors), "errors": errors}, 207) if errors else Answer(body, status)
