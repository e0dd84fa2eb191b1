"""The HubSpot sandbox: which path leads where, and what the control API can do with it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from sandbox.control import Vendor
from sandbox.data import Book
from sandbox.data.credentials import HUBSPOT_TOKEN
from sandbox.hubspot import account, associations, batch, objects, people, pipelines, properties, search
from sandbox.hubspot.api import DATED, Api, Call, Handler, Needs, object_scopes
from sandbox.hubspot.dump import dump
from sandbox.hubspot.kinds import KIND, KINDS
from sandbox.hubspot.limits import Limits
from sandbox.hubspot.portal import Portal
from sandbox.hubspot.switches import Switches

__all__ = ["HubSpot", "Switches", "build"]

FAULTS = {
    "stale-search": "search says total 1 and gives no result, as when the index is behind (§3)",
    "late-search": "this search finds records as they were args.seconds (300) ago",
    "refuse-rows": "the first args.count (1) rows of this batch are refused: a 207 where each input has a trace id, else a 400 (§2.4)",
    "expire-token": "this call alone is a 401 EXPIRED_AUTHENTICATION",
}

_Row = tuple[str, str, Handler, Needs]


def _objects(right: str) -> Needs:
    return lambda call: [object_scopes(call.kind, right)]


def _definitions(call: Call) -> list[list[str]]:
    name = call.kind.name
    return [[f"crm.schemas.{name}.read", f"crm.objects.{name}.read", f"crm.objects.{name}.write"]]


def _define(call: Call) -> list[list[str]]:
    return [[f"crm.schemas.{call.kind.name}.write"]]


_READ, _WRITE = _objects("read"), _objects("write")

_OBJECTS: list[_Row] = [
    ("POST", "/{type}/batch/read", batch.read, _READ),
    ("POST", "/{type}/batch/create", batch.create, _WRITE),
    ("POST", "/{type}/batch/update", batch.update, _WRITE),
    ("POST", "/{type}/batch/upsert", batch.upsert, _WRITE),
    ("POST", "/{type}/batch/archive", batch.archive, _WRITE),
    ("POST", "/{type}/merge", objects.merge, _WRITE),
    ("POST", "/{type}/search", search.search, _READ),
    ("GET", "/{type}", objects.list_all, _READ),
    ("POST", "/{type}", objects.create, _WRITE),
    ("GET", "/{type}/{id}", objects.read, _READ),
    ("PATCH", "/{type}/{id}", objects.update, _WRITE),
    ("DELETE", "/{type}/{id}", objects.archive, _WRITE),
]

_PROPERTIES: list[_Row] = [
    ("GET", "/{type}/groups", properties.list_groups, _definitions),
    ("POST", "/{type}/groups", properties.create_group, _define),
    ("GET", "/{type}/groups/{name}", properties.read_group, _definitions),
    ("PATCH", "/{type}/groups/{name}", properties.update_group, _define),
    ("DELETE", "/{type}/groups/{name}", properties.archive_group, _define),
    ("POST", "/{type}/batch/read", properties.batch_read, _definitions),
    ("POST", "/{type}/batch/create", properties.batch_create, _define),
    ("POST", "/{type}/batch/archive", properties.batch_archive, _define),
    ("GET", "/{type}", properties.list_all, _definitions),
    ("POST", "/{type}", properties.create, _define),
    ("GET", "/{type}/{name}", properties.read, _definitions),
    ("PATCH", "/{type}/{name}", properties.update, _define),
    ("DELETE", "/{type}/{name}", properties.archive, _define),
]


def _paths() -> Iterator[tuple[str, str, Handler, Needs, str, str]]:
    """(method, path, handler, scopes, version, bucket) for every version that is served (§2.1, §9, §14.8)."""
    for version in ("v3", "v4", *DATED):
        dated = version in DATED
        crm_objects = f"/crm/objects/{version}" if dated else f"/crm/{version}/objects"
        for method, path, handler, needs in associations.V3_BY_RECORD if version == "v3" else associations.ROUTES_BY_RECORD:
            yield method, crm_objects + path, handler, needs, version, "associations"
        for method, path, handler, needs in _OBJECTS:
            yield method, crm_objects + path, handler, needs, version, "search" if path.endswith("/search") else "general"
        crm_associations = f"/crm/associations/{version}" if dated else f"/crm/{version}/associations"
        for method, path, handler, needs in associations.V3_BY_PAIR if version == "v3" else associations.ROUTES_BY_PAIR:
            yield method, crm_associations + path, handler, needs, version, "associations"
        if version != "v4":
            crm_properties = f"/crm/properties/{version}" if dated else f"/crm/{version}/properties"
            for method, path, handler, needs in _PROPERTIES:
                yield method, crm_properties + path, handler, needs, version, "general"
            crm_pipelines = f"/crm/pipelines/{version}" if dated else f"/crm/{version}/pipelines"
            for method, path, handler, needs in pipelines.ROUTES:
                yield method, crm_pipelines + path, handler, needs, version, "general"
            yield "GET", f"/account-info/{version}/details", account.details, lambda call: [], version, "general"


class HubSpot:
    """One portal behind HubSpot's API: a `Vendor` of sandbox/control.py."""

    system = "hubspot"

    def __init__(
        self,
        book: Book,
        switches: Switches,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.fault_kinds = FAULTS
        self.portal = Portal(book, switches, clock)
        self.log = self.portal.log
        self.limits = Limits(switches, clock, monotonic)
        self.api = api = Api(self.portal, self.limits)
        rows = list(_paths())
        routes = [
            Route(path, api.endpoint(handler, needs, version, bucket), methods=[method])
            for method, path, handler, needs, version, bucket in rows
        ]
        tell = account.token_info(switches, lambda: api.token, lambda: self.portal.access.granted(switches.scopes))
        routes.append(Route("/oauth/v2/private-apps/get/access-token-info", tell, methods=["POST"]))
        self.app = Starlette(routes=routes, exception_handlers={404: _html, 405: _html})
        self.app.router.redirect_slashes = False
        self._templates = [(re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), path) for path in dict.fromkeys(row[1] for row in rows)]

    def dump(self) -> dict[str, Any]:
        return dump(self.portal)

    def reset(self, book: Book) -> None:
        self.portal.reset(book)
        self.limits.reset()
        self.api.token = HUBSPOT_TOKEN

    def edit(self, request: dict[str, Any]) -> None:
        people.edit(self.portal, request)

    def credentials(self, changes: dict[str, str]) -> None:
        if set(changes) != {"token"}:
            raise ValueError(f"there is token; not {', '.join(sorted(changes))}")
        self.api.token = changes["token"]

    def arrange(self, changes: dict[str, Any]) -> dict[str, Any]:
        """What the token may do with object types, and the portal's other currencies; the answer is how it is now."""
        if unknown := set(changes) - {*KIND, "additional_currencies"}:
            raise ValueError(f"there are {', '.join(KIND)}, additional_currencies; not {', '.join(sorted(unknown))}")
        for name, wanted in changes.items():
            if name in KIND:
                self.portal.access.change(name, wanted)
            else:
                self.portal.currencies = [self.portal.currencies[0], *map(str, wanted)]
        return {**self.portal.access.as_json(), "additional_currencies": self.portal.currencies[1:]}

    def counters(self) -> dict[str, Any]:
        return {"buckets": self.limits.as_json()}

    def route(self, path: str) -> str:
        template = next((name for pattern, name in self._templates if pattern.fullmatch(path)), path)
        kind = next((kind for kind, pattern in _WORDS if pattern.search(path)), None)
        return template.replace("{type}", kind) if kind else template


#: How an object type may be written in a path.
_WORDS = [(kind.name, re.compile(rf"/({kind.name}|{kind.singular}|{kind.id})(?=/|$)")) for kind in KINDS]


async def _html(request: Request, error: Exception) -> Response:
    """Unknown routes and methods are answered by the web server, not by the API (§1.3)."""
    status = getattr(error, "status_code", 404)
    words = {404: "Not Found", 405: "Method Not Allowed"}[status]
    return HTMLResponse(
        f"<html> <head> <title>Error {status} {words}</title> </head> <body> <h2>HTTP ERROR {status} {words}</h2> </body> </html>",
        status,
    )


def build(book: Book, switches: Switches) -> Vendor:
    """A portal that holds the book's HubSpot records."""
    return HubSpot(book, switches)
