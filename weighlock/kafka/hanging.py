"""Transactions that Kafka counts as ended and left open in a partition.

Seen with Kafka 4.3.1 after a broker was killed in the middle of a transaction (docs/reliability.md): its coordinator noted it as aborted,
and one partition never got the end. Readers of committed records stop there until the same transactional id has another transaction in
that partition; and if that one commits, the forgotten records are committed with it.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from confluent_kafka import IsolationLevel, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from schemas.topics import Topic
from weighlock.kafka.wire import Wire, admin_client

#: The key of the record that is written to be aborted.
MARK = b"weighlock-end-of-a-hanging-transaction"
_PATIENCE = 10.0

log = structlog.get_logger(__name__)


def end_hanging(wire: Wire, producer: Producer, topics: Sequence[Topic]) -> list[TopicPartition]:
    """Ends, as aborted, what `producer`'s transactional id left open in these topics; for right after `init_transactions`.

    Gives the partitions whose readers were held back by somebody; where that was another one, who is at work, nothing happened to it. What
    a transaction raises, as `KafkaException`.
    """
    partitions = [partition for topic in topics for partition in wire.partitions(topic)]
    admin = admin_client(wire.settings)  # a new one: an older one may stick to what a broker was before its restart
    written = ends(admin, partitions, IsolationLevel.READ_UNCOMMITTED)
    committed = ends(admin, partitions, IsolationLevel.READ_COMMITTED)
    held = [one for one in partitions if committed[one] < written[one]]
    if held:
        log.info("ends hanging transactions, if they are ours", partitions=[f"{one.topic}[{one.partition}]" for one in held])
        producer.begin_transaction()
        for one in held:
            producer.produce(one.topic, None, MARK, one.partition)
        producer.flush(_PATIENCE)
        producer.abort_transaction(_PATIENCE)
    return held


def ends(admin: AdminClient, partitions: Sequence[TopicPartition], level: IsolationLevel) -> dict[TopicPartition, int]:
    """The offset behind the last record that readers of that level see, of each partition."""
    asked = admin.list_offsets(dict.fromkeys(partitions, OffsetSpec.latest()), isolation_level=level, request_timeout=_PATIENCE)
    return {partition: future.result().offset for partition, future in asked.items()}
