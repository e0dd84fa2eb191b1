"""Many customers that are made under every kind of trouble, in few lives of the sink: each must be made once.

`python -m tests.integration.seed_rounds 200` does it with 200 of each kind and prints the figures; Kafka and the registry are those that
WEIGHLOCK_KAFKA and WEIGHLOCK_REGISTRY name.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from types import SimpleNamespace
from typing import Any
from unittest import mock

import httpx

from schemas import records
from schemas.headers import new_trace
from schemas.records import Wish
from sinks import acumatica, intents
from sinks.base import Sink, run
from sinks.lane import Lane
from tests.integration.acumatica_kit import Call, Line, Town, seed
from tests.integration.sink_kit import Desk, eventually, sink_running
from weighlock.errors import AuthError

#: Longer than any call may take, by the intents' clock.
LONG = timedelta(seconds=700)


class Clock:
    """The intents' clock, which goes on when it is told to."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return records.now() + self.ahead


def all_are(desk: Desk, complain: Callable[[], None], wishes: Sequence[Wish], event: str) -> None:
    def seen() -> bool:
        complain()
        audit = desk.audit()
        return all(audit[wish.subject][event] for wish in wishes)

    eventually(seen, 120, f"all {event}")


def lost_and_late(town: Town, clock: Clock, rounds: int) -> None:
    """Companies 1 to `rounds`: the answer is lost after the commit. As many more: the call takes effect when the client has given up."""
    lost, late = [seed(n) for n in range(1, rounds + 1)], [seed(n) for n in range(rounds + 1, 2 * rounds + 1)]
    line, names = town.line, {str(wish.properties["CustomerName"]) for wish in lost}

    def fate(call: Call, request: httpx.Request) -> httpx.Response:
        is_lost = any(f'"{name}"' in request.content.decode() for name in names)
        return line.lose(call, request) if is_lost else line.delay(call, request)

    line.fate = fate
    with sink_running(town, town.target()) as complain:
        town.send(*lost, *late)
        all_are(town, complain, [*lost, *late], "waiting")
        line.fate = lambda call, request: call()
        assert len(line.customers) == rounds
        line.deliver()
        clock.ahead += LONG
        all_are(town, complain, [*lost, *late], "written")


def killed_and_zombie(town: Town, clock: Clock, rounds: int) -> None:
    """Companies 1 to `rounds`: killed when all are made and none is recorded. As many more: it stands still in the first call of them,
    another one takes over, then it goes on."""
    killed, rest = [seed(n) for n in range(1, rounds + 1)], [seed(n) for n in range(rounds + 1, 2 * rounds + 1)]
    town.send(*killed)
    with _killed(), mock.patch.object(Lane, "record", _die), suppress(AuthError):
        run(town.settings, town.wire, town.target(), "here", Event())
    made = len(town.line.customers)
    assert made > 0
    assert town.results()
    assert all(result.target is None and result.intent for result in town.results().values())
    with sink_running(town, town.target()) as complain:
        all_are(town, complain, killed, "written")
    assert len(town.line.customers) == rounds
    stopped, awake, told = Event(), Event(), Event()

    def stand_still(call: Call, request: httpx.Request) -> httpx.Response:
        town.line.fate = lambda call, request: call()
        stopped.set()
        assert awake.wait(300)
        return call()

    town.line.fate = stand_still
    town.send(*rest)
    zombie = Thread(target=run, args=(town.settings, town.wire, town.target("zombie"), "here", told), daemon=True)
    zombie.start()
    assert stopped.wait(120)
    with sink_running(town, town.target()) as complain:
        eventually(lambda: complain() or sum(bool(events) for ref, events in town.audit().items() if _in(ref, rest)) == rounds, 120)
        awake.set()
        eventually(lambda: len(town.line.customers) == 2 * rounds, 120, "the call of the one that stood still")
        told.set()
        zombie.join(60)
        assert not zombie.is_alive()
        clock.ahead += LONG
        all_are(town, complain, rest, "written")


def _in(ref: str, wishes: Sequence[Wish]) -> bool:
    return ref in {wish.subject for wish in wishes}


def _die(lane: Lane, portion: Any) -> None:
    raise AuthError("killed before it recorded anything")


@contextmanager
def _killed() -> Iterator[None]:
    """A sink that ends in here says nothing more to anybody, as after kill -9."""
    dead: list[Sink] = []
    with mock.patch.object(Sink, "close", lambda sink: dead.append(sink)):
        yield
    for sink in dead:
        sink.again._due.clear()
        sink.close()


def main(rounds: int) -> None:
    where = SimpleNamespace(kafka=os.environ["WEIGHLOCK_KAFKA"], registry=os.environ["WEIGHLOCK_REGISTRY"])
    for name, work in (("answers lost, and calls that are late", lost_and_late), ("kills, and a zombie", killed_and_zombie)):
        clock, began = Clock(), time.monotonic()
        line = Line(customer_numbering="auto")
        with TemporaryDirectory() as folder, mock.patch.object(intents, "now", clock), mock.patch.object(acumatica, "FRUITLESS", 10**6):
            work(Town(where, f"rounds.{new_trace()[:8]}.", Path(folder), line), clock, rounds)
        companies, puts = len(set(line.carrying())), sum(request.method == "PUT" for request in line.seen)
        took = time.monotonic() - began
        print(f"{name}: {2 * rounds} companies, {len(line.customers)} customers of {companies} companies, {puts} PUTs, {took:.0f} s")
        assert len(line.customers) == companies == 2 * rounds


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
