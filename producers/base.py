"""The contract of a source, and the only loop: wait until something is due, poll a page, publish it and its checkpoint together.

A source holds no loop, no waiting and no commit of its own. `run` keeps the promises: a page and its checkpoint are one Kafka transaction,
so a crash repeats a page and never skips one; one copy leads and the others stand by; a row that cannot be a record is a dead letter and
its neighbours go on; every change that was read has one `read` in the audit.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

import structlog
from confluent_kafka import KafkaError, KafkaException, Producer

from producers.leader import Leadership, SteppedBack
from schemas.headers import Passage
from schemas.records import Audit, Checkpoint, DeadLetter, Record
from schemas.topics import AUDIT, CHECKPOINTS, DEAD_LETTERS, Topic
from weighlock import failpoints
from weighlock.errors import RateLimited, RejectedError, TransientError
from weighlock.kafka.wire import Outgoing, Wire
from weighlock.settings import Schedule, Settings

Position = dict[str, str]
#: In a checkpoint beside the source's own words: when the loop last let it read everything.
READ_IN_FULL = "read_in_full"
#: An empty page needs no checkpoint of its own more often than this.
QUIET = 60.0
#: How long an entity rests whose list the vendor refuses as such.
REFUSED_LIST = timedelta(seconds=60)


@dataclass(frozen=True)
class Change:
    """One record on its way to its source topic; `key` is its own ref."""

    topic: Topic
    key: str
    record: Record
    passage: Passage


@dataclass(frozen=True)
class Refused:
    """A row that cannot be made a record: a dead letter. `row` is the whole of it as text, `key` its ref or what else names it."""

    key: str
    row: str
    error: RejectedError
    passage: Passage


def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Page:
    """What one poll found. `more`: ask again at once. `committed` is called when the page and its position are safe in Kafka: only
    then may the source remember anything that makes it leave out a row later."""

    changes: Sequence[Change]
    position: Position
    more: bool = False
    refused: Sequence[Refused] = ()
    committed: Callable[[], None] = field(default=_nothing, compare=False)


class Source(Protocol):
    """A vendor's system. `entities` in the order in which they are read, each with its schedule."""

    name: str
    entities: Mapping[str, Schedule]

    def poll(self, entity: str, position: Position | None) -> Page:
        """The next page after a position of its own making; None: from the beginning, everything.

        TransientError: ask again later with the same position. AuthError, ConfigError: stop. RejectedError: the vendor refuses the
        whole call.
        """
        ...

    def close(self) -> None:
        """Sign out and forget what was remembered. A later poll starts anew."""
        ...


def run(settings: Settings, wire: Wire, source: Source, stop: threading.Event) -> None:
    """Serve the source until `stop`. AuthError and ConfigError end it; everything that can pass is waited for."""
    log = structlog.get_logger(worker=f"source-{source.name}")
    attempt = 0
    while not stop.is_set():
        try:
            with Leadership(settings, wire, source.name) as leadership:
                loop = _Loop(settings, wire, source, stop, leadership)
                try:
                    loop.attend()
                finally:
                    attempt = 0 if loop.led else attempt
                    source.close()
        except (TransientError, KafkaException) as error:
            attempt += 1
            delay = _backoff(attempt)
            log.warning("standing in line again", reason=str(error), seconds=round(delay, 1))
            stop.wait(delay)
    log.info("stopped")


