"""One Kafka and one registry per test run: those that the environment names, else Docker's, else the local stack."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil
import pytest
from hypothesis import HealthCheck, settings

from weighlock import processes
from weighlock.stack import Stack

# A fifth of a second for an example, as hypothesis has it, is a matter of luck where other processes want the cores.
settings.register_profile("beside others", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("beside others")


@dataclass(frozen=True)
class Brokers:
    """Where the tests' Kafka and registry are. `local` is the stack that this run owns, None when somebody else does."""

    kafka: str
    registry: str
    local: Stack | None = None


@contextmanager
def kafka_and_registry(folder: Path) -> Iterator[Brokers]:
    kafka, registry = os.environ.get("WEIGHLOCK_KAFKA"), os.environ.get("WEIGHLOCK_REGISTRY")
    if kafka and registry:
        yield Brokers(kafka, registry)
    elif _docker_answers():
        from tests.docker_stack import containers

        with containers() as (kafka, registry):
            yield Brokers(kafka, registry)
    else:
        with Stack(folder) as local:
            yield Brokers(local.kafka, local.registry, local)


class OneForAll:
    """With `pytest -n 3 --dist loadfile`: who hands out the tests starts Kafka and the registry, and those who run them find both in
    their environment, which they inherit."""

    def __init__(self) -> None:
        self._closing = ExitStack()

    def pytest_xdist_setupnodes(self) -> None:
        folder = Path(self._closing.enter_context(TemporaryDirectory()))
        brokers = self._closing.enter_context(kafka_and_registry(folder))
        os.environ.update(WEIGHLOCK_KAFKA=brokers.kafka, WEIGHLOCK_REGISTRY=brokers.registry)

    def pytest_unconfigure(self) -> None:
        self._closing.close()


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("numprocesses", None) and not hasattr(config, "workerinput"):
        config.pluginmanager.register(OneForAll())


def pytest_terminal_summary(terminalreporter: Any) -> None:
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        for name, value in report.user_properties:
            if name == "says":
                terminalreporter.write_line(value)


@pytest.fixture(scope="session", autouse=True)
def run_marker() -> str:
    """The mark that every process started by this run carries in its environment (`WEIGHLOCK_RUN`)."""
    return processes.run_id()


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Brokers]:
    """The Kafka and registry of this run. Take `local_stack` instead to kill the broker."""
    with kafka_and_registry(tmp_path_factory.mktemp("stack")) as found:
        yield found


@pytest.fixture(scope="session")
def local_stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack that this run owns and whose broker a test may kill: the run's own, or one more beside the one that was given."""
    given: Brokers = request.getfixturevalue("stack")
    if given.local is not None:
        yield given.local
    else:
        with Stack(tmp_path_factory.mktemp("stack")) as own:
            yield own


@pytest.fixture
def prefix() -> str:
    """A prefix of topics, groups and transactional ids that no other test has."""
    return f"t{secrets.token_hex(4)}."


@pytest.fixture(scope="session")
def processes_of() -> Callable[[str], list[psutil.Process]]:
    """Every process of this machine that carries that `WEIGHLOCK_RUN` mark, found in all of them and not in a list of ours."""

    def find(marker: str) -> list[psutil.Process]:
        return [process for process in psutil.process_iter() if _marker(process) == marker]

    return find


def _marker(process: psutil.Process) -> str | None:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return process.environ().get(processes.RUN)
    except (psutil.Error, OSError):
        return None


def _docker_answers() -> bool:
    if not (os.environ.get("DOCKER_HOST") or Path("/var/run/docker.sock").exists()):
        return False
    import docker

    try:
        docker.from_env(timeout=5).ping()
    except (docker.errors.DockerException, OSError):
        return False
    return True
