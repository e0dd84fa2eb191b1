"""What was seen of the flows, counted: events of the audit, dead letters, what waits, what is still to be done. Pure: no Kafka."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from schemas.records import Audit, Checkpoint, DeadLetter
from schemas.refs import Ref
from weighlock.status.figures import percentile, rounded

#: What is no ref has no flow of its own.
UNKNOWN = ("?", "?")


class Flow(NamedTuple):
    """An entity of a source, and the system that it is written to."""

    source: str
    entity: str
    target: str


class Event(NamedTuple):
    """An audit record, as much of it as counts. `target` is None for what is said before it is known where a record goes."""

    at: datetime
    target: str | None
    event: str
    source_at: datetime | None


class Trouble(NamedTuple):
    at: datetime
    said: str


def kind_of(ref: str) -> tuple[str, str]:
    """System and entity of a ref."""
    try:
        found = Ref.parse(ref)
    except ValueError:
        return UNKNOWN
    return found.system, found.entity


def target_of(stage: str, worker: str) -> str | None:
    """Only a sink speaks for one system."""
    return worker.removeprefix("sink-") if stage == "sink" else None


@dataclass
class Pending:
    """One partition that a group reads: what stands behind its offset, as (offset, kind, when it was written there in Unix seconds).
    `unread` more of them stand before those."""

    first: int
    unread: int = 0
    records: deque[tuple[int, tuple[str, str], float]] = field(default_factory=deque)

    def done(self, offset: int) -> None:
        """The group is there now."""
        if offset > self.first:
            self.unread = max(0, self.unread - (offset - self.first))
            self.first = offset
        while self.records and self.records[0][0] < offset:
            self.records.popleft()

    def __len__(self) -> int:
        return self.unread + len(self.records)

    def by_kind(self) -> dict[tuple[str, str], int]:
        """How many of each; those unread are shared out as the others are."""
        seen = Counter(kind for _, kind, _ in self.records)
        share = 1 + self.unread / len(self.records) if self.records else 1
        return {kind: round(count * share) for kind, count in seen.items()}

    @property
    def oldest(self) -> float | None:
        return min((at for _, _, at in self.records), default=None)


@dataclass
class Tally:
    """`window` for freshness and events, `pace` for rates, both in seconds."""

    window: float
    pace: float
    events: dict[tuple[str, str], deque[Event]] = field(default_factory=lambda: defaultdict(deque))
    letters: Counter[tuple[tuple[str, str], str | None]] = field(default_factory=Counter)
    last_letter: dict[tuple[tuple[str, str], str | None], Trouble] = field(default_factory=dict)
    waiting: dict[str, dict[bytes, tuple[str, str]]] = field(default_factory=lambda: defaultdict(dict))
    checkpoints: dict[tuple[str, str], datetime] = field(default_factory=dict)
    objects: dict[Flow, set[str]] = field(default_factory=lambda: defaultdict(set))

    def audit(self, entry: Audit) -> None:
        kind, target = kind_of(entry.ref), target_of(entry.stage, entry.worker)
        self.events[kind].append(Event(entry.at, target, entry.event, entry.source_at))
        if target is not None and entry.target is not None:
            self.objects[Flow(*kind, target)].add(kind_of(entry.target)[1])

    def letter(self, letter: DeadLetter) -> None:
        where = kind_of(letter.ref or (letter.key or b"").decode(errors="replace")), target_of(letter.stage, letter.worker)
        self.letters[where] += 1
        before = self.last_letter.get(where)
        if before is None or before.at <= letter.at:
            self.last_letter[where] = Trouble(letter.at, letter.reason)

    def waits(self, system: str, key: bytes, there: bool) -> None:
        if there:
            self.waiting[system][key] = kind_of(key.decode(errors="replace"))
        else:
            self.waiting[system].pop(key, None)

    def checkpoint(self, found: Checkpoint) -> None:
        self.checkpoints[found.source, found.entity.partition("|")[0]] = found.at

    def forget(self, now: datetime) -> None:
        """What is older than the window."""
        for events in self.events.values():
            while events and events[0].at < now - timedelta(seconds=self.window):
                events.popleft()

    def flows(self, declared: Iterable[Flow], lags: Mapping[Flow, int], now: datetime) -> list[dict[str, Any]]:
        """A row for each flow that is declared or was seen, the declared ones first and in their order."""
        seen = {Flow(*kind, one.target) for kind, events in self.events.items() for one in events if one.target is not None}
        seen |= {Flow(*kind, system) for system, held in self.waiting.items() for kind in held.values()}
        listed = dict.fromkeys([*declared, *sorted(seen)])
        return [self._row(flow, lags.get(flow, 0), now) for flow in listed if (flow.source, flow.entity) != UNKNOWN]

    def _row(self, flow: Flow, lag: int, now: datetime) -> dict[str, Any]:
        kind, begin = (flow.source, flow.entity), now - timedelta(seconds=self.window)
        own = [one for one in self.events.get(kind, ()) if one.target in (None, flow.target)]
        recent = Counter(one.event for one in own if one.at >= now - timedelta(seconds=self.pace))
        # only of changes that were made within the window: a first reading finds records that changed years ago
        fresh = [(o.at - o.source_at).total_seconds() for o in own if o.event == "written" and o.source_at and o.source_at >= begin]
        checkpoint = self.checkpoints.get(kind)
        last = max(filter(None, (self.last_letter.get((kind, target)) for target in (None, flow.target))), default=None)
        return {
            "source": flow.source,
            "entity": flow.entity,
            "target": flow.target,
            "objects": sorted(self.objects.get(flow, ())),
            "read_per_second": rounded(recent["read"] / self.pace),
            "written_per_second": rounded(recent["written"] / self.pace),
            "lag": lag,
            "waiting": sum(held == kind for held in self.waiting.get(flow.target, {}).values()),
            "dead_letters": self.letters[kind, None] + self.letters[kind, flow.target],
            "freshness_p50": rounded(percentile(fresh, 0.5)) if fresh else None,
            "freshness_p95": rounded(percentile(fresh, 0.95)) if fresh else None,
            "events": dict(sorted(Counter(one.event for one in own).items())),
            "checkpoint_seconds": rounded((now - checkpoint).total_seconds(), 1) if checkpoint else None,
            "last_error": {"at": last.at.isoformat(timespec="seconds"), "said": last.said} if last else None,
        }
