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
from confluent_kafka import KafkaException

from producers.leader import Leadership, SteppedBack, check_topics
from producers.publish import Publisher
from schemas.headers import Passage
from schemas.records import Record
from schemas.topics import Topic
from weighlock import metrics
from weighlock.errors import RateLimited, RejectedError, TransientError
from weighlock.kafka.wire import Wire
from weighlock.schedule import Schedule
from weighlock.settings import Settings

Position = dict[str, str]
#: In a checkpoint beside the source's own words: when the loop last let it read everything.
READ_IN_FULL = "read_in_full"
NEVER = datetime.max.replace(tzinfo=UTC)
#: An empty page needs no checkpoint of its own more often than this.
QUIET = 60.0
#: How long an entity rests whose list the vendor refuses as such.
REFUSED_LIST = timedelta(seconds=60)


@dataclass(frozen=True)
class Change:
    """One record on its way to its source topic; `key` is its own ref. What is nobody's record (a new day) is not `audited`."""

    topic: Topic
    key: str
    record: Record
    passage: Passage
    audited: bool = True


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
            check_topics(settings, source.name)
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


@dataclass
class _Track:
    """One walk through an entity: the one that follows its changes, or (`again`) the re-reading that runs beside it when it is due."""

    entity: str
    schedule: Schedule
    again: bool
    due: datetime = NEVER
    position: Position | None = None
    read_in_full: datetime | None = None
    began: datetime | None = None
    written: float | None = None
    unfinished: bool = False  # the last checkpoint lies within a walk
    through: bool = False  # a walk has ended since we lead

    @property
    def name(self) -> str:
        return f"{self.entity}|reread" if self.again else self.entity

    def resume(self, checkpoint: Position, now: datetime) -> None:
        """Where the last leader was. A re-reading that had ended left an empty checkpoint."""
        self.through = False
        if self.again:
            self.due, self.unfinished = (now, True) if checkpoint else (NEVER, False)
        else:
            self.due, full = now, checkpoint.pop(READ_IN_FULL, None)
            self.read_in_full = datetime.fromisoformat(full) if full else now
        self.position = checkpoint or None

    def checkpoint(self, page: Page) -> Position:
        """What to write with that page."""
        if self.again:
            return page.position if page.more else {}
        return {**page.position, READ_IN_FULL: (self.read_in_full or datetime.now(UTC)).isoformat()}

    def worth_writing(self, page: Page) -> bool:
        quiet = self.written is not None and time.monotonic() - self.written < QUIET
        return bool(page.changes or page.refused or self.unfinished or not quiet)

    def move(self, page: Page) -> None:
        """That page is done."""
        self.position = page.position
        if page.more:
            self.due = datetime.now(UTC)  # behind those that wait already
        else:
            self.through = True
            assert self.began is not None
            self.due = NEVER if self.again else self.schedule.next(self.began)
            self.position = None if self.again else page.position
            self.began = None


