"""The commands of an operator, against systems that answer."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import psutil
import pytest

from tests.harness.system import Broker, System, eventually, running
from weighlock.processes import RUN, spawn, stop


@pytest.fixture(scope="module")
def system(stack: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with running(stack, tmp_path_factory.mktemp("commands"), "--customers", "12", "--seed", "3") as one:
        yield one


def test_setup_is_idempotent_and_a_dry_run_makes_nothing(system: System) -> None:
    """Set up again, nothing is made; a dry run against an empty portal only tells."""
    again = json.loads(system.command("setup", "hubspot", "--json").stdout)
    assert {row["state"] for row in again} == {"ok"}
    system.crm.http.post("/reset", json={"data": "demo", "customers": 12, "seed": 3}).raise_for_status()
    told = json.loads(system.command("setup", "hubspot", "--dry-run", "--json").stdout)
    assert {row["state"] for row in told} == {"missing"}
    assert json.loads(system.command("setup", "hubspot", "--dry-run", "--json").stdout) == told
    assert {row["state"] for row in json.loads(system.command("setup", "hubspot", "--json").stdout)} == {"created"}


def test_topics_apply_and_check(system: System) -> None:
    """Applied again, all is ok; another number of partitions is refused with what to do."""
    assert {row["state"] for row in json.loads(system.command("topics", "apply", "--json").stdout)} == {"ok"}
    assert system.command("topics", "check").returncode == 0
    refused = system.command("topics", "apply", WEIGHLOCK_PARTITIONS="5")
    assert refused.returncode == 2
    assert "the topic has 4 partitions, the settings say 5" in refused.stderr


def test_check_says_ok(system: System) -> None:
    """Every system answers; Acumatica's seat is free again afterwards."""
    done = system.command("check", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert {row["state"] for row in json.loads(done.stdout)} == {"ok"}
    assert system.erp.get("/calls")["sessions"]["open"] == 0


def test_up_brings_all_workers_and_a_killed_one_back(system: System, processes_of: Callable[[str], list[psutil.Process]]) -> None:
    """`weighlock up` runs every worker, starts a killed one again, and leaves none behind at SIGTERM."""
    marker = system.settings.prefix
    up = spawn([sys.executable, "-m", "weighlock", "up"], {**system.env, RUN: marker}, system.folder / "up.log")
    try:
        system.agree(60)
        victim = eventually("a sink runs", lambda: [p for p in processes_of(marker) if "sink-hubspot" in p.cmdline()])[0]
        victim.kill()
        system.erp.edit(random=3, seed=8)
        system.agree(60)
        assert [p.pid for p in processes_of(marker) if "sink-hubspot" in p.cmdline()] != [victim.pid]
    finally:
        up.send_signal(signal.SIGTERM)
        status = stop(up, 30)
    assert status == 0
    assert processes_of(marker) == []
    assert "sink-hubspot ended with status -9" in (system.folder / "up.log").read_text()


def test_trace_tells_the_whole_way(system: System) -> None:
    """From a customer's number, its ref or the company's, the same way: read, normalised, wished, written, linked."""
    customer = system.erp.get("/dump")["customers"][0]
    by_number = json.loads(system.command("trace", customer["CustomerID"].strip(), "--json").stdout)
    ref = f"acumatica:customer:{customer['id']}"
    assert json.loads(system.command("trace", ref, "--json").stdout) == by_number
    told = " ".join(f"{step['what']} {step['more']}" for step in by_number)
    for word in ("read (snapshot)", "normalised", "wished company/profile", "link hubspot:company:", "written", "ledger hubspot:company:"):
        assert word in told, told
    assert [step["at"] for step in by_number] == sorted(step["at"] for step in by_number)
    company = next(step["more"].split()[0] for step in by_number if step["what"] == "link")
    assert json.loads(system.command("trace", company, "--json").stdout) == by_number
    unknown = system.command("trace", "NOBODY-KNOWS")
    assert unknown.returncode == 1
    assert "no topic has it" in unknown.stdout


def test_stack_commands_find_what_runs(tmp_path) -> None:  # type: ignore[no-untyped-def]
    """`stack up` returns with it ready, a second one finds the first, `down` ends it."""
    command = [sys.executable, "-m", "weighlock", "stack"]
    data = ["--data", str(tmp_path / "stack")]

    def weighlock(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*command, *arguments, *data], env=os.environ, capture_output=True, text=True, check=False, timeout=120)

    try:
        first = json.loads(weighlock("up", "--json").stdout)
        second = json.loads(weighlock("up", "--json").stdout)
        assert first["ready"]
        assert (first["pids"], first["kafka"]) == (second["pids"], second["kafka"])
    finally:
        assert weighlock("down").returncode == 0
    assert weighlock("status").returncode == 1
