"""A worker of the engine tests: `python -m tests.integration.engine.worker SPEC`, with one agent of agents.py. Ends as streams.app does."""

from __future__ import annotations

import importlib
import json
import logging
import os
import resource
import sys
from pathlib import Path
from typing import Any

import faust

from streams import guards
from streams.engine import engine
from tests.integration.engine import agents
from tests.integration.engine.workbench import APP
from weighlock.settings import Settings


class Report:
    """Lines to the test, on disk before the call returns."""

    def __init__(self, folder: Path, worker: str) -> None:
        self.file = (folder / f"seen.{worker}.{os.getpid()}").open("a", buffering=1)

    def __call__(self, line: object) -> None:
        self.file.write(f"{line}\n")


def build(spec: dict[str, Any]) -> faust.App:
    os.environ["WEIGHLOCK_CONFIG"] = os.devnull
    settings = Settings(kafka=spec["broker"], registry="http://127.0.0.1:1", prefix=spec["prefix"], state=Path(spec["state"]))
    changed = dict(spec["changed"])
    if "agent_supervisor" in changed:  # a class by its name
        changed["agent_supervisor"] = getattr(importlib.import_module("mode"), changed["agent_supervisor"])
    if files := changed.pop("files", None):
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    app = engine(settings, APP, spec["worker"], **changed)
    getattr(agents, spec["agent"])(app, spec["prefix"], Report(settings.state, spec["worker"]))
    return app


def main() -> None:
    logging.basicConfig(level="INFO", format="%(asctime)s %(levelname)s %(name)s %(message)s")
    spec = json.loads(sys.argv[1])
    guards.WATCHDOG_SECONDS, guards.LOOK_SECONDS = 1.0, 0.3
    guards.install(frozenset(spec["off"]))
    if spec["hook"]:
        getattr(agents, spec["hook"])()
    worker = build(spec).Worker(override_logging=False, quiet=True, workdir=".")
    worker.spinner = None
    worker.execute_from_commandline()


if __name__ == "__main__":
    main()
