"""Engine rules that need a real broker: transactions, topics, a rebalance with tables. Each with the rule on and off."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from tests.conftest import Brokers
from tests.integration.engine.rules import rule
from tests.integration.engine.workbench import APP, Bench
from tests.integration.streams_lab import until
from weighlock.kafka import wire
from weighlock.kafka.admin import Wanted, apply_topics
from weighlock.settings import Settings

LATEST = 50.0


@pytest.fixture
def real(stack: Brokers, prefix: str, tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    bench.broker, bench.prefix = stack.kafka, prefix
    try:
        yield bench
    finally:
        bench.close()


def make(bench: Bench, **partitions: int) -> AdminClient:
    admin = AdminClient({"bootstrap.servers": bench.broker})
    apply_topics(admin, [Wanted(bench.prefix + name.replace("_", "-"), count, {}) for name, count in partitions.items()])
    return admin


@rule("read-committed")
def test_aborted_records_are_not_read(real: Bench, on: bool) -> None:
    """A page whose transaction was aborted is never handled; read uncommitted it is, and the page that replaces it as well."""
    make(real, **{"in": 1})
    producer = Producer({"bootstrap.servers": real.broker, "transactional.id": f"{real.prefix}page"})
    producer.init_transactions(20)
    for value, end in (("aborted", producer.abort_transaction), ("kept", producer.commit_transaction)):
        producer.begin_transaction()
        producer.produce(f"{real.prefix}in", value.encode(), b"k", partition=0)
        producer.flush(20)
        end(20)
    real.worker("read", off=() if on else ("read-committed",))
    assert ("aborted" in real.wait_for("kept")) is not on


@rule("topics-made-by-us")
def test_nothing_is_created_behind_our_back(real: Bench, on: bool) -> None:
    """The worker gets along with the topics that we made; left to itself Faust makes the changelog as it likes, and one more besides."""
    admin = make(real, **{"in": 1} | ({"engine_state_changelog": 1} if on else {}))
    real.put("in", "a")
    real.worker("written_by_agent", **({} if on else {"topic_allow_declare": True, "topic_disable_leader": False}))

    def made() -> set[str]:
        there = admin.list_topics(timeout=10).topics
        return {name.removeprefix(real.prefix) for name in there if name.startswith(real.prefix)} - {"in"}

    if on:
        real.wait_for("written")
        assert made() == {f"{APP}-state-changelog"}
    else:
        until(lambda: made() == {f"{APP}-state-changelog", f"{APP}-__assignor-__leader"}, "the topics that Faust makes")


@pytest.fixture(scope="module")
def held_back(stack: Brokers) -> dict[bool, bool]:
    """Two producers are gone in the middle of their transactions, one with our time-out and one with Kafka's default (a minute). Were the
    records behind them to be read, at the moment when the first ones were?"""
    settings = Settings(kafka=stack.kafka, registry=stack.registry, prefix=f"t{time.time_ns():x}.")
    names = {True: f"{settings.prefix}ours", False: f"{settings.prefix}default"}
    apply_topics(AdminClient({"bootstrap.servers": stack.kafka}), [Wanted(name, 1, {}) for name in names.values()])
    gone = {
        True: wire.producer(settings, "ours"),
        False: Producer({"bootstrap.servers": stack.kafka, "transactional.id": f"{settings.prefix}default"}),
    }
    for on, producer in gone.items():
        producer.init_transactions(20)
        producer.begin_transaction()
        producer.produce(names[on], b"open", partition=0)
        producer.flush(20)
    behind = wire.producer(settings)
    readers = {on: wire.consumer(settings, f"behind-{on}", fetch_wait_max_ms=100) for on in names}
    for on, name in names.items():
        behind.produce(name, b"behind", partition=0)
        readers[on].subscribe([name])
    behind.flush(20)
    until(lambda: readers[True].poll(0.2), "what stands behind our transaction", LATEST)
    found = {True: True, False: readers[False].poll(2) is not None}
    for reader in readers.values():
        reader.close()
    return found


@rule("short-transactions")
def test_killed_producer_holds_readers_back_for_seconds(held_back: dict[bool, bool], on: bool) -> None:
    """What stands behind a killed producer's transaction is read some ten seconds later; with Kafka's default a minute later."""
    assert held_back[on] is on


@rule("no-fetch-across-seek")
@pytest.mark.parametrize("commit", [1, 3], ids=["before the first commit", "after the first commit"])
def test_rebalance_with_tables_gives_everything_again(real: Bench, on: bool, commit: int) -> None:
    """Two workers with RocksDB tables, one is killed: the other is given all that was not committed. A fetch between resuming and seeking
    (here always, by a hook) loses records without the guard."""
    make(real, **{"in": 2, "side": 2, "engine_state_changelog": 2})
    off = () if on else ("no-fetch-across-seek",)
    victim = real.worker("joined", name="a", off=off, kill_at=f"output-before-commit:{commit}")
    real.worker("joined", name="b", off=off, hook="fetch_before_seek")
    until(lambda: all("Worker ready" in real.log(name) for name in "ab"), "both at work")
    partitions = [(topic, partition) for topic in ("in", "side") for partition in range(2)]

    def feed(count: int) -> None:
        for topic, partition in partitions:
            real.put(topic, *["v"] * count, partition=partition)

    until(lambda: feed(50) or victim.poll() is not None, "the kill")  # type: ignore[func-returns-value]
    committed = {where: real.committed(*where) for where in partitions}
    ready = real.log("b").count("Worker ready")
    feed(100)
    until(lambda: real.log("b").count("Worker ready") > ready, "the other one has taken over")
    feed(1)
    last = {f"{topic}/{partition}/{real.end(topic, partition) - 1}" for topic, partition in partitions}
    until(lambda: last <= set(real.seen("b")), "the last of each partition", 150)
    wanted = {
        f"{topic}/{partition}/{n}"
        for topic, partition in partitions
        for n in range(committed[topic, partition], real.end(topic, partition))
    }
    lost = wanted - set(real.seen("b"))
    assert (not lost) is on, sorted(lost)[:10]
