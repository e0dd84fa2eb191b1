"""A new day, told to every partition: what is due becomes overdue by the calendar alone, without a change in Acumatica."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from itertools import count
from zoneinfo import ZoneInfo

from producers.acumatica_tables import SYSTEM
from producers.base import Change, Page, Position
from schemas.headers import Passage, new_trace
from schemas.partitions import partition_of
from schemas.sources import SourceAcumaticaDay
from schemas.topics import SOURCE_DAY
from weighlock.schedule import Schedule

DAY = "day"


class Days:
    """The days of the schedule's zone. One that passed while nobody looked is not told: the latest one holds all of it."""

    def __init__(self, schedule: Schedule, partitions: int, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._zone, self._keys, self._now = ZoneInfo(schedule.zone), keys(partitions), now

    def poll(self, position: Position | None) -> Page:
        """Position: `day`, the last one that was told."""
        now = self._now()
        today = now.astimezone(self._zone).date()
        if position and date.fromisoformat(position[DAY]) >= today:
            return Page((), position)
        record = SourceAcumaticaDay(day=today, read_at=now)
        passage = Passage(new_trace(), SYSTEM, now)
        return Page([Change(SOURCE_DAY, key, record, passage, audited=False) for key in self._keys], {DAY: today.isoformat()})


def keys(partitions: int) -> list[str]:
    """For each partition the smallest number whose key goes there."""
    found: dict[int, str] = {}
    for number in count():
        found.setdefault(partition_of(str(number), partitions), str(number))
        if len(found) == partitions:
            break
    return [found[partition] for partition in range(partitions)]
