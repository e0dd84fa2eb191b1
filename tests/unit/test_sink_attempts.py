"""Whose fault it is: batches that are refused or fail, halved until one record stands alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from sinks.attempts import Attempts, GivenUp
from sinks.contract import Answer, Resolved, Written
from tests.unit.test_ledger import wish
from weighlock.errors import AuthError, RejectedError, TransientError


class Server:
    """Fails or refuses batches that hold one of these, and counts."""

    def __init__(self, error: Exception, *poison: str) -> None:
        self.error, self.poison, self.calls, self.pauses = error, poison, 0, 0

    def write(self, group: Sequence[Resolved]) -> Mapping[str, Answer]:
        self.calls += 1
        if any(one.wish.subject in self.poison for one in group):
            raise self.error
        return {one.wish.subject: Written("1", "created") for one in group}

    def pause(self, seconds: float) -> None:
        self.pauses += 1


def some(count: int) -> list[Resolved]:
    return [Resolved(wish(1, subject=f"s:e:{number}")) for number in range(count)]


@pytest.mark.parametrize("count", [1, 2, 7, 100])
def test_a_refused_batch_is_halved(count: int) -> None:
    """The one row for whose sake a batch is refused is found in a logarithm of calls; all others are written."""
    server = Server(RejectedError("no"), "s:e:0")
    answers = Attempts(5).write(some(count), server.write, server.pause)
    assert isinstance(answers.pop("s:e:0"), RejectedError)
    assert [type(answer) for answer in answers.values()] == [Written] * (count - 1)
    assert server.calls <= 15
    assert server.pauses == 0


def test_a_record_fails_alone_so_many_times() -> None:
    """Failing while its neighbours succeed, a record is given up after the set number of lone failures, not before."""
    server = Server(TransientError("500", ambiguous=True), "s:e:3")
    answers = Attempts(4).write(some(8), server.write, server.pause)
    refused = answers.pop("s:e:3")
    assert isinstance(refused, RejectedError)
    assert "4 times" in refused.reason
    assert len(answers) == 7


def test_nobody_is_given_up_while_nothing_succeeds() -> None:
    """Where everything fails, the batch goes back: no record is blamed, however often."""
    attempts, server = Attempts(2), Server(TransientError("503", ambiguous=True), *(f"s:e:{n}" for n in range(3)))
    for _ in range(5):
        with pytest.raises(GivenUp):
            attempts.write(some(3), server.write, server.pause)


def test_a_lone_record_needs_a_success_elsewhere() -> None:
    """Its strikes are remembered: once another batch succeeds, a record that failed alone all along is given up."""
    attempts, server = Attempts(3), Server(TransientError("500", ambiguous=True), "s:e:0")
    for _ in range(4):
        with pytest.raises(GivenUp):
            attempts.write(some(1), server.write, server.pause)
    attempts.write([Resolved(wish(1, subject="s:e:9"))], server.write, server.pause)
    assert isinstance(attempts.write(some(1), server.write, server.pause)["s:e:0"], RejectedError)


def test_a_fault_of_the_connection_is_never_a_records() -> None:
    """A failure that surely was not carried out says nothing of the record, whatever else succeeds."""
    attempts, server = Attempts(1), Server(TransientError("connect", ambiguous=False), "s:e:0")
    attempts.write([Resolved(wish(1, subject="s:e:9"))], server.write, server.pause)
    with pytest.raises(GivenUp):
        attempts.write(some(1), server.write, server.pause)


def test_other_errors_pass() -> None:
    """What concerns the connector as a whole is not this one's business."""
    server = Server(AuthError("token"), "s:e:0")
    with pytest.raises(AuthError):
        Attempts(5).write(some(4), server.write, server.pause)
