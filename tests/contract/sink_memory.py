"""A target in memory that can be told to fail, and a sink at work on it: for the tests of what every sink inherits."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

import pytest

from schemas import records
from schemas.records import DeadLetter, Wish
from sinks import again, calls, inbox, lane, tenure
from sinks.contract import Answer, Ask, Claims, Gone, LeftOut, Resolved, Written
from tests.integration.sink_kit import Desk, company, eventually
from weighlock.errors import RejectedError

numbers = itertools.count(1)
LONGEST = 900.0


class ClockOfDoubts:
    """The sinks' clock for calls that may come late; it goes on when it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._ahead = timedelta(0)
        for module in (again, calls, inbox, lane, tenure):
            monkeypatch.setattr(module, "now", lambda: records.now() + self._ahead)

    def goes_on(self, seconds: float = LONGEST) -> None:
        self._ahead += timedelta(seconds=seconds)


class Memory:
    """A target that holds what it was asked to; `trouble` may raise or refuse, for each batch. `out` says why an object, or what has a
    value, is left out; whoever changes it adds to `changes`. `lost` says so for objects, and only a call shows it. Its longest call takes
    longer than any test: what may come late is repeated when a test says so (`ClockOfDoubts`)."""

    system, objects, longest_call, batch, changes = "hubspot", ("company", "contact"), LONGEST, 2000, 0

    def __init__(self) -> None:
        self.held: dict[str, Resolved] = {}
        self.facets: dict[tuple[str, str], Resolved] = {}
        self.ids: dict[str, str] = {}
        self.batches: list[list[str]] = []
        self.refused: dict[str, RejectedError] = {}
        self.trouble: Callable[[Sequence[Resolved]], None] = lambda wishes: None
        self.problem: Exception | None = None
        self.out: dict[str, str] = {}
        self.lost: dict[str, str] = {}
        self.afterwards: Exception | None = None

    def check(self) -> None:
        if self.problem is not None:
            raise self.problem

    def left_out(self, kind: str, wish: Wish | None = None) -> str | None:
        values = wish.properties.values() if wish is not None else ()
        return next((why for what, why in self.out.items() if what == kind or what in values), None)

    def look(self) -> None:
        pass

    def write(self, wishes: Sequence[Resolved], ask: Ask, claims: Claims) -> Mapping[str, Answer]:
        return ask(lambda: self._write(wishes))

    def _write(self, wishes: Sequence[Resolved]) -> dict[str, Answer]:
        lost = {one.wish.subject: LeftOut(self.lost[one.wish.object]) for one in wishes if one.wish.object in self.lost}
        if lost:
            self.out, self.lost, self.changes = {**self.out, **self.lost}, {}, self.changes + 1
            wishes = [one for one in wishes if one.wish.subject not in lost]
        self.batches.append([one.wish.subject for one in wishes])
        self.trouble(wishes)
        good = [one for one in wishes if one.wish.subject not in self.refused]
        gone = {one.wish.subject: Gone() for one in good if one.further and one.itself != self.id_of(one.wish)}
        good = [one for one in good if one.wish.subject not in gone]
        self.held |= {one.wish.subject: one for one in good}
        self.facets |= {(one.wish.subject, one.wish.facet): one for one in good}
        if self.afterwards is not None:
            raise self.afterwards
        written = {one.wish.subject: Written(self.id_of(one.wish), "created", self._associated(one)) for one in good}
        return written | self.refused | gone | lost

    def id_of(self, wish: Wish) -> str:
        """Of its record; `ids` makes it another one."""
        return self.ids.get(wish.subject, wish.subject[-4:])

    def _associated(self, one: Resolved) -> Mapping[str, str] | None:
        return None if one.further else {**one.associations, **one.references}

    def calls_for(self, wish: Wish) -> int:
        return sum(wish.subject in batch for batch in self.batches)

    def close(self) -> None:
        pass


class Bench:
    def __init__(self, desk: Desk, target: Memory, complain: Callable[[], None]) -> None:
        self.desk, self.target, self.complain = desk, target, complain

    def until(self, truth: Callable[[], object], what: str, seconds: float = 90) -> None:
        eventually(lambda: self.complain() or truth(), seconds, what)

    def events(self, wish: Wish) -> dict[str, int]:
        return dict(self.desk.audit().get(wish.subject, {}))

    def until_events(self, wish: Wish, **wanted: int) -> None:
        self.until(lambda: self.events(wish) == wanted, f"{wanted} of {wish.subject}")

    def past_the_take_over(self) -> None:
        """A hundred wishes for each partition: the first ones after a take-over are not folded."""
        fillers = {
            self.desk.wire.partition(self.desk.upserts, wish.subject): wish for wish in (company(next(numbers), 1) for _ in range(40))
        }
        self.desk.send(*(wish for wish in fillers.values() for _ in range(100)))
        self.until(lambda: self.desk.ends() >= 400, "the fillers")

    def letter(self, wish: Wish) -> DeadLetter:
        (found,) = [one for one in self.desk.dead_letters() if one.ref == wish.subject]
        return found