class _Loop:
    """One membership, from joining to leaving."""

    def __init__(self, settings: Settings, wire: Wire, source: Source, stop: threading.Event, leadership: Leadership) -> None:
        self._source, self._stop, self._leadership = source, stop, leadership
        self._publisher = Publisher(wire, leadership, source.name)
        self._log = structlog.get_logger(worker=f"source-{source.name}")
        self.led = False
        self._again = {entity: _Track(entity, schedule, True) for entity, schedule in source.entities.items()}
        # in the order of their first walks, for contacts refer to customers, and invoices to both
        self._tracks = [*(_Track(entity, schedule, False) for entity, schedule in source.entities.items()), *self._again.values()]
        self._attempt, self._resume = 0, 0.0
        metrics.partitions(f"source-{source.name}", lambda: int(leadership.leads))

    def attend(self) -> None:
        """Stand by; while we lead, read what is due. Returns when told to stop, raises what only a new membership can mend."""
        while not self._stop.is_set():
            self._leadership.attend(self._patience())
            if self._leadership.owns and not self._leadership.leads:
                self._take_over()
            elif self.led and not self._leadership.owns:
                raise SteppedBack("our place in the group is lost: another copy may lead, or Kafka is away")
            elif self._leadership.leads:
                self._turn()

    def _take_over(self) -> None:
        checkpoints, now = self._leadership.take_over(), datetime.now(UTC)
        for track in self._tracks:
            track.resume(dict(checkpoints.get(track.name, {})), now)
        self.led = True
        self._log.info("leading", positions=checkpoints)

    def _patience(self) -> float:
        """Half a second at the most, so that a stop is heard."""
        if not self._leadership.leads:
            return 0.5
        due = (min(track.due for track in self._tracks) - datetime.now(UTC)).total_seconds()
        return max(0.0, min(0.5, max(due, self._resume - time.monotonic())))

    def _turn(self) -> None:
        """One page of the track that has been due for the longest time, if it is time."""
        now = datetime.now(UTC)
        track = self._next(now)
        if track is None or time.monotonic() < self._resume:
            return
        if resting(track.schedule, now):
            track.due = track.schedule.next(now)
            return
        try:
            self._page(track, now)
            self._attempt = 0
        except SteppedBack:
            raise
        except TransientError as error:
            self._wait(error)
        except RejectedError as error:
            self._log.error("the vendor refuses the list, its entity waits", entity=track.name, reason=str(error), request=error.request)
            track.due = now + REFUSED_LIST

    def _next(self, now: datetime) -> _Track | None:
        """Each has its turn, even where polls take longer than their interval. Who has not been through its first walk goes before all
        that come later."""
        due: list[_Track] = []
        for track in (track for track in self._tracks if track.due <= now):
            due.append(track)
            if not (track.through or track.again):
                break
        return min(due, key=lambda track: track.due, default=None)

    def _page(self, track: _Track, now: datetime) -> None:
        if track.began is None:
            track.began = now
            self._read_again(track, now)
        page = self._source.poll(track.entity, track.position)
        if track.worth_writing(page):
            self._publisher.publish(track.name, page, track.checkpoint(page))
            track.written, track.unfinished = time.monotonic(), page.more
        page.committed()
        track.move(page)
        metrics.polled(self._source.name, track.entity)

    def _read_again(self, track: _Track, now: datetime) -> None:
        """When the `reread` line has come due, everything is read once more, beside what changes meanwhile."""
        if track.again or track.position is None or track.read_in_full is None or not track.schedule.reread_due(track.read_in_full, now):
            return
        again = self._again[track.entity]
        track.read_in_full = now
        again.due, again.position, again.began = now, None, None
        self._log.info("reading everything again", entity=track.entity)

    def _wait(self, error: TransientError) -> None:
        """Until then nothing is asked of the vendor; the membership is kept all the while."""
        self._attempt += 1
        delay = _backoff(self._attempt)
        if isinstance(error, RateLimited):
            delay = max(error.retry_after, min(60.0, error.retry_after * 2 ** min(self._attempt - 1, 10))) * random.uniform(1, 1.2)
        self._resume = time.monotonic() + delay
        until = (datetime.now(UTC) + timedelta(seconds=delay)).isoformat(timespec="seconds")
        self._log.warning("waiting", reason=str(error), seconds=round(delay, 1), until=until, attempt=self._attempt)


def resting(schedule: Schedule, at: datetime) -> bool:
    """Is this instant within the schedule's hours of rest?"""
    local = at.astimezone(ZoneInfo(schedule.zone)).time()
    return any(hours.hold(local) for hours in schedule.rest)


def _backoff(attempt: int) -> float:
    """Half a second, doubled each time up to a minute, with jitter."""
    return float(min(60.0, 0.5 * 2 ** min(attempt - 1, 10)) * random.uniform(0.7, 1.3))
