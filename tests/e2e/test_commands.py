"""The commands of an operator, against systems that answer."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.harness.system import Broker, System, eventually, running
from weighlock.metrics import NAMES
from weighlock.processes import RUN, free_port, is_free, spawn, stop
from weighlock.wiring import WORKERS, workers


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


@pytest.fixture(scope="module")
def metrics() -> int:
    """The first of so many ports in a row that are free; looked for at the last moment, for others look for ports too."""
    return next(port for port in iter(free_port, None) if all(is_free(port + more) for more in range(len(WORKERS))))


@pytest.fixture(scope="module")
def up(system: System, metrics: int) -> Iterator[subprocess.Popen[bytes]]:
    """`weighlock up`, which runs until the last test but for those that end it."""
    env = {**system.env, RUN: system.settings.prefix, "WEIGHLOCK_METRICS_PORT": str(metrics)}
    process = spawn([sys.executable, "-m", "weighlock", "up"], env, system.folder / "up.log")
    yield process
    stop(process, 90)


def test_up_brings_all_workers_and_a_killed_one_back(
    system: System, up: subprocess.Popen[bytes], processes_of: Callable[[str], list[psutil.Process]]
) -> None:
    """`weighlock up` runs every worker, and starts a killed one again."""
    marker = system.settings.prefix
    system.agree()
    victim = eventually("a sink runs", lambda: [p for p in processes_of(marker) if "sink-hubspot" in p.cmdline()])[0]
    victim.kill()
    system.erp.edit(random=3, seed=8)
    system.agree()
    assert [p.pid for p in processes_of(marker) if "sink-hubspot" in p.cmdline()] != [victim.pid]
    assert "sink-hubspot ended with status -9" in (system.folder / "up.log").read_text()


def test_status_and_waiting_tell_what_stands_still(system: System, up: subprocess.Popen[bytes], metrics: int) -> None:
    """A customer without a name is a dead letter; its contact waits for it, and both commands say so, with the reason and the limit."""
    system.erp.edit(entity="customer", create={"CustomerID": "NONAME", "CustomerName": ""})
    system.erp.edit(entity="contact", create={"BusinessAccount": "NONAME", "LastName": "Patient", "Email": "patient@noname.example"})

    def waiting() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(system.command("waiting", "--json").stdout)
        return found if any(one["why"].startswith("rejected") for one in found) else []

    (held,) = eventually("a contact waits, and why is known", waiting, 120, 0.5)
    customer = next(row for row in system.erp.get("/dump")["customers"] if row["CustomerID"].strip() == "NONAME")
    assert held["waits_for"] == f"acumatica:customer:{customer['id']}"
    assert held["why"].startswith("rejected: the customer has no name")
    assert (held["system"], held["wishes"], held["facets"]) == ("hubspot", 1, "contact/profile")
    assert datetime.fromisoformat(held["until"]) - datetime.fromisoformat(held["since"]) == timedelta(hours=72)
    told = status_at_rest(system)
    flows = {(row["source"], row["entity"], row["target"]): row for row in told["flows"]}
    customers, contacts = flows["acumatica", "customer", "hubspot"], flows["acumatica", "contact", "hubspot"]
    assert (customers["objects"], customers["waiting"], customers["dead_letters"]) == (["company"], 0, 1)
    assert (contacts["objects"], contacts["waiting"], contacts["dead_letters"]) == (["contact"], 1, 0)
    assert customers["last_error"]["said"].startswith("the customer has no name")
    assert customers["events"]["written"] >= 12
    assert customers["checkpoint_seconds"] < 300
    assert {row["worker"]: row["copies"] for row in told["workers"]} == {worker.name: 1 for worker in workers(system.settings)}
    for worker in told["workers"]:
        (report,) = worker["reports"]
        assert report["metrics"].endswith(f":{metrics + list(WORKERS).index(worker['worker'])}")
        assert report["partitions"] == own_partitions(worker)
    budgets = {(one["system"], one["name"]): one for worker in told["workers"] for one in worker["reports"][0]["budgets"]}
    assert budgets["acumatica", "minute"]["limit"] == 6000
    assert budgets["hubspot", "day"]["used"] > 0
    shown = system.command("status").stdout
    assert "acumatica contact → hubspot contact" in shown
    assert "the customer has no name" in shown


def status_at_rest(system: System) -> dict[str, Any]:
    """Nothing is to be done any more, to the record: the ends of transactions are no lag. And every worker spoke of itself."""

    def at_rest() -> dict[str, Any] | None:
        told: dict[str, Any] = json.loads(system.command("status", "--json").stdout)
        spoke = all(worker["reports"] and worker["reports"][0]["partitions"] == own_partitions(worker) for worker in told["workers"])
        return told if spoke and not any(row["lag"] for row in (*told["flows"], *told["workers"])) else None

    found: dict[str, Any] = eventually("no flow lags, every worker has its partitions", at_rest, 120, 0.5)
    return found


def own_partitions(worker: dict[str, Any]) -> int:
    return 1 if worker["worker"].startswith("source") else 4


def test_every_worker_serves_its_metrics(system: System, up: subprocess.Popen[bytes], metrics: int) -> None:
    """Each at its own port; what they count is what happened, and every metric that we name is there where something of it happened."""
    system.erp.edit(random=3, seed=9)
    system.agree()

    def counted() -> bool:
        """The sink counts what it wrote when that is committed; the lag is looked at every ten seconds."""
        one = Scrape(metrics + 2)
        return bool(one.value("weighlock_freshness_seconds_count", target="hubspot")) and "weighlock_lag_records" in one.names

    eventually("the sink has counted", counted, every=1)
    source, streams, sink = (Scrape(metrics + number) for number in range(3))
    assert source.value("weighlock_records_total", stage="source", entity="customer", event="read") >= 12
    assert source.value("weighlock_partitions", worker="source-acumatica") == 1
    assert source.value("weighlock_polled_timestamp_seconds", entity="contact") > 1_700_000_000
    assert source.value("weighlock_calls_total", system="acumatica", status="200") > 3
    assert streams.value("weighlock_records_total", stage="normalise", entity="customer", event="normalised") >= 12
    assert streams.value("weighlock_records_total", stage="normalise", entity="customer", event="rejected") == 1
    assert streams.value("weighlock_records_total", stage="route", entity="contact", event="wished") >= 12
    assert sink.value("weighlock_records_total", stage="sink", entity="contact", facet="profile", event="waiting") >= 1
    assert sink.value("weighlock_waiting_records", entity="contact", target="hubspot") >= 1
    assert sink.value("weighlock_budget_limit", system="hubspot", budget="burst") == 150
    assert sink.value("weighlock_freshness_seconds_count", target="hubspot") >= 1
    eventually("the sink's lag is none", lambda: Scrape(metrics + 2).value("weighlock_lag_records", topic="upserts.hubspot") == 0, every=1)
    assert {*NAMES} - {"weighlock_log_lines_total"} <= source.names | streams.names | sink.names


class Scrape:
    """What a worker says at that port of 127.0.0.1."""

    def __init__(self, port: int) -> None:
        text = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False, timeout=60).raise_for_status().text
        self.samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
        self.names = {sample.name for sample in self.samples}

    def value(self, name: str, **labels: str) -> float:
        """The sum of those with these labels."""
        return sum(one.value for one in self.samples if one.name == name and labels.items() <= one.labels.items())


def test_trace_tells_the_whole_way(system: System, up: subprocess.Popen[bytes]) -> None:
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


def test_up_leaves_nothing_behind(system: System, up: subprocess.Popen[bytes], processes_of: Callable[[str], list[psutil.Process]]) -> None:
    """At SIGTERM every worker ends, and the command with status 0."""
    up.send_signal(signal.SIGTERM)
    assert stop(up, 90) == 0
    assert processes_of(system.settings.prefix) == []


def test_stack_commands_find_what_runs(tmp_path) -> None:  # type: ignore[no-untyped-def]
    """`stack up` returns with it ready, a second one finds the first, `down` ends it."""
    command = [sys.executable, "-m", "weighlock", "stack"]
    data = ["--data", str(tmp_path / "stack")]

    def weighlock(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*command, *arguments, *data], env=os.environ, capture_output=True, text=True, check=False, timeout=300)

    try:
        first = json.loads(weighlock("up", "--json").stdout)
        second = json.loads(weighlock("up", "--json").stdout)
        assert first["ready"]
        assert (first["pids"], first["kafka"]) == (second["pids"], second["kafka"])
    finally:
        assert weighlock("down").returncode == 0
    assert weighlock("status").returncode == 1
