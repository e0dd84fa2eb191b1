"""Engine rules about what is acknowledged and committed: each with the rule on and off, on a mock broker."""

from __future__ import annotations

import pytest

from tests.integration.engine.rules import rule
from tests.integration.engine.workbench import Bench
from tests.integration.streams_lab import until

TEN = [str(n) for n in range(10)]
PRODUCE, JOIN_GROUP = 0, 11
GROUP_AUTHORIZATION_FAILED, TOPIC_AUTHORIZATION_FAILED = 30, 29


@rule("commit-in-order")
def test_event_in_flight_is_not_committed_over(bench: Bench, on: bool) -> None:
    """The first event is not acknowledged, those behind it are: after a kill it is read again; without the guard it is gone."""
    bench.mock({"in": 2})
    bench.put("in", "0", "1", "2")
    bench.put("in", "0", "1", "2", partition=1)
    worker = bench.worker("hold_first", off=() if on else ("commit-in-order",))
    until(lambda: bench.committed("in", 1) == 3, "partition 1 committed")  # in the same commit as partition 0
    bench.kill(worker)
    bench.put("in", "3")
    bench.worker("hold_first")
    assert ("0/0" in bench.wait_for("0/3")) is on


@rule("commit-after-produce")
def test_lost_output_is_not_committed(bench: Bench, on: bool) -> None:
    """The broker refuses an output: the worker crashes and does it again; without the guard it is committed and never written."""
    bench.mock({"in": 1, "out": 1})
    bench.put("in", "a")
    worker = bench.worker("forward", off=() if on else ("commit-after-produce",), hook="refuse_first_output")
    if on:
        assert worker.wait(120) == 1
        assert bench.committed("in") == 0
        bench.worker("forward")
        assert [record.value() for record in bench.records("out", 1)] == [b"a"]
    else:
        until(lambda: bench.committed("in") == 1, "the commit")
        assert (bench.end("out"), worker.poll()) == (0, None)


@rule("commit-after-produce")
def test_slow_changelog_is_not_committed_over(bench: Bench, on: bool) -> None:
    """The broker is slow to take the changelog: the commit waits for it; without the guard a kill loses table entries for good."""
    bench.mock({"in": 1, "engine-state-changelog": 1}, slow=["engine-state-changelog"], delay_ms=500)
    bench.put("in", *(str(n) for n in range(400)))
    worker = bench.worker("written_by_agent", off=() if on else ("commit-after-produce",), producer_max_batch_size=512)
    until(lambda: bench.committed("in") > 0, "the first commit")
    bench.kill(worker)
    assert (bench.end("engine-state-changelog") >= bench.committed("in")) is on


@rule("coordinator-watchdog")
def test_failed_coordinator_ends_the_worker(bench: Bench, on: bool) -> None:
    """The group refuses the member: the worker ends, so that somebody sees it; without the guard it lives on and reads nothing."""
    bench.mock({"in": 1}, errors=[[JOIN_GROUP, GROUP_AUTHORIZATION_FAILED, 1]])
    bench.put("in", "a")
    worker = bench.worker("read", off=() if on else ("coordinator-watchdog",))
    if on:
        assert worker.wait(120) == 1
        bench.worker("read")
        assert bench.wait_for("a") == ["a"]
    else:
        with pytest.raises(AssertionError, match="not within"):
            until(lambda: worker.poll() is not None or bench.seen(), "any sign of life", 6)
        bench.worker("read", name="1")  # the group itself is well
        assert (bench.wait_for("a"), worker.poll()) == (["a"], None)


@rule("no-livelock-detector")
def test_partition_without_a_position_is_no_crash(bench: Bench, on: bool) -> None:
    """A partition has no position for a moment, as after a rebalance: nothing happens; without the guard Faust's own check crashes."""
    bench.mock({"in": 1})
    bench.put("in", "a", "b")
    worker = bench.worker("no_position", off=() if on else ("no-livelock-detector",), broker_session_timeout=20)
    if on:
        assert bench.wait_for("0", "1") == ["0", "1"]
    else:
        assert worker.wait(120) == 1
        assert bench.seen() == []


@rule("crashing-supervisor")
def test_failing_agent_takes_the_worker_down(bench: Bench, on: bool) -> None:
    """An agent fails: the worker ends and the event is handled by the next one; a supervisor that restarts the agent passes over it."""
    bench.mock({"in": 1})
    bench.put("in", *TEN)
    worker = bench.worker("fail_at_3", **({} if on else {"agent_supervisor": "OneForOneSupervisor"}))
    if on:
        assert worker.wait(120) == 1
        bench.worker("fail_at_3")
    assert ("3" in bench.wait_for("9")) is on


@rule("acked-by-hand")
def test_failed_event_is_not_acknowledged(bench: Bench, on: bool) -> None:
    """An event whose handling failed is read again; acknowledged in Faust's own way it is committed by the failure."""
    agent = "fail_at_3" if on else "fail_at_3_auto_ack"
    bench.mock({"in": 1})
    bench.put("in", *TEN)
    assert bench.worker(agent).wait(120) == 1
    bench.worker(agent)
    assert ("3" in bench.wait_for("9")) is on


@rule("no-take")
def test_failed_batch_is_not_acknowledged(bench: Bench, on: bool) -> None:
    """Events one by one survive a failure; `take` acknowledges the whole batch that failed, none of which was handled."""
    agent = "fail_at_3" if on else "fail_in_take"
    bench.mock({"in": 1})
    bench.put("in", *TEN)
    assert bench.worker(agent).wait(120) == 1
    bench.worker(agent)
    seen = bench.wait_for("9")
    assert ({"0", "1", "2", "3"} <= set(seen)) is on


@rule("no-concurrency")
def test_events_of_one_key_stay_in_order(bench: Bench, on: bool) -> None:
    """A slow event holds back the next one of its partition; with two actors the newer state is overtaken by the older."""
    bench.mock({"in": 1})
    bench.put("in", "older", "newer")
    bench.worker("slow_first" if on else "slow_first_concurrent", broker_session_timeout=20)
    assert (bench.wait_for("0", "1") == ["0", "1"]) is on
