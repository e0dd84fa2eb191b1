"""Reading the pipelines of deals (§7, §14.5). Whoever may see deals or their definitions may see these (§1.2)."""

from __future__ import annotations

from starlette.exceptions import HTTPException

from sandbox.hubspot.api import Answer, Call, Handler, Needs
from sandbox.hubspot.errors import Json
from sandbox.hubspot.kinds import DEALS


def list_all(call: Call) -> Answer:
    """Not paged, in no order; `limit` is ignored. Only deals have pipelines here."""
    found = list(call.portal.pipelines) if call.kind is DEALS else []
    call.portal.random.shuffle(found)
    return Answer({"results": found})


def read(call: Call) -> Answer:
    return Answer(_pipeline(call))


def list_stages(call: Call) -> Answer:
    return Answer({"results": _pipeline(call)["stages"]})


def read_stage(call: Call) -> Answer:
    stage = next((stage for stage in _pipeline(call)["stages"] if stage["id"] == call.path["stage"]), None)
    if stage is None:
        raise HTTPException(404)
    return Answer(stage)


def _pipeline(call: Call) -> Json:
    """One that is not there is a 404 of the web server (§14.5)."""
    held: list[Json] = call.portal.pipelines if call.kind is DEALS else []
    found = next((row for row in held if row["id"] == call.path["id"]), None)
    if found is None:
        raise HTTPException(404)
    return found


def _scopes(call: Call) -> list[list[str]]:
    name = call.kind.name
    return [[f"crm.{area}.{name}.{right}" for area in ("objects", "schemas") for right in ("read", "write")]]


ROUTES: list[tuple[str, str, Handler, Needs]] = [
    ("GET", "/{type}", list_all, _scopes),
    ("GET", "/{type}/{id}", read, _scopes),
    ("GET", "/{type}/{id}/stages", list_stages, _scopes),
    ("GET", "/{type}/{id}/stages/{stage}", read_stage, _scopes),
]
