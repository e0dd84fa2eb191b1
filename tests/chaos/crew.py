"""Two copies of every worker: which of them holds what, killing one at work, and pausing one until the others think it is dead."""

from __future__ import annotations

import json
import re
import signal
import time
from typing import Any

from confluent_kafka import KafkaException

from tests.harness.flight import EDGES, Tower
from tests.harness.system import WORKERS, System, Worker
from weighlock.kafka.admin import admin_client

#: Those of the deals, a copy each: there are few deals, and two cores.
DEALERS = ("source-hubspot", "sink-acumatica")
#: A worker that ended by itself with one of these would not be mended by a new start (`weighlock.supervise`).
HOPELESS = (2, 3)


class Copy:
    """One process. `up_at`: when it is to be started again; `wake_at`: when it is to be woken (both by time.monotonic)."""

    def __init__(self, worker: Worker) -> None:
        self.worker, self.role = worker, worker.name
        self.name = f"{worker.name} {worker.member}"
        self.up_at: float | None = None
        self.wake_at: float | None = None
        self._begins = 0

    def start(self) -> None:
        self._begins = self.worker.log.stat().st_size if self.worker.log.exists() else 0
        self.up_at = None
        self.worker.start()

    def stop(self, seconds: float = 90) -> list[str]:
        """SIGTERM; what was wrong about its end. One that does not end in time is made to write down where each of its threads is."""
        self.worker.signal(signal.SIGTERM)
        try:
            status = self.worker.wait(seconds)
        except AssertionError:
            self.worker.signal(signal.SIGABRT)
            return [f"{self.name} did not stop within {seconds} s ({self.worker.wait(10)}):\n{self.worker.tail(60)}"]
        return [f"{self.name} stopped with status {status}:\n{self.worker.tail(5)}"] if status else []

    @property
    def running(self) -> bool:
        return self.worker.process is not None and self.worker.status is None and self.wake_at is None

    def holds(self) -> set[int]:
        """The partitions that it works on, as its log since its start tells; {0} for the producer that leads."""
        found: set[int] = set()
        for entry in self._said():
            event = str(entry.get("event", ""))
            if event == "partition taken":
                found.add(int(entry["partition"]))
            elif event == "partition given away":
                found.discard(int(entry["partition"]))
            elif event.startswith("assigned: "):
                found = {int(number) for number in re.findall(r"\d+", event)}
            elif event in ("leading", "standing in line again"):
                found = {0} if event == "leading" else set()
        return found

    def _said(self) -> list[dict[str, Any]]:
        with self.worker.log.open("rb") as log:
            log.seek(self._begins)
            lines = log.read().splitlines()
        return [json.loads(line) for line in lines if line.startswith(b"{") and line.endswith(b"}")]


class Crew:
    """All copies of a system, and what was done to them."""

    def __init__(self, system: System, copies: int = 2) -> None:
        self.system, self.tower = system, Tower(system)
        self.copies: list[Copy] = []
        for role, times in (*((role, copies) for role in WORKERS), *((role, 1) for role in DEALERS)):
            for number in range(times):
                log = system.folder / f"{role}-{number}.log"
                worker = Worker(role, system.env, log, str(number))
                system.workers[role if number == 0 else f"{role} {number}"] = worker  # so that the system stops it too
                self.copies.append(Copy(worker))
        self.kills, self.kills_in_flight, self.zombies, self.deaths = 0, 0, 0, 0
        self.problems: list[str] = []

    def start(self) -> None:
        for copy in self.copies:
            copy.start()

    def choose(self, role: str, at_random: float) -> Copy | None:
        """One of the copies that run and hold something; None if none does."""
        fit = [copy for copy in self.copies if copy.role == role and copy.running and copy.holds()]
        return fit[int(at_random * len(fit))] if fit else None

    def kill(self, copy: Copy, again_after: float, patience: float = 6.0) -> str:
        """SIGKILL, at a moment when it has work in flight if there is one within `patience` seconds. It is stopped while we look, so
        what is said of it still holds when it dies."""
        until, work = time.monotonic() + patience, None
        while work is None and time.monotonic() < until and copy.worker.status is None:
            work = self._frozen(copy)
        if copy.worker.status is not None:
            return f"{copy.name} ended before it could be killed"
        pid = copy.worker.kill()
        self.kills += 1
        self.kills_in_flight += work is not None
        copy.up_at = time.monotonic() + again_after
        return f"killed {copy.name} (pid {pid}): {work or 'nothing in flight'}; again in {again_after:.1f} s"

    def pause(self, copy: Copy, seconds: float) -> str:
        """SIGSTOP: for longer than its session lasts, so that the others take over what it holds and it wakes as a zombie."""
        until, work = time.monotonic() + 2, None
        while work is None and time.monotonic() < until and copy.worker.status is None:
            work = self._frozen(copy)
        if copy.worker.status is not None:
            return f"{copy.name} ended before it could be paused"
        copy.worker.signal(signal.SIGSTOP)
        copy.wake_at = time.monotonic() + seconds
        return f"paused {copy.name} for {seconds:.1f} s: {work or 'nothing in flight'}"

    def tend(self) -> list[str]:
        """Wakes and starts those whose time has come, and those that ended by themselves; what was done."""
        said, now = [], time.monotonic()
        for copy in self.copies:
            if copy.wake_at is not None and copy.wake_at <= now:
                copy.worker.signal(signal.SIGCONT)
                copy.wake_at = None
                self.zombies += 1
                said.append(f"{copy.name} wakes")
            if copy.up_at is not None and copy.up_at <= now:
                copy.start()
            elif copy.up_at is None and copy.worker.status is not None:
                self.deaths += 1
                said.append(f"{copy.name} ended by itself with status {copy.worker.status}")
                if copy.worker.status in HOPELESS:
                    self.problems.append(f"{said[-1]}:\n{copy.worker.tail(3)}")
                copy.up_at = now + 1
        return said

    def everybody_up(self) -> None:
        """No one paused or down any more."""
        for copy in self.copies:
            if copy.wake_at is not None:
                copy.wake_at = 0.0
            if copy.up_at is not None:
                copy.up_at = 0.0
        self.tend()

    def _frozen(self, copy: Copy) -> str | None:
        """Its work in flight, with the process stopped; None, and it goes on, if there is none."""
        if self._work(copy) is None:
            time.sleep(0.01)
            return None
        copy.worker.signal(signal.SIGSTOP)
        work = self._work(copy)
        if work is None:
            copy.worker.signal(signal.SIGCONT)
        return work

    def _work(self, copy: Copy) -> str | None:
        """Of the partitions that it holds: records that nobody has finished, or a transaction that is open."""
        group, reads, writes = EDGES[copy.role]
        held, leads = copy.holds(), copy.role.startswith("source-")
        try:
            ends, stable = self.tower.ends(writes), self.tower.ends(writes, committed=True)
            opened = [place for place in ends if stable[place] < ends[place] and (leads or place[1] in held)]
            lag = 0
            if group:
                done = self.tower.committed(group)
                for place, end in self.tower.ends(reads, committed=True).items():
                    lag += max(0, end - done.get(place, 0) - 1) if place[1] in held else 0  # a transaction's end counts as a record
        except KafkaException:
            self.tower.admin = admin_client(self.system.settings)
            return None
        if opened or lag > 3:  # and an aborted one leaves more
            return f"{lag} records read or to be read, {len(opened)} open transactions"
        return None
