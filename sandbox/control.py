"""The control API under `/__sandbox__/`, and what a vendor's sandbox must be to stand behind it.

A vendor package `sandbox.<system>` has a module `app` with

    class Switches(pydantic.BaseModel)                     # extra="forbid"; each field with a default and Field(description=...)
    def build(book: Book, switches: Switches) -> Vendor    # all state new, from `sandbox.data.load(...)`

`python -m sandbox <system>` makes both and serves `Sandbox(vendor, ...)`: faults (sandbox/faults.py) and counts around `vendor.app`,
the control API beside it. All runs in one asyncio loop: a handler that does not await sees and leaves one consistent state.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any, Protocol

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.faults import Faults, suffer

if TYPE_CHECKING:
    from sandbox.data import Book

PREFIX = "/__sandbox__"


class Log:
    """Every change of state, in order. The vendor calls `add` at the instant at which the change becomes visible to readers."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []
        self._news = asyncio.Event()

    def add(self, actor: str, op: str, entity: str, id: str, key: str | None, fields: list[str], **more: Any) -> None:
        """`actor`: api, person (control edits) or portal (the system by itself); `fields`: the names that really changed."""
        at = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        entry = {"seq": len(self.entries) + 1, "at": at, "actor": actor, "op": op, "entity": entity, "id": id, "key": key}
        self.entries.append({**entry, "fields": sorted(fields), **more})
        self._news.set()
        self._news = asyncio.Event()

    def after(self, seq: int) -> list[dict[str, Any]]:
        return self.entries[seq:]

    def clear(self) -> None:
        self.entries.clear()

    async def wait(self, seq: int, seconds: float) -> list[dict[str, Any]]:
        """The entries after `seq`, as soon as there are some; at the latest after `seconds` (then perhaps none)."""
        try:
            async with asyncio.timeout(seconds):
                while len(self.entries) <= seq:
                    await self._news.wait()
        except TimeoutError:
            pass
        return self.after(seq)


class Vendor(Protocol):
    """A vendor's sandbox. Plain attributes do for the properties."""

    @property
    def system(self) -> str: ...

    @property
    def app(self) -> ASGIApp:
        """Serves the vendor's API only."""

    @property
    def log(self) -> Log: ...

    @property
    def fault_kinds(self) -> Mapping[str, str]:
        """The vendor's own fault kinds: name -> what it does."""

    def dump(self) -> dict[str, Any]:
        """The whole state, ready for JSON."""

    def reset(self, book: Book) -> None:
        """Start over with these records (the log, the calls and the faults are cleared around it)."""

    def edit(self, request: dict[str, Any]) -> None:
        """Make a person's change and log it; ValueError says what is wrong with the request."""

    def credentials(self, changes: dict[str, str]) -> None:
        """Others are good from now on; ValueError names those that there are. A reset brings the first ones back."""

    def counters(self) -> dict[str, Any]:
        """What the vendor adds to `GET calls`."""

    def route(self, path: str) -> str:
        """The path with its ids and names replaced by `{...}`, for the counts."""


@dataclass(frozen=True)
class DataSet:
    """What `sandbox.data.load` takes."""

    data: str = "demo"
    customers: int = 250
    contacts: int | None = None
    seed: int = 1
    invoices: int | None = None


