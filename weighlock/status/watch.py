"""`Watch`: the state of all flows and workers, out of topics and group offsets alone; asked again, it reads only what is new."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import cache
from typing import Any

from confluent_kafka import Message

from schemas.codec import Undecodable
from schemas.records import Audit, Checkpoint, DeadLetter, Record, Result, WorkerState
from schemas.topics import AUDIT, CHECKPOINTS, DEAD_LETTERS, LINKS, STREAMS_APP, TOPICS, WORKERS, Topic
from weighlock import wiring
from weighlock.errors import ConfigError
from weighlock.settings import Settings
from weighlock.status.figures import rounded
from weighlock.status.follow import Brokers, Follow, Place
from weighlock.status.tally import UNKNOWN, Flow, Pending, Tally, kind_of

#: Seconds over which freshness and rates are computed.
WINDOW, PACE = 300.0, 60.0
#: Of what a group has still to do so many are looked at in each partition, and of what a sink wrote last.
LOOKED_AT, SAMPLE = 5000, 50
#: Seconds after which a worker that says nothing more is forgotten. It speaks every ten.
HEARD = 60.0


@cache
def declared() -> tuple[Flow, ...]:
    """Every entity that a source publishes, and the systems that the stages send it to."""
    from streams.routes import STAGES

    into = {flow.topic: flow.into for stage in STAGES for flow in stage.flows}
    found: dict[Flow, None] = {}
    for topic in (topic for topic in into if topic.name.startswith("source.")):
        _, source, entity = topic.name.split(".")
        found |= {Flow(source, entity, reached.name.partition(".")[2]): None for reached in _reached(topic, into)}
    return tuple(found)


def _reached(topic: Topic, into: dict[Topic, tuple[Topic, ...]]) -> list[Topic]:
    """The topics of wishes that a record of this topic may lead to."""
    left, seen = [topic], {topic}
    for one in left:
        left += [other for other in into.get(one, ()) if other not in seen]
        seen.update(into.get(one, ()))
    return [one for one in left if one.name.startswith("upserts.")]


@cache
def read_by() -> dict[str, tuple[Topic, ...]]:
    """The topics that each consumer group works off."""
    from streams.routes import STAGES

    found = {STREAMS_APP: tuple(flow.topic for stage in STAGES for flow in stage.flows)}
    return found | {f"sink.{topic.name.partition('.')[2]}": (topic,) for topic in TOPICS if topic.name.startswith("upserts.")}


class Watch:
    """`see` reads what is new and gives the status. `ConfigError` where topics are missing, `TransientError` where Kafka is away."""

    def __init__(self, settings: Settings, window: float = WINDOW, pace: float = PACE) -> None:
        self._settings, self._wire, self._brokers = settings, wiring.wire(settings), Brokers(settings)
        self.tally = Tally(window, pace)
        self._by_name: dict[str, Topic] = {settings.prefix + topic.name: topic for topic in TOPICS}
        self._pending: dict[tuple[str, Place], Pending] = {}
        self._states: dict[bytes, WorkerState] = {}
        self._readers = {topic: group for group, topics in read_by().items() for topic in topics}
        self._follow = Follow(settings, self._brokers, self._starts())

    def close(self) -> None:
        self._follow.close()

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def see(self) -> dict[str, Any]:
        """`at`, `flows` (a row for each, see `Tally`) and `workers`."""
        for message in self._follow.news():
            self._take(message)
        for group in read_by():
            self._work_off(group, self._brokers.committed(group))
        now = datetime.now(UTC)
        self.tally.forget(now)
        return {
            "at": now.isoformat(timespec="seconds"),
            "freshness_seconds": self.tally.window,
            "rate_seconds": self.tally.pace,
            "flows": self.tally.flows(self._wanted(), self._lags(), now),
            "workers": self._workers(now),
        }

    def _starts(self) -> dict[Place, int]:
        whole = [topic for topic in TOPICS if topic in (CHECKPOINTS, DEAD_LETTERS) or topic.name.startswith("waiting.")]
        results = [topic for topic in TOPICS if topic.name.startswith("results.")]
        if missing := self._brokers.missing(self._settings.prefix + one.name for one in (*whole, *results, AUDIT, WORKERS, *self._readers)):
            raise ConfigError(*(f"{name}: no such topic in Kafka: run `weighlock topics apply`" for name in missing))
        starts = dict.fromkeys(self._places(whole), 0)
        for topic, seconds in ((AUDIT, self.tally.window), (WORKERS, HEARD)):
            starts |= self._brokers.since(self._places([topic]), time.time() - seconds)
        starts |= {place: end - SAMPLE for place, end in self._brokers.ends(self._places(results)).items()}
        for group, topics in read_by().items():
            committed, ends = self._brokers.committed(group), self._brokers.ends(self._places(topics))
            for place, end in ends.items():
                at = committed.get(place, 0)
                starts[place] = max(at, end - LOOKED_AT)
                self._pending[group, place] = Pending(at, unread=starts[place] - at)
        return starts

    def _places(self, topics: Iterable[Topic]) -> list[Place]:
        return [(place.topic, place.partition) for topic in topics for place in self._wire.partitions(topic)]

    def _take(self, message: Message) -> None:
        topic, key = self._by_name[message.topic()], message.key() or b""
        if topic in self._readers:
            pending = self._pending[self._readers[topic], (message.topic(), message.partition())]
            pending.records.append((message.offset(), _kind(topic, key), message.timestamp()[1] / 1000))
        elif topic.name.startswith("waiting."):
            self.tally.waits(topic.name.partition(".")[2], key, message.value() is not None)
        else:
            try:
                self._count(topic, key, self._wire.decode(Record.kinds[topic.record or ""], message))
            except Undecodable:
                return  # `weighlock trace` shows it

    def _count(self, topic: Topic, key: bytes, record: Record | None) -> None:
        match record:
            case Audit():
                self.tally.audit(record)
            case DeadLetter():
                self.tally.letter(record)
            case WorkerState():
                self._states[key] = record
            case Checkpoint():
                self.tally.checkpoint(record)
            case Result():
                self.tally.objects[Flow(*kind_of(record.subject), topic.name.partition(".")[2])].add(record.object)

    def _work_off(self, group: str, committed: dict[Place, int]) -> None:
        for (other, place), pending in self._pending.items():
            if other == group:
                pending.done(committed.get(place, 0))

    def _wanted(self) -> list[Flow]:
        """Those that end in a sink which the settings ask for."""
        sinks = {worker.name for worker in wiring.workers(self._settings)}
        return [flow for flow in declared() if f"sink-{flow.target}" in sinks]

    def _lags(self) -> dict[Flow, int]:
        """By flow: what its own topics and the wishes of its entity hold that nobody has done."""
        found: Counter[Flow] = Counter()
        for (_, place), pending in self._pending.items():
            system = self._by_name[place[0]].name.partition("upserts.")[2]
            for kind, count in pending.by_kind().items():
                for flow in {Flow(*kind, system)} if system else {flow for flow in declared() if (flow.source, flow.entity) == kind}:
                    found[flow] += count
        return found

    def _workers(self, now: datetime) -> list[dict[str, Any]]:
        wanted = wiring.workers(self._settings)
        members = self._brokers.members(worker.group for worker in wanted)
        return [self._worker(worker, members.get(worker.group, 0), now) for worker in wanted]

    def _worker(self, worker: wiring.Worker, members: int, now: datetime) -> dict[str, Any]:
        heard = [state for _, state in sorted(self._states.items()) if state.worker == worker.name]
        pending = [one for (group, _), one in self._pending.items() if group == worker.group]
        oldest = min((one.oldest for one in pending if one.oldest is not None), default=None)
        return {
            "worker": worker.name,
            "copies": members,
            "lag": sum(map(len, pending)) if worker.group in read_by() else None,
            "oldest_seconds": rounded(time.time() - oldest, 1) if oldest is not None else None,
            "reports": [_report(state, now) for state in heard if (now - state.at).total_seconds() < HEARD],
        }


def _report(state: WorkerState, now: datetime) -> dict[str, Any]:
    """What one process says of itself."""
    budgets = [{"system": one.system, "name": one.name, "used": one.used, "limit": one.limit} for one in state.budgets]
    error = {"at": state.error_at.isoformat(timespec="seconds"), "said": state.error} if state.error and state.error_at else None
    return {
        "member": state.member,
        "host": state.host,
        "since": state.since.isoformat(timespec="seconds"),
        "heard_seconds": rounded((now - state.at).total_seconds(), 1),
        "partitions": state.partitions,
        "budgets": budgets,
        "metrics": state.metrics,
        "last_error": error,
    }


def _kind(topic: Topic, key: bytes) -> tuple[str, str]:
    """A source's topic is of one entity, whatever its keys are; a link is no flow's."""
    if topic is LINKS:
        return UNKNOWN
    if topic.name.startswith("source."):
        _, source, entity = topic.name.split(".")
        return source, entity
    return kind_of(key.decode(errors="replace"))


def watching(settings: Settings, every: float) -> Iterator[dict[str, Any]]:
    """A status at once, and a new one every so many seconds."""
    with Watch(settings) as watch:
        while True:
            yield watch.see()
            time.sleep(every)
