"""Of any number of copies of a producer one leads: who owns the one partition of `checkpoints` in the source's consumer group.

That is for liveness. Safety is the transactional id: a leader calls `init_transactions` before it reads the checkpoints, so whoever led
before it can commit nothing after that (facts/kafka.md). A leader that finds itself fenced steps back and stands in line again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from schemas.codec import Undecodable
from schemas.records import Checkpoint
from schemas.topics import AUDIT, CHECKPOINTS, DEAD_LETTERS, TOPICS
from weighlock.errors import ConfigError, TransientError
from weighlock.kafka import admin
from weighlock.kafka.hanging import end_hanging
from weighlock.kafka.wire import Wire, consumer, producer
from weighlock.settings import Settings

#: Seconds that Kafka has for one answer; a stop waits for it.
PATIENCE = 10.0
#: A call to a vendor may honestly take minutes; who is dead is found by the session, not by this.
LONGEST_PAGE_MS = 30 * 60 * 1000


class SteppedBack(TransientError):
    """We lead no more, or cannot know whether we do: leave the group and stand in line again."""


def check_topics(settings: Settings, name: str) -> None:
    """See that the topics which that source writes are there. ConfigError names all that is missing or has another partition count,
    TransientError says that Kafka does not answer."""
    written = [topic for topic in TOPICS if topic in (CHECKPOINTS, AUDIT, DEAD_LETTERS) or topic.name.startswith(f"source.{name}.")]
    wanted = [admin.Wanted(settings.prefix + topic.name, topic.partitions(settings.partitions), {}) for topic in written]
    findings = admin.check_topics(admin.admin_client(settings), wanted)
    missing = [
        f"{one.name}: no such topic in Kafka at {settings.kafka}: run `weighlock topics apply`"
        for one in findings
        if one.state == "missing"
    ]
    refused = [f"{one.name}: {detail}" for one in findings if one.state == "refused" for detail in one.details]
    if missing or refused:
        raise ConfigError(*missing, *refused)


class Leadership:
    """One membership of the group. `attend` must be called often; `owns` says whether the partition is ours."""

    def __init__(self, settings: Settings, wire: Wire, name: str) -> None:
        self._settings, self._wire, self._name = settings, wire, name
        self.log = structlog.get_logger(worker=f"source-{name}")
        self.owns = False
        self._producer: Producer | None = None
        self._member: Consumer = consumer(
            settings,
            f"source.{name}",
            session_timeout_ms=6000,
            heartbeat_interval_ms=1500,
            max_poll_interval_ms=LONGEST_PAGE_MS,
            partition_assignment_strategy="cooperative-sticky",  # a copy that joins does not unseat the leader
        )
        self._member.subscribe([wire.name(CHECKPOINTS)], on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._revoked)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._producer = None
        self._member.close()  # leaves the group at once: the next copy need not wait for the session's end

    @property
    def leads(self) -> bool:
        return self.owns and self._producer is not None

    def attend(self, seconds: float) -> None:
        """Keep the membership, for so many seconds at the most. SteppedBack when it cannot be kept."""
        message = self._member.poll(seconds)
        error: KafkaError | None = message.error() if message is not None else None
        if error is not None and error.fatal():
            raise SteppedBack(f"Kafka ends our membership: {error.str()}")

    def take_over(self) -> dict[str, dict[str, str]]:
        """Fence whoever led before, then read how far each entity was read: entity -> position."""
        self._producer = producer(self._settings, f"source.{self._name}")
        try:
            self._producer.init_transactions(3 * PATIENCE)
            own = [topic for topic in TOPICS if topic.name.startswith(f"source.{self._name}.")]
            end_hanging(self._wire, self._producer, [*own, CHECKPOINTS, AUDIT, DEAD_LETTERS])
            found = self._checkpoints()
        except KafkaException as error:
            self._producer = None
            raise SteppedBack(f"could not take over: {error.args[0].str()}") from error
        return found

    @contextmanager
    def transaction(self) -> Iterator[Producer]:
        """What is produced inside is committed together at the end, or not at all.

        TransientError: it was aborted, repeat it. SteppedBack: we were fenced, or nobody knows how it ended.
        """
        assert self._producer is not None
        try:
            self._producer.begin_transaction()
            yield self._producer
            self._producer.commit_transaction(PATIENCE)
        except KafkaException as error:
            if not error.args[0].txn_requires_abort():
                raise SteppedBack(f"the page's transaction has no known end: {error.args[0].str()}") from error
            self._abort()
            raise TransientError(f"Kafka aborted the page: {error.args[0].str()}") from error
        except Exception:
            self._abort()
            raise

    def flush(self) -> None:
        """Everything produced so far has reached Kafka (uncommitted). SteppedBack when it does not within the time."""
        if self._producer is not None and self._producer.flush(PATIENCE):
            raise SteppedBack("Kafka does not take the page")

    def _abort(self) -> None:
        assert self._producer is not None
        try:
            self._producer.abort_transaction(PATIENCE / 2)
        except KafkaException as error:
            raise SteppedBack(f"could not abort the page: {error.args[0].str()}") from error

    def _checkpoints(self) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = {}
        for message in self._wire.read(CHECKPOINTS):
            try:
                checkpoint = self._wire.decode(Checkpoint, message)
            except Undecodable as error:
                raise ConfigError(f"{self._wire.name(CHECKPOINTS)}, offset {message.offset()}: {error}") from None
            if checkpoint is not None and checkpoint.source == self._name:
                found[checkpoint.entity] = checkpoint.position
        return found

    def _assigned(self, member: Any, partitions: list[TopicPartition]) -> None:
        member.incremental_assign(partitions)
        if partitions:
            member.pause(partitions)  # held, never consumed
            self.owns = True

    def _revoked(self, member: Any, partitions: list[TopicPartition]) -> None:
        member.incremental_unassign(partitions)
        if partitions:
            self.owns = False
            self._producer = None
