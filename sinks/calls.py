"""One turn's calls: what all lanes have to write goes to the connector together, so that its batches are full."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

import structlog
from confluent_kafka import KafkaException

from schemas.records import Wish, now
from sinks.attempts import GivenUp, backoff
from sinks.contract import Answer, Gone, LeftOut, Postponed, Resolved, Unlinked
from sinks.creates import intend
from sinks.intents import Intent
from sinks.lane import Portion
from sinks.ledger import Received, Verdict
from sinks.loop import Loop
from sinks.member import Moved
from weighlock import failpoints
from weighlock.errors import RateLimited, RejectedError, TransientError

log = structlog.get_logger(__name__)
T = TypeVar("T")
Todo = tuple[Portion, Received, Verdict]
#: A connector's calls are repeated once when nobody knows whether they were carried out; then `Attempts` looks for the culprit.
PATIENCE = 2


class Calls:
    """Made for one portion of each lane. All of them share its fate."""

    def __init__(self, loop: Loop, portions: Sequence[Portion]) -> None:
        self.loop, self.portions = loop, portions
        self._patience = PATIENCE
        self._calling: list[Wish] = []
        self._made: dict[str, str] = {}  # by subject: the ids of what was written in this turn
        self._tried: dict[str, int] = {}  # by subject: so many times somebody tried to make it before this turn
        self._open: dict[str, Intent] = {}  # by subject: the intents whose call had no answer

    def carry_out(self) -> None:
        """Afterwards the portions' entries say what became of each wish. What is raised (`Moved`, `GivenUp`, ours): nothing is known."""
        todo = [(portion, one, verdict) for portion in self.portions for one, verdict in portion.todo]
        try:
            for round_ in self._rounds(todo):
                self._write(round_)
        except (Moved, KafkaException, GivenUp, TransientError):
            for portion in self.portions:
                portion.lane.doubt(portion)
            raise
        if todo:
            failpoints.reach("answer-before-result")

    def ask(self, call: Callable[[], T], wishes: Sequence[Wish] | None = None, *, creates: bool = False) -> T:
        """One call of the connector's, made only while the partitions are ours; repeated when what is in its way has passed."""
        failures = 0
        while True:
            self._hold()
            if creates:
                self._intend(wishes or ())
            try:
                found = call()
                self._settle(wishes if creates else None)
                return found
            except RejectedError:
                self._settle(wishes if creates else None)
                raise
            except RateLimited as limited:
                self._pause(limited.retry_after + min(limited.retry_after * 0.05, 5.0) + 0.01, str(limited))
            except TransientError as error:
                failures += 1
                if error.ambiguous and creates:
                    raise  # its intent keeps the account
                if error.ambiguous:  # it may still take effect when its time is over, and go over what is written until then
                    late = now() + timedelta(seconds=self.loop.target.longest_call)
                    self.loop.again.doubt(self._calling if wishes is None else wishes, late)
                if error.ambiguous and failures >= self._patience:
                    raise
                self._pause(backoff(failures), str(error))

    def _hold(self) -> None:
        """We are still a member, and the group's offsets say from where and to where calls of ours may be under way."""
        here = [portion.lane.at(portion.first, portion.end) for portion in self.portions]
        self.loop.member.hold(here, anew=not all(portion.lane.tenure.is_announced(portion.end) for portion in self.portions))
        for portion in self.portions:
            portion.called = True
            portion.lane.tenure.calls(portion.end)

    def _intend(self, wishes: Sequence[Wish]) -> None:
        """In a transaction of its own, which whoever has the partition by now would not let through."""
        intents = {wish.subject: Intent.begin(self._tried.get(wish.subject, 0) + 1) for wish in wishes}
        for portion in self.portions:
            own = {one.wish.subject for one, _ in portion.todo}
            if mine := [wish for wish in wishes if wish.subject in own]:
                intend(portion.lane, mine, intents)
        self._open |= intents
        failpoints.reach("intent-before-call")

    def _settle(self, wishes: Sequence[Wish] | None) -> None:
        """Their records are made, or are not: nothing is under way any more."""
        for wish in wishes or ():
            self._open.pop(wish.subject, None)

    def _write(self, todo: Sequence[Todo]) -> None:
        """No subject twice in `todo`."""
        todo = [now for portion, one, verdict in todo if (now := self._now(portion, one, verdict)) is not None]
        wanted = [portion.lane.resolved(one, verdict) for portion, one, verdict in todo]
        self._open |= {one.wish.subject: one.intent for one in wanted if one.intent is not None}
        self._tried |= {subject: intent.count for subject, intent in self._open.items()}
        answers = self.loop.attempts.write(wanted, self._write_group, lambda seconds: self._pause(seconds, "the server fails"))
        for portion, one, verdict in todo:
            answer, entries = answers[one.wish.subject], portion.entries
            if isinstance(answer, RejectedError):
                log.warning("dead letter", ref=one.wish.subject, reason=str(answer))
                entries.rejected(one, verdict.hash, answer, settled=one.wish.subject not in self._open)
                continue
            if isinstance(answer, Postponed):
                entries.waits(one.wish, one.wish.subject, answer.reason)
                continue
            if isinstance(answer, LeftOut):
                entries.left_out(one, answer.reason)
                continue
            if isinstance(answer, Unlinked):
                entries.unlinked(one)
                continue
            if isinstance(answer, Gone):
                portion.lane.watch.make_again(one.wish, entries)
                continue
            is_told = answer.linked or (one.wish.further and one.wish.subject in self._made)
            if not is_told and portion.lane.link_is_new(one, answer):
                entries.link(one.wish, answer)
            self._made[one.wish.subject] = answer.id
            entries.written(one, verdict, answer)

    def _now(self, portion: Portion, one: Received, verdict: Verdict) -> Todo | None:
        """What refers to a record that was made in this turn."""
        if not verdict.pending and not any(ref in self._made for ref in verdict.absent):
            return portion, one, verdict
        verdict = portion.lane.judge_again(one, self._made, portion.entries)
        return None if portion.lane.ends(one, verdict, portion.entries) else (portion, one, verdict)

    def _rounds(self, todo: Sequence[Todo]) -> list[list[Todo]]:
        """Object by object, for one may refer to what is made before it; what adds to a record comes after what makes it. No subject twice
        in one."""
        objects = self.loop.target.objects
        rounds: dict[tuple[int, bool, int], list[Todo]] = {}
        seen: Counter[tuple[str, bool]] = Counter()
        for one in todo:
            wish = one[1].wish
            place = (objects.index(wish.object), wish.further, seen[wish.subject, wish.further])
            seen[wish.subject, wish.further] += 1
            rounds.setdefault(place, []).append(one)
        return [rounds[place] for place in sorted(rounds)]

    def _write_group(self, group: Sequence[Resolved]) -> dict[str, Answer]:
        self._patience = PATIENCE if len(group) > 1 else 1
        self._calling = [one.wish for one in group]
        target = self.loop.target
        known = [replace(one, intent=self._open.get(one.wish.subject)) for one in group]
        found = dict(target.write(known, self.ask, self.loop.claims))
        silent = [one.wish.subject for one in group if one.wish.subject not in found]
        if silent:
            said = f"{target.system}: no answer for {len(silent)} of {len(group)} wishes, such as {silent[0]}"
            raise TransientError(said, ambiguous=True)
        return found

    def _pause(self, seconds: float, why: str) -> None:
        self.loop.wait(seconds, why)
        if not all(portion.lane.live for portion in self.portions):
            raise Moved("a partition was given away while we waited")
