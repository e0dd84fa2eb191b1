"""All of Weighlock against two sandboxes, for tests that kill parts of it: the stack is given, all the rest is this system's own."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol
from unittest import mock

from weighlock import wiring
from weighlock.demo.sandboxes import Sandbox, settings_for
from weighlock.kafka.wire import Wire
from weighlock.processes import spawn, stop
from weighlock.settings import Settings

TENANT = "demo"
#: Twelve for each customer would make every test one of invoices.
FEW = "40"
WORKERS = ("source-acumatica", "streams", "sink-hubspot")


class Broker(Protocol):
    """Where a Kafka and its registry are."""

    @property
    def kafka(self) -> str: ...
    @property
    def registry(self) -> str: ...


class Worker:
    """One worker's process, started again and again under the same member name. `env` of a start arms fail-points and mutants."""

    def __init__(self, name: str, env: Mapping[str, str], log: Path, member: str = "0") -> None:
        self.name, self.env, self.log, self.member = name, dict(env), log, member
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, **env: str) -> None:
        assert self.process is None or self.process.poll() is not None, f"{self.name} runs already"
        command = [sys.executable, "-m", "weighlock", "run", self.name, "--member", self.member]
        self.process = spawn(command, {**self.env, **({"WEIGHLOCK_TESTING": "1"} if env else {}), **env}, self.log)

    @property
    def pid(self) -> int:
        assert self.process is not None, f"{self.name} was never started"
        return self.process.pid

    @property
    def status(self) -> int | None:
        """Its exit status; None while it runs."""
        assert self.process is not None, f"{self.name} was never started"
        return self.process.poll()

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def kill(self) -> int:
        """SIGKILL; returns the pid, once it is gone."""
        assert self.process is not None, f"{self.name} was never started"
        assert self.status is None, f"{self.name} is not there to be killed: see {self.log}"
        self.process.kill()
        self.process.wait()
        return self.process.pid

    def wait(self, seconds: float) -> int:
        """Its exit status, once it has ended by itself; AssertionError with the end of its log if it does not in time."""
        assert self.process is not None
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} did not end within {seconds} s; its log ends:\n{self.tail()}") from None

    def stop(self) -> int | None:
        """SIGTERM and its exit status; None where it was never started."""
        return stop(self.process, 60) if self.process is not None else None

    def said(self) -> list[dict[str, Any]]:
        """The lines of its log that are JSON, oldest first."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return [json.loads(line) for line in text.splitlines() if line.startswith("{") and line.endswith("}")]

    def tail(self, lines: int = 15) -> str:
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])


class System:
    """Two sandboxes with one data set, topics, HubSpot's properties, and the three workers (not started)."""

    def __init__(
        self, broker: Broker, prefix: str, folder: Path, acumatica: tuple[str, ...] = (), hubspot: tuple[str, ...] = (), more: str = ""
    ) -> None:
        """`acumatica`, `hubspot`: arguments of the two sandboxes; `more`: sections of the settings."""
        folder.mkdir(parents=True, exist_ok=True)
        self.broker, self.folder, self._more = broker, folder, more
        self._closing = ExitStack()
        self.erp, self.crm = Sandbox("acumatica", folder, *acumatica), Sandbox("hubspot", folder, *hubspot)
        self.use(prefix)

    def use(self, prefix: str) -> None:
        """Other topics, groups and state from now on: what ran before is forgotten."""
        path, state = self.folder / f"{prefix}toml", self.folder / f"{prefix}state"
        text = settings_for(self.broker.kafka, self.broker.registry, self.erp.url, self.crm.url, TENANT, state)
        path.write_text(f'prefix = "{prefix}"\n{text}{self._more}')
        # the shell of whoever runs the tests may name another Kafka, and the environment goes over the file
        self.env = {"WEIGHLOCK_CONFIG": str(path), "WEIGHLOCK_KAFKA": self.broker.kafka, "WEIGHLOCK_REGISTRY": self.broker.registry}
        with mock.patch.dict(os.environ, self.env):
            self.settings = Settings.load()
        self.wire: Wire = wiring.wire(self.settings)
        names = [worker.name for worker in wiring.workers(self.settings)]
        self.workers = {name: Worker(name, self.env, self.folder / f"{prefix}{name}.log") for name in names}

    def __enter__(self) -> System:
        with ExitStack() as closing:
            for sandbox in (self.erp, self.crm):
                closing.callback(sandbox.close)
                sandbox.wait(90)
            closing.callback(self.stop)
            self._closing = closing.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    @property
    def source(self) -> Worker:
        return self.workers["source-acumatica"]

    @property
    def streams(self) -> Worker:
        return self.workers["streams"]

    @property
    def sink(self) -> Worker:
        return self.workers["sink-hubspot"]

    def prepare(self) -> None:
        """Topics, schemas, HubSpot's properties."""
        wiring.topics(self.settings, apply=True)
        wiring.setup_hubspot(self.settings, dry_run=False)

    def start(self, *names: str) -> None:
        for name in names or self.workers:
            self.workers[name].start()

    def stop(self) -> None:
        """All workers at once, each with the same time to finish."""
        running = [worker for worker in self.workers.values() if worker.process is not None]
        for worker in running:
            if worker.status is None:
                worker.signal(signal.SIGCONT)
                worker.signal(signal.SIGTERM)
        for worker in running:
            worker.stop()

    def command(self, *arguments: str, given: str | None = None, **env: str) -> subprocess.CompletedProcess[str]:
        """`weighlock ...`, to its end; `given` is what it reads."""
        command, around = [sys.executable, "-m", "weighlock", *arguments], {**os.environ, **self.env, **env}
        return subprocess.run(command, input=given, env=around, capture_output=True, text=True, check=False, timeout=120)

    def compare(self) -> dict[str, Any]:
        """The verdict of the comparer, which runs as a process of its own and knows nothing of us."""
        command = [sys.executable, "-m", "sandbox.comparer", "--acumatica", self.erp.url, "--hubspot", self.crm.url, "--tenant", TENANT]
        done = subprocess.run([*command, "--json"], capture_output=True, text=True, check=False)
        assert done.returncode in (0, 1), done.stderr
        verdict: dict[str, Any] = json.loads(done.stdout)
        return verdict

    def agree(self, seconds: float = 120) -> dict[str, Any]:
        """Wait until the two agree; AssertionError with the findings and the workers' last lines if they do not in time."""
        until = time.monotonic() + seconds
        while not (verdict := self.compare())["agreed"]:
            gone = [worker.name for worker in self.workers.values() if worker.process is not None and worker.status is not None]
            assert not gone, f"{gone} ended by itself\n{self.disagreement(verdict)}"
            assert time.monotonic() < until, self.disagreement(verdict)
            time.sleep(0.5)
        return verdict

    def settle(self, quiet: float = 4, seconds: float = 60) -> dict[str, Any]:
        """The verdict once HubSpot has been written to, and no more for `quiet` seconds. For those who expect a disagreement."""
        until, seen, since = time.monotonic() + seconds, -1, time.monotonic()
        while time.monotonic() < until:
            last = sum(entry["actor"] == "api" for entry in self.crm.get("/log"))
            if last != seen or not last:
                seen, since = last, time.monotonic()
            if time.monotonic() - since > quiet:
                break
            time.sleep(0.25)
        return self.compare()

    def disagreement(self, verdict: dict[str, Any]) -> str:
        findings = [f"{kind}: {one}" for kind in ("missing", "doubled", "stale", "altered") for one in verdict[kind][:5]]
        logs = [f"--- {worker.name} ({worker.log})\n{worker.tail()}" for worker in self.workers.values()]
        return "\n".join([verdict["line"], *findings, *logs])

    def fault(self, sandbox: Sandbox, **rule: Any) -> None:
        sandbox.http.post("/faults", json=rule).raise_for_status()

    def heal(self) -> None:
        """No faults in either sandbox any more."""
        for sandbox in (self.erp, self.crm):
            sandbox.http.delete("/faults").raise_for_status()


def eventually(what: str, true: Callable[[], Any], seconds: float = 60, every: float = 0.1) -> Any:
    """Wait for a condition; returns what it gave. AssertionError naming `what` otherwise."""
    until = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < until, f"not within {seconds} s: {what}"
        time.sleep(every)
    return found


@contextmanager
def running(
    broker: Broker, folder: Path, *data: str, acumatica: tuple[str, ...] = (), hubspot: tuple[str, ...] = (), more: str = ""
) -> Iterator[System]:
    """A prepared system; `data` are arguments of both sandboxes (a few invoices, unless they say how many). The workers are yet to be
    started."""
    data = data if "--invoices" in data else (*data, "--invoices", FEW)
    with System(broker, f"t{secrets.token_hex(4)}.", folder, (*data, *acumatica), (*data, *hubspot), more) as system:
        system.prepare()
        yield system
