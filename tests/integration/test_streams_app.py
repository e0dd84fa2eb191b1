"""The stream worker on a real Kafka: what goes in comes out, once more after a kill, and never less."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer

from schemas.headers import Passage
from schemas.records import Audit, DeadLetter, Link, Wish
from schemas.refs import link_key
from schemas.topics import AUDIT, CHANGELOGS, CONTACT, CUSTOMER, DEAD_LETTERS, LINKS, SOURCE_CUSTOMER, UPSERTS_HUBSPOT
from streams.contract import topics_of
from streams.ready import check_topics
from streams.routes import STAGES
from tests.conftest import Brokers
from tests.integration.streams_lab import Lab, lab, until
from tests.unit.streams_kit import ALICE, AT, a_contact, a_customer
from weighlock.errors import ConfigError
from weighlock.kafka import wire
from weighlock.processes import free_port


@pytest.fixture
def streams(stack: Brokers, prefix: str, tmp_path: Path) -> Iterator[Lab]:
    with lab(stack.kafka, stack.registry, prefix, tmp_path) as found:
        found.apply()
        yield found


def wishes(streams: Lab) -> list[Wish]:
    return [streams.wire.decode(Wish, message) for message in streams.all(UPSERTS_HUBSPOT)]  # type: ignore[misc]


def committed(streams: Lab) -> int:
    """How many source customers are committed by the worker's group."""
    reader = wire.consumer(streams.settings, "streams")
    try:
        return sum(max(found.offset, 0) for found in reader.committed(streams.wire.partitions(SOURCE_CUSTOMER), 10))
    finally:
        reader.close()


def test_walk_with_poison_link_and_restart(streams: Lab) -> None:
    """Customers and contacts become wishes past a poison record; a link names the target; SIGTERM ends with 0 and nothing is done again."""
    streams.send(a_customer())
    streams.producer.produce(streams.wire.name(SOURCE_CUSTOMER), b"poison", ALICE.encode(), headers=[("x", b"\xff")])
    for n in range(50):
        streams.send(a_contact(ref=f"acumatica:contact:{n}"))
    streams.send(a_contact(ref="acumatica:contact:lead", Type="Lead"))
    streams.producer.flush()
    worker = streams.start()
    until(lambda: len(wishes(streams)) == 51 and len(streams.all(AUDIT)) == 2, "51 wishes and two ends in the audit")
    until(lambda: streams.all(DEAD_LETTERS), "the dead letter")
    (letter,) = (streams.wire.decode(DeadLetter, message) for message in streams.all(DEAD_LETTERS))
    assert letter is not None
    assert (letter.value, letter.key, letter.topic, letter.headers) == (
        b"poison",
        ALICE.encode(),
        "source.acumatica.customer",
        {"x": b"\xff"},
    )
    audits = [streams.wire.decode(Audit, message) for message in streams.all(AUDIT)]
    assert sorted(audit.event for audit in audits if audit) == ["out_of_scope", "rejected"]
    until(lambda: committed(streams) == 2, "both customers committed")
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(120) == 0

    link = Link(ref=ALICE, peer="hubspot:company:77", origin="created", at=AT, trace="t")
    streams.wire.produce(streams.producer, wire.Outgoing(LINKS, link_key(ALICE, "hubspot"), link, [], by=ALICE))
    streams.producer.flush()
    streams.start()
    reader = wire.consumer(streams.settings, "streams")
    taken = until(lambda: sum(max(at.offset, 0) for at in reader.committed(streams.wire.partitions(LINKS), 10)), "the link taken")
    reader.close()
    assert taken == 1
    streams.send(a_customer(CustomerID="A1"))
    streams.producer.flush()
    newest = until(lambda: len(wishes(streams)) == 52 and wishes(streams), "the customer's second wish only")
    (second,) = (wish for wish in newest if wish.subject == ALICE and wish.properties["acumatica_customer_id"] == "A1")
    assert second.target == "hubspot:company:77"
    assert second.version > next(wish.version for wish in newest if wish.subject == ALICE)


