"""`weighlock demo`: the whole of it on one machine, from nothing to a verdict.

It starts Kafka and the registry, the two sandboxes and all workers, shows the first sync, edits records in the ERP's sandbox and shows each
arrive in the CRM's, and lets the comparer, which knows nothing of us, say whether the two agree.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from weighlock.demo.freshness import Arrival, arrivals, key_of, percentile
from weighlock.demo.live import Flows, Look
from weighlock.demo.sandboxes import DEALS, Sandbox, settings_for
from weighlock.demo.scenes import scenes
from weighlock.errors import ConfigError, TransientError
from weighlock.settings import Settings
from weighlock.stack import Stack, is_running
from weighlock.supervise import Supervisor
from weighlock.wiring import workers

FOLDER = Path(".weighlock/demo")
TENANT = "demo"
#: What the shell may say about the run and the local stack: marks and places, no settings.
NO_SETTINGS = ("WEIGHLOCK_RUN", "WEIGHLOCK_CACHE", "WEIGHLOCK_JAVA")
#: What the first sync counts: HubSpot's objects, and their plural.
COUNTED = {"company": "companies", "contact": "contacts", "invoice": "invoices"}
#: The verdict is asked for again until nothing has moved for this long.
PATIENCE_SECONDS = 45.0


class Demo:
    """`run` returns whether the two systems agree at the end."""

    def __init__(self, customers: int, seed: int, edits: int, stay: bool, folder: Path = FOLDER) -> None:
        self.customers, self.seed, self.edits, self.stay, self.folder = customers, seed, edits, stay, folder
        self.console = Console(highlight=False)
        self.closing = contextlib.ExitStack()

    def run(self) -> bool:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        for name in [name for name in os.environ if name.startswith("WEIGHLOCK_") and name not in NO_SETTINGS]:
            del os.environ[name]  # the demo has settings of its own; the shell's would go over them
        os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1"  # all of it is on this machine, whatever proxy the shell names
        with self.closing:
            self._start()
            self._first_sync()
            there, late = self._edit()
            agreed = self._play() and self._verdict(there, late)
            if self.stay:
                self._linger()
        return agreed

    def _start(self) -> None:
        if is_running(self.folder / "stack"):
            raise ConfigError(f"another demo runs in {self.folder}: end that one first")
        shutil.rmtree(self.folder, ignore_errors=True)  # every demo begins with an empty log; what was downloaded is kept elsewhere
        logs = self.folder / "logs"
        logs.mkdir(parents=True)
        self._say("Kafka and the schema registry …")
        stack = self.closing.enter_context(Stack(self.folder / "stack", self.console))
        self._say(f"Kafka at {stack.kafka}, registry at {stack.registry}")
        data = ("--data", "demo", "--customers", str(self.customers), "--seed", str(self.seed))
        self.erp, self.crm = (Sandbox(system, logs, *data) for system in ("acumatica", "hubspot"))
        for sandbox in (self.erp, self.crm):
            self.closing.callback(sandbox.close)
            sandbox.wait()
        self._say(f"Acumatica's sandbox at {self.erp.url}, HubSpot's at {self.crm.url}")
        self.env = self._settings(stack.kafka, stack.registry)
        for command in (["topics", "apply"], ["setup", "hubspot"]):
            self._weighlock(*command)
        self._say("topics, schemas and HubSpot's properties are made")
        os.environ |= self.env
        settings = Settings.load()
        self.flows = self.closing.enter_context(contextlib.closing(Flows(self.console, settings)))
        names = [worker.name for worker in workers(settings)]
        supervisor = Supervisor(names, self.env, logs, self._say)
        self.closing.callback(supervisor.close)
        self.supervisor = supervisor
        self._say(f"{len(names)} workers run: {', '.join(names)} (logs in {logs})")

    def _settings(self, kafka: str, registry: str) -> dict[str, str]:
        """Write the weighlock.toml that all workers use, and that anybody may use to look around while the demo stays."""
        path = self.folder / "weighlock.toml"
        text = settings_for(kafka, registry, self.erp.url, self.crm.url, TENANT, self.folder / "state")
        path.write_text(text + DEALS.format(today=datetime.now(UTC).date()))
        return {"WEIGHLOCK_CONFIG": str(path.resolve())}

    def _weighlock(self, *command: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "weighlock", *command], env={**os.environ, **self.env}, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise TransientError(f"weighlock {' '.join(command)} failed: {(done.stderr or done.stdout).strip()}")

    def _say(self, sentence: str) -> None:
        self.console.print(f"[dim]demo:[/] {escape(sentence)}", soft_wrap=True)

    def _first_sync(self) -> None:
        dump = self.erp.get("/dump")
        billed = [one for one in self.erp.get("/books")["documents"] if one["Released"] and one["DocType"] in ("INV", "DRM", "FCH")]
        totals = {"companies": len(dump["customers"]), "contacts": len(dump["contacts"]), "invoices": len(billed)}
        columns = (TextColumn("{task.description:>10}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        progress = Progress(*columns, console=self.console)
        bars = {name: progress.add_task(name, total=total) for name, total in totals.items()}
        with self.flows.shown(progress) as look:
            for counts in self._counts():
                for name, bar in bars.items():
                    progress.update(bar, completed=counts[name])
                look()
                if self._still(counts, totals):
                    break
        verdict = self._settled()
        self._say(f"first sync: {verdict['line']}")

    def _counts(self) -> Iterator[dict[str, int]]:
        """How many records of HubSpot carry our key, from its log, twice a second."""
        seen: dict[str, set[str]] = {plural: set() for plural in COUNTED.values()}
        after = 0
        while True:
            self.supervisor.tend()
            for entry in self.crm.get("/log", after=after):
                after = entry["seq"]
                if entry["key"] and entry["entity"] in COUNTED:
                    seen[COUNTED[entry["entity"]]].add(entry["key"])
            yield {name: len(keys) for name, keys in seen.items()}
            time.sleep(0.5)

    def _still(self, counts: dict[str, int], totals: dict[str, int]) -> bool:
        """Everything came, or (dead letters, out of scope) nothing has come for three seconds after something did."""
        now, previous = time.monotonic(), getattr(self, "_last", (None, 0.0))
        if counts != previous[0]:
            self._last = (counts, now)
            return counts == totals
        nothing_yet = not any(counts.values())
        return now - previous[1] > (120 if nothing_yet else 3)

    def _edit(self) -> tuple[list[Arrival], list[dict[str, Any]]]:
        """Edit records one after the other, each shown when it arrives."""
        if not self.edits:
            return [], []
        self._say(f"editing {self.edits} records in Acumatica's sandbox …")
        with self.flows.shown() as look:
            return self._edit_and_wait(look)

    def _edit_and_wait(self, look: Look) -> tuple[list[Arrival], list[dict[str, Any]]]:
        after = max((entry["seq"] for entry in self.crm.get("/log", after=0)), default=0)
        made: list[dict[str, Any]] = []
        keys: dict[int, str] = {}
        shown: set[int] = set()
        there: list[Arrival] = []
        late: list[dict[str, Any]] = []
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            self.supervisor.tend()
            if len(made) < self.edits:
                entries = self.erp.edit(random=1, seed=self.seed * 1000 + len(made))
                dump = self.erp.get("/dump")
                for entry in entries:
                    keys[entry["seq"]] = key_of(dump, TENANT, entry)
                made += entries
                until = time.monotonic() + PATIENCE_SECONDS
            there, late = arrivals(made, keys, self.crm.get("/log", after=after))
            for edit in (edit for edit in made if edit not in late and edit["seq"] not in shown):
                shown.add(edit["seq"])
                arrived = arrivals([edit], keys, self.crm.get("/log", after=after))[0][0]
                line = f"{arrived.entity} {arrived.number}: {arrived.what}"
                self.console.print(f"  [green]arrived[/] after {arrived.seconds:.2f} s  {escape(line)}", soft_wrap=True)
            if not late and len(made) >= self.edits:
                break
            look()
            time.sleep(0.25)
        return there, late

    def _play(self) -> bool:
        """The scenes, one after the other; did each arrive?"""
        if not self.edits:
            return True
        with self.flows.shown() as look:
            for scene in scenes(self.erp, self.crm, TENANT):
                began = time.monotonic()
                self.console.print(f"  {escape(scene.done)}", soft_wrap=True)
                while (there := scene.there()) is None:
                    if time.monotonic() > began + PATIENCE_SECONDS:
                        self.console.print("  never arrived", style="red")
                        return False
                    self.supervisor.tend()
                    look()
                    time.sleep(0.25)
                self.console.print(f"  [green]there[/] after {time.monotonic() - began:.1f} s  {escape(there)}", soft_wrap=True)
        return True

    def _verdict(self, there: list[Arrival], late: list[dict[str, Any]]) -> bool:
        verdict = self._settled()
        for kind in ("missing", "doubled", "stale", "altered"):
            for finding in verdict[kind][:10]:
                self.console.print(f"  {kind}: {finding}", style="red", markup=False, soft_wrap=True)
        fresh = f"; freshness p95 {percentile([a.seconds for a in there], 0.95):.1f} s" if there else ""
        lost = f"; {len(late)} edits never arrived" if late else ""
        self.console.print(f"demo: {verdict['line']}{fresh}{lost}", soft_wrap=True)
        return bool(verdict["agreed"]) and not late

    def _settled(self) -> dict[str, Any]:
        """The comparer's verdict, asked for again while it says no and something may still be moving."""
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            verdict = self.compare()
            if verdict["agreed"] or time.monotonic() > until:
                return verdict
            self.supervisor.tend()
            time.sleep(1)

    def compare(self) -> dict[str, Any]:
        """What `python -m sandbox.comparer` says of the two dumps."""
        command = [sys.executable, "-m", "sandbox.comparer", "--acumatica", self.erp.url, "--hubspot", self.crm.url]
        done = subprocess.run([*command, "--tenant", TENANT, "--json"], capture_output=True, text=True, check=False)
        if done.returncode not in (0, 1):
            raise TransientError(f"the comparer failed: {done.stderr.strip()}")
        verdict: dict[str, Any] = json.loads(done.stdout)
        return verdict

    def _linger(self) -> None:
        self._say("it goes on running until Ctrl-C. Try:")
        body = '{"random": 5, "seed": 42}'
        code = self.erp.get("/dump")["customers"][0]["CustomerID"].strip()
        for line in (
            f"curl -s -X POST {self.erp.url}/__sandbox__/edit -H 'content-type: application/json' -d '{body}'",
            f"curl -s '{self.crm.url}/__sandbox__/log?after=0' | tail -c 600",
            "kill -9 one of the workers (ps ax | grep 'weighlock run'): it comes back, nothing is lost",
            f"WEIGHLOCK_CONFIG={self.folder}/weighlock.toml {sys.prefix}/bin/weighlock trace {shlex.quote(code)}",
            f"WEIGHLOCK_CONFIG={self.folder}/weighlock.toml {sys.prefix}/bin/weighlock status",
        ):
            self.console.print(f"  {line}", soft_wrap=True, markup=False)
        with contextlib.suppress(KeyboardInterrupt), self.flows.shown() as look:
            while True:
                self.supervisor.tend()
                if self.console.is_terminal:
                    look()
                time.sleep(0.5)
