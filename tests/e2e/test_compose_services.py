"""docker-compose.yml without Docker: its commands with its environment as processes of this machine, service names put by addresses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.harness.system import Broker, eventually
from weighlock.processes import free_port, spawn, stop
from weighlock.wiring import WORKERS

ROOT = Path(__file__).parents[2]
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


class Here:
    """The file's services on this machine, each at a free port, with topics and a folder of their own."""

    def __init__(self, broker: Broker, prefix: str, folder: Path) -> None:
        self.folder, self.prefix = folder, prefix
        self.ports = {name: str(free_port()) for name in ("8801", "8802", "9464")}
        self._instead = {
            "kafka:9092": broker.kafka,
            "http://registry:8080/apis/ccompat/v7": broker.registry,
            "http://acumatica:8801": f"http://127.0.0.1:{self.ports['8801']}",
            "http://hubspot:8802": f"http://127.0.0.1:{self.ports['8802']}",
            "/var/lib/weighlock": str(folder / "state"),
            "0.0.0.0": "127.0.0.1",
            **self.ports,
        }
        (program := folder / "weighlock").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m weighlock "$@"\n')
        program.chmod(0o755)
        self.path = f"{folder}:{ROOT / 'deploy'}:{Path(sys.executable).parent}:{os.environ['PATH']}"

    def environment(self, service: str) -> dict[str, str]:
        given = {name: self._instead.get(value, value) for name, value in SERVICES[service]["environment"].items()}
        return {**given, "PATH": self.path, "WEIGHLOCK_PREFIX": self.prefix, "WEIGHLOCK_CONFIG": os.devnull}

    def command(self, service: str) -> list[str]:
        words = [self._instead.get(word, word) for word in SERVICES[service]["command"]]
        return [*words, "--customers", "12"] if "sandbox" in words else words

    def start(self, service: str) -> subprocess.Popen[bytes]:
        # sh finds the command on the service's own path, and becomes it, as in a container
        return spawn(["sh", "-c", 'exec "$@"', "-", *self.command(service)], self.environment(service), self.log(service))

    def log(self, service: str) -> Path:
        return self.folder / f"{service}.log"

    def healthy(self, service: str) -> Callable[[], bool]:
        program, *arguments = SERVICES[service]["healthcheck"]["test"][1:]
        here = [argument.replace(old, new) for argument in arguments for old, new in self.ports.items() if old in argument]
        assert program == "python"
        return lambda: not subprocess.run([sys.executable, "-c", *here], capture_output=True, check=False).returncode

    def verdict(self) -> dict[str, Any]:
        addresses = ["--acumatica", self._instead["http://acumatica:8801"], "--hubspot", self._instead["http://hubspot:8802"]]
        command = [sys.executable, "-m", "sandbox.comparer", *addresses, "--tenant", "demo", "--json"]
        found: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, text=True, check=False).stdout)
        return found


@pytest.fixture
def here(stack: Broker, prefix: str, tmp_path: Path) -> Iterator[tuple[Here, ExitStack]]:
    with ExitStack() as closing:
        yield Here(stack, prefix, tmp_path), closing


def test_the_services_bring_the_two_systems_into_agreement(here: tuple[Here, ExitStack]) -> None:
    """Healthy sandboxes, a setup that ends with 0, then every worker: the two systems agree, and SIGTERM ends each worker with 0."""
    services, closing = here
    for name in ("acumatica", "hubspot"):
        closing.callback(stop, services.start(name), 5)
        eventually(f"{name} is healthy", services.healthy(name))
    assert services.start("setup").wait(120) == 0, services.log("setup").read_text()
    workers = [services.start(name) for name in WORKERS if "profiles" not in SERVICES[name]]
    for worker in workers:
        closing.callback(stop, worker, 60)
    eventually("the two agree", lambda: services.verdict()["agreed"], 150, every=0.5)
    for worker in workers:
        worker.terminate()
    assert [worker.wait(90) for worker in workers] == [0, 0, 0]
