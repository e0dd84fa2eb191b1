"""A new day is told once to every partition."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from producers.acumatica_day import Days, keys
from schemas.partitions import partition_of
from schemas.sources import SourceAcumaticaDay
from weighlock.schedule import Schedule


def days(*times: str, zone: str = "Europe/Berlin") -> list[list[SourceAcumaticaDay]]:
    """What polls at those times tell, one after the other."""
    clock = iter([datetime.fromisoformat(time).replace(tzinfo=UTC) for time in times])
    told, position, source = [], None, Days(Schedule(cron="3 0 * * *", zone=zone), 2, lambda: next(clock))
    for _ in times:
        page = source.poll(position)
        position = page.position
        told.append([change.record for change in page.changes if isinstance(change.record, SourceAcumaticaDay)])
    return told


def test_a_day_is_told_once_in_its_zone() -> None:
    """The first poll of a day tells it, by the schedule's zone; a day that nobody looked at is not told any more."""
    told = days("2026-11-20T22:30", "2026-11-20T23:10", "2026-11-21T12:00", "2026-11-24T00:30")
    assert [{record.day for record in page} for page in told] == [
        {date(2026, 11, 20)},
        {date(2026, 11, 21)},
        set(),
        {date(2026, 11, 24)},
    ]
    assert [len(page) for page in told] == [2, 2, 0, 2]


@pytest.mark.parametrize("partitions", [1, 2, 4, 7, 200])
def test_every_partition_has_a_key(partitions: int) -> None:
    """Each key goes to another partition, by the hash that all our producers use."""
    assert [partition_of(key, partitions) for key in keys(partitions)] == list(range(partitions))
