"""The site's own description of itself, made from the tables of `schema.py` (facts/acumatica.md §2.2, §9.1): OpenAPI 3.0.1."""

from typing import Any

from sandbox.acumatica.actions import ACTIONS
from sandbox.acumatica.entities import SERVED
from sandbox.acumatica.schema import SHORT, Entity, Kind, Shape

Json = dict[str, Any]

WRAPPERS: dict[str, Json] = {
    "StringValue": {"type": "string"},
    "IntValue": {"type": "integer", "format": "int32"},
    "ShortValue": {"type": "integer", "format": "int32"},
    "DecimalValue": {"type": "number", "format": "double"},
    "DateTimeValue": {"type": "string", "format": "date-time"},
    "BooleanValue": {"type": "boolean"},
    "GuidValue": {"type": "string", "format": "uuid"},
}
_WRAPPER: dict[Kind, str] = {
    "string": "StringValue", "int": "IntValue", "decimal": "DecimalValue", "date": "DateTimeValue", "bool": "BooleanValue",
    "guid": "GuidValue",
}  # fmt: skip
_ENTITY: Json = {
    "id": {"type": "string", "format": "uuid"},
    "rowNumber": {"type": "integer", "format": "int64"},
    "note": {"$ref": "#/components/schemas/StringValue"},
    "custom": {"type": "object"},
    "error": {"type": "string"},
}
_OPTIONS = {"select": "string", "filter": "string", "expand": "string", "custom": "string", "skip": "integer", "top": "integer"}
WRITABLE = ("Customer", "Contact", "SalesInvoice", "Invoice", "Payment")


def document(address: str) -> Json:
    """The description of the endpoint at `address` (its URL with the version): what is served here, and nothing else."""
    schemas: Json = {name: _object({"value": value, "error": {"type": "string"}}) for name, value in WRAPPERS.items()}
    schemas["Entity"] = _object(_ENTITY)
    paths: Json = {}
    for entity in SERVED.values():
        _describe(entity.shape, schemas)
        paths |= _paths(entity) | _actions(entity, schemas)
    parameters: Json = {name: {"name": f"${name}", "in": "query", "schema": {"type": kind}} for name, kind in _OPTIONS.items()}
    for name in ("id", "ids"):
        parameters[name] = {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
    return {
        "openapi": "3.0.1",
        "info": {"title": "/".join(address.split("/")[-2:]), "version": "4"},
        "servers": [{"url": address}],
        "paths": paths,
        "components": {"schemas": schemas, "parameters": parameters},
        "tags": [{"name": entity.name, "description": entity.form} for entity in SERVED.values()],
    }


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _name(row: str | Shape) -> str:
    return row.type_name if isinstance(row, Shape) else row


def _object(properties: Json) -> Json:
    return {"type": "object", "properties": properties}


def _derived(properties: Json) -> Json:
    return {"allOf": [_ref("Entity"), _object(properties)]}


def _describe(shape: Shape, schemas: Json) -> None:
    """Adds the shape and all that it leads to; details that are never filled here are named, and empty."""
    if shape.type_name in schemas:
        return
    properties: Json = {name: _ref("ShortValue" if name in SHORT else _WRAPPER[kind]) for name, kind in shape.fields.items()}
    properties |= {name: _ref(linked.type_name) for name, linked in shape.links.items()}
    properties |= {name: {"type": "array", "items": _ref(_name(row))} for name, row in shape.details.items()}
    schemas[shape.type_name] = _derived(dict(sorted(properties.items())))
    for row in shape.details.values():
        if isinstance(row, Shape):
            _describe(row, schemas)
        else:
            schemas.setdefault(row, _derived({}))
    for linked in shape.links.values():
        _describe(linked, schemas)


def _actions(entity: Entity, schemas: Json) -> Json:
    """The declared actions of an entity; what they take is the entity."""
    paths: Json = {}
    words = {"202": "it runs", "204": "it is done", "400": "unreadable", "401": "not signed in", "412": "an If header", "422": "invalid"}
    for action in ACTIONS.get(entity.name, {}):
        if action == "Release":
            continue
        schemas[action] = {**_object({"entity": _ref(entity.name)}), "required": ["entity"]}
        answers = {status: {"description": text} for status, text in {**words, "500": "everything else that went wrong"}.items()}
        body = {"required": True, "content": {"application/json": {"schema": _ref(action)}}}
        name = f"{entity.name}_InvokeAction_{action}"
        post = {"tags": [entity.name], "operationId": name, "parameters": [], "requestBody": body, "responses": answers}
        paths[f"/{entity.name}/{action}"] = {"post": post}
    return paths


def _paths(entity: Entity) -> Json:
    def operation(what: str, options: str, answers: Json, **more: Any) -> Json:
        parameters = [{"$ref": f"#/components/parameters/{name}"} for name in options.split()]
        failures = {"401": {"description": "not signed in"}, "500": {"description": "everything else that went wrong"}}
        name = f"{entity.name}_{what}"
        return {"tags": [entity.name], "operationId": name, "parameters": parameters, "responses": failures | answers, **more}

    def content(schema: Json) -> Json:
        return {"content": {"application/json": {"schema": schema}}}

    schema = _ref(entity.name)
    one = {"200": {"description": "the record", **content(schema)}}
    rows = {"200": {"description": "the records", **content({"type": "array", "items": schema})}}
    collection = {"get": operation("GetList", "select filter expand custom skip top", rows)}
    by_id = {"get": operation("GetById", "id select filter expand custom", one)}
    by_keys = {"get": operation("GetByKeys", "ids select filter expand custom", one)}
    if entity.name in WRITABLE:
        refused = {status: {"description": text} for status, text in (("400", "unreadable"), ("412", "an If header"), ("422", "invalid"))}
        body = {"required": True, **content(schema)}
        collection["put"] = operation("PutEntity", "select filter expand custom", one | refused, requestBody=body)
        gone = {"204": {"description": "deleted"}}
        by_id["delete"] = operation("DeleteById", "id", gone)
        by_keys["delete"] = operation("DeleteByKeys", "ids", gone)
    return {f"/{entity.name}": collection, f"/{entity.name}/{{id}}": by_id, f"/{entity.name}/{{ids}}": by_keys}
