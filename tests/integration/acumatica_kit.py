"""The Acumatica sandbox in this process, with answers that can be lost or come late, and wishes for customers: for tests of the sink."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from sandbox.data import Book, credentials
from schemas.headers import new_trace
from schemas.records import Match, Result, Wish
from schemas.topics import RESULTS_ACUMATICA, UPSERTS_ACUMATICA
from sinks.acumatica import AcumaticaTarget
from sinks.entries import passage
from tests.contract.acumatica_site import InProcess, sandbox
from tests.integration.sink_kit import Desk, gathering
from weighlock.clients.acumatica import Budget
from weighlock.clients.acumatica_session import FileTokenStore
from weighlock.clients.acumatica_writes import AcumaticaWrites
from weighlock.kafka.wire import Outgoing

SITE = {
    "url": "http://site",
    "tenant": credentials.ACUMATICA_TENANT,
    "client_id": credentials.ACUMATICA_CLIENT_ID,
    "client_secret": credentials.ACUMATICA_CLIENT_SECRET,
    "username": credentials.ACUMATICA_USER,
    "password": credentials.ACUMATICA_PASSWORD,
}
Call = Callable[[], httpx.Response]


class Line(httpx.BaseTransport):
    """The way to the site, for several threads. `fate` says what becomes of each PUT; what is late goes out at `deliver`."""

    def __init__(self, book: Book | None = None, **switches: Any) -> None:
        self._app, self.vendor = sandbox(book or Book(), **switches)
        self._way, self._lock = InProcess(self._app), threading.Lock()
        self.fate: Callable[[Call, httpx.Request], httpx.Response] = lambda call, request: call()
        self.late: list[httpx.Request] = []
        self.seen: list[httpx.Request] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        if request.method == "PUT":
            return self.fate(lambda: self._carry(request), request)
        return self._carry(request)

    def _carry(self, request: httpx.Request) -> httpx.Response:
        with self._lock:
            return self._way.handle_request(request)

    def lose(self, call: Call, request: httpx.Request) -> httpx.Response:
        call()
        raise httpx.ReadTimeout("the answer is lost", request=request)

    def delay(self, call: Call, request: httpx.Request) -> httpx.Response:
        self.late.append(request)
        raise httpx.ReadTimeout("it goes on at the server", request=request)

    def nothing(self, call: Call, request: httpx.Request) -> httpx.Response:
        """It says that it is done, and saves nothing."""
        return httpx.Response(200, json={"id": "00000000-0000-0000-0000-000000000000"}, request=request)

    def deliver(self) -> None:
        """They take effect now. Each looked for a record to change when it came, and there was none then: so it makes one."""
        for request in self.late:
            url = request.url.copy_remove_param("$filter")
            self._carry(httpx.Request(request.method, url, headers=request.headers, content=request.content))
        self.late.clear()

    @property
    def customers(self) -> list[Mapping[str, Any]]:
        return list(self.vendor.store.customers)

    def carrying(self) -> list[str]:
        """What the customers have in AccountRef, sorted."""
        return sorted(str(row.get("AccountRef")) for row in self.customers)


class Town(Desk):
    """Wishes for Acumatica in, and an account of what became of them."""

    upserts = UPSERTS_ACUMATICA

    def __init__(self, stack: Any, prefix: str, folder: Path, line: Line, **more: Any) -> None:
        deals = {"since": "2026-01-01", **more.pop("deals", {})}
        super().__init__(stack.kafka, stack.registry, prefix, None, folder, acumatica=SITE, deals=deals, **more)
        self.line, self._sender = line, gathering(self.settings)

    def target(self, name: str = "grant") -> AcumaticaTarget:
        given = self.settings.need_acumatica()
        tokens = FileTokenStore(self.settings.state / f"{name}.sealed")
        found = AcumaticaTarget(self.settings, AcumaticaWrites(given, tokens, self.line, Budget(100_000)))
        found.batch = 2000  # as much in flight as can be
        return found

    def send(self, *wishes: Wish, headers: tuple[tuple[str, bytes], ...] = ()) -> None:
        for wish in wishes:
            self.wire.produce(self._sender, Outgoing(UPSERTS_ACUMATICA, wish.subject, wish, [*passage(wish).headers(), *headers]))
        assert self._sender.flush(30) == 0

    def results(self) -> dict[str, Result]:
        return {one.subject: one for one in self.records(RESULTS_ACUMATICA, Result)}


def seed(number: int, version: int = 1, **properties: str | None) -> Wish:
    """The wish for the customer of one company of HubSpot."""
    ref, own = f"hubspot:company:{number}", {"CustomerName": f"Company {number}", "CustomerClass": "DEFAULT"} | properties
    asked = (("CustomerName", "CustomerName"), ("Email", "MainContact.Email"))
    return Wish(
        subject=ref,
        object="customer",
        facet="seed",
        version=version,
        key_property="AccountRef",
        key_value=ref,
        properties=own,
        matches=[Match(property=name, value=value) for name, field in asked if (value := own.get(field))],
        source_system="hubspot",
        source_at=datetime.now(UTC),
        trace=new_trace(),
    )