class _Loop:
    """One membership, from joining to leaving."""

    def __init__(self, settings: Settings, wire: Wire, source: Source, stop: threading.Event, leadership: Leadership) -> None:
        self.wire, self.source, self.stop, self.leadership = wire, source, stop, leadership
        self.worker = f"source-{source.name}"
        self.log = structlog.get_logger(worker=self.worker)
        self.led = False
        self._positions: dict[str, Position] = {}
        self._due: dict[str, datetime] = {}
        self._began: dict[str, datetime] = {}
        self._written: dict[str, float] = {}
        self._unfinished: set[str] = set()  # whose last checkpoint lies within a walk
        self._attempt, self._resume = 0, 0.0

    def attend(self) -> None:
        """Stand by; while we lead, read what is due. Returns when told to stop, raises what only a new membership can mend."""
        if not self.leadership.answers():
            raise TransientError("Kafka does not answer: is it running? (`weighlock stack status`)")
        while not self.stop.is_set():
            self.leadership.attend(self._patience())
            if self.leadership.owns and not self.leadership.leads:
                self._take_over()
            elif self.led and not self.leadership.owns:
                raise SteppedBack("another copy leads")
            elif self.leadership.leads:
                self._turn()

    def _take_over(self) -> None:
        self._positions = self.leadership.take_over()
        self.led = True
        now = datetime.now(UTC)
        self._due = dict.fromkeys(self.source.entities, now)
        self.log.info("leading", positions=self._positions)

    def _patience(self) -> float:
        """Half a second at the most, so that a stop is heard."""
        if not self.leadership.leads:
            return 0.5
        due = (min(self._due.values()) - datetime.now(UTC)).total_seconds()
        return max(0.0, min(0.5, max(due, self._resume - time.monotonic())))

    def _turn(self) -> None:
        """One page of the first entity that is due, if it is time."""
        now = datetime.now(UTC)
        due = [entity for entity in self.source.entities if self._due[entity] <= now]
        if not due or time.monotonic() < self._resume:
            return
        schedule = self.source.entities[due[0]]
        if resting(schedule, now):
            self._due[due[0]] = schedule.next(now)
            return
        try:
            self._page(due[0], schedule, now)
            self._attempt = 0
        except SteppedBack:
            raise
        except TransientError as error:
            self._wait(error)
        except RejectedError as error:
            self.log.error("the vendor refuses the list, its entity waits", entity=due[0], reason=str(error), request=error.request)
            self._due[due[0]] = now + REFUSED_LIST

    def _page(self, entity: str, schedule: Schedule, now: datetime) -> None:
        position = dict(self._positions.get(entity, {}))
        full = position.pop(READ_IN_FULL, None)
        if entity not in self._began:  # a walk begins
            self._began[entity] = now
            if full is not None and schedule.reread_due(datetime.fromisoformat(full), now):
                self._positions[entity], position, full = {}, {}, None
        page = self.source.poll(entity, position or None)
        after = {**page.position, READ_IN_FULL: full or now.isoformat()}
        quiet = time.monotonic() - self._written.get(entity, -QUIET) < QUIET
        if page.changes or page.refused or entity in self._unfinished or not quiet:
            self._publish(entity, page, after)
            self._written[entity] = time.monotonic()
            (self._unfinished.add if page.more else self._unfinished.discard)(entity)
        self._positions[entity] = after
        page.committed()
        if not page.more:
            self._due[entity] = schedule.next(self._began.pop(entity))

    def _publish(self, entity: str, page: Page, position: Position) -> None:
        key = f"{self.source.name}|{entity}"
        checkpoint = Outgoing(
            CHECKPOINTS, key, Checkpoint(source=self.source.name, entity=entity, position=position, at=datetime.now(UTC)), []
        )
        if failpoints.mutant("no-checkpoint-transaction"):  # wrong on purpose
            with self.leadership.transaction() as producer:
                self.wire.produce(producer, checkpoint)
        with self.leadership.transaction() as producer:
            for change in page.changes:
                self._produce(producer, change)
            for refused in page.refused:
                self._refuse(producer, refused)
            self.leadership.flush()
            failpoints.reach("page-before-checkpoint")
            if not failpoints.mutant("no-checkpoint-transaction"):
                self.wire.produce(producer, checkpoint)
        if page.changes or page.refused:
            self.log.info("page", entity=entity, changes=len(page.changes), refused=len(page.refused), more=page.more)

    def _produce(self, producer: Producer, change: Change) -> None:
        try:
            self.wire.produce(producer, Outgoing(change.topic, change.key, change.record, change.passage.headers()))
        except (ValueError, TypeError, ArithmeticError) as error:
            reason = f"{change.key} does not fit the schema of {change.topic.name}: {type(error).__name__}: {error}"
            self._refuse(producer, Refused(change.key, change.record.model_dump_json(), RejectedError(reason), change.passage))
        except KafkaException as error:
            if error.args[0].code() != KafkaError.MSG_SIZE_TOO_LARGE:
                raise
            reason = f"{change.key} is larger than Kafka takes: shorten it in {self.source.name}"
            self._refuse(producer, Refused(change.key, "", RejectedError(reason), change.passage))
        else:
            self._note(producer, change.key, "read", change.passage, None)

    def _refuse(self, producer: Producer, refused: Refused) -> None:
        letter = DeadLetter(
            key=refused.key.encode(),
            value=refused.row.encode(),
            ref=refused.key,
            stage="source",
            worker=self.worker,
            error=type(refused.error).__name__,
            reason=refused.error.reason,
            request=refused.error.request,
            response=refused.error.response,
            trace=refused.passage.trace,
        )
        self.wire.produce(producer, Outgoing(DEAD_LETTERS, refused.key, letter, refused.passage.headers()))
        self._note(producer, refused.key, "rejected", refused.passage, refused.error.reason)
        self.log.warning("dead letter", key=refused.key, reason=refused.error.reason)

    def _note(self, producer: Producer, ref: str, event: str, passage: Passage, detail: str | None) -> None:
        entry = Audit(
            ref=ref, event=event, stage="source", worker=self.worker, source_at=passage.source_at, detail=detail, trace=passage.trace
        )
        self.wire.produce(producer, Outgoing(AUDIT, ref, entry, passage.headers()))

    def _wait(self, error: TransientError) -> None:
        """Until then nothing is asked of the vendor; the membership is kept all the while."""
        self._attempt += 1
        delay = _backoff(self._attempt)
        if isinstance(error, RateLimited):
            delay = max(error.retry_after, min(60.0, error.retry_after * 2 ** (self._attempt - 1))) * random.uniform(1, 1.2)
        self._resume = time.monotonic() + delay
        self.log.warning("waiting", reason=str(error), seconds=round(delay, 1), attempt=self._attempt)


def resting(schedule: Schedule, at: datetime) -> bool:
    """Is this instant within the schedule's hours of rest?"""
    local = at.astimezone(ZoneInfo(schedule.zone)).time()
    return any(hours.hold(local) for hours in schedule.rest)


def _backoff(attempt: int) -> float:
    """Half a second, doubled each time up to a minute, with jitter."""
    return float(min(60.0, 0.5 * 2 ** min(attempt - 1, 10)) * random.uniform(0.7, 1.3))
