"""What a lane does without a new message: a link arrives or moves, a time is over, or the partition is new to us."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from schemas.records import Wish, now
from schemas.refs import Ref
from sinks.entries import Entries
from sinks.ledger import LEFT_OUT, Ledger
from sinks.links import Arrival
from sinks.member import clock

if TYPE_CHECKING:
    from sinks.lane import Lane

log = structlog.get_logger(__name__)
#: So many that an optional reference came for are gathered until none came for `QUIET` seconds, for `LINGER` at the most.
MANY, QUIET, LINGER = 20, 2.0, 20.0


class Watch:
    """One for a lane. Each step is a transaction of its own, or goes through `Again`."""

    def __init__(self, lane: Lane) -> None:
        self._lane, self._loop, self._inbox, self._system = lane, lane.loop, lane.inbox, lane.system
        self.unsure = True  # links may have come that nobody saw
        self.inherited = False  # results of the owner before may be in doubt
        self._swept: int | None = None  # at which of the target's changes
        self._came: set[str] = set()  # optional references that have come
        self._came_at = self._came_last = 0.0

    @property
    def _ledger(self) -> Ledger:
        return self._lane.ledger

    def release(self, refs: Sequence[str]) -> None:
        """What waits for one of these goes back to upserts: first what others may refer to."""
        entries, objects = Entries(self._system, self._ledger), self._loop.target.objects
        found = dict.fromkeys(subject for ref in refs for subject in self._ledger.waiting_for(ref))
        subjects = sorted(found, key=lambda subject: objects.index(self._ledger.waiting[subject].wishes[0].object))
        for subject in subjects[: self._loop.batch]:
            waiting = self._ledger.waiting[subject]
            entries.released(waiting, f"{waiting.waits_for} is there")
        if subjects:
            self._lane.transact(entries, None)
        if len(subjects) > self._loop.batch:
            self.release(refs)

    def came(self, refs: Collection[str]) -> None:
        """`complete`, at once; where it is many, as in a first sync, when no more come, so that the target's calls are full."""
        new = {ref for ref in refs if self._ledger.without(ref)}
        at = clock()
        if new:
            self._came_at, self._came_last = (self._came_at if self._came else at), at
            self._came |= new
        if not self._came:
            return
        few = sum(len(self._ledger.without(ref)) for ref in self._came) < MANY
        if few or at > self._came_last + QUIET or at > self._came_at + LINGER:
            self.complete(self._came)
            self._came = set()

    def complete(self, refs: Collection[str]) -> None:
        """What was written without one of these, which was optional, goes back to upserts."""
        subjects = list(dict.fromkeys(subject for ref in refs for subject in self._ledger.without(ref)))
        for start in range(0, len(subjects), self._loop.batch):
            entries, some = Entries(self._system, self._ledger), subjects[start : start + self._loop.batch]
            for wish in self._inbox.last_written(self._ledger, *some):
                there = [one.ref for one in wish.references if one.optional and one.ref in refs]
                if there:
                    entries.back_to_upserts(wish, f"{there[0]} is there")
            for subject in some:
                entries.no_longer_without(subject, refs)
            self._lane.transact(entries, None)

    def sweep(self) -> None:
        """What the target leaves out now does not wait, and what it does not any more goes back to upserts."""
        target = self._loop.target
        changes = target.changes
        if self._swept == changes:
            return
        entries = Entries(self._system, self._ledger)
        for waiting in self._ledger.waiting.values():
            reasons = [reason for wish in waiting.wishes if (reason := target.left_out(wish.object, wish)) is not None]
            if reasons:
                entries.released(waiting, reasons[0])
        if entries.outgoing():
            self._lane.transact(entries, None)
        left = [one for one in self._ledger.results.values() if any(state.outcome == LEFT_OUT for state in one.facets.values())]
        subjects = [one.subject for one in left if target.left_out(one.object) is None]
        for start in range(0, len(subjects), self._loop.batch):
            entries = Entries(self._system, self._ledger)
            wishes = self._inbox.last_written(self._ledger, *subjects[start : start + self._loop.batch])
            for wish in sorted(wishes, key=lambda one: one.further):
                state = self._ledger.state(wish.subject, wish.facet)
                if state is not None and state.outcome == LEFT_OUT and target.left_out(wish.object, wish) is None:
                    entries.back_to_upserts(wish, f"{self._system} takes it now")
            self._lane.transact(entries, None)
        self._swept = changes

    def make_again(self, wish: Wish, entries: Entries) -> None:
        """The record that this wish adds to is gone: it waits until the facet that makes it has been written once more."""
        entries.waits(wish, wish.subject)
        self._loop.again.owe(one for one in self._inbox.last_written(self._ledger, wish.subject) if not one.further)

    def catch_up(self) -> None:
        """All that waits, and all that we wrote, is held against the links as they are now. What the owner before left in doubt is ours."""
        if self.inherited:
            doubts = {result.subject: result.doubt for result in self._ledger.results.values() if result.doubt is not None}
            for wish in self._inbox.last_written(self._ledger, *doubts):
                self._loop.again.doubt([wish], doubts[wish.subject].until, doubts[wish.subject])
            self.inherited = False
        self.release([ref for ref in sorted(self._ledger.awaited()) if self._lane.resolve(ref) is not None])
        results = list(self._ledger.results.values())
        self.complete({ref for result in results for ref in result.missing if self._lane.resolve(ref) is not None})
        for result in results:
            if result.target is not None:
                self.contest(result.target, self._loop.links.peer(result.target, Ref.parse(result.subject).system))
        moved = [one.subject for one in results if one.target and one.associations.get(one.object) not in (None, Ref.parse(one.target).id)]
        self._loop.again.owe(one for one in self._inbox.last_written(self._ledger, *moved) if one.further)
        self.unsure = False

    def contest(self, target: str, peer: str | None) -> None:
        """A link gives the record that we wrote this subject into to another one: two processes may have adopted it at the same time.
        Written again by its key, each of them gets or keeps one of its own."""
        subject = self._ledger.holder(target)
        if subject is not None and peer is not None and peer != subject and Ref.parse(peer).system == Ref.parse(subject).system:
            log.warning("a record is claimed twice", target=target, one=subject, other=peer)
            self._loop.again.owe(self._inbox.last_written(self._ledger, subject))

    def follow(self, arrival: Arrival) -> None:
        """A record is another one of the target's from now on: what we associated with the one before, or added to it, moves along."""
        if arrival.system != self._system or arrival.peer is None or arrival.was in (None, arrival.peer):
            return
        before, system = Ref.parse(arrival.was or "").id, Ref.parse(arrival.ref).system
        held = [result for result in self._ledger.results.values() if before in result.associations.values()]
        moved = [result.subject for result in held if Ref.parse(result.subject).system == system]
        wishes = self._inbox.last_written(self._ledger, *moved)
        self._loop.again.owe(wish for wish in wishes if any(one.ref == arrival.ref for one in wish.references))

    def expire(self) -> None:
        """What waited longer than the limit becomes a dead letter."""
        hours = self._loop.wire.settings.wait_limit_hours
        overdue = self._ledger.overdue(now() - timedelta(hours=hours))
        entries = Entries(self._system, self._ledger)
        for waiting in overdue:
            entries.expired(waiting, f"waited {hours:g} hours for {waiting.waits_for} to be in {self._system}")
        if overdue:
            self._lane.transact(entries, None)
