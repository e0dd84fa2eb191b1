"""The transactions of one partition's owner. Its transactional id fences every earlier owner."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Event
from typing import Any

from confluent_kafka import KafkaException, TopicPartition

from schemas.topics import Topic
from sinks.member import Moved
from sinks.patience import bounded
from weighlock import failpoints
from weighlock.errors import TransientError
from weighlock.kafka.hanging import end_hanging
from weighlock.kafka.wire import Outgoing, Wire, producer

#: Seconds for one step; the broker gives a transaction ten. And for all of them: then the producer is given up.
STEP, LIMIT = 10.0, 12.0


class Transactions:
    """After anything but `Moved` and `TransientError` it is of no use any more: how the last transaction ended, only a new one learns."""

    def __init__(self, wire: Wire, transactional_id: str, topics: Sequence[Topic], stop: Event) -> None:
        """`topics`: those that are written to."""
        self._wire, self._topics, self._stop = wire, topics, stop
        self._producer = producer(wire.settings, transactional_id)

    def open(self) -> None:
        """Ends what the owner before left open. `KafkaException` while the broker is away."""
        bounded("init_transactions", lambda: self._producer.init_transactions(STEP), self._stop, LIMIT)
        bounded("hanging transactions", lambda: end_hanging(self._wire, self._producer, self._topics), self._stop, LIMIT)

    def carry_out(self, outgoing: Sequence[Outgoing], offset: tuple[TopicPartition, Any] | None) -> None:
        """All of it or nothing; `offset` is the consumer's and its group's metadata. `Moved`: aborted, or `TransientError` if that is the
        registry's fault; `KafkaException`: its end is unknown."""
        bounded("a transaction", lambda: self._carry_out(outgoing, offset), self._stop, LIMIT)

    def free(self, here: TopicPartition, anybody: Any) -> None:
        """Offsets that the broker holds for pending, though their transaction is over (a broker killed at the wrong moment leaves such):
        only another transaction of the same producer that names the group takes them away. `anybody`: the group without a member."""

        def touch() -> None:
            self._producer.begin_transaction()
            self._producer.send_offsets_to_transaction([here], anybody, STEP)
            self._producer.abort_transaction(STEP)

        bounded("an empty transaction", touch, self._stop, LIMIT)

    def _carry_out(self, outgoing: Sequence[Outgoing], offset: tuple[TopicPartition, Any] | None) -> None:
        used = self._producer
        used.begin_transaction()
        try:
            for one in outgoing:
                self._wire.produce(used, one)
            used.flush(STEP)
            if offset is not None:
                used.send_offsets_to_transaction([offset[0]], offset[1], STEP)
                failpoints.reach("result-before-commit")
            used.commit_transaction(STEP)
        except TransientError:  # the registry, while encoding
            used.abort_transaction(STEP)
            raise
        except KafkaException as error:
            if not error.args[0].txn_requires_abort():
                raise  # fatal, or its end unknown: only the next init_transactions settles it
            used.abort_transaction(STEP)
            raise Moved(error.args[0].str()) from error
