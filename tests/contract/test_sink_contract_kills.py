"""What every sink inherits: a call that takes effect late does not stay, whoever was killed in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Event
from unittest import mock

import pytest
from confluent_kafka import TopicPartition

from sinks import attempts
from sinks.base import Sink, run
from sinks.contract import Resolved
from sinks.member import UNTIL, Member, Place
from tests.contract.sink_memory import ClockOfDoubts, Memory
from tests.integration.sink_kit import Desk, company, eventually, sink_running
from weighlock.errors import AuthError, TransientError

SUBJECT = company(1, 0).subject


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "LONGEST_WAIT", 0.2)


@pytest.fixture
def killed() -> Iterator[Callable[[], object]]:
    """Within `with killed():` a sink that ends says nothing more to anybody, as after kill -9."""
    dead: list[Sink] = []

    @contextmanager
    def killing() -> Iterator[None]:
        with mock.patch.object(Sink, "close", lambda sink: dead.append(sink)):
            yield

    yield killing
    for sink in dead:
        sink.again._due.clear()
        sink.close()


@pytest.fixture
def desk(stack, prefix: str, tmp_path) -> Desk:  # type: ignore[no-untyped-def]
    return Desk(stack.kafka, stack.registry, prefix, None, tmp_path)


@pytest.fixture
def target() -> Memory:
    return Memory()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> ClockOfDoubts:
    return ClockOfDoubts(monkeypatch)


def until(desk: Desk, complain: Callable[[], None], **events: int) -> None:
    eventually(lambda: complain() or desk.audit()[SUBJECT] == events, what=f"{events}: {desk.audit()}")


def late(target: Memory) -> None:
    """The call with the older name takes effect now."""
    target.held[SUBJECT] = Resolved(company(1, 1, name="old"))


def two_calls_of_which_the_first_is_late(desk: Desk, target: Memory) -> None:
    """One run of a sink; the first call has no answer and takes effect when the run is over."""

    def lose_one(batch: Sequence[Resolved]) -> None:
        if len(target.batches) == 1:
            raise TransientError("no answer", ambiguous=True)

    target.trouble = lose_one
    with sink_running(desk, target) as complain:
        for version, name in ((1, "old"), (2, "new")):
            desk.send(company(1, version, name=name))
            until(desk, complain, written=version)
    late(target)


def it_is_repeated(desk: Desk, target: Memory, clock: ClockOfDoubts) -> None:
    with sink_running(desk, target) as complain:
        clock.goes_on()
        until(desk, complain, written=2, rewritten=1)
        assert target.held[SUBJECT].wish.properties["name"] == "new"
        assert desk.results()[SUBJECT].doubt is None


def test_killed_after_a_call_without_an_answer(desk: Desk, target: Memory, clock: ClockOfDoubts, killed) -> None:  # type: ignore[no-untyped-def]
    """The result says that a call may take effect late: whoever has the partition then writes what was written last once more."""
    with killed():
        two_calls_of_which_the_first_is_late(desk, target)
    it_is_repeated(desk, target, clock)


def test_stopped_after_a_call_without_an_answer(desk: Desk, target: Memory, clock: ClockOfDoubts) -> None:
    """A stop passes the doubt on: it is the next owner who repeats the call, once."""
    two_calls_of_which_the_first_is_late(desk, target)
    it_is_repeated(desk, target, clock)


def test_killed_in_a_call(desk: Desk, target: Memory, clock: ClockOfDoubts, killed) -> None:  # type: ignore[no-untyped-def]
    """Nothing was recorded: what the next owner writes first is in doubt, for the call of the dead one may take effect after it."""
    target.afterwards = AuthError("dies in the call")
    desk.send(company(1, 1, name="old"))
    with killed(), pytest.raises(AuthError):
        run(desk.settings, desk.wire, target, "here", Event())
    target.afterwards = None
    with sink_running(desk, target) as complain:
        until(desk, complain, written=1)
        desk.send(company(1, 2, name="new"))
        until(desk, complain, written=2)
        late(target)
        clock.goes_on()
        until(desk, complain, written=2, rewritten=1)
    assert target.held[SUBJECT].wish.properties["name"] == "new"
    assert desk.results()[SUBJECT].doubt is None


def test_nothing_is_in_doubt_after_a_stop(desk: Desk, target: Memory) -> None:
    """Neither what the first sink of all writes, nor what the next one does after a good end, is written twice."""
    for version in (1, 2):
        with sink_running(desk, target) as complain:
            desk.send(company(1, version, name=f"v{version}"))
            until(desk, complain, written=version)
            assert desk.results()[SUBJECT].doubt is None


def test_the_group_tells_how_far_calls_went(desk: Desk, target: Memory) -> None:
    """In the middle of a call the group's offset says where those messages end that it may be about, whatever stands behind them; what was
    recorded says so too. A real broker keeps both."""
    place = TopicPartition(desk.wire.name(desk.upserts), desk.wire.partition(desk.upserts, SUBJECT))
    asked = Member(desk.settings, "sink.hubspot", place.topic, "nobody", Event(), *[lambda *_: None] * 3)
    seen: list[Place] = []

    def more(wishes: Sequence[Resolved]) -> None:
        if not seen:
            desk.send(company(1, 2, name="new"))
            seen.append(asked.committed(place.partition))

    target.trouble = more
    with sink_running(desk, target) as complain:
        desk.send(company(1, 1))
        eventually(lambda: complain() or desk.audit().get(SUBJECT) == {"written": 2}, 60)
        (last,) = asked._offsets.committed([place])
    assert (seen[0].end, seen[0].clean) == (seen[0].at + 1, False)
    assert (last.offset, last.metadata) == (seen[0].at + 2, f"{UNTIL}{last.offset}")
