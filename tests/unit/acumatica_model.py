"""A model of Acumatica in memory, for the poller's tests: a live table, a database clock, commits that show late, edits at any moment."""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, TypeVar

from hypothesis import strategies as st

from weighlock.settings import Settings

T = TypeVar("T")
Kind = Literal["edit", "bulk", "insert", "rename", "delete"]
START = datetime(2026, 11, 21, 8, 0, 0, 250_000, UTC)
OVERLAP = 10.0
TERM = re.compile(r"(\w+) (eq|ge|gt|le|lt) (datetimeoffset'[^']*'|'(?:[^']|'')*'|\d+)")
KEYS = string.ascii_uppercase


@dataclass(frozen=True)
class Edit:
    """A person's transaction: stamped when it is made, visible `delay` seconds later."""

    kind: Kind
    row: int
    key: int
    delay: float


@dataclass(frozen=True)
class Beat:
    """One call: what is edited while the request is under way, what while the answer is, and how long each takes."""

    before: list[Edit]
    after: list[Edit]
    seconds: float


@dataclass(frozen=True)
class Scenario:
    """`ends` says for each page how it ends: published, aborted, or the process dies before or after its commit."""

    size: int
    one_view: bool
    skew: float
    stamps: list[int]
    beats: list[Beat]
    ends: list[str]
    gap: float


def scenarios() -> st.SearchStrategy[Scenario]:
    """Skew and delay stay within the overlap together, as the setting promises."""
    edit = st.builds(
        Edit,
        st.sampled_from(["edit", "edit", "bulk", "insert", "rename", "rename", "delete"]),
        st.integers(0, 9),
        st.integers(0, len(KEYS) - 1),
        st.sampled_from([0.0, 0.0, 0.0, 0.7, 4.0]),
    )
    edits = st.lists(edit, max_size=2)
    return st.builds(
        Scenario,
        size=st.integers(1, 3),
        one_view=st.booleans(),
        skew=st.sampled_from([0.0, -3.0, -0.4, 0.6, 3.0]),
        stamps=st.lists(st.integers(0, 3), max_size=7),
        beats=st.lists(st.builds(Beat, edits, edits, st.sampled_from([0.0, 0.01, 0.6, 2.0])), max_size=14),
        ends=st.lists(st.sampled_from(["published", "published", "aborted", "killed before", "killed after"]), max_size=12),
        gap=st.sampled_from([0.0, 0.3, 5.0, 40.0]),
    )


@dataclass
class Record:
    key: str
    stamp: datetime
    version: int = 1


