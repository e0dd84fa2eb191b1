"""Whose fault is it? A batch that the server fails on is halved until one record stands alone; that one becomes a dead letter only if
the server fails on it again and again while it serves others. As long as it serves nobody, the fault is the connection's."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sinks.contract import Answer, Resolved
from weighlock.errors import RejectedError, TransientError

#: So many failures in a row without a success: give the batch back, its records may find neighbours that succeed.
FRUITLESS = 6
LONGEST_WAIT = 10.0


def backoff(failures: int) -> float:
    """Seconds to wait after so many failures in a row, with jitter."""
    return min(LONGEST_WAIT, 0.25 * 2.0**failures) * random.uniform(0.5, 1.0)


class GivenUp(Exception):
    """Nothing succeeds: drop the batch and read it again later."""


@dataclass
class Strike:
    count: int
    successes_before: int


class Attempts:
    """One for a process: what it knows of lone failures outlives a dropped batch, and a success in one partition counts in all."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._strikes: dict[tuple[str, str, int], Strike] = {}
        self._successes = 0

    def write(
        self,
        todo: Sequence[Resolved],
        write: Callable[[Sequence[Resolved]], Mapping[str, Answer]],
        pause: Callable[[float], None],
    ) -> dict[str, Answer]:
        """An answer for each subject. `write` raises `TransientError` once its own patience is over, `RejectedError` for a whole batch.

        Raises `GivenUp`, and what `write` and `pause` raise besides.
        """
        answers: dict[str, Answer] = {}
        groups = deque([list(todo)])
        began, in_a_row = self._successes, 0
        while groups:
            group = groups.popleft()
            try:
                answers |= write(group)
                self._successes, in_a_row = self._successes + 1, 0
                for one in group:
                    self._strikes.pop(_key(one), None)
                continue
            except RejectedError as error:
                self._successes, in_a_row = self._successes + 1, 0  # a refusal is an answer: the server works
                if len(group) == 1:
                    answers[group[0].wish.subject] = error
                    continue
            except TransientError as error:
                in_a_row += 1
                alone = len(group) == 1
                if alone and self._is_its_own(group[0], error, began):
                    answers[group[0].wish.subject] = self._rejection(group[0], error)
                    continue
                if in_a_row >= FRUITLESS or (alone and not groups and self._successes == began):
                    raise GivenUp(str(error)) from error
                pause(backoff(in_a_row))
            groups.extend(_halves(group))
        return answers

    def _is_its_own(self, one: Resolved, error: TransientError, successes: int) -> bool:
        if not error.ambiguous:
            return False
        strike = self._strikes.setdefault(_key(one), Strike(0, successes))
        strike.count += 1
        return strike.count >= self._limit and self._successes > strike.successes_before

    def _rejection(self, one: Resolved, error: TransientError) -> RejectedError:
        strike = self._strikes.pop(_key(one))
        return RejectedError(f"failed {strike.count} times while others succeeded; at last: {error}")


def _key(one: Resolved) -> tuple[str, str, int]:
    return one.wish.subject, one.wish.facet, one.wish.version


def _halves(group: list[Resolved]) -> list[list[Resolved]]:
    middle = len(group) // 2
    return [half for half in (group[:middle], group[middle:]) if half]
