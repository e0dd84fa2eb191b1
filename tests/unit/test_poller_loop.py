"""The loop of the sources without Kafka: whose turn it is, how long it waits, when it rests."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from producers import base
from producers.base import Page, Position, _Loop, resting
from weighlock.errors import RateLimited, RejectedError, TransientError
from weighlock.schedule import Schedule

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
#: Where the clock of the waits stands in a test that measures them.
STOOD = 1000.0


@pytest.fixture
def standing(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the machine takes over it, no time goes by for the waits."""
    monkeypatch.setattr(base, "time", SimpleNamespace(monotonic=lambda: STOOD))


class Leader:
    """Leads always, with these checkpoints."""

    owns = leads = True

    def __init__(self, **checkpoints: Position) -> None:
        self.checkpoints = checkpoints

    def take_over(self) -> dict[str, Position]:
        return self.checkpoints


class Scripted:
    """Answers by entity, one after the other, then with quiet pages; remembers who was asked from where."""

    name = "scripted"

    def __init__(self, schedule: Schedule, **answers: list[Page | Exception]) -> None:
        self.entities = dict.fromkeys(("customer", "contact"), schedule)
        self.answers, self.asked = answers, list[tuple[str, Position | None]]()

    def poll(self, entity: str, position: Position | None) -> Page:
        self.asked.append((entity, position))
        left = self.answers.get(entity, [])
        answer = left.pop(0) if left else Page((), {"quiet": str(len(self.asked))})
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        pass


class Kept:
    """Instead of the publisher: the positions that were written, by track."""

    def __init__(self) -> None:
        self.written: list[tuple[str, Position]] = []

    def publish(self, track: str, page: Page, position: Position) -> None:
        self.written.append((track, {name: word for name, word in position.items() if name != base.READ_IN_FULL}))


Make = Callable[..., tuple[_Loop, Kept]]


@pytest.fixture
def loop_of() -> Make:
    def make(source: Scripted, **checkpoints: Position) -> tuple[_Loop, Kept]:
        loop = _Loop(None, None, source, threading.Event(), Leader(**checkpoints))  # type: ignore[arg-type]
        kept = loop._publisher = Kept()  # type: ignore[assignment]
        loop._take_over()
        return loop, kept

    return make


def turns(loop: _Loop, times: int) -> None:
    for _ in range(times):
        loop._turn()


def test_a_walk_is_finished_before_the_next_entity(loop_of: Make) -> None:
    """Customers go first, page after page while there are more; then contacts; then nobody until the schedule says so."""
    source = Scripted(Schedule(every=1000), customer=[Page((), {"a": "1"}, more=True), Page((), {"a": "2"})])
    turns(loop_of(source)[0], 6)
    assert source.asked == [("customer", None), ("customer", {"a": "1"}), ("contact", None)]


def test_each_has_its_turn(loop_of: Make) -> None:
    """Where a poll takes longer than the interval, nobody waits for ever: neither those that come later, nor changes behind a long walk."""
    long = [Page((), {"page": str(page)}, more=True) for page in range(6)]
    source = Scripted(Schedule(every=1e-6, reread=None), customer=[Page((), {"a": "1"})], contact=[*long, Page((), {"b": "1"})])
    turns(loop_of(source)[0], 20)
    asked = [entity for entity, _ in source.asked]
    assert asked[:2] == ["customer", "contact"]
    assert all({"customer", "contact"} == set(asked[place : place + 3]) for place in range(0, 18))


def test_it_goes_on_from_the_checkpoint(loop_of: Make) -> None:
    """The source gets its own words back, without the loop's."""
    source = Scripted(Schedule(every=1000))
    turns(loop_of(source, customer={"a": "1", base.READ_IN_FULL: NOON.isoformat()})[0], 1)
    assert source.asked == [("customer", {"a": "1"})]


