"""Two copies of a sink that are killed in the middle of a rebalance, and started again at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from threading import Event
from typing import Any
from unittest import mock

import pytest
from confluent_kafka import OFFSET_BEGINNING, TopicPartition

from sinks.base import Sink, run
from sinks.member import Member
from tests.contract.sink_memory import Memory
from tests.integration.sink_kit import Desk, company, eventually


class Seat:
    """A member of the sinks' group, and what it has."""

    def __init__(self, desk: Desk, name: str) -> None:
        self.owned: set[int] = set()
        topic = desk.wire.name(desk.upserts)
        self.member = Member(desk.settings, "sink.hubspot", topic, name, Event(), self._given, self._taken, self._taken)
        self.member.join()

    def _given(self, consumer: Any, partitions: list[TopicPartition]) -> None:
        consumer.assign([TopicPartition(one.topic, one.partition, OFFSET_BEGINNING) for one in partitions])
        self.owned = {one.partition for one in partitions}

    def _taken(self, consumer: Any, partitions: list[TopicPartition]) -> None:
        self.owned = set()


class Copies:
    """Sinks in threads of this process, by member name. Those that died come back when it is `over`."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.stop, self.over = desk, Event(), Event()
        self.threads: list[threading.Thread] = []

    def start(self, *names: str) -> None:
        for name in names:
            arguments = (self.desk.settings, self.desk.wire, Memory(), name, self.stop)
            self.threads.append(threading.Thread(target=run, args=arguments, daemon=True))
            self.threads[-1].start()


@pytest.fixture
def copies(stack, prefix: str, tmp_path) -> Iterator[Copies]:  # type: ignore[no-untyped-def]
    found = Copies(Desk(stack.kafka, stack.registry, prefix, None, tmp_path))
    yield found
    found.stop.set()
    found.over.set()
    for thread in found.threads:
        thread.join(60)
        assert not thread.is_alive()


def test_no_partition_is_left_to_nobody(copies: Copies) -> None:
    """One dies when it is told to give partitions away, the other one with it: those who take their seats have all partitions."""
    desk, giving, dead, silent = copies.desk, Event(), Event(), Event()
    taken, consume = Sink._taken, Member.consume

    def die(self: Sink, consumer: Any, partitions: Any) -> None:
        giving.set()
        copies.over.wait()
        taken(self, consumer, partitions)

    def fall_silent(self: Member, count: int) -> Any:
        if dead.is_set():
            silent.set()
            copies.over.wait()
        return consume(self, count)

    firsts = [company(number, 1) for number in range(1, 13)]
    assert len({desk.wire.partition(desk.upserts, wish.subject) for wish in firsts}) == 4
    with mock.patch.object(Sink, "_taken", die), mock.patch.object(Member, "consume", fall_silent):
        copies.start("a")
        desk.send(*firsts)
        eventually(lambda: len(desk.audit()) == 12, what="the first copy at work")
        copies.start("b")
        assert giving.wait(90)
        dead.set()
        assert silent.wait(90)
    copies.start("a", "b")
    desk.send(*(wish.model_copy(update={"version": 2}) for wish in firsts))
    eventually(lambda: all(sum(events.values()) == 2 for events in desk.audit().values()), 120, "all partitions are read")


def test_what_was_taken_in_a_wait_is_read_when_it_comes_back(copies: Copies) -> None:
    """Partitions are paused in a wait. Those that are given away in it and come back when it is over are read."""
    desk = copies.desk
    desk.send(*(company(number, 1) for number in range(1, 13)))
    first, second = seats = [Seat(desk, "a"), Seat(desk, "b")]
    try:
        eventually(lambda: [len(seat.owned) for seat in seats if seat.member.consume(1) or True] == [2, 2], what="two each")
        seats.append(Seat(desk, "c"))
        # the second one says nothing: it holds up the rebalance
        eventually(lambda: (first.member.wait(4), first.owned == set())[1], what="what the first had is taken in its wait")
        read: set[int] = set()

        def all_are_somebodys() -> bool:
            for seat in seats:
                found = {one.partition() for one in seat.member.consume(1)}
                read.update(found if seat is first else ())
            return sum(len(seat.owned) for seat in seats) == 4

        eventually(all_are_somebodys, what="all are somebody's")
        eventually(lambda: read.update(one.partition() for one in first.member.consume(100)) or read >= first.owned, what="its partitions")
        assert first.owned
    finally:
        for seat in seats:
            seat.member.leave(lambda: True)
    assert second.owned == set()
