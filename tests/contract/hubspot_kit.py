"""A HubSpot sandbox in this process, with a clock that only moves when told, and short words for its calls."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

with warnings.catch_warnings():  # it would like another HTTP client, which we do not have
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

from sandbox.control import DataSet, Sandbox
from sandbox.data import Book
from sandbox.data.credentials import HUBSPOT_TOKEN
from sandbox.hubspot.app import HubSpot, Switches

OBJECTS, OLD = "/crm/objects/2026-09", "/crm/v3/objects"
PROPERTIES, ASSOCIATIONS = "/crm/properties/2026-09", "/crm/associations/2026-09"
KEYS = {"companies": "acumatica_customer_key", "contacts": "acumatica_contact_key"}


#: An invoice that is not billable.
MIRROR = {"hs_currency": "USD", "hs_invoice_billable": "false"}


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 20, 10, 0, 0, 123000, tzinfo=UTC)

    def pass_(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Hub:
    def __init__(self, client: TestClient, vendor: HubSpot, clock: Clock) -> None:
        self.client, self.vendor, self.clock = client, vendor, clock

    def __call__(self, method: str, path: str, body: Any = None, **more: Any) -> httpx.Response:
        return self.client.request(method, path, json=body, **more) if body is not None else self.client.request(method, path, **more)

    def post(self, path: str, body: Any) -> httpx.Response:
        return self("POST", path, body)

    def make(self, objects: str, **properties: Any) -> str:
        answer = self.post(f"{OBJECTS}/{objects}", {"properties": properties})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def properties(self, objects: str, id: str, *names: str) -> dict[str, Any]:
        answer = self("GET", f"{OBJECTS}/{objects}/{id}", params={"properties": ",".join(names)} if names else {})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()["properties"]
        return found

    def unique(self, objects: str, name: str | None = None) -> httpx.Response:
        name = name or KEYS[objects]
        group = "companyinformation" if objects == "companies" else "contactinformation"
        body = {"name": name, "label": name, "type": "string", "fieldType": "text", "groupName": group, "hasUniqueValue": True}
        return self.post(f"{PROPERTIES}/{objects}", body)

    def upsert(self, objects: str, rows: Iterable[tuple[str, dict[str, Any]]], trace: bool = True, **more: Any) -> httpx.Response:
        inputs = [{"id": id, "idProperty": KEYS[objects], "properties": properties, **more} for id, properties in rows]
        return self.post(f"{OBJECTS}/{objects}/batch/upsert", {"inputs": traced(inputs) if trace else inputs})

    def search(self, objects: str, *filters: tuple[Any, ...], **more: Any) -> Any:
        answer = self.post(f"{OBJECTS}/{objects}/search", {"filterGroups": [{"filters": [clause(*f) for f in filters]}], **more})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def control(self, method: str, path: str, body: Any = None) -> Any:
        answer = self(method, f"/__sandbox__/{path}", body)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def edit(self, **request: Any) -> Any:
        return self.control("POST", "edit", request)

    def log(self, after: int = 0) -> Any:
        return self.control("GET", f"log?after={after}")


def patch(portal: Hub, objects: str, id: str, **properties: Any) -> httpx.Response:
    return portal("PATCH", f"{OBJECTS}/{objects}/{id}", {"properties": properties})


def codes(answer: httpx.Response) -> dict[str, str]:
    """Status 400: the code of each property that was refused."""
    assert answer.status_code == 400, answer.text
    return {error["context"]["propertyName"][0]: error["code"] for error in answer.json()["errors"]}


def clause(name: str, operator: str, value: Any = None, high: Any = None) -> dict[str, Any]:
    found = {"propertyName": name, "operator": operator}
    if isinstance(value, list):
        return {**found, "values": value}
    return {**found, **({} if value is None else {"value": value}), **({} if high is None else {"highValue": high})}


def traced(inputs: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**row, "objectWriteTraceId": f"t{place}"} for place, row in enumerate(inputs)]


@contextmanager
def hub(book: Book | None = None, **switches: Any) -> Iterator[Hub]:
    clock = Clock()
    vendor = HubSpot(book or Book(), Switches(**switches), lambda: clock.now, lambda: clock.now.timestamp())
    app = Sandbox(vendor, DataSet("empty"), lambda wanted: Book())
    with TestClient(app, headers={"Authorization": f"Bearer {HUBSPOT_TOKEN}"}) as client:
        yield Hub(client, vendor, clock)
