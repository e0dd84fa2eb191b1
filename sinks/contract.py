"""What a sink's connector is to the loop: it turns wishes into calls. It waits for nothing, repeats nothing, commits nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from schemas.records import Wish
from sinks.intents import Intent
from weighlock.errors import RejectedError

T = TypeVar("T")


@dataclass(frozen=True)
class Resolved:
    """A wish that can be carried out. All ids are the target system's own.

    `written` is the record that we wrote for this subject before (the ledger says so), `linked` one that a link or the router names;
    `decided` is the record that a person chose with `weighlock links` ("": none), None where nobody did.
    `references` gives the id behind each reference's name, `associations` those that the ledger says we made, by the same names.
    `again`: what it asks for was written before, and a call that came late may have gone over it, associated it with `strays` (refs of the
    target's), and made `stray_parts` (keys) that are none of its parts any more.
    `intent`: a call that nobody knows the answer of may have made its record, or may make it until the intent is over (sinks/intents.py).
    `arrived`: all that it asks for is there, but for what these references, which are optional, name.
    """

    wish: Wish
    references: Mapping[str, str] = field(default_factory=dict)
    written: str | None = None
    linked: str | None = None
    decided: str | None = None
    associations: Mapping[str, str] = field(default_factory=dict)
    again: bool = False
    strays: frozenset[str] = frozenset()
    stray_parts: frozenset[str] = frozenset()
    intent: Intent | None = None
    arrived: frozenset[str] = frozenset()

    @property
    def further(self) -> bool:
        """It adds to a record that another facet makes."""
        return self.wish.further

    @property
    def itself(self) -> str | None:
        """The record that a further facet adds to."""
        return next((self.references[one.name] for one in self.wish.references if one.ref == self.wish.subject), None)


@dataclass(frozen=True)
class Written:
    """The target holds the wish, in the record `id`. `origin`: created, adopted or known; `note` is a sentence for the audit.
    `linked`: the links say so already, whatever else they say, and stay as they are.
    `associations`: all that we made of that record, by name; None: those of before."""

    id: str
    origin: str
    associations: Mapping[str, str] | None = None
    note: str | None = None
    linked: bool = False


@dataclass(frozen=True)
class Unlinked:
    """As a person decided, no record of the target is this subject's any more."""


@dataclass(frozen=True)
class Postponed:
    """Nobody knows whether a call has made its record: it waits until its intent is over. `reason` is a sentence for the audit."""

    reason: str


@dataclass(frozen=True)
class Gone:
    """The record to which the wish was to be added is not there any more: the facet that makes it comes first."""


@dataclass(frozen=True)
class LeftOut:
    """The target cannot hold such a record at the moment, whoever's it is; `reason` is a sentence for a finance person."""

    reason: str


Answer = Written | Unlinked | Postponed | Gone | LeftOut | RejectedError


class Ask(Protocol):
    """How a connector makes each single call: the loop proves that the partition is still ours, and waits out what passes by itself.

    `wishes` are those that the call may carry out, if that is not all of them: only these are written again should it be late.
    `creates`: it makes their records, and twice if it is made twice. The ledger holds an intent for each of them before it goes out, and
    a `TransientError` without a known end (`ambiguous`) is raised at once: answer `Postponed`."""

    def __call__(self, call: Callable[[], T], wishes: Sequence[Wish] | None = None, *, creates: bool = False) -> T: ...


class Claims(Protocol):
    """Which subject of that system a target record (by object and id) belongs to, as far as links and ledgers know; None: nobody's."""

    def __call__(self, kind: str, record: str, system: str) -> str | None: ...


class Target(Protocol):
    """One system that is written to. `objects` are the kinds of wishes that it takes.

    `longest_call`: a call without an answer may still take effect so many seconds later. `batch`: of more wishes than that at a time the
    first ones would wait too long for their results to be recorded.
    `changes` grows whenever something else is left out than before.
    """

    system: str
    objects: tuple[str, ...]
    longest_call: float
    batch: int

    @property
    def changes(self) -> int: ...

    def check(self) -> None:
        """Can we work there? `ConfigError` (all that is wrong, and what to do), `AuthError`, `TransientError`."""

    def left_out(self, kind: str, wish: Wish | None = None) -> str | None:
        """Why this wish for that kind of object (without a wish: any) cannot be written at the moment, as a sentence for a finance person;
        None: it can, as far as we know. Makes no call."""

    def look(self) -> None:
        """Called again and again: may what was left out be written now? Makes calls seldom. `AuthError`, `TransientError`."""

    def write(self, wishes: Sequence[Resolved], ask: Ask, claims: Claims) -> Mapping[str, Answer]:
        """One answer for each wish, by subject; every subject is there once at the most.

        A `RejectedError` that is raised says that the whole batch was refused: the loop halves it until it knows for whose sake.
        """

    def close(self) -> None: ...


class TakesAll:
    """A target that leaves nothing out."""

    changes = 0

    def left_out(self, kind: str, wish: Wish | None = None) -> str | None:
        return None

    def look(self) -> None:
        pass
