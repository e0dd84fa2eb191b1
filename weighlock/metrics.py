"""Our Prometheus metrics: all of them are named here and nowhere else. The loops and clients call these functions in few places.

What changes by itself (lag, what waits, budgets) is asked for when somebody looks, so nothing has to be kept up to date.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol

import prometheus_client
from prometheus_client import REGISTRY, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily

from weighlock.redact import scrub

prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]

Values = Mapping[tuple[str, ...], float]
#: When this process began: only of changes made since then the freshness is ours (a first reading finds those of years ago).
BEGAN = datetime.now(UTC)
#: The longest text of an error that is passed on.
LONGEST = 500


class _Asked:
    """A gauge whose values are asked for at each look. Who cannot tell (a loop that is just closing) is left out of that look."""

    def __init__(self, name: str, documentation: str, labels: tuple[str, ...]) -> None:
        self.name, self._documentation, self._labels = name, documentation, labels
        self.asked: dict[object, Callable[[], Values]] = {}
        REGISTRY.register(self)

    def describe(self) -> Iterator[GaugeMetricFamily]:
        yield GaugeMetricFamily(self.name, self._documentation, labels=self._labels)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        family = GaugeMetricFamily(self.name, self._documentation, labels=self._labels)
        for labels, value in self.values().items():
            family.add_metric(labels, value)
        yield family

    def values(self) -> dict[tuple[str, ...], float]:
        found: dict[tuple[str, ...], float] = {}
        for ask in list(self.asked.values()):
            try:
                found |= ask()
            except Exception:  # whatever it is: a look must not disturb, nor be disturbed
                logging.getLogger(__name__).debug("%s could not be asked", self.name, exc_info=True)
        return found


RECORDS = Counter("weighlock_records", "What became of records, as the audit says it.", ("stage", "source", "entity", "facet", "event"))
FRESHNESS = Histogram(
    "weighlock_freshness_seconds",
    "From a change in the source to its write in the target, of changes made since this worker began.",
    ("source", "entity", "target"),
    buckets=(0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800, 7200, 86400),
)
CALLS = Counter("weighlock_calls", "Calls to a vendor, by the status of the answer (`none`: there was none).", ("system", "status"))
POLLED = Gauge("weighlock_polled_timestamp_seconds", "When an entity was last polled without an error.", ("source", "entity"))
LOGGED = Counter("weighlock_log_lines", "Warnings and errors in the worker's log.", ("level",))
LAST_ERROR = Gauge("weighlock_last_error_timestamp_seconds", "When the worker's log last had a warning or an error; 0: never.")
WORKER = Gauge("weighlock_worker_info", "1 for each worker that runs.", ("worker", "member"))
PARTITIONS = _Asked("weighlock_partitions", "Partitions that this copy works on; of a source: 1 if it leads.", ("worker",))
LAG = _Asked("weighlock_lag_records", "Records that the worker's group has not worked off yet; all copies say the same.", ("topic",))
WAITING = _Asked("weighlock_waiting_records", "Records whose reference is not in the target yet.", ("target", "source", "entity"))
USED = _Asked("weighlock_budget_used", "Calls made, of those that a budget allows now.", ("system", "budget"))
LIMIT = _Asked("weighlock_budget_limit", "Calls that a budget allows.", ("system", "budget"))
#: By the names that a scrape gives.
NAMES: tuple[str, ...] = (
    *("weighlock_records_total", "weighlock_calls_total", "weighlock_log_lines_total"),
    *(f"weighlock_freshness_seconds_{part}" for part in ("bucket", "count", "sum")),
    *("weighlock_polled_timestamp_seconds", "weighlock_last_error_timestamp_seconds", "weighlock_worker_info"),
    *(asked.name for asked in (PARTITIONS, LAG, WAITING, USED, LIMIT)),
)


class Said(Protocol):
    """An audit record."""

    @property
    def ref(self) -> str: ...
    @property
    def event(self) -> str: ...
    @property
    def stage(self) -> str: ...
    @property
    def worker(self) -> str: ...
    @property
    def facet(self) -> str | None: ...
    @property
    def at(self) -> datetime: ...
    @property
    def source_at(self) -> datetime | None: ...


class Trouble(NamedTuple):
    """The newest warning or error of this process."""

    at: datetime
    said: str


def said(entry: Said) -> None:
    """An audit record is safe in Kafka."""
    counted(entry.stage, entry.ref, entry.event, entry.facet)
    if entry.event == "written" and entry.source_at is not None and entry.source_at >= BEGAN:
        fresh = FRESHNESS.labels(*kind_of(entry.ref), entry.worker.removeprefix("sink-"))
        fresh.observe((entry.at - entry.source_at).total_seconds())


def counted(stage: str, ref: str, event: str, facet: str | None = None) -> None:
    RECORDS.labels(stage, *kind_of(ref), facet or "", event).inc()


def kind_of(ref: str) -> tuple[str, str]:
    """System and entity of a ref; of what is none `?`, for labels must be few."""
    system, _, rest = ref.partition(":")
    entity, _, record = rest.partition(":")
    return (system, entity) if record and system.isidentifier() and entity.isidentifier() else ("?", "?")


def polled(source: str, entity: str) -> None:
    POLLED.labels(source, entity).set(time.time())


def answered(system: str) -> Callable[[Any], None]:
    """A hook of an httpx client: counts its answers."""
    return lambda response: CALLS.labels(system, str(response.status_code)).inc()


def unanswered(system: str) -> None:
    CALLS.labels(system, "none").inc()


def budget(system: str, name: str, spent: Callable[[], tuple[int, int]]) -> None:
    """`spent` gives calls made and calls allowed; (0, 0) while the limit is not known."""

    def known(which: int) -> Values:
        return {(system, name): spent()[which]} if spent()[1] else {}

    USED.asked[system, name] = lambda: known(0)
    LIMIT.asked[system, name] = lambda: known(1)


def partitions(worker: str, ask: Callable[[], int]) -> None:
    PARTITIONS.asked[worker] = lambda: {(worker,): ask()}


def waiting(target: str, subjects: Callable[[], list[str]]) -> None:
    """`subjects` gives the refs that wait now."""

    def ask() -> Values:
        found: dict[tuple[str, ...], float] = {}
        for subject in subjects():
            key = (target, *kind_of(subject))
            found[key] = found.get(key, 0) + 1
        return found

    WAITING.asked[target] = ask


class Listener(logging.Handler):
    """Beside the log's own handler: keeps the newest warning or error."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.last: Trouble | None = None

    def emit(self, record: logging.LogRecord) -> None:
        LOGGED.labels(record.levelname.lower()).inc()
        LAST_ERROR.set(record.created)
        self.last = Trouble(datetime.fromtimestamp(record.created, UTC), scrub(_words(record))[:LONGEST])


def _words(record: logging.LogRecord) -> str:
    """structlog hands over a dict of the line's fields."""
    if not isinstance(record.msg, dict):
        return record.getMessage()
    why = next((record.msg[name] for name in ("reason", "error", "why", "what") if record.msg.get(name)), None)
    return f"{record.msg.get('event')}: {why}" if why else str(record.msg.get("event"))