class Sandbox:
    """The ASGI app of one sandbox process. `load` makes the records of a data set and raises ValueError where it cannot."""

    def __init__(self, vendor: Vendor, start: DataSet, load: Callable[[DataSet], Book]) -> None:
        self.vendor = vendor
        self.faults = Faults(vendor.fault_kinds)
        self._start, self._load = start, load
        self._calls: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._control = _control_app(self)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(f"{PREFIX}/"):
            await self._control(scope, receive, send)
            return
        outcome = "dropped"

        async def watch(message: Message) -> None:
            nonlocal outcome
            if message["type"] == "http.response.start":
                outcome = str(message["status"])
                headers = MutableHeaders(raw=message.setdefault("headers", []))
                headers.setdefault("Date", format_datetime(datetime.now(UTC), usegmt=True))
            await send(message)

        rule = self.faults.take(scope["method"], scope["path"])
        try:
            if rule is None:
                await self.vendor.app(scope, receive, watch)
            else:
                await suffer(rule, self.vendor.app, scope, receive, watch)
        finally:
            self._calls[f"{scope['method']} {self.vendor.route(scope['path'])}"][outcome] += 1

    def reset(self, changes: dict[str, Any]) -> None:
        if unknown := set(changes) - set(DataSet.__dataclass_fields__):
            raise ValueError(f"reset takes {', '.join(DataSet.__dataclass_fields__)}; not {', '.join(sorted(unknown))}")
        wanted = {**vars(self._start), **changes}
        if "customers" in changes and "contacts" not in changes:
            wanted["contacts"] = None
        if "customers" in changes and "invoices" not in changes:
            wanted["invoices"] = None
        book = self._load(DataSet(**wanted))
        self.vendor.log.clear()
        self._calls.clear()
        self.faults.remove()
        self.vendor.reset(book)

    def edit(self, request: dict[str, Any]) -> list[dict[str, Any]]:
        before = len(self.vendor.log.entries)
        self.vendor.edit(request)
        return self.vendor.log.after(before)

    def books(self) -> dict[str, Any]:
        """The books of a vendor that keeps some (Acumatica)."""
        shown: Callable[[], dict[str, Any]] | None = getattr(self.vendor, "books", None)
        if shown is None:
            raise ValueError(f"{self.vendor.system} keeps no books")
        return shown()

    def arrange(self, changes: dict[str, Any]) -> dict[str, Any]:
        """What a vendor's people can take from the API while it runs (HubSpot); without changes, how it is."""
        change: Callable[[dict[str, Any]], dict[str, Any]] | None = getattr(self.vendor, "arrange", None)
        if change is None:
            raise ValueError(f"{self.vendor.system} has nothing to arrange")
        return change(changes)

    def calls(self) -> dict[str, Any]:
        routes = {route: dict(counts) for route, counts in sorted(self._calls.items())}
        return {"total": sum(sum(counts.values()) for counts in routes.values()), "routes": routes, **self.vendor.counters()}


def _control_app(sandbox: Sandbox) -> Starlette:
    async def health(request: Request) -> Response:
        return JSONResponse({"system": sandbox.vendor.system, "ready": True})

    async def reset(request: Request) -> Response:
        sandbox.reset(await _json(request))
        return JSONResponse({"system": sandbox.vendor.system, "ready": True})

    async def edit(request: Request) -> Response:
        return JSONResponse(sandbox.edit(await _json(request)))

    async def credentials(request: Request) -> Response:
        sandbox.vendor.credentials({name: str(value) for name, value in (await _json(request)).items()})
        return JSONResponse({"system": sandbox.vendor.system, "ready": True})

    async def portal(request: Request) -> Response:
        return JSONResponse(sandbox.arrange(await _json(request)))

    async def log(request: Request) -> Response:
        seq = int(request.query_params.get("after", 0))
        return JSONResponse(await sandbox.vendor.log.wait(seq, float(request.query_params.get("wait", 0))))

    async def faults(request: Request) -> Response:
        if request.method == "POST":
            return JSONResponse(sandbox.faults.add(await _json(request)).model_dump(), 201)
        if request.method == "DELETE":
            sandbox.faults.remove(request.query_params.get("id"))
        return JSONResponse([rule.model_dump() for rule in sandbox.faults.rules])

    async def complain(request: Request, error: Exception) -> Response:
        return JSONResponse({"error": str(error)}, 400)

    routes = [Route(f"{PREFIX}/{view.__name__}", view, methods=["GET"]) for view in (health, log)]
    routes += [Route(f"{PREFIX}/{view.__name__}", view, methods=["POST"]) for view in (reset, edit, credentials)]
    routes += [Route(f"{PREFIX}/portal", portal, methods=["GET", "POST"])]
    shows = (sandbox.vendor.dump, sandbox.books, sandbox.calls)
    routes += [Route(f"{PREFIX}/{view.__name__}", _showing(view), methods=["GET"]) for view in shows]
    routes += [Route(f"{PREFIX}/faults", faults, methods=["GET", "POST", "DELETE"])]
    return Starlette(routes=routes, exception_handlers={ValueError: complain})


def _showing(view: Callable[[], dict[str, Any]]) -> Callable[[Request], Awaitable[Response]]:
    async def show(request: Request) -> Response:
        return JSONResponse(view())

    return show


async def _json(request: Request) -> dict[str, Any]:
    body = await request.json() if await request.body() else {}
    if not isinstance(body, dict):
        raise ValueError("the body must be a JSON object")
    return body
