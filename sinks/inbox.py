"""From Kafka's messages to wishes: what is none, or is none of this partition's, is told apart before anything is done about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from confluent_kafka import TopicPartition

from schemas.codec import Undecodable
from schemas.records import Wish
from schemas.refs import Ref
from schemas.topics import Topic
from sinks.again import AGAIN, DECIDED
from sinks.ledger import Ledger, Received
from weighlock.errors import RejectedError, TransientError
from weighlock.kafka.wire import Wire, consumer


class Inbox:
    """Of one partition of `upserts`; `objects` are those that the target takes."""

    def __init__(self, wire: Wire, upserts: Topic, partition: int, objects: Sequence[str]) -> None:
        self._wire, self._upserts, self._partition, self._objects = wire, upserts, partition, objects

    def receive(self, message: Any, ledger: Ledger) -> Received:
        """The wish in it; for one that may have been overwritten, what the ledger says we wrote last where that is newer.

        `Undecodable` and `RejectedError` for what can only be a dead letter; `TransientError` while the registry is away.
        """
        wish = self._wire.decode(Wish, message)
        if wish is None:
            raise Undecodable("empty: a wish is never deleted")
        headers = dict(message.headers() or ())
        decided = headers[DECIDED].decode(errors="replace") if DECIDED in headers else None
        self._admit(wish, decided)
        received = Received(wish, message.offset(), AGAIN in headers, decided, message)
        state = ledger.state(*received.facet)
        if not received.again or state is None or state.offset is None or state.version <= wish.version:
            return received
        return Received(self.read(state.offset), state.offset, True, decided, message)

    def last_written(self, subject: str, ledger: Ledger) -> list[Wish]:
        """What the ledger says we wrote last, a wish for each facet."""
        result = ledger.results.get(subject)
        return [self.read(state.offset) for state in result.facets.values() if state.offset is not None] if result else []

    def read(self, offset: int) -> Wish:
        """The wish that stands there. `TransientError` if it cannot be read."""
        reader = consumer(self._wire.settings, "reader")
        try:
            reader.assign([TopicPartition(self._wire.name(self._upserts), self._partition, offset)])
            message = reader.poll(30)
            wish = None if message is None or message.error() else self._wire.decode(Wish, message)
        finally:
            reader.close()
        if wish is None:
            raise TransientError(f"the wish at offset {offset} of partition {self._partition} cannot be read")
        return wish

    def _admit(self, wish: Wish, decided: str | None) -> None:
        try:
            for ref in (wish.subject, *(one.ref for one in wish.references), *(one for one in (wish.target, decided) if one)):
                Ref.parse(ref)
        except ValueError as error:
            raise RejectedError(str(error)) from None
        if wish.object not in self._objects:
            raise RejectedError(f"this system takes {', '.join(self._objects)}, not {wish.object}")
        own = self._wire.partition(self._upserts, wish.subject)
        if own != self._partition:
            raise RejectedError(f"{wish.subject} belongs to partition {own}, not {self._partition}: was it sent with another partitioner?")
