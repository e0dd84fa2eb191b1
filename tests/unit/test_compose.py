"""docker-compose.yml, the Dockerfile and what goes with them, as far as can be told without a Docker engine."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from weighlock.presence import port_of
from weighlock.settings import Settings
from weighlock.stack import jars
from weighlock.wiring import WORKERS

ROOT = Path(__file__).parents[2]
RUN_WORKER = ROOT / "deploy" / "run-worker"
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if service.get("environment", {}).get("WEIGHLOCK_KAFKA")]


@pytest.fixture
def settings(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """What that service makes of its environment."""
    for name in [name for name in os.environ if name.startswith("WEIGHLOCK_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("WEIGHLOCK_CONFIG", os.devnull)
    for name, value in SERVICES[request.param]["environment"].items():
        monkeypatch.setenv(name, value)  # a number without quotes would fail here: the environment holds texts
    return Settings.load()


def test_images_are_the_versions_of_the_local_stack() -> None:
    """Docker runs the same Kafka and the same registry as `weighlock stack`."""
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{jars.KAFKA}"
    assert SERVICES["registry"]["image"] == f"apicurio/apicurio-registry:{jars.APICURIO}"


def test_every_worker_is_a_service() -> None:
    """One service for each worker of ours, under its name, after the setup, from the one image."""
    commands = {name: service["command"] for name, service in SERVICES.items() if service.get("command", [""])[0] == "run-worker"}
    assert commands == {name: ["run-worker", name] for name in WORKERS}
    for name in WORKERS:
        assert SERVICES[name]["depends_on"] == {"setup": {"condition": "service_completed_successfully"}}
        assert SERVICES[name]["restart"] == "on-failure"
        assert (SERVICES[name]["image"], SERVICES[name]["build"]) == ("weighlock", ".")


@pytest.mark.parametrize("settings", OURS, indirect=True)
def test_the_environment_is_one_that_settings_accept(settings: Settings) -> None:
    """Every service of ours has all sections, and no name that nothing reads."""
    assert settings.need_acumatica()
    assert settings.need_hubspot()
    for service in OURS:
        for name in SERVICES[service]["environment"]:
            section = name.removeprefix("WEIGHLOCK_").split("__")[0].lower()
            assert section in Settings.model_fields, name


def test_who_needs_credentials_sees_the_store() -> None:
    """The setup and every worker share one folder for state, where the credentials may be."""
    assert {*OURS} == {"setup", *WORKERS}
    for name in OURS:
        assert SERVICES[name]["volumes"] == [f"state:{SERVICES[name]['environment']['WEIGHLOCK_STATE']}"]


@pytest.mark.parametrize("settings", WORKERS, indirect=True)
def test_metrics_can_be_scraped(settings: Settings) -> None:
    """Every worker's port is published where the worker serves its metrics: to this machine only."""
    for name in WORKERS:
        port = port_of(settings, name)
        assert SERVICES[name]["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert settings.metrics_host == "0.0.0.0"


@pytest.mark.parametrize("settings", OURS, indirect=True)
def test_addresses_are_services(settings: Settings) -> None:
    """What the settings name is a service of the file; the sandboxes listen where they are looked for."""
    addresses = {"registry": settings.registry, "acumatica": settings.need_acumatica().url, "hubspot": settings.need_hubspot().url}
    for service, url in addresses.items():
        assert urlsplit(url).hostname == service
    for service in ("acumatica", "hubspot"):
        command = SERVICES[service]["command"]
        port = str(urlsplit(addresses[service]).port)
        assert command[command.index("--port") + 1] == port
        assert SERVICES[service]["ports"] == [f"127.0.0.1:{port}:{port}"]
        assert f":{port}/__sandbox__/health" in SERVICES[service]["healthcheck"]["test"][-1]
    assert SERVICES["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"] == f"PLAINTEXT://{settings.kafka}"


def test_services_wait_for_services() -> None:
    """Who is waited for is there; whose health is waited for has a health check."""
    for service in SERVICES.values():
        for other, how in service.get("depends_on", {}).items():
            assert other in SERVICES
            assert how["condition"] != "service_healthy" or "healthcheck" in SERVICES[other]


def test_the_image_holds_the_packages_and_no_settings() -> None:
    """What goes into the build is named one by one: every package of the wheel, and nothing that may hold a secret."""
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert {line[1:] for line in lines if line.startswith("!")} == {*packages, "pyproject.toml", "requirements.lock", "deploy/run-worker"}


@pytest.fixture
def stub(tmp_path: Path) -> dict[str, str]:
    """An environment whose `weighlock` ends with the status it is given, or waits for SIGTERM and then ends with 7."""
    program = tmp_path / "weighlock"
    program.write_text(
        f'#!/bin/sh\nif [ "$2" != wait ]; then exit "$2"; fi\ntrap \'exit 7\' TERM\ntouch "{tmp_path}/up"\nwhile :; do sleep 0.05; done\n'
    )
    program.chmod(0o755)
    return {"PATH": f"{tmp_path}:{os.environ['PATH']}"}


@pytest.mark.parametrize(("ended", "seen"), [(0, 0), (1, 1), (2, 0), (3, 0), (4, 4)])
def test_a_new_start_that_would_not_help_is_not_asked_for(stub: dict[str, str], ended: int, seen: int) -> None:
    """Wrong settings and refused credentials end the container for good; all other failures are Docker's to start again."""
    done = subprocess.run([RUN_WORKER, str(ended)], env=stub, capture_output=True, text=True, check=False)
    assert done.returncode == seen
    assert (f"status {ended}" in done.stderr) == (ended in (2, 3))


def test_sigterm_reaches_the_worker(stub: dict[str, str], tmp_path: Path) -> None:
    """`docker stop` signals the script; the worker ends in its own way, and its status is told."""
    process = subprocess.Popen([RUN_WORKER, "wait"], env=stub)
    until = time.monotonic() + 60
    while not (tmp_path / "up").exists():
        assert time.monotonic() < until
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 7