@dataclass
class Site:
    """The table and the clock. It is the producer's client as well (weighlock.clients.acumatica.Reads)."""

    scenario: Scenario
    clock: datetime = START
    table: dict[str, Record] = field(default_factory=dict)
    pending: list[tuple[datetime, list[tuple[str, Record | None]]]] = field(default_factory=list)
    beats: list[Beat] = field(default_factory=list)
    date: datetime = START
    made: int = 0

    def __post_init__(self) -> None:
        self.beats = list(self.scenario.beats)
        for index, stamp in enumerate(self.scenario.stamps):
            self.table[self._new()] = Record(KEYS[3 * index], START - timedelta(hours=1, seconds=stamp))

    @property
    def quiet(self) -> bool:
        """Nothing more will change."""
        return not self.beats and not self.pending

    def advance(self, seconds: float) -> None:
        self.clock += timedelta(seconds=seconds)
        for due in sorted((one for one in self.pending if one[0] <= self.clock), key=lambda one: one[0]):
            self.pending.remove(due)
            self._commit(due[1])

    def check(self) -> None:
        self.date = self.clock.replace(microsecond=0)

    @contextmanager
    def page(self) -> Iterator[None]:
        yield

    def now(self) -> datetime:
        return self.date

    def close(self) -> None:
        pass

    def list(
        self, entity: str, select: Sequence[str], expand: Sequence[str] = (), filter: str = "", top: int | None = None, skip: int = 0
    ) -> list[dict[str, Any]]:
        if entity != "Customer":
            return []
        return self._answer(lambda: self._rows(filter)[skip : None if top is None else skip + top])

    def get(self, entity: str, key: str, select: Sequence[str], expand: Sequence[str] = ()) -> dict[str, Any] | None:
        return self._answer(lambda: {"id": key} if key in self.table else None)

    def _answer(self, look: Callable[[], T]) -> T:
        """A call: what `look` sees between the edits before it and those after it."""
        beat = self.beats.pop(0) if self.beats else Beat([], [], 0.05)
        for edit in beat.before:
            self._edit(edit)
        self.advance(beat.seconds / 2)
        found = look()
        for edit in beat.after:
            self._edit(edit)
        self.advance(beat.seconds / 2)
        self.check()
        return found

    def _rows(self, filter: str) -> list[dict[str, Any]]:
        terms = TERM.findall(filter)
        assert " and ".join(" ".join(term) for term in terms) == filter
        if not self.scenario.one_view and len({name for name, *_ in terms}) > 1:
            return []
        found = [(note, record) for note, record in self.table.items() if all(_holds(record, term) for term in terms)]
        return [
            {
                "id": note,
                "CustomerID": record.key,
                "CustomerName": f"version {record.version}",
                "LastModifiedDateTime": record.stamp.isoformat(timespec="milliseconds"),
            }
            for note, record in sorted(found, key=lambda one: one[1].key)
        ]

    def _edit(self, edit: Edit) -> None:
        """Rows of an open transaction are locked, keys are unique: what cannot be is left out."""
        locked = {note for _, changes in self.pending for note, _ in changes}
        taken = {record.key for record in self.table.values()} | {r.key for _, changes in self.pending for _, r in changes if r}
        stamp = self.clock + timedelta(seconds=self.scenario.skew)
        stamp = stamp.replace(microsecond=stamp.microsecond // 1000 * 1000)
        key = KEYS[edit.key]
        if edit.kind == "insert":
            changes: list[tuple[str, Record | None]] = [(self._new(), Record(key, stamp))] if key not in taken else []
        else:
            notes = [note for note in self.table if note not in locked]
            notes = notes if edit.kind == "bulk" else [notes[edit.row % len(notes)]] if notes else []
            if edit.kind == "rename" and key in taken:
                return
            changes = [
                (note, None if edit.kind == "delete" else Record(key if edit.kind == "rename" else old.key, stamp, old.version + 1))
                for note in notes
                for old in [self.table[note]]
            ]
        if edit.delay:
            self.pending.append((self.clock + timedelta(seconds=edit.delay), changes))
        else:
            self._commit(changes)

    def _commit(self, changes: Sequence[tuple[str, Record | None]]) -> None:
        for note, record in changes:
            if record is None:
                del self.table[note]
            else:
                self.table[note] = record

    def _new(self) -> str:
        self.made += 1
        return f"note-{self.made}"


def _holds(record: Record, term: tuple[str, str, str]) -> bool:
    name, operator, text = term
    mine: Any = record.stamp if name == "LastModifiedDateTime" else record.key
    value: Any = datetime.fromisoformat(text[len("datetimeoffset'") : -1]) if text.startswith("date") else text.strip("'")
    return {"eq": mine == value, "ge": mine >= value, "gt": mine > value, "le": mine <= value, "lt": mine < value}[operator]


def settings_of(**acumatica: Any) -> Settings:
    """Settings without a file, for a client that is given."""
    given = {"url": "http://127.0.0.1:1", "tenant": "Demo", "client_id": "x@Demo", "client_secret": "s", "username": "u", "password": "p"}
    given |= {"overlap_seconds": OVERLAP}
    return Settings(
        kafka="127.0.0.1:1",
        registry="http://127.0.0.1:1",
        state=Path("unused"),
        acumatica={**given, **acumatica},  # type: ignore[arg-type]
    )