def test_kill_between_output_and_commit_repeats_and_loses_nothing(streams: Lab) -> None:
    """Killed after its outputs are acknowledged and before the commit, the worker does it once more, with the same versions."""
    for n in range(40):
        streams.send(a_customer(ref=f"acumatica:customer:{n}"))
    streams.producer.flush()
    assert streams.start(WEIGHLOCK_FAILPOINT="output-before-commit:1").wait(120) == -signal.SIGKILL
    first = len(streams.all(CUSTOMER))
    assert first > 0
    assert committed(streams) == 0
    streams.start()
    until(lambda: committed(streams) == 40, "all committed")
    until(lambda: len({wish.subject for wish in wishes(streams)}) == 40, "every wish")
    assert len(streams.all(CUSTOMER)) == first + 40
    by_subject: dict[str, set[int]] = {}
    for message in streams.all(CUSTOMER):
        version = Passage.read(message.headers()).version
        by_subject.setdefault((message.key() or b"").decode(), set()).add(-1 if version is None else version)
    assert all(len(versions) == 1 for versions in by_subject.values())


def test_largest_poison_there_is(streams: Lab) -> None:
    """Bytes as many as a topic takes, and no record, are a dead letter whole; the next record goes on."""
    poison = os.urandom((1 << 20) - 100)
    producer = Producer({"bootstrap.servers": streams.settings.kafka, "message.max.bytes": 2 << 20, "partitioner": "murmur2_random"})
    producer.produce(streams.wire.name(SOURCE_CUSTOMER), poison, ALICE.encode())
    assert producer.flush(20) == 0
    streams.send(a_customer())
    streams.producer.flush()
    streams.start()
    assert [wish.subject for wish in until(lambda: wishes(streams), "the neighbour's wish")] == [ALICE]
    until(lambda: streams.all(DEAD_LETTERS), "the dead letter")  # a megabyte, and its neighbour does not wait for it
    (letter,) = (streams.wire.decode(DeadLetter, message) for message in streams.all(DEAD_LETTERS))
    assert letter is not None
    assert letter.value == poison


def test_two_workers_share_the_partitions(streams: Lab) -> None:
    """A second worker takes over a part, and when the first is killed, all of it; every record is answered."""
    first, _ = streams.start("a"), streams.start("b")
    until(lambda: "assigned: partitions" in streams.log("a") and "assigned: partitions" in streams.log("b"), "both assigned")
    for n in range(100):
        streams.send(a_contact(ref=f"acumatica:contact:{n}"))
    streams.producer.flush()
    until(lambda: len(streams.all(CONTACT)) >= 50, "half of it")
    first.kill()
    for n in range(100, 200):
        streams.send(a_contact(ref=f"acumatica:contact:{n}"))
    streams.producer.flush()
    until(lambda: len({wish.subject for wish in wishes(streams)}) == 200, "all wishes", 150)


def test_topics_that_are_missing_or_differ_are_refused(stack: Brokers, prefix: str, tmp_path: Path) -> None:
    """Without its topics, or with another partition count, the worker does not start and names every one of them with what to do."""
    with lab(stack.kafka, stack.registry, prefix, tmp_path) as streams:
        with pytest.raises(ConfigError) as missing:
            check_topics(streams.settings)
        needed = {topic.name for topic in (*topics_of(STAGES), DEAD_LETTERS, *CHANGELOGS)}
        assert {problem.split()[1].removeprefix(prefix) for problem in missing.value.problems} == needed
        assert "weighlock topics apply" in missing.value.problems[0]
        streams.apply()
        check_topics(streams.settings)
        with pytest.raises(ConfigError, match="has 4 partitions, the setting `partitions` is 6"):
            check_topics(streams.settings.model_copy(update={"partitions": 6}))
        worker = streams.start(WEIGHLOCK_PARTITIONS="6")
        assert worker.wait(120) == 1
        assert "joined topics need the same number" in streams.log()


def test_waits_for_a_broker_that_is_away(stack: Brokers, prefix: str, tmp_path: Path) -> None:
    """While no broker answers the worker waits and says for whom; SIGTERM ends it with 0."""
    with lab(stack.kafka, stack.registry, prefix, tmp_path) as streams:
        worker = streams.start(WEIGHLOCK_KAFKA=f"127.0.0.1:{free_port()}")
        until(lambda: "waiting for Kafka at 127.0.0.1" in streams.log(), "the log line")
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(120) == 0
