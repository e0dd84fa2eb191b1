"""No secret in any log, topic, error, audit record or crash of a run in which vendors echo what we send and workers die of it."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from unittest import mock
from urllib.parse import urlencode

import pytest

from tests.harness.canaries import files, leaks, topics
from tests.harness.system import Broker, System, Worker, eventually
from weighlock import wiring
from weighlock.clients.acumatica_session import FileTokenStore
from weighlock.redact import HIDDEN
from weighlock.secrets import SecretStore
from weighlock.settings import Settings

CANARIES = {
    "hubspot.token": "pat-c4n4ry/+=%&?-token",
    "acumatica.client_secret": "c4n4ry+secret/=%&?",
    "acumatica.password": "c4n4ry pass/word+%&?",
}
WRONG = {name: value.replace("c4n4ry", "wr0ng") for name, value in CANARIES.items()}
BEARER = {"message": f"echo Authorization: Bearer {CANARIES['hubspot.token']}", "status": "error", "category": "VALIDATION_ERROR"}
FORM = {"exceptionMessage": f"echo {urlencode(CANARIES)} {'x' * 900}", "exceptionType": "System.Exception"}


class Run:
    """A system whose secrets are in the store alone, and all that its commands said."""

    def __init__(self, system: System, **env: str) -> None:
        self.system, self.env, self.said = system, env, list[tuple[str, bytes]]()
        path = Path(system.env["WEIGHLOCK_CONFIG"])
        path.write_text(re.sub(r"^(client_secret|password|token) = .*\n", "", path.read_text(), flags=re.MULTILINE))
        self.keep(CANARIES, "acumatica.client_secret", "acumatica.password")
        assert self.command("set", "hubspot.token", given=CANARIES["hubspot.token"]) == 0
        with mock.patch.dict(os.environ, system.env):
            system.settings = Settings.load()
        system.wire = wiring.wire(system.settings)

    def keep(self, values: Mapping[str, str], *names: str) -> None:
        for name in names:
            SecretStore(self.system.settings.state).put(name, values[name])

    def command(self, *arguments: str, given: str = "") -> int:
        """A `weighlock secrets` command, or the one that is named whole; its exit status."""
        words = arguments if arguments[0] in ("check", "setup") else ("secrets", *arguments)
        command = [sys.executable, "-m", "weighlock", *words]
        env = {**os.environ, **self.system.env, **self.env}
        done = subprocess.run(command, input=given.encode(), env=env, capture_output=True, check=False, timeout=120)
        self.said.append((" ".join(words), done.stdout + done.stderr))
        return done.returncode

    def start(self, *workers: Worker) -> None:
        for worker in workers:
            worker.start(**self.env)

    def places(self) -> Iterator[tuple[str, bytes]]:
        yield from self.said
        yield from files(self.system.folder)
        yield from topics(self.system)

    def tokens(self) -> dict[str, str]:
        """What Acumatica gave us this time."""
        grant = FileTokenStore(self.system.settings.state / "acumatica-grant.sealed").load()
        assert grant is not None
        assert grant.refresh_token is not None
        return {"access token": grant.access_token, "refresh token": grant.refresh_token}


def refused(run: Run) -> None:
    """Wrong secrets, and answers that echo them."""
    system = run.system
    run.keep(WRONG, "hubspot.token")
    said = {**BEARER, "message": f"unknown {WRONG['hubspot.token']}", "category": "INVALID_AUTHENTICATION"}
    system.fault(system.crm, path="properties", kind="status", times=2, args={"status": 401, "body": said})
    assert run.command("setup", "hubspot") == 3
    run.keep(CANARIES, "hubspot.token")
    system.prepare()
    run.keep(WRONG, "acumatica.password")
    echo = {"error": f"bad {WRONG['acumatica.password']}"}
    system.fault(system.erp, path="connect/token", kind="status", args={"status": 400, "body": echo})
    assert run.command("check") == 1
    run.keep(CANARIES, "acumatica.password")


def echoed(run: Run) -> None:
    """All works but for answers that echo what was sent: some are repeated, some end as dead letters."""
    system = run.system
    page = f"<html><title>echo {urlencode(CANARIES)}</title></html>"
    system.fault(system.erp, path="connect/token", kind="status", args={"status": 502, "body": page, "content_type": "text/html"})
    system.fault(system.erp, path="/Customer", kind="status", times=2, args={"status": 500, "body": FORM})
    system.fault(system.crm, path="companies/batch/upsert", kind="status", times=2, args={"status": 500, "body": BEARER})
    system.fault(system.crm, path="companies/batch/upsert", kind="status", times=500, args={"status": 400, "body": BEARER})
    run.start(system.source, system.streams, system.sink)
    eventually("dead letters", lambda: [place for place, _ in topics(system) if place == "dead-letters"], 120, 0.5)
    assert run.command("rotate") == 0
    system.heal()


def crashed(run: Run) -> None:
    """An answer that nobody expects ends a worker with a traceback that quotes it."""
    system = run.system
    for worker in (system.source, system.sink):
        assert worker.stop() == 0
    token = CANARIES["hubspot.token"]
    system.fault(system.crm, path="account-info", kind="status", args={"status": 200, "body": {"portalId": 1, "timeZone": token}})
    system.fault(system.crm, path="properties", kind="status", args={"status": 429, "body": {**BEARER, "policyName": "DAILY"}})
    when = {"status": 200, "body": [], "headers": {"Date": CANARIES["acumatica.client_secret"]}}
    system.fault(system.erp, path="/entity", kind="status", times=9, args=when)
    run.start(system.source, system.sink)
    assert (system.source.wait(120), system.sink.wait(120)) == (1, 1)
    for worker in (system.source, system.sink):
        assert "Traceback" in worker.log.read_text()


@pytest.mark.parametrize("mutant", ["", "no-scrub"])
def test_no_secret_anywhere(stack: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mutant: str) -> None:
    """Refusals, echoes, dead letters and crashes hold no secret; with our scrubbing switched off the same run is full of them."""
    for name, value in CANARIES.items():
        monkeypatch.setenv(f"SANDBOX_{name.replace('.', '_')}".upper(), value)
    env = {"WEIGHLOCK_TESTING": "1", "WEIGHLOCK_MUTANT": mutant} if mutant else {}
    data = ("--customers", "6", "--contacts", "6", "--seed", "5")
    with System(stack, f"t{secrets.token_hex(4)}.", tmp_path, data, data) as system:
        run = Run(system, **env)
        refused(run)
        echoed(run)
        crashed(run)
        system.stop()
        places = list(run.places())
        wanted = CANARIES | {f"wrong {name}": value for name, value in WRONG.items()} | run.tokens()
    found = leaks(places, wanted)
    hidden = {re.sub(r"^t[0-9a-f]+\.", "", place) for place, content in places if HIDDEN.encode() in content}
    telling = {"setup hubspot", "check", "source-acumatica.log", "sink-hubspot.log", "dead-letters", "audit"}
    if not mutant:
        assert found == []
        assert telling <= hidden, "it was never echoed there, so nothing is proven"
    else:
        leaky = {re.sub(r"^.* in (t[0-9a-f]+\.)?", "", one) for one in found}
        assert telling <= leaky
