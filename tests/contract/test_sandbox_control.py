"""The control API, the log and the faults, around a vendor of ten lines."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.control import DataSet, Log, Sandbox
from sandbox.data.credentials import HUBSPOT_TOKEN
from sandbox.faults import fired

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Counter:
    """A vendor whose whole state is a number."""

    system = "counter"

    def __init__(self) -> None:
        self.fault_kinds = {"backwards": "counts down"}
        self.log = Log()
        self.value = 0
        self.app = Starlette(routes=[Route("/count/{name}", self.count, methods=["POST"])])

    async def count(self, request: Request) -> Response:
        await request.body()
        if not fired(request.scope, "silent"):
            self.value += -1 if fired(request.scope, "backwards") else 1
            self.log.add("api", "update", "counter", "1", None, ["value"])
        return JSONResponse(self.value)

    def dump(self) -> dict[str, Any]:
        return {"value": self.value}

    def reset(self, book: Any) -> None:
        self.value = 0

    def edit(self, request: dict[str, Any]) -> None:
        if "value" not in request:
            raise ValueError("edit needs a value")
        self.value = request["value"]
        self.log.add("person", "update", "counter", "1", None, ["value"])

    def counters(self) -> dict[str, Any]:
        return {"buckets": {}}

    def route(self, path: str) -> str:
        return re.sub("/count/.*", "/count/{name}", path)


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = Sandbox(Counter(), DataSet("empty"), lambda wanted: None)  # type: ignore[arg-type,return-value]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://sandbox") as client:
        yield client


async def fault(client: httpx.AsyncClient, **rule: Any) -> None:
    assert (await client.post("/__sandbox__/faults", json=rule)).status_code == 201


async def value(client: httpx.AsyncClient) -> int:
    answer: int = (await client.get("/__sandbox__/dump")).json()["value"]
    return answer


async def test_log_in_order_and_long_poll(client: httpx.AsyncClient) -> None:
    """The log lists each change once, in order, and a waiting reader gets a change as soon as it is there."""
    waiting = asyncio.create_task(client.get("/__sandbox__/log", params={"after": 0, "wait": 30}))
    await asyncio.sleep(0)
    await client.post("/count/a")
    assert [entry["seq"] for entry in (await waiting).json()] == [1]
    edited = (await client.post("/__sandbox__/edit", json={"value": 7})).json()
    assert [(entry["seq"], entry["actor"]) for entry in edited] == [(2, "person")]
    assert (await client.get("/__sandbox__/log?after=2")).json() == []
    assert (await client.post("/__sandbox__/edit", json={})).status_code == 400


async def test_calls_are_counted_and_reset_starts_over(client: httpx.AsyncClient) -> None:
    """Only the vendor's calls count, by route and status; reset forgets state, log, calls and faults."""
    await client.post("/count/a")
    await client.post("/count/b")
    await client.get("/count/b")
    await fault(client, kind="html")
    counts = (await client.get("/__sandbox__/calls")).json()
    assert counts == {"total": 3, "routes": {"GET /count/{name}": {"405": 1}, "POST /count/{name}": {"200": 2}}, "buckets": {}}
    assert (await client.post("/__sandbox__/reset", json={"seed": 2})).status_code == 200
    assert await value(client) == 0
    assert (await client.get("/__sandbox__/calls")).json()["total"] == 0
    assert (await client.get("/__sandbox__/faults")).json() == []
    assert (await client.post("/__sandbox__/reset", json={"tenant": "x"})).status_code == 400


async def test_fault_matches_method_path_skip_and_times(client: httpx.AsyncClient) -> None:
    """A rule spoils only the calls it names, after `skip` of them and `times` times, and shows how often it fired."""
    await fault(client, kind="status", method="post", path="/b$", skip=1, times=2, args={"status": 503, "body": {"a": 1}})
    answers = [(await client.post(f"/count/{name}")).status_code for name in "abbabb"]
    assert answers == [200, 200, 503, 200, 503, 200]
    assert (await client.get("/__sandbox__/faults")).json()[0]["fired"] == 2
    await client.delete("/__sandbox__/faults")
    assert (await client.get("/__sandbox__/faults")).json() == []
    assert (await client.post("/__sandbox__/faults", json={"kind": "nonsense"})).status_code == 400


@pytest.mark.parametrize(("kind", "after"), [("reset", 0), ("reset-after", 1), ("timeout-after", 1), ("late", 1)])
async def test_dropped_connections(client: httpx.AsyncClient, kind: str, after: int) -> None:
    """A dropped connection has no answer; the work is done by all of them but `reset`."""
    await fault(client, kind=kind, args={"seconds": 0})
    with pytest.raises(ConnectionResetError):
        await client.post("/count/a", json={})
    assert await value(client) == after
    assert (await client.get("/__sandbox__/calls")).json()["routes"] == {"POST /count/{name}": {"dropped": 1}}


async def test_vendor_kinds_and_silent_reach_the_vendor(client: httpx.AsyncClient) -> None:
    """A vendor's own kind and `silent` are done by the vendor's app."""
    await fault(client, kind="backwards")
    await client.post("/count/a")
    assert await value(client) == -1
    await fault(client, kind="silent")
    assert (await client.post("/count/a")).status_code == 200
    assert await value(client) == -1


def test_the_process_says_where_it_is_drops_connections_and_ends_at_once() -> None:
    """A real process: one line with the address, a cut connection is an error for the client, late work is done, SIGTERM ends it."""
    command = [sys.executable, "-m", "sandbox", "hubspot", "--port", "0", "--data", "empty"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            found = re.fullmatch(r"hubspot sandbox at (http://127\.0\.0\.1:\d+)\n", line)
            assert found is not None, line
            with httpx.Client(base_url=found.group(1), timeout=60) as client:
                assert client.get("/__sandbox__/health").json() == {"system": "hubspot", "ready": True}
                client.post("/__sandbox__/faults", json={"kind": "reset"})
                with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
                    client.post("/crm/v3/objects/companies", json={"properties": {}})
                token = {"Authorization": f"Bearer {HUBSPOT_TOKEN}"}
                client.post("/__sandbox__/faults", json={"kind": "late", "args": {"seconds": 0.5}})
                began, gives_up = datetime.now(UTC), httpx.Timeout(60, read=0.1)
                with pytest.raises(httpx.ReadTimeout):
                    client.post("/crm/v3/objects/companies", json={"properties": {"name": "late"}}, headers=token, timeout=gives_up)
                (entry,) = client.get("/__sandbox__/log?after=0&wait=30").json()
                assert entry["fields"] == ["name"]
                assert datetime.fromisoformat(entry["at"]) - began > timedelta(seconds=0.4)
                client.post("/__sandbox__/faults", json={"kind": "slow", "args": {"seconds": 60}})
                with pytest.raises(httpx.ReadTimeout):
                    client.get("/crm/v3/objects/companies", timeout=httpx.Timeout(60, read=0.2))
            os.kill(process.pid, signal.SIGTERM)
            assert process.wait(timeout=60) == 0
            assert process.stderr is not None
            assert process.stderr.read() == ""
        finally:
            process.kill()


@pytest.mark.parametrize("arguments", [["--set", "no_such=1"], ["--set", "portal_id"], ["--set", "portal_id=x"], ["--data", "nowhere"]])
def test_bad_arguments_are_refused(arguments: list[str]) -> None:
    """An unknown switch, a bad value or a missing folder ends with status 2 and says which."""
    command = [sys.executable, "-m", "sandbox", "hubspot", "--port", "0", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 2
    assert arguments[-1].partition("=")[0] in done.stderr
