"""A transaction that Kafka forgot in a partition: provoked, and ended by whoever has its transactional id next."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator

import aiokafka
import pytest
from confluent_kafka import IsolationLevel
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from producers.leader import Leadership
from schemas.topics import AUDIT, CHECKPOINTS, DEAD_LETTERS
from sinks.transactions import Transactions
from tests.conftest import Brokers
from tests.harness.system import eventually
from weighlock import wiring
from weighlock.kafka.admin import Wanted, admin_client, apply_topics
from weighlock.kafka.hanging import end_hanging, ends
from weighlock.kafka.wire import Wire, consumer, producer
from weighlock.settings import Settings

VERIFICATION = "transaction.partition.verification.enable"


@pytest.fixture
def wire(stack: Brokers, prefix: str) -> Wire:
    settings = Settings(kafka=stack.kafka, registry=stack.registry, prefix=prefix, partitions=2)
    apply_topics(admin_client(settings), [Wanted(prefix + AUDIT.name, 2, {})])
    return wiring.wire(settings)


@pytest.fixture
def admin(wire: Wire) -> Iterator[AdminClient]:
    """The broker takes what its transactions' coordinator was not told of, as it once did by itself."""
    client = admin_client(wire.settings)
    (broker,) = client.describe_cluster().result().nodes

    def alter(operation: AlterConfigOpType) -> None:
        entry = ConfigEntry(VERIFICATION, "false", incremental_operation=operation)
        resource = ConfigResource(ResourceType.BROKER, str(broker.id), incremental_configs=[entry])
        (done,) = client.incremental_alter_configs([resource]).values()
        done.result()

    alter(AlterConfigOpType.SET)
    yield client
    alter(AlterConfigOpType.DELETE)


async def forget(wire: Wire, transactional_id: str) -> None:
    """A record of a transaction that is open in partition 0, and that the coordinator knows nothing of."""
    one = aiokafka.AIOKafkaProducer(bootstrap_servers=wire.settings.kafka, transactional_id=wire.settings.prefix + transactional_id)
    await one.start()
    await one.begin_transaction()
    place = aiokafka.TopicPartition(wire.name(AUDIT), 0)
    one._txn_manager._txn_partitions.add(place)  # as if it had been told
    await one.send_and_wait(place.topic, b"forgotten", partition=0)
    one._txn_manager._txn_partitions.clear()
    await one.abort_transaction()
    await one.stop()


def committed(wire: Wire, partition: int) -> list[bytes]:
    reader = consumer(wire.settings, "reader", enable_partition_eof=True)
    reader.assign([one for one in wire.partitions(AUDIT) if one.partition == partition])
    found: list[bytes] = []
    while (message := reader.poll(60)) is not None and message.error() is None:
        found.append(message.value() or b"")
    assert message is not None
    reader.close()
    return found


def by_hand(wire: Wire) -> None:
    """Nobody looks for what was forgotten."""


def by_source(wire: Wire) -> None:
    wanted = [Wanted(wire.name(topic), topic.partitions(wire.settings.partitions), {}) for topic in (CHECKPOINTS, DEAD_LETTERS)]
    apply_topics(admin_client(wire.settings), wanted)
    with Leadership(wire.settings, wire, "test") as leadership:
        leadership.take_over()


def by_sink(wire: Wire) -> None:
    Transactions(wire, "source.test", [AUDIT], threading.Event()).open()


@pytest.mark.parametrize("taken_over", [by_source, by_sink, by_hand])
def test_what_kafka_forgot_is_aborted(wire: Wire, admin: AdminClient, taken_over: Callable[[Wire], None]) -> None:
    """Who takes over frees the readers, and they never see it; left alone it holds them back, and the next transaction commits it."""
    asyncio.run(forget(wire, "source.test"))
    first, second = wire.partitions(AUDIT)
    ended = taken_over is not by_hand
    taken_over(wire)

    def held_back() -> bool:
        committed, written = (
            ends(admin, [first], level)[first] for level in (IsolationLevel.READ_COMMITTED, IsolationLevel.READ_UNCOMMITTED)
        )
        return committed < written

    if ended:
        eventually("readers go on", lambda: not held_back())  # Kafka writes the end a moment after it has said so
    assert held_back() != ended
    assert committed(wire, 0) == []
    next_one = producer(wire.settings, "source.test")
    next_one.init_transactions(60)
    next_one.begin_transaction()
    for one in (first, second):
        next_one.produce(one.topic, b"known", partition=one.partition)
    next_one.commit_transaction(60)
    assert committed(wire, 0) == ([b"known"] if ended else [b"forgotten", b"known"])
    assert committed(wire, 1) == [b"known"]
    assert end_hanging(wire, next_one, [AUDIT]) == []
