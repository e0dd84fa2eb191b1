"""Engine rules about tables, bytes and the web: each with the rule on and off, on a mock broker."""

from __future__ import annotations

import httpx
import pytest

from streams.app import build
from streams.engine import engine
from tests.integration.engine.rules import rule
from tests.integration.engine.workbench import Bench
from tests.integration.streams_lab import until
from tests.unit.streams_kit import codec
from weighlock import processes
from weighlock.settings import Settings

STATE = {"in": 1, "engine-state-changelog": 1}
THEN, NOW = 1_700_000_000.0, 1_700_000_100.0


@rule("bytes-encoded-by-us")
def test_tombstone_is_a_tombstone(bench: Bench, on: bool) -> None:
    """A deletion goes out as null; Faust's own serializers would write the text `null`, and a compacted topic would keep it for ever."""
    bench.mock({"in": 1, "out": 1})
    bench.put("in", None)
    bench.worker("forward" if on else "tombstone_by_faust")
    (record,) = bench.records("out", 1)
    assert record.value() == (None if on else b"null")


@rule("no-timers-that-write")
def test_table_is_written_by_agents_only(bench: Bench, on: bool) -> None:
    """An agent writes its table; a timer is refused, takes the worker down, and nothing is kept."""
    bench.mock(STATE)
    bench.put("in", "v")
    worker = bench.worker("written_by_agent" if on else "written_by_timer")
    if on:
        bench.wait_for("written")
        assert bench.records("engine-state-changelog", 1)[0].value() == b"v"
    else:
        assert worker.wait(120) == 1
        assert (bench.seen(), bench.end("engine-state-changelog")) == (["refused: TypeError"], 0)


@rule("no-windows")
def test_old_state_goes_after_a_restart_too(bench: Bench, on: bool) -> None:
    """What is too old is taken out, before and after a restart; of a window, what an earlier process wrote stays for ever."""
    agent = "own_expiry" if on else "window_expiry"
    bench.mock(STATE)
    bench.put("in", "old", at=THEN)
    first = bench.worker(agent)
    bench.wait_for("old:1")
    until(lambda: bench.committed("in") == 1, "the commit")
    bench.kill(first)
    bench.put("in", "new", at=NOW)
    bench.worker(agent, table_cleanup_interval=0.3)
    bench.wait_for("new:1" if on else "new:2")
    bench.put("in", "newer", at=NOW + 50)

    def cleaned() -> bool:  # the window of `new` is gone, so Faust has cleaned up
        bench.put("in", "look", at=NOW + 50)
        return bool({"look:1", "look:2"} & set(bench.seen()))

    until(cleaned, "the clean-up")
    assert ("look:1" in bench.seen()) is on


@rule("no-web-tables")
def test_tables_are_not_served(bench: Bench, on: bool) -> None:
    """Nobody can read a table over HTTP; as Faust starts by default anybody can, without a password."""
    port = processes.free_port()
    served = {} if on else {"web_enabled": True, "web_tables_enabled": True}
    bench.mock(STATE)
    bench.put("in", "Alice lives here")
    bench.worker("personal", web_port=port, web_bind="127.0.0.1", **served)
    bench.wait_for("Alice lives here")
    with httpx.Client(trust_env=False) as client:
        if on:
            with pytest.raises(httpx.ConnectError):
                client.get(f"http://127.0.0.1:{port}/table/state/k/")
        else:

            def served_by_now() -> bool:
                try:
                    return "Alice lives here" in client.get(f"http://127.0.0.1:{port}/table/state/k/").text
                except httpx.TransportError:  # it serves nothing yet
                    return False

            until(served_by_now, "the table")


@rule("few-databases")
def test_each_table_and_partition_is_a_database(bench: Bench, on: bool) -> None:
    """A RocksDB for each pair of table and partition: with few the worker gets along with few open files, with many it cannot start."""
    tables = 1 if on else 12
    bench.mock({"in": 4} | {f"engine-state{n}-changelog": 4 for n in range(tables)})
    for partition in range(4):
        bench.put("in", str(partition), partition=partition)
    worker = bench.worker("one_table" if on else "many_tables", files=200)
    if on:
        bench.wait_for("0", "1", "2", "3")
        assert len(list(bench.folder.glob("engine-0/**/CURRENT"))) == 4
    else:
        assert worker.wait(120) == 1
        assert "Too many open files" in bench.log()


def test_our_own_app_keeps_the_rules(bench: Bench) -> None:
    """The app that we run has plain tables of bytes, agents without concurrency, no timers, and the engine's settings."""
    settings = Settings(kafka="127.0.0.1:1", registry="http://127.0.0.1:1", state=bench.folder)
    app, bare = build(settings, codec()), engine(settings, "bare")
    assert [(name, table.is_global, table.key_type, table.value_type) for name, table in app.tables.items()] == [
        ("links", False, bytes, bytes),
        ("receivables", False, bytes, bytes),
    ]
    assert {(agent.concurrency, agent.supervisor_strategy.__name__) for agent in app.agents.values()} == {(1, "CrashingSupervisor")}
    assert len(app._tasks) == len(bare._tasks)
    conf = app.conf
    assert (conf.topic_allow_declare, conf.topic_disable_leader, conf.web_enabled, conf.web_tables_enabled) == (False, True, False, False)
    assert (conf.stream_wait_empty, str(conf.processing_guarantee)) == (True, str(bare.conf.processing_guarantee))
