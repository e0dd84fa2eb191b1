"""From Kafka's messages to wishes: what is none, or is none of this partition's, is told apart before anything is done about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from confluent_kafka import TopicPartition

from schemas.codec import Undecodable
from schemas.records import Doubt, Wish, now
from schemas.refs import Ref
from schemas.topics import Topic
from sinks.again import AGAIN, DECIDED, DOUBT
from sinks.ledger import Ledger, Received
from sinks.member import clock
from weighlock.errors import RejectedError, TransientError
from weighlock.kafka.wire import Wire, consumer

#: Wishes nearer to each other than so many are read in one go; seconds that this may take.
NEAR, READ = 500, 30.0


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
        again = AGAIN in headers
        received = Received(wish, message.offset(), again, decided, message, _doubt(wish, headers) if again else None)
        state = ledger.state(*received.facet)
        if not received.again or state is None or state.offset is None or state.version <= wish.version:
            return received
        return replace(received, wish=self.read([state.offset])[state.offset], offset=state.offset)

    def maker(self, message: Any) -> bytes | None:
        """The key of a wish that makes its record; None for one that only adds to it."""
        try:
            wish = self._wire.decode(Wish, message)
        except (Undecodable, TransientError):
            wish = None
        key: bytes | None = message.key()
        return None if wish is not None and wish.further else key

    def last_written(self, ledger: Ledger, *subjects: str) -> list[Wish]:
        """What the ledger says we wrote last, a wish for each facet."""
        known = [ledger.results[subject] for subject in subjects if subject in ledger.results]
        return list(self.read([state.offset for one in known for state in one.facets.values() if state.offset is not None]).values())

    def read(self, offsets: Iterable[int]) -> dict[int, Wish]:
        """The wishes that stand there. `TransientError` if one of them cannot be read."""
        left = sorted(set(offsets), reverse=True)
        found: dict[int, Wish] = {}
        if not left:
            return found
        reader = consumer(self._wire.settings, "reader", fetch_wait_max_ms=20)
        at = left[-1]
        reader.assign([self._place(at)])
        try:
            until = clock() + READ
            while left and clock() < until:
                if left[-1] > at + NEAR:
                    at = left[-1]
                    reader.assign([self._place(at)])
                for message in reader.consume(NEAR, 0.2):
                    if message.error() is not None:
                        continue
                    at = message.offset()
                    if left and at == left[-1] and (wish := self._wire.decode(Wish, message)) is not None:
                        found[left.pop()] = wish
        finally:
            reader.close()
        if left:
            raise TransientError(f"the wish at offset {left[-1]} of partition {self._partition} cannot be read")
        return found

    def _place(self, offset: int) -> TopicPartition:
        return TopicPartition(self._wire.name(self._upserts), self._partition, offset)

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


def _doubt(wish: Wish, headers: Mapping[str, bytes | None]) -> Doubt:
    """What the call in question did or may still do."""
    try:
        told = Doubt.model_validate_json(headers.get(DOUBT) or b"")
    except ValueError:
        told = None
    return Doubt.of(wish, now()).joined(told)
