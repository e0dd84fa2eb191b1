"""`<data>/stack.json`: the ports (chosen once, kept), and who runs the stack now.

Whoever runs it holds a lock on `<data>/stack.lock`. The kernel lets go of that when the process ends, whatever ended it, so
pids left behind in the file are never mistaken for a running stack.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from weighlock import processes
from weighlock.errors import ConfigError


@dataclass
class State:
    """What is kept in stack.json. `pids` are those of the last start: of `owner`, `kafka` and `registry`."""

    path: Path
    kafka_port: int
    controller_port: int
    registry_port: int
    management_port: int
    cluster_id: str | None = None  # None until the broker's folder is formatted
    pids: dict[str, int] = field(default_factory=dict)

    @property
    def kafka(self) -> str:
        return f"127.0.0.1:{self.kafka_port}"

    @property
    def registry(self) -> str:
        return f"http://127.0.0.1:{self.registry_port}/apis/ccompat/v7"

    def save(self) -> None:
        """Write it in one step: a reader sees the old file or the new one."""
        kept = {name: value for name, value in asdict(self).items() if name != "path"}
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps(kept, indent=2) + "\n")
        new.replace(self.path)


def load(data: Path) -> State | None:
    """The state of this folder, None when there was never a stack. ConfigError when the file cannot be read."""
    path = data / "stack.json"
    try:
        return State(path=path, **json.loads(path.read_text()))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{path} is damaged ({error}): remove the folder {data} and start again") from None


def is_running(data: Path) -> bool:
    """Does a process run the stack of this folder now?"""
    lock = data / "stack.lock"
    if not lock.exists():
        return False
    with lock.open() as file:
        return not _take(file.fileno())


@contextmanager
def claim(data: Path) -> Iterator[State]:
    """Be the one that runs the stack of this folder, until the block ends. ConfigError when another process is."""
    data.mkdir(parents=True, exist_ok=True)
    with (data / "stack.lock").open("w") as file:
        if not _take(file.fileno()):
            state = load(data)
            owner = state.pids.get("owner") if state else None
            raise ConfigError(
                f"the stack of {data} is already running (process {owner}): use it (`weighlock stack status`), "
                "or end it (`weighlock stack down`)"
            )
        state = load(data) or _new(data)
        state.pids = {"owner": os.getpid()}
        state.save()
        yield state


def _new(data: Path) -> State:
    ports: list[int] = []
    while len(ports) < 4:
        ports = list({*ports, processes.free_port()})
    kafka, controller, registry, management = ports
    return State(data / "stack.json", kafka, controller, registry, management)


def _take(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
