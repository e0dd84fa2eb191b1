"""A signed-in client of the Acumatica sandbox, in this process; for the tests beside it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from sandbox.acumatica.app import Acumatica, Switches, build
from sandbox.control import DataSet, Sandbox
from sandbox.data import Book, credentials, load

BASE = f"/entity/{credentials.ACUMATICA_ENDPOINT}/{credentials.ACUMATICA_VERSION}"
CLIENT = {"client_id": credentials.ACUMATICA_CLIENT_ID, "client_secret": credentials.ACUMATICA_CLIENT_SECRET}
USER = {"username": credentials.ACUMATICA_USER, "password": credentials.ACUMATICA_PASSWORD}
LOGIN = {"name": credentials.ACUMATICA_USER, "password": credentials.ACUMATICA_PASSWORD, "tenant": credentials.ACUMATICA_TENANT}


class InProcess(httpx.BaseTransport):
    """Runs the sandbox in this thread, all calls on one event loop."""

    def __init__(self, app: Sandbox) -> None:
        self._loop, self._transport = asyncio.new_event_loop(), httpx.ASGITransport(app)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._loop.run_until_complete(self._answer(request))

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        response = await self._transport.handle_async_request(request)
        return httpx.Response(response.status_code, headers=response.headers, content=await response.aread())

    def close(self) -> None:
        self._loop.close()


class Site:
    """The sandbox and a client of it. `get` asks the contract API, `fails` gives the text of a 500."""

    def __init__(self, client: httpx.Client, vendor: Acumatica) -> None:
        self.client, self.vendor = client, vendor

    def token(self, scope: str = "api offline_access", **changes: str) -> httpx.Response:
        form = {"grant_type": "password", "scope": scope, **CLIENT, **USER, **changes}
        return self.client.post("/identity/connect/token", data=form)

    def refresh(self, token: str) -> httpx.Response:
        return self.client.post("/identity/connect/token", data={"grant_type": "refresh_token", "refresh_token": token, **CLIENT})

    def sign_in(self, scope: str = "api offline_access") -> str:
        """Signs in; later calls carry the token, which is the answer."""
        text: str = self.token(scope).json()["access_token"]
        self.client.headers["Authorization"] = f"Bearer {text}"
        return text

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.client.get(f"{BASE}/{path}", params={f"${name}": value for name, value in options.items()})

    def rows(self, path: str, **options: Any) -> list[dict[str, Any]]:
        response = self.get(path, **options)
        assert response.status_code == 200, response.text
        rows: list[dict[str, Any]] = response.json()
        return rows

    def fails(self, path: str, **options: Any) -> str:
        response = self.get(path, **options)
        assert response.status_code == 500, response.text
        body = response.json()
        assert set(body) == {"message", "exceptionMessage", "exceptionType", "stackTrace"}
        return f"{body['exceptionType']}: {body['exceptionMessage']}"

    def control(self, name: str, **body: Any) -> Any:
        response = self.client.post(f"/__sandbox__/{name}", json=body)
        return response.json()


def sandbox(book: Book, **switches: Any) -> tuple[Sandbox, Acumatica]:
    vendor = build(book, Switches(**switches))
    return Sandbox(vendor, DataSet(), lambda wanted: load(**vars(wanted))), vendor


@contextmanager
def site(book: Book | None = None, signed_in: bool = True, **switches: Any) -> Iterator[Site]:
    """A site with the demo's first data (or that Book) and these switches."""
    app, vendor = sandbox(load("demo", customers=40, contacts=100) if book is None else book, **switches)
    with httpx.Client(transport=InProcess(app), base_url="http://site") as client:
        one = Site(client, vendor)
        if signed_in:
            one.sign_in()
        yield one
