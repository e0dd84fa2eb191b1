"""The sink while its broker is killed and comes back, on a stack of this run's own."""

from __future__ import annotations

import time
from pathlib import Path

from tests.integration.sink_kit import Desk, Sandbox, company, contact, eventually
from tests.integration.test_sink_hubspot_kills import assert_held, settled
from weighlock.stack import Stack


def test_the_broker_is_killed_under_way(local_stack: Stack, prefix: str, tmp_path: Path) -> None:
    """Killed while batches are in flight, away for longer than a session: the worker waits, joins again, and nothing is lost."""
    sandbox = Sandbox(tmp_path, "--set", "burst_limit=100000", "--set", "associations_limit=100000", "--set", "search_limit=1000")
    fast = {"burst_per_10_seconds": 10_000, "search_per_second": 1000}
    desk = Desk(local_stack.kafka, local_stack.registry, prefix, sandbox, tmp_path, hubspot=fast)
    try:
        worker = desk.start("m")
        sandbox.fault(path="batch/upsert", kind="slow", times=20, args={"seconds": 0.2})  # something is in flight when it dies
        wishes = [company(n, n, domain=f"c{n}.example") for n in range(100)]
        wishes += [contact(n, n, n, email=f"p{n}@x.example") for n in range(100)]
        desk.send(*wishes)
        eventually(lambda: sandbox.calls("batch/upsert"), what="calls under way")
        local_stack.kill_kafka()
        time.sleep(8)  # past the session time-out
        local_stack.start_kafka()
        eventually(lambda: settled(desk), 150)
        assert worker.poll() is None
        assert_held(desk, {wish.subject: wish for wish in wishes})
    finally:
        desk.stop_all()
        sandbox.close()