def test_an_interrupted_re_reading_goes_on(loop_of: Make) -> None:
    """Its checkpoint is its own; what changes goes first; at its end the checkpoint is emptied."""
    source = Scripted(Schedule(every=1000, reread=None))
    loop, kept = loop_of(source, customer={"a": "1"}, **{"customer|reread": {"f": "7"}})
    turns(loop, 5)
    assert source.asked == [("customer", {"a": "1"}), ("contact", None), ("customer", {"f": "7"})]
    assert kept.written[-1] == ("customer|reread", {})


def test_quiet_pages_write_little(loop_of: Make) -> None:
    """An empty page needs a checkpoint only now and then, but the end of a walk that was written is written."""
    source = Scripted(
        Schedule(every=1e-6, reread=None), customer=[Page((), {"a": "1"}, more=True), Page((), {"a": "2"}), Page((), {"a": "3"})]
    )
    loop, kept = loop_of(source)
    turns(loop, 6)
    assert [position for track, position in kept.written if track == "customer"] == [{"a": "1"}, {"a": "2"}]


@pytest.mark.usefixtures("standing")
@pytest.mark.parametrize(
    ("error", "least", "most"),
    [(RateLimited("budget", 7.0), 7.0, 8.5), (TransientError("gone"), 0.3, 0.7), (RateLimited("now", 0.0), 0.0, 0.1)],
)
def test_it_waits_and_repeats(loop_of: Make, error: Exception, least: float, most: float) -> None:
    """What can pass is waited for, for all entities, as long as it says, with jitter; then the same call is repeated."""
    source = Scripted(Schedule(every=1000), customer=[error])
    loop, _ = loop_of(source, customer={"a": "1"})
    turns(loop, 1)
    assert least <= loop._resume - STOOD <= most
    if least > 0:
        turns(loop, 3)
        assert len(source.asked) == 1
    loop._resume = 0.0
    turns(loop, 1)
    assert source.asked == [("customer", {"a": "1"})] * 2


@pytest.mark.usefixtures("standing")
def test_waits_grow(loop_of: Make) -> None:
    """Each failure in a row waits about twice as long, up to a minute or so; a success starts over."""
    source = Scripted(Schedule(every=1e-6), customer=[TransientError("gone")] * 12)
    loop, _ = loop_of(source)
    delays = []
    for _ in range(12):
        loop._resume = 0.0
        turns(loop, 1)
        delays.append(loop._resume - STOOD)
    assert delays[0] < 1
    assert delays[5] > 8
    assert 40 <= max(delays) <= 80
    loop._resume = 0.0
    turns(loop, 1)
    assert loop._attempt == 0


def test_a_refused_list_stops_its_entity_only(loop_of: Make) -> None:
    """The vendor refuses the whole call: that entity waits, the other is read."""
    source = Scripted(Schedule(every=1000), customer=[RejectedError("no")])
    loop, _ = loop_of(source)
    turns(loop, 4)
    assert [entity for entity, _ in source.asked] == ["customer", "contact"]


def test_it_rests(loop_of: Make) -> None:
    """In the hours of rest nothing is polled, not even at the start; the next time is their end."""
    now = datetime.now(UTC)
    rest: list[Any] = [{"from": f"{now - timedelta(hours=1):%H:%M}", "to": f"{now + timedelta(hours=1):%H:%M}"}]
    source = Scripted(Schedule(every=1, rest=rest))
    loop, _ = loop_of(source)
    turns(loop, 4)
    assert source.asked == []
    wait = loop._tracks[0].due - now
    assert timedelta(minutes=58) < wait <= timedelta(minutes=61)


def test_rest_is_in_the_zone_of_the_schedule() -> None:
    """22 to 6 o'clock in Berlin is 21 to 5 in UTC in November."""
    schedule = Schedule(every=1, rest=[{"from": "22:00", "to": "06:00"}], zone="Europe/Berlin")  # type: ignore[list-item]
    assert [resting(schedule, NOON.replace(hour=hour)) for hour in (20, 21, 4, 5)] == [False, True, True, False]
