"""Our Kafka clients, made in one place, and `Wire`: records of ours in and out of topics, each with its key, partition and headers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import stamina
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from schemas.codec import Codec
from schemas.headers import Headers
from schemas.records import Record
from schemas.topics import TOPICS, Topic
from weighlock.settings import Settings

R = TypeVar("R", bound=Record)
#: A killed producer's open transaction holds back every reader of committed records this long (facts/kafka.md).
TRANSACTION_TIMEOUT_MS = 10_000
#: Seconds without a record before a topic's end.
SILENCE = 30.0
#: What goes around a record: key, headers, Kafka's own.
AROUND = 20_000


class TooLarge(ValueError):
    """A record that its topic does not take."""


def producer(settings: Settings, transactional_id: str | None = None) -> Producer:
    """Idempotent, and transactional where an id (without prefix) is given; then call `init_transactions` before you read state."""
    options: dict[str, Any] = {
        **settings.kafka_options,
        "bootstrap.servers": settings.kafka,
        "enable.idempotence": True,
        "partitioner": "murmur2_random",
        "linger.ms": 5,
        "message.max.bytes": max(topic.room for topic in TOPICS),
        "compression.type": "lz4",
        "log_level": 2,
    }
    if transactional_id is not None:
        options |= {
            "transactional.id": settings.prefix + transactional_id,
            "transaction.timeout.ms": TRANSACTION_TIMEOUT_MS,
            "retry.backoff.ms": 10,
        }
    return Producer(options)


def admin_client(settings: Settings) -> AdminClient:
    """The admin client of the settings' Kafka."""
    return AdminClient({**settings.kafka_options, "bootstrap.servers": settings.kafka, "log_level": 2}, logger=None)


def consumer(settings: Settings, group: str, **options: Any) -> Consumer:
    """Reads committed records only, commits nothing by itself. `group` without prefix; options are librdkafka's, with _ for the dots.

    librdkafka's own log lines about a broker that comes and goes are left out: what matters of them is raised, and told by the loops."""
    own = {
        **settings.kafka_options,
        "bootstrap.servers": settings.kafka,
        "group.id": settings.prefix + group,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "isolation.level": "read_committed",
        "auto.offset.reset": "earliest",
        "log_level": 2,
    }
    return Consumer(own | {name.replace("_", "."): value for name, value in options.items()})


@dataclass(frozen=True)
class Outgoing:
    """One record on its way to a topic. `by` is the text that chooses the partition where it is not the key; value None is a tombstone."""

    topic: Topic
    key: str
    value: Record | None
    headers: Headers
    by: str | None = None


class Wire:
    """Encodes, addresses and sends; reads and decodes."""

    def __init__(self, settings: Settings, codec: Codec) -> None:
        self.settings, self.codec = settings, codec

    def name(self, topic: Topic) -> str:
        return self.settings.prefix + topic.name

    def partition(self, topic: Topic, by: str) -> int:
        return topic.partition(by, self.settings.partitions)

    def partitions(self, topic: Topic) -> list[TopicPartition]:
        return [TopicPartition(self.name(topic), p) for p in range(topic.partitions(self.settings.partitions))]

    def produce(self, producer: Producer, out: Outgoing) -> None:
        """Hands it to librdkafka; what becomes of it shows at `flush` or the transaction's end. `TooLarge`: more than the topic takes."""
        value = None if out.value is None else self.codec.encode(out.topic, out.value)
        room = out.topic.room - AROUND
        if value is not None and len(value) > room:
            raise TooLarge(f"{out.key} is larger than {out.topic.name} takes: {len(value):,} bytes, {room:,} at the most")
        partition = self.partition(out.topic, out.by if out.by is not None else out.key)
        while True:
            try:
                producer.produce(self.name(out.topic), value, out.key.encode(), partition, headers=list(out.headers))
                return
            except BufferError:  # the queue is full: let it drain
                producer.poll(0.1)

    def decode(self, kind: type[R], message: Message) -> R | None:
        """None for a tombstone; `schemas.codec.Undecodable` for what is no such record."""
        value = message.value()
        return None if value is None else self.codec.decode(kind, value)

    def read(self, topic: Topic, partitions: list[int] | None = None) -> Iterator[Message]:
        """Every committed record that is there now, from the beginning, then ends. For state at start, traces and counts.

        `KafkaException` where the broker goes away and nothing comes for half a minute."""
        reader = consumer(self.settings, "reader", enable_partition_eof=True, fetch_wait_max_ms=20)
        try:
            wanted = [tp for tp in self.partitions(topic) if partitions is None or tp.partition in partitions]
            ends = {tp.partition: _end(reader, tp) for tp in wanted}
            at = dict.fromkeys(ends, 0)
            reader.assign([TopicPartition(tp.topic, tp.partition, OFFSET_BEGINNING) for tp in wanted])
            heard = time.monotonic()
            while any(at[p] < end for p, end in ends.items()):
                messages = reader.consume(1000, 0.2)
                heard = time.monotonic() if messages else heard
                if time.monotonic() > heard + SILENCE:
                    raise KafkaException(KafkaError(KafkaError._TIMED_OUT, f"{self.name(topic)}: nothing came for {SILENCE:g} s"))
                for message in messages:
                    error = message.error()
                    if error is None:
                        at[message.partition()] = message.offset() + 1
                        if message.offset() < ends[message.partition()]:
                            yield message
                    elif error.name() == "_PARTITION_EOF":
                        at[message.partition()] = max(at[message.partition()], message.offset())
                    elif error.fatal() or not error.retriable():
                        raise KafkaException(error)
        finally:
            reader.close()


def _passes(error: Exception) -> bool:
    """A broker that has just come back answers so for a moment."""
    passing = (KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE)
    return isinstance(error, KafkaException) and error.args[0].code() in passing


@stamina.retry(on=_passes, attempts=None, timeout=15, wait_max=1)
def _end(reader: Consumer, partition: TopicPartition) -> int:
    """The offset after the last committed record, as it is now."""
    end: int = reader.get_watermark_offsets(partition, 30)[1]
    return end
