"""The stack that stays when the command returns: a keeper process owns it. `up`, `down`, `status`; the CLI calls these."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NotRequired, TypedDict

from rich.console import Console

from weighlock import processes
from weighlock.errors import ConfigError
from weighlock.stack import jars, java, ready
from weighlock.stack.local import Stack
from weighlock.stack.state import is_running, load

_PATIENCE = 240.0


class Status(TypedDict):
    """What `status` and `up` answer. Addresses and pids are None when no process runs the stack."""

    data: str
    running: bool  # a process owns the stack
    ready: bool  # both answer, asked just now
    kafka: str | None
    registry: str | None
    pids: dict[str, int]  # of owner, kafka, registry
    versions: dict[str, str]
    started: NotRequired[bool]  # of `up`: this call started it (False: it was running already)


def status(data: Path) -> Status:
    """How the stack of this folder is, asked of the two themselves. ConfigError when stack.json is damaged."""
    data = data.resolve()
    state = load(data)
    running = state is not None and is_running(data)
    answer = Status(
        data=str(data),
        running=running,
        ready=False,
        kafka=None,
        registry=None,
        pids={},
        versions={"kafka": jars.KAFKA, "registry": jars.APICURIO},
    )
    if state is not None and running:
        answer["kafka"], answer["registry"], answer["pids"] = state.kafka, state.registry, state.pids
        answer["ready"] = ready.kafka_answers(ready.quiet_admin(state.kafka), state.cluster_id) and ready.registry_answers(state.registry)
    return answer


def up(data: Path, console: Console | None = None, heap: str = "512m") -> Status:
    """Start the stack of this folder and leave it running; find it when it runs already (`started` says which).

    ConfigError as for `Stack`, with the keeper's own words.
    """
    data = data.resolve()
    if is_running(data):
        return {**_until_ready(data, lambda: None), "started": False}
    java.find()  # here, where problems and the progress of downloads are seen
    jars.kafka(console)
    jars.apicurio(console)
    data.mkdir(parents=True, exist_ok=True)
    log = data / "keeper.log"
    log.write_text("")
    keeper = processes.spawn_detached([sys.executable, "-m", "weighlock.stack.keeper", str(data), heap], None, log)
    threading.Thread(target=keeper.wait, daemon=True).start()  # should it end while we live, it leaves no zombie
    if console is not None:
        console.print(f"Starting Apache Kafka {jars.KAFKA} and Apicurio Registry {jars.APICURIO} in {data}", soft_wrap=True)
    answer = _until_ready(data, keeper.poll)
    return {**answer, "started": answer["pids"].get("owner") == keeper.pid}


def down(data: Path) -> bool:
    """End the stack of this folder. False when it was not running. ConfigError when it does not end."""
    data = data.resolve()
    state = load(data)
    if state is None or not is_running(data):
        return False
    owner = state.pids["owner"]
    for sign, patience in ((signal.SIGTERM, 60.0), (signal.SIGKILL, 10.0)):
        try:
            os.kill(owner, sign)
        except ProcessLookupError:
            return True
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if not is_running(data):
                return True
            time.sleep(0.05)
    raise ConfigError(f"process {owner}, which runs the stack of {data}, does not end")


def _until_ready(data: Path, ended: Callable[[], int | None]) -> Status:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        answer = status(data)
        if answer["ready"]:
            return answer
        if ended() is not None and not answer["running"]:
            words = (data / "keeper.log").read_text().strip().splitlines()
            raise ConfigError(words[-1] if words else f"the stack did not start: see the logs in {data}")
        time.sleep(0.2)
    raise ConfigError(f"the stack of {data} is not ready after {_PATIENCE:.0f} s: see the logs there")


def keep(data: Path, heap: str) -> int:
    """Own the stack until SIGTERM, or until one of the two ends. Returns the exit status."""
    asked = threading.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda *_: asked.set())
    try:
        with Stack(data, heap=heap) as stack:
            while not asked.wait(1.0):
                if problem := stack.ended():
                    print(problem, flush=True)
                    return 1
    except ConfigError as error:
        print(error, flush=True)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(keep(Path(sys.argv[1]), sys.argv[2]))
