"""kill -9 of everything that can be killed, twice each, while it has work in flight and edits go on."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.harness.accounting import account, twice_created
from tests.harness.flight import Tower
from tests.harness.system import System, eventually, running
from weighlock.stack import Stack

ROUNDS = 2


@contextmanager
def edits_going_on(system: System) -> Iterator[list[int]]:
    """A person who edits without rest; gives the list of how many edits each round made."""
    made: list[int] = []
    done = threading.Event()

    def edit() -> None:
        with httpx.Client(trust_env=False, timeout=60) as http:
            while not done.wait(0.3):
                change = {"random": 20, "seed": len(made)}
                made.append(len(http.post(f"{system.erp.url}/__sandbox__/edit", json=change).raise_for_status().json()))

    person = threading.Thread(target=edit, name="editor")
    person.start()
    try:
        yield made
    finally:
        done.set()
        person.join()


def kill_broker_in_flight(tower: Tower, stack: Stack) -> str:
    """SIGKILL the broker while a worker is busy, and start it again."""
    said = tower.busy(("sink-hubspot", "streams", "source-acumatica"))
    pid = stack.kill_kafka()
    time.sleep(1)  # long enough that every client notices
    stack.start_kafka()
    return f"killed broker: pid {pid}, {said}"


def test_nothing_is_lost_or_doubled(local_stack: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """1,000 customers, 2,000 contacts; producer, stream worker, sink and broker killed twice each at work: agreement, all accounted for."""
    data = ("--customers", "1000", "--contacts", "2000", "--seed", "5")
    with running(local_stack, tmp_path, *data, acumatica=("--set", "latency_seconds=0.1")) as system:
        tower = Tower(system)
        system.fault(system.crm, kind="slow", path="batch", times=10**6, args={"seconds": 0.15})
        system.start()
        said = []
        with edits_going_on(system) as made:
            for _ in range(ROUNDS):
                for role in ("source-acumatica", "streams", "sink-hubspot"):
                    said.append(tower.kill_in_flight(role))
                    system.workers[role].start()
                said.append(kill_broker_in_flight(tower, local_stack))
        with capsys.disabled():
            print("", *said, f"{sum(made)} edits meanwhile", sep="\n  ")
        assert len(said) == ROUNDS * 4
        system.heal()
        verdict = system.agree(150)
        assert verdict["companies"] >= 1000
        assert all(worker.status is None for worker in system.workers.values()), "a worker died by itself"
        eventually("nothing is left to read", tower.idle)
        found = account(system.wire)
        assert found.problems == []
        assert twice_created(system.crm.get("/log")) == []
