"""What every sink inherits for records that have no unique key of ours: each is made once, whatever becomes of the call or the caller.

With many of them, killed, and standing still in a call while another one takes over: tests/integration/test_sink_acumatica.py."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial

import pytest

from sinks import intents
from sinks.contract import Answer, Ask, Claims, Postponed, Resolved, Written
from tests.contract.sink_memory import Memory
from tests.integration.seed_rounds import Clock, all_are
from tests.integration.sink_kit import Desk, company, eventually, sink_running
from weighlock.errors import TransientError

LONGEST = 660.0


class Maker(Memory):
    """Makes a record at each call, for nothing tells it that it did before. `fate` says what becomes of a subject's next call."""

    longest_call = LONGEST

    def __init__(self) -> None:
        super().__init__()
        self.made: Counter[str] = Counter()
        self.fate: dict[str, Callable[[str], None]] = {}
        self.late: list[str] = []
        self.intents: dict[str, int] = {}

    def write(self, wishes: Sequence[Resolved], ask: Ask, claims: Claims) -> Mapping[str, Answer]:
        return {one.wish.subject: self._answer(one, ask) for one in wishes}

    def _answer(self, one: Resolved, ask: Ask) -> Answer:
        subject = one.wish.subject
        if one.linked is not None:
            return Written(one.linked, "known", linked=True)
        if self.made[subject]:
            return Written(subject[-4:], "created")
        if one.intent is not None:
            self.intents[subject] = one.intent.count
            if not one.intent.over(self.longest_call):
                return Postponed("perhaps it is being made")
        try:
            ask(partial(self._make, subject), [one.wish], creates=True)
        except TransientError:
            return Postponed("no answer")
        return Written(subject[-4:], "created")

    def _make(self, subject: str) -> None:
        self.fate.pop(subject, self.take_effect)(subject)

    def take_effect(self, subject: str) -> None:
        self.made[subject] += 1

    def answer_is_lost(self, subject: str) -> None:
        self.take_effect(subject)
        raise TransientError("no answer", ambiguous=True)

    def is_late(self, subject: str) -> None:
        self.late.append(subject)
        raise TransientError("no answer", ambiguous=True)

    def no_effect(self, subject: str) -> None:
        raise TransientError("no answer", ambiguous=True)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(intents, "now", found)
    return found


def desk_of(stack, prefix: str, folder) -> Desk:  # type: ignore[no-untyped-def]
    return Desk(stack.kafka, stack.registry, prefix, None, folder)


def test_lost_and_late_answers(stack, prefix: str, tmp_path, clock: Clock) -> None:  # type: ignore[no-untyped-def]
    """Of ten records the answer is lost, ten are made late, of one the call took no effect. All wait until no call can make them any more,
    a newer wish too; each is made once. The intent counts how often it was tried. One whose link comes meanwhile waits no longer."""
    desk, maker = desk_of(stack, prefix, tmp_path), Maker()
    wishes = [company(number, 1) for number in range(22)]
    never, found, rest = wishes[20], wishes[21], wishes[:20]
    maker.fate = {wish.subject: maker.is_late if number % 2 else maker.answer_is_lost for number, wish in enumerate(rest)}
    maker.fate |= {never.subject: maker.no_effect, found.subject: maker.no_effect}
    with sink_running(desk, maker) as complain:
        desk.send(*wishes)
        all_are(desk, complain, wishes, "waiting")
        assert all(result.intent is not None for result in desk.results().values())
        desk.send(company(20, 2, phone="2"))
        eventually(lambda: complain() or desk.audit()[never.subject]["waiting"] == 2)
        assert not maker.made[never.subject]
        desk.send_link(found.subject, "hubspot:company:77", "hubspot")
        all_are(desk, complain, [found], "written")
        for subject in maker.late:
            maker.take_effect(subject)
        maker.fate = {never.subject: maker.no_effect}
        clock.ahead = timedelta(seconds=LONGEST)
        all_are(desk, complain, rest, "written")
        eventually(lambda: complain() or desk.audit()[never.subject]["waiting"] == 3)
        clock.ahead *= 2
        all_are(desk, complain, [never], "written")
    assert +maker.made == {wish.subject: 1 for wish in (*rest, never)}
    assert maker.intents[never.subject] == 2
    audit, results = desk.audit(), desk.results()
    assert all(audit[wish.subject] == {"waiting": 1, "released": 1, "written": 1} for wish in (*rest, found))
    assert results.pop(found.subject).target == "hubspot:company:77"
    assert {(one.intent, one.target) for one in results.values()} == {
        (None, f"hubspot:company:{wish.subject[-4:]}") for wish in (*rest, never)
    }
