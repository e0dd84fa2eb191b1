"""Recovery of a table whose changelog ends in an offset that no reader gets: with the guard on and off, on a real broker."""

from __future__ import annotations

import time

from confluent_kafka import Producer

from tests.integration.engine.rules import rule
from tests.integration.engine.test_broker import make, real
from tests.integration.engine.workbench import Bench
from tests.integration.streams_lab import until

__all__ = ["real"]
CHANGELOG = "engine-state-changelog"


def abort_a_transaction(bench: Bench) -> None:
    """The last offset of the changelog is its marker then, as it would be of a transaction that was committed."""
    producer = Producer({"bootstrap.servers": bench.broker, "transactional.id": f"{bench.prefix}copy"})
    producer.init_transactions(20)
    producer.begin_transaction()
    producer.produce(bench.prefix + CHANGELOG, b"aborted", b"k", partition=0)
    producer.flush(20)
    producer.abort_transaction(20)


@rule("recovery-ends")
def test_a_changelog_whose_last_offset_is_no_record(real: Bench, on: bool) -> None:
    """The worker has read all there is and goes to work; stock Faust waits for the last offset for ever."""
    make(real, **{"in": 1, "engine_state_changelog": 1})
    real.put(CHANGELOG, "before")
    abort_a_transaction(real)
    real.put("in", "v")
    real.worker("looks_up", off=() if on else ("recovery-ends",))
    if on:
        assert real.wait_for("before") == ["before"]
        return
    until(lambda: "Restoring state from changelog" in real.log(), "the recovery")
    time.sleep(6)  # Faust's own look at a queue that stays empty comes after five
    assert real.seen() == []
    assert "Recovery complete" not in real.log()
