"""What one group has not worked off yet, looked up now and then: whoever asks for it never waits for Kafka."""

from __future__ import annotations

import time
from collections.abc import Iterable

from schemas.topics import Topic
from weighlock import wiring
from weighlock.settings import Settings
from weighlock.status.follow import Brokers, Follow, Place

#: Offsets of which the records among them are counted: a transaction's end is an offset too. Of more, the difference is good enough.
COUNTED = 50
#: What was found is told for so many seconds; then nothing is, rather than what was.
GOOD_FOR = 60.0


class Lag:
    """`look` asks Kafka; `values` gives what it found, a number for each topic (its name without prefix)."""

    def __init__(self, settings: Settings, group: str, topics: Iterable[Topic]) -> None:
        self._settings, self._group, self._brokers = settings, group, Brokers(settings)
        wire = wiring.wire(settings)
        self._places = {(place.topic, place.partition): topic.name for topic in topics for place in wire.partitions(topic)}
        self._counted: dict[Place, tuple[int, int, int]] = {}  # from, to, records
        self._looked, self._found = 0.0, dict[tuple[str, ...], float]()

    def values(self) -> dict[tuple[str, ...], float]:
        return self._found if time.monotonic() < self._looked + GOOD_FOR else {}

    def look(self) -> None:
        """`TransientError` where Kafka does not answer."""
        committed, ends = self._brokers.committed(self._group), self._brokers.ends(self._places)
        gaps = {place: (committed.get(place, 0), end) for place, end in ends.items()}
        self._count({place: gap for place, gap in gaps.items() if 0 < gap[1] - gap[0] <= COUNTED})
        found: dict[tuple[str, ...], float] = dict.fromkeys(((name,) for name in self._places.values()), 0)
        for place, (at, end) in gaps.items():
            known = self._counted.get(place)
            found[(self._places[place],)] += known[2] if known and known[:2] == (at, end) else max(0, end - at)
        self._found, self._looked = found, time.monotonic()

    def _count(self, gaps: dict[Place, tuple[int, int]]) -> None:
        new = {place: gap for place, gap in gaps.items() if self._counted.get(place, ())[:2] != gap}
        if not new:
            return
        follow = Follow(self._settings, self._brokers, {place: at for place, (at, _) in new.items()})
        try:
            numbers = dict.fromkeys(new, 0)
            for message in follow.news():
                place = (message.topic(), message.partition())
                numbers[place] += message.offset() < new[place][1]
        finally:
            follow.close()
        self._counted |= {place: (*gap, numbers[place]) for place, gap in new.items()}
