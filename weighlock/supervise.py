"""All workers on one machine: started as children, started again when they die, ended in order."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from weighlock.processes import spawn, stop

#: Exit statuses of a worker that a new start would not mend: bad settings, refused credentials.
HOPELESS = (2, 3)
GRACE_SECONDS = 20.0


@dataclass
class Child:
    """One worker's process, and when it may be started again after it died."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    deaths: int = 0
    started: float = field(default_factory=time.monotonic)
    again_at: float | None = None
    given_up: bool = False


class Supervisor:
    """Keeps the named workers running. `report` gets a sentence whenever one dies or starts again."""

    def __init__(self, workers: Sequence[str], env: Mapping[str, str], logs: Path, report: Callable[[str], None]) -> None:
        self.env, self.logs, self.report = env, logs, report
        logs.mkdir(parents=True, exist_ok=True)
        self.children = {name: Child(name, self._spawn(name), logs / f"{name}.log") for name in workers}

    def _spawn(self, name: str) -> subprocess.Popen[bytes]:
        return spawn([sys.executable, "-m", "weighlock", "run", name], self.env, self.logs / f"{name}.log")

    def tend(self) -> None:
        """Look once after every child: note the dead, start again those whose pause (1 s, doubling to 30 s) is over."""
        for child in self.children.values():
            status, at = child.process.poll(), time.monotonic()
            if status is None or child.given_up:
                continue
            if child.again_at is None:
                child.deaths = 1 if at - child.started > 60 else child.deaths + 1
                child.given_up = status in HOPELESS
                child.again_at = at + min(30.0, 2.0 ** (child.deaths - 1))
                what = "it will not be started again: see its last lines" if child.given_up else f"again in {child.again_at - at:.0f} s"
                self.report(f"{child.name} ended with status {status}; {what} ({child.log})")
            elif at >= child.again_at:
                child.process, child.started, child.again_at = self._spawn(child.name), at, None

    @property
    def lost(self) -> list[Child]:
        """Those that were given up."""
        return [child for child in self.children.values() if child.given_up]

    def run(self, stopping: threading.Event) -> None:
        """Until told to stop, or every child was given up."""
        while not stopping.wait(0.5):
            self.tend()
            if len(self.lost) == len(self.children):
                return

    def close(self) -> None:
        """End them all: each gets SIGTERM at once, and the same time to finish."""
        for child in self.children.values():
            if child.process.poll() is None:
                child.process.terminate()
        for child in self.children.values():
            stop(child.process, GRACE_SECONDS)
