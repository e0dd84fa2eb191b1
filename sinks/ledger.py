"""What the target holds as far as we wrote it, what waits, and what a new wish means against both. Pure: no Kafka, no vendor."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from schemas.records import Doubt, FacetState, Result, Waiting, Wish
from schemas.refs import Ref

#: The outcome of what the target cannot hold at the moment.
LEFT_OUT = "left_out"


@dataclass(frozen=True)
class Received:
    """A wish as it was read. `again`: it may have been overwritten since and has to be written once more;
    `decided`: the ref that a person linked it to ("": none); `message` is Kafka's own; `doubt`: what a call may have done to it, where
    it is to be written again."""

    wish: Wish
    offset: int
    again: bool = False
    decided: str | None = None
    message: Any = field(default=None, repr=False, compare=False)
    doubt: Doubt | None = None

    @property
    def facet(self) -> tuple[str, str]:
        return self.wish.subject, self.wish.facet


class Fate(StrEnum):
    WRITE = "write"
    UNCHANGED = "unchanged"
    SUPERSEDED = "superseded"
    WAITING = "waiting"
    LEFT_OUT = "left_out"


@dataclass(frozen=True)
class Verdict:
    """`references`: the target's id for each name; `missing`: the ref whose link is not there (WAITING); `hash` is of what to write.

    `absent`: refs of optional references that are not there; `arrived`: the names of those that have come since, where all else is written;
    `reason`: why it is LEFT_OUT; `pending`: it adds to a record that is being made, and is to be judged again when that is there.
    """

    fate: Fate
    references: Mapping[str, str] = field(default_factory=dict)
    missing: str | None = None
    hash: str | None = None
    absent: tuple[str, ...] = ()
    arrived: frozenset[str] = frozenset()
    reason: str | None = None
    pending: bool = False


def fold(received: Iterable[Received]) -> tuple[list[Received], list[Received]]:
    """The newest wish of each subject and facet, in the order of arrival, and those that stand behind it.

    The same version again counts as newer. If one of them has to be written again, the newest has to.
    """
    newest: dict[tuple[str, str], Received] = {}
    older: list[Received] = []
    for one in received:
        other = newest.pop(one.facet, None)
        if other is not None:
            again, decided = one.again or other.again, one.decided if one.decided is not None else other.decided
            doubt = one.doubt.joined(other.doubt) if one.doubt else other.doubt
            if one.wish.version < other.wish.version:
                one, other = other, one
            older.append(other)
            one = replace(one, again=again, decided=decided, doubt=doubt)
        newest[one.facet] = one
    return list(newest.values()), older


def called_for(received: Sequence[Received], until: datetime) -> list[Received]:
    """Each of these may have been written, and not recorded: what is not the newest of its facet is to be gone over by that one, with all
    that it may have made, even where nothing else is new. Its call may take effect until then."""
    found: list[Received] = []
    later: set[tuple[str, str]] = set()
    for one in reversed(received):
        if one.facet in later:
            one = replace(one, again=True, doubt=Doubt.of(one.wish, until).joined(one.doubt))
        later.add(one.facet)
        found.append(one)
    return found[::-1]


def digest(wish: Wish, references: Mapping[str, str]) -> str:
    """Equal for two wishes that ask for the same: object, key, properties, resolved references and parts."""
    asked: list[Any] = [wish.object, wish.key_property, wish.key_value, dict(wish.properties), dict(references)]
    asked += [[part.key, part.properties] for part in wish.parts]
    return hashlib.sha256(json.dumps(asked, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


class Ledger:
    """One partition's results and waiting records. Changed only by what is committed in Kafka."""

    def __init__(self) -> None:
        self.results: dict[str, Result] = {}
        self.waiting: dict[str, Waiting] = {}
        self._waiting_for: dict[str, set[str]] = defaultdict(set)
        self._postponed: set[str] = set()
        self._without: dict[str, set[str]] = defaultdict(set)
        self._by_target: dict[str, str] = {}

    def put_result(self, result: Result) -> None:
        before = self.results.get(result.subject)
        for ref in before.missing if before else ():
            self._without[ref].discard(result.subject)
        for ref in result.missing:
            self._without[ref].add(result.subject)
        self.results[result.subject] = result
        if result.target is not None:
            self._by_target[result.target] = result.subject

    def put_waiting(self, subject: str, waiting: Waiting | None) -> None:
        for reference in _references(self.waiting.pop(subject, None)):
            self._waiting_for[reference].discard(subject)
        self._postponed.discard(subject)
        if waiting is not None:
            if waiting.waits_for == subject and not all(wish.further for wish in waiting.wishes):
                self._postponed.add(subject)
            self.waiting[subject] = waiting
            for reference in _references(waiting):
                self._waiting_for[reference].add(subject)

    def state(self, subject: str, facet: str) -> FacetState | None:
        result = self.results.get(subject)
        return result.facets.get(facet) if result else None

    def waits(self, subject: str, facet: str) -> Wish | None:
        found = self.waiting.get(subject)
        return next((wish for wish in found.wishes if wish.facet == facet), None) if found else None

    def waiting_for(self, ref: str) -> list[str]:
        """The subjects with a wish that cannot do without `ref`."""
        return sorted(self._waiting_for.get(ref, ()))

    def awaited(self) -> set[str]:
        """Every ref that something waits for."""
        return {ref for waiting in self.waiting.values() for ref in _references(waiting)}

    def postponed(self) -> list[Waiting]:
        """What waits for itself: until it is known whether its record was made."""
        return [self.waiting[subject] for subject in sorted(self._postponed)]

    def without(self, ref: str) -> list[str]:
        """The subjects that were written without `ref`."""
        return sorted(self._without.get(ref, ()))

    def overdue(self, since_before: datetime) -> list[Waiting]:
        return [waiting for waiting in self.waiting.values() if waiting.since < since_before]

    def holder(self, target: str) -> str | None:
        """The subject that we wrote into this target record (a ref of the target's system)."""
        subject = self._by_target.get(target)
        return subject if subject is not None and self.results[subject].target == target else None

    def judge(
        self, received: Received, resolve: Callable[[str], str | None], left_out: str | None = None, coming: Collection[str] = ()
    ) -> Verdict:
        """What is to be done about this wish. `resolve` gives the target's id for a ref, None while there is no link; `left_out`: why the
        target cannot hold it at the moment; `coming`: the subjects whose records are being made."""
        verdict, state = self._judge(received, resolve), self.state(*received.facet)
        if verdict.missing == received.wish.subject and verdict.missing in coming:
            verdict = Verdict(Fate.WRITE, pending=True)
        if left_out is None or verdict.fate not in (Fate.WRITE, Fate.WAITING):
            return verdict
        if state is not None and state.outcome == LEFT_OUT and state.version == received.wish.version:
            return Verdict(Fate.UNCHANGED)
        return Verdict(Fate.LEFT_OUT, reason=left_out)

    def _judge(self, received: Received, resolve: Callable[[str], str | None]) -> Verdict:
        wish, state, waits = received.wish, self.state(*received.facet), self.waits(*received.facet)
        if received.decided == "":
            return Verdict(Fate.WRITE)
        older = (state is not None and wish.version < state.version) or (waits is not None and wish.version < waits.version)
        if older and not received.again:
            return Verdict(Fate.SUPERSEDED)
        references, absent = {}, []
        for reference in wish.references:
            found = self._own(reference.ref) if reference.ref == wish.subject else None
            found = found or resolve(reference.ref)
            if found is not None:
                references[reference.name] = found
            elif reference.optional:
                absent.append(reference.ref)
            else:
                return Verdict(Fate.SUPERSEDED) if older else Verdict(Fate.WAITING, missing=reference.ref)
        own = digest(wish, references)
        same = state is not None and state.hash == own and (state.outcome == "written" or state.version == wish.version)
        if same and not received.again:
            return Verdict(Fate.UNCHANGED, references, hash=own)
        arrived = frozenset() if received.again or received.decided is not None else self._arrived(wish, references)
        return Verdict(Fate.WRITE, references, hash=own, absent=tuple(absent), arrived=arrived)

    def _own(self, subject: str) -> str | None:
        """The id of the record that is the subject's; what the links say of it may be behind."""
        result = self.results.get(subject)
        return Ref.parse(result.target).id if result is not None and result.target is not None else None

    def _arrived(self, wish: Wish, references: Mapping[str, str]) -> frozenset[str]:
        result, state = self.results.get(wish.subject), self.state(wish.subject, wish.facet)
        if result is None or result.target is None or state is None or state.outcome != "written":
            return frozenset()
        names = {one.name for one in wish.references if one.optional and one.name in references} - result.associations.keys()
        before = digest(wish, {name: id for name, id in references.items() if name not in names})
        return frozenset(names) if names and before == state.hash else frozenset()


def _references(waiting: Waiting | None) -> Iterator[str]:
    if waiting is not None:
        yield waiting.waits_for
        for wish in waiting.wishes:
            yield from (reference.ref for reference in wish.references if not reference.optional)
