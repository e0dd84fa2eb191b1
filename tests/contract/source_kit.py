"""Our Acumatica source against the sandbox, in this process: the real client over the sandbox's app."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx

from producers.acumatica import AcumaticaSource
from producers.acumatica_gone import Known
from producers.base import Page, Position
from sandbox.acumatica.app import Acumatica as Vendor
from sandbox.data import Book, credentials, load
from tests.contract.acumatica_site import InProcess, Site, sandbox
from weighlock.clients.acumatica import Acumatica
from weighlock.clients.acumatica_session import FileTokenStore
from weighlock.settings import Settings


def acumatica_settings(url: str, **given: Any) -> dict[str, Any]:
    """The section for a sandbox at that address."""
    return {
        "url": url,
        "tenant": credentials.ACUMATICA_TENANT,
        "client_id": credentials.ACUMATICA_CLIENT_ID,
        "client_secret": credentials.ACUMATICA_CLIENT_SECRET,
        "username": credentials.ACUMATICA_USER,
        "password": credentials.ACUMATICA_PASSWORD,
        "requests_per_minute": 6000,
        "customer": {"every": 0.5},
        "contact": {"every": 0.5},
        "feed": "off",
        "invoice": {"every": 0.5},
        "payment": {"every": 0.5},
        **given,
    }


@dataclass
class Bench:
    """A source, the sandbox it reads, and the way to poll it as the loop does."""

    source: AcumaticaSource
    site: Site
    vendor: Vendor
    requests: list[httpx.Request]

    def walk(self, entity: str, position: Position | None = None) -> tuple[list[Any], Position]:
        """Every page of one walk, each committed. The changes' records, and where the next walk begins."""
        records: list[Any] = []
        for page in self.pages(entity, position):
            page.committed()
            records += [change.record for change in page.changes]
        return records, page.position

    def pages(self, entity: str, position: Position | None = None) -> Iterator[Page]:
        more = True
        while more:
            page = self.source.poll(entity, position)
            position, more = page.position, page.more
            yield page

    def edit(self, **change: Any) -> Any:
        answer = self.site.control("edit", **change)
        assert isinstance(answer, list), answer
        return answer

    def calls(self, entity: str) -> list[dict[str, str]]:
        """The parameters of the list calls for that entity since the last question."""
        found = [dict(request.url.params) for request in self.requests if request.url.path.endswith(f"/{entity}")]
        self.requests.clear()
        return found


@contextmanager
def bench(
    folder: Path, book: Book | None = None, given: dict[str, Any] | None = None, known: Known = lambda entity: set(), **switches: Any
) -> Iterator[Bench]:
    """`given`: settings of Acumatica; `known`: the refs that consumers hold; `switches`: of the sandbox."""
    app, vendor = sandbox(book or load("demo", customers=40, contacts=100), **switches)
    transport = InProcess(app)
    requests: list[httpx.Request] = []

    class Listening(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            requests.append(request)
            try:
                return transport.handle_request(request)
            except ConnectionResetError as error:  # how the sandbox drops a connection that is none
                raise httpx.ReadError(str(error)) from error

    settings = Settings(
        kafka="127.0.0.1:1",
        registry="http://127.0.0.1:1",
        state=folder,
        acumatica=acumatica_settings("http://site", **(given or {})),  # type: ignore[arg-type]
    )
    client = Acumatica(settings.need_acumatica(), FileTokenStore(folder / "grant.json"), Listening())
    with httpx.Client(transport=transport, base_url="http://site") as control:
        source = AcumaticaSource(settings, client, known)
        yield Bench(source, Site(control, vendor), vendor, requests)
        source.close()


def with_contacts(book: Book, *contacts: dict[str, Any]) -> Book:
    """The book with these contacts instead of its own; each is the first one's row with other values."""
    first = book.contacts[0]
    rows = [{**first, "id": f"0000000{n}-0000-4000-8000-000000000000", "ContactID": 200_000 + n, **c} for n, c in enumerate(contacts)]
    return replace(book, contacts=[{**row, "NoteID": row["id"]} for row in rows])
