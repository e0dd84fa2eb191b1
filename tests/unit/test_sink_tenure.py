"""When a partition changes hands: what may be under way, and until when."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from schemas.records import now
from sinks import tenure
from sinks.tenure import Tenure


def messages(*keys: str, first: int = 0) -> list[Any]:
    return [SimpleNamespace(key=lambda key=key: key.encode(), offset=lambda at=at: at) for at, key in enumerate(keys, first)]


def key(message: Any) -> Any:
    return message.key()


def sizes(found: list[list[Any]]) -> list[int]:
    return [len(one) for one in found]


def test_a_good_end_leaves_nothing() -> None:
    """After it messages are folded, nothing is in doubt, and the end of this one is as good until it calls something."""
    one = Tenure(4, 100)
    one.begin(7, 10, clean=True)
    assert sizes(one.batches(messages("a", "a", "b", first=7), key)) == [3]
    assert one.in_doubt(messages("a", first=7)) is None
    assert one.clean == 7
    one.calls(10)
    assert one.clean is None
    one.recorded(10)
    assert one.clean == 10


def test_after_a_kill_the_first_messages_are_in_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as a batch holds, none folded, until the last call of the dead owner has taken effect; an end before that is no good one."""
    began = now()
    one = Tenure(3, 100)
    one.begin(7, 100, clean=False)
    found = one.batches(messages("a", "a", first=7), key)
    assert sizes(found) == [1, 1]
    late = one.in_doubt(found[0])
    assert late is not None
    assert began + timedelta(seconds=100) <= late <= now() + timedelta(seconds=100)
    one.calls(9)
    one.recorded(9)
    assert one.clean is None  # the third message may have been called too
    assert sizes(one.batches(messages("a", "b", "b", first=9), key)) == [1, 2]
    assert one.in_doubt(messages("a", first=9)) == late
    assert one.in_doubt(messages("b", first=10)) is None
    one.recorded(10)
    assert one.clean == 10
    monkeypatch.setattr(tenure, "now", lambda: late + timedelta(seconds=1))
    assert one.in_doubt(messages("a", first=9)) is None


def test_what_came_after_the_kill_is_not_in_doubt() -> None:
    """The dead owner cannot have called what was not there yet; once all else is recorded, this end is a good one."""
    one = Tenure(100, 100)
    one.begin(7, 9, clean=False)
    found = one.batches(messages("a", "b", "b", "b", first=7), key)
    assert sizes(found) == [2, 2]
    assert [one.in_doubt(messages) is None for messages in found] == [False, True]
    one.recorded(9)
    assert one.clean == 9


def test_own_batches_that_were_dropped_are_not_folded() -> None:
    """What we called ourselves and did not record is told apart as well, but is in no doubt: each call of ours is known."""
    one = Tenure(100, 100)
    one.begin(0, 0, clean=True)
    one.calls(2)
    one.resume(0)
    found = one.batches(messages("a", "a", "a", "a"), key)
    assert sizes(found) == [1, 1, 2]
    assert one.in_doubt(found[0]) is None


def test_nobody_was_here() -> None:
    """Without a committed offset there is nothing to hand over."""
    one = Tenure(3, 100)
    one.begin(-2, 0, clean=True)
    assert one.clean is None


def test_what_was_announced_is_all_that_is_in_doubt() -> None:
    """Before a call the group's offset says how far calls may go; with what is recorded, how far they went. Whoever comes next has these
    messages in doubt and no others, also where the second owner died before it had recorded all of the first one's."""
    first = Tenure(100, 100)
    first.begin(0, 0, clean=True)
    assert not first.is_announced(3)
    assert first.under_way(3) == 3
    first.calls(3)
    assert first.is_announced(3)
    assert not first.is_announced(4)
    second = Tenure(100, 100)
    second.begin(0, first.under_way(), clean=False)
    assert second.inherits
    assert sizes(second.batches(messages("a", "a", "b", "b", "b"), key)) == [1, 2, 2]
    assert second.in_doubt(messages("b", first=2)) is not None
    assert second.in_doubt(messages("b", first=3)) is None
    second.calls(1)
    assert second.under_way() == 3
    second.recorded(1)
    assert second.is_announced(3)
    third = Tenure(100, 100)
    third.begin(1, second.under_way(), clean=False)
    assert sizes(third.batches(messages("a", "b", "b", "b", first=1), key)) == [2, 2]
    third.recorded(3)
    assert not third.inherits
    assert third.under_way() == 3


def test_what_only_adds_to_a_record_may_be_folded() -> None:
    """After a kill, too: only what makes a record comes alone."""
    one = Tenure(100, 100)
    one.begin(0, 5, clean=False)
    kinds = iter([b"a", None, None, b"b", b"a"])
    assert sizes(one.batches(messages("a", "a", "a", "b", "a"), lambda message: next(kinds))) == [4, 1]
    assert one.is_untold(messages("a", first=4))
    assert not one.is_untold(messages("a", first=5))
