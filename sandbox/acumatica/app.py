"""The site: sign-in, sessions and the contract-based API over the tables (docs/sandboxes.md; `build` is what the launcher calls)."""

import asyncio
import re
from collections.abc import Mapping
from typing import Any, Literal

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox.acumatica.actions import Operations
from sandbox.acumatica.ar.clerk import Clerk
from sandbox.acumatica.ar.records import Rules
from sandbox.acumatica.ar.rows import Rows, shown
from sandbox.acumatica.contract import Contract
from sandbox.acumatica.identity import Identity
from sandbox.acumatica.licence import Declined, Licence, declined
from sandbox.acumatica.lists import Lists
from sandbox.acumatica.odata.feed import basic, serve
from sandbox.acumatica.odata.sets import Feeds
from sandbox.acumatica.person import edit
from sandbox.acumatica.query import dumped
from sandbox.acumatica.sessions import Seats, login_limit
from sandbox.acumatica.store import Store
from sandbox.acumatica.switches import Switches, zone
from sandbox.acumatica.wire import Refusal, answer
from sandbox.control import Log
from sandbox.data import Book, credentials
from sandbox.faults import fired

__all__ = ["Acumatica", "Switches", "build"]

REVERSED: Mapping[str, Literal["L", "V", "C"]] = {"canceled": "L", "voided": "V", "closed": "C"}
METHODS = ["GET", "PUT", "POST", "PATCH", "DELETE"]
FAULTS = {
    "expire-token": "the access token (or cookie session) of this call is over from now on: 401",
    "lost-seat": "this session is closed and strangers hold every seat for args.seconds (5): this call and later ones get the login limit",
    "hidden-rows": "for this call the rows with the keys args.keys are not there, as when somebody restricts what the user may see",
    "garbled": "the fields of args.rows ({NoteID: {path: JSON text}}) are written as the text says, whatever type they have",
    "login-limit": "this call alone is answered as if no seat were left, in args.shape (json, iis, html, per-user)",
}


def build(book: Book, switches: Switches) -> "Acumatica":
    """A site with these records."""
    return Acumatica(book, switches)


class Acumatica:
    """The vendor behind `sandbox.control.Sandbox`."""

    system = "acumatica"
    fault_kinds = FAULTS

    def __init__(self, book: Book, switches: Switches) -> None:
        self.switches = switches
        self.log = Log()
        self.zone = zone(switches.time_zone)
        self.versions = [text.strip() for text in switches.versions.split(",")]
        self.reset(book)
        routes = [
            Route("/identity/.well-known/openid-configuration", self.discovery),
            Route("/identity/connect/authorize", self.authorize),
            Route("/identity/connect/token", self.sign_in, methods=["POST"]),
            Route("/identity/connect/revocation", self.revoke, methods=["POST"]),
            Route("/entity/auth/login", self.sign_in, methods=["POST"]),
            Route("/entity/auth/logout", self.logout, methods=["POST"]),
            Route("/entity", self.endpoints),
            Route("/entity/{rest:path}", self.call, methods=METHODS),
            Route("/t/{tenant}/{rest:path}", self.odata, methods=METHODS),
            Route("/ODatav4/{tenant}", self.odata_alias),
            Route("/ODatav4/{tenant}/{rest:path}", self.odata_alias, methods=METHODS),
        ]
        self.app: ASGIApp = _one_slash(Starlette(routes=routes, exception_handlers={Refusal: _refused}), switches.root)  # type: ignore[dict-item]

    def reset(self, book: Book) -> None:
        """Everything anew: tables, tokens, sessions, licence."""
        switches = self.switches
        rules = Rules(switches.application_bumps_invoice, REVERSED[switches.reversed_invoice])
        self.store = Store(book, self.log.add, switches.clock_skew_seconds, switches.main_contact_bumps_customer, rules)
        self._rows: Rows | None = None
        self.operations = Operations(switches.action_seconds, switches.form_lock)
        self.seats = Seats(switches.seats)
        self.identity = Identity(switches, self.seats)
        self.licence = Licence(switches.licence_per_minute, switches.licence_cores)
        self.lists = Lists()

    def dump(self) -> dict[str, Any]:
        """The tables with plain values; business accounts are those that are no customers. `seeded` is how the rows were at the reset,
        by NoteID, `deleted` the NoteIDs of deleted ones (and of the contacts of deleted customers): the comparer
        judges by all three."""
        store = self.store
        seeded = {"customers": store.seeded.customers, "contacts": store.seeded.contacts}
        others = [row for row in store.accounts if row["id"] not in store.customers.by_id]
        return {
            "system": self.system,
            "tenant": credentials.ACUMATICA_TENANT,
            "customers": [dumped(row) for row in store.customers],
            "contacts": [dumped(row) for row in store.contacts],
            "business_accounts": [dumped(row) for row in others],
            "seeded": {name: {row["id"]: dumped(row) for row in rows} for name, rows in seeded.items()},
            "deleted": store.deleted,
        }

    @property
    def rows(self) -> Rows:
        """The books as rows of their tables, with what is due done."""
        self.operations.settle()
        if self._rows is None:
            self._rows = Rows(self.store.books, self.switches.voided_payment_amount)
        return self._rows

    def books(self) -> dict[str, Any]:
        """The books: documents, applications, balances (sandbox/acumatica/ar/rows.py)."""
        return {"system": self.system, **shown(self.store.books, self.rows, self.store.customer_numbers())}

    def edit(self, request: dict[str, Any]) -> None:
        if "ar" not in request:
            return edit(self.store, request)
        self.operations.settle()
        Clerk(self.store.books, self.store.customer).edit(request)

    def credentials(self, changes: dict[str, str]) -> None:
        if unknown := set(changes) - set(self.identity.secrets):
            raise ValueError(f"there are {', '.join(self.identity.secrets)}; not {', '.join(sorted(unknown))}")
        self.identity.secrets |= changes

    def counters(self) -> dict[str, Any]:
        licence = self.licence
        return {
            "sessions": {"open": self.seats.open, "most": self.seats.most, "seats": self.seats.limit},
            "licence": {"queued": licence.queued, "delayed": licence.delayed, "declined": licence.declined, "most": licence.most},
            "lists": self.lists.as_json(),
        }

    def route(self, path: str) -> str:
        parts = [part for part in path.removeprefix(self.switches.root).split("/") if part]
        if parts[:1] == ["t"] and len(parts) > 2:
            return "/t/{tenant}/" + re.sub(r"\(.+\)", "({key})", "/".join(parts[2:]))
        if len(parts) < 3 or parts[0] != "entity" or parts[1] == "auth":
            return "/" + "/".join(parts)
        key = "/{key}" if len(parts) > 4 else ""
        return "/entity/{endpoint}/{version}" + (f"/{parts[3]}" if len(parts) > 3 else "") + key

    async def discovery(self, request: Request) -> Response:
        return await self.identity.discovery(request)

    async def authorize(self, request: Request) -> Response:
        return await self.identity.authorize(request)

    async def revoke(self, request: Request) -> Response:
        return await self.identity.revoke(request)

    async def sign_in(self, request: Request) -> Response:
        """Both ways to sign in; they count as requests of the minute (§6.3)."""
        self.licence.count()
        if request.url.path.endswith("/login"):
            return await self.identity.login(request)
        return await self.identity.token(request)

    async def logout(self, request: Request) -> Response:
        """Frees the seat; the token lives on (§1.7). IIS wants a Content-Length (§1.8)."""
        if "Content-Length" not in request.headers:
            return HTMLResponse(
                "<h2>Length Required</h2><hr><p>HTTP Error 411. The request must be chunked or have a content length.</p>", 411
            )
        caller = self.identity.caller(request)
        if caller is None:
            return self.unauthorized()
        self.licence.count()
        self.seats.close(caller[0])
        return Response(status_code=204)

    def unauthorized(self) -> Response:
        if self.switches.unauthorized_body == "message":
            return answer({"message": "Authorization has been denied for this request."}, 401)
        return Response(status_code=401)

    async def endpoints(self, request: Request) -> Response:
        """GET /entity: anyone may ask; who shows a token or cookie is called to account for it."""
        if "Authorization" in request.headers or "ASP.NET_SessionId" in request.cookies:
            return await self.in_session(request, self._endpoints)
        return self._endpoints(request)

    def _endpoints(self, request: Request) -> Response:
        endpoints = [
            {"name": "Default", "version": version, "href": f"{self.switches.root}/entity/Default/{version}/"} for version in self.versions
        ]
        if self.switches.entity_list == "array":
            return answer(endpoints)
        build_version = {"acumaticaBuildVersion": "25.093.0036", "databaseVersion": "25.093.0036"}
        return answer({"version": build_version, "endpoints": endpoints})

    async def odata(self, request: Request) -> Response:
        """The feeds of the tenant in the path: with a bearer token as an API session, with name and password as a user's (§5.9)."""
        if request.path_params["tenant"] != credentials.ACUMATICA_TENANT or not request.headers.get("Authorization"):
            return self.unauthorized()
        if not request.headers["Authorization"].lower().startswith("basic"):
            return await self.in_session(request, self._feeds)
        if not basic(request):
            return self.unauthorized()
        try:
            return self._feeds(request)
        except Refusal as refusal:
            return refusal.response

    async def odata_alias(self, request: Request) -> Response:
        """The old name of the DAC feeds."""
        request.path_params["rest"] = f"dac/{request.path_params.get('rest', '')}"
        return await self.odata(request)

    def _feeds(self, request: Request) -> Response:
        return serve(request, Feeds(self.store, self.rows, self.switches.odata_padded_keys), self.switches)

    def _contract(self, request: Request) -> Response:
        return Contract(self.store, self.switches, self.zone, self.versions, self.lists, self.operations).dispatch(request)

    async def call(self, request: Request) -> Response:
        return await self.in_session(request, self._contract)

    async def in_session(self, request: Request, handler: Any) -> Response:
        """One call of a known user: its turn in the licence's queue, its seat, its turn in the session; then the work itself."""
        caller = self.identity.caller(request)
        if caller is not None and fired(request.scope, "expire-token"):
            owner, token = caller
            if token is None:
                self.seats.close(owner)
            else:
                token.dead = True
            caller = None
        if caller is None:
            return self.unauthorized()
        if fault := fired(request.scope, "login-limit"):
            return login_limit(fault.args.get("shape", self.switches.login_limit_shape))
        if fault := fired(request.scope, "lost-seat"):
            self.seats.taken_by_others(float(fault.args.get("seconds", 5)))
        if re.search("/status/[^/]+$", request.url.path):  # asking for an operation's state is free (§6.3)
            return await self._in_turn(request, caller, handler)
        try:
            await self.licence.enter()
        except Declined:
            return declined(self.switches.declined_shape)
        try:
            return await self._in_turn(request, caller, handler)
        finally:
            self.licence.leave()

    async def _in_turn(self, request: Request, caller: Any, handler: Any) -> Response:
        owner, token = caller
        request.state.body = await request.body()
        ends = float("inf") if token is None or owner.startswith("grant") else token.ends
        session = self.seats.use(owner, ends)
        if session is None:
            return login_limit(self.switches.login_limit_shape)
        request.state.session = session
        async with session.turn:
            await asyncio.sleep(self.switches.latency_seconds / 2)
            try:
                response: Response = handler(request)
            except Refusal as refusal:
                response = refusal.response
            if hasattr(request.state, "cookie"):
                response.set_cookie("ASP.NET_SessionId", request.state.cookie, httponly=True, samesite=None)
            await asyncio.sleep(self.switches.latency_seconds / 2)
        return response


def _one_slash(app: ASGIApp, root: str) -> ASGIApp:
    """Vendors' own clients send `//entity`: that is the same path (S1), as with a slash at the end. What is not under `root` is nowhere."""

    async def normalised(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = re.sub("/+", "/", scope["path"]).rstrip("/")
            scope = {**scope, "path": path.removeprefix(root) if path.startswith(f"{root}/") else "/nowhere"}
        await app(scope, receive, send)

    return normalised


def _refused(request: Request, refusal: Refusal) -> Response:
    return refusal.response
