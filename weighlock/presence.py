"""A worker shows itself, beside its work and without ever disturbing it: metrics for Prometheus where `metrics_port` is set, and every ten
seconds a record on `workers`, from which `weighlock status` knows budgets and the last error wherever the worker runs."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from prometheus_client import start_http_server

from schemas.records import BudgetState, WorkerState, now
from schemas.topics import WORKERS
from weighlock import metrics, wiring
from weighlock.kafka.wire import Outgoing, producer
from weighlock.settings import Settings
from weighlock.status.lag import Lag
from weighlock.status.watch import read_by

log = structlog.get_logger(__name__)
EVERY = 10.0


def port_of(settings: Settings, worker: str) -> int | None:
    """Where a worker serves its metrics: `metrics_port` for the first of `wiring.WORKERS`, the next for the next. None: nowhere."""
    return None if settings.metrics_port is None else settings.metrics_port + list(wiring.WORKERS).index(worker)


@contextmanager
def shown(settings: Settings, worker: wiring.Worker, member: str) -> Iterator[None]:
    """While this lasts, the worker of this process is there to be seen."""
    presence = Presence(settings, worker, member)
    logging.getLogger().addHandler(presence.listener)
    thread = threading.Thread(target=presence.run, name="presence", daemon=True)
    thread.start()
    try:
        yield
    finally:
        presence.over.set()


class Presence:
    """`run` goes on until `over` is set."""

    def __init__(self, settings: Settings, worker: wiring.Worker, member: str) -> None:
        self._settings, self._worker, self._member = settings, worker, member
        self._port = port_of(settings, worker.name)
        self._serves, self._failing = False, set[str]()
        self._since, self._host = now(), socket.gethostname()
        self._producer: Any = None
        self._lag: Lag | None = None
        self.listener, self.over = metrics.Listener(), threading.Event()
        metrics.WORKER.labels(worker.name, member).set(1)

    def run(self) -> None:
        while True:
            if self._port is not None and not self._serves:
                self._try("metrics", self._serve)
            if self._lag is not None:
                self._try("lag", self._lag.look)
            self._try("workers", self._tell)
            if self.over.wait(EVERY):
                return

    def state(self) -> WorkerState:
        """As it is now."""
        limits = metrics.LIMIT.values()
        used = {labels: value for labels, value in metrics.USED.values().items() if labels in limits}
        last = self.listener.last
        return WorkerState(
            worker=self._worker.name,
            member=self._member,
            host=self._host,
            since=self._since,
            at=now(),
            partitions=int(sum(metrics.PARTITIONS.values().values())),
            budgets=[BudgetState(system=key[0], name=key[1], used=int(value), limit=int(limits[key])) for key, value in used.items()],
            metrics=f"{self._host}:{self._port}" if self._serves else None,
            error=last.said if last else None,
            error_at=last.at if last else None,
        )

    def _try(self, what: str, step: Any) -> None:
        """Whatever goes wrong is said once; the worker's own loop has its own ways to wait or to stop."""
        try:
            step()
            self._failing.discard(what)
        except Exception as error:
            if step == self._tell:
                self._producer = None  # one that failed for good is of no use any more
            if what not in self._failing:
                log.warning("cannot show itself", what=what, error=str(error))
            self._failing.add(what)

    def _serve(self) -> None:
        assert self._port is not None
        start_http_server(self._port, self._settings.metrics_host)  # OSError where somebody has the port: it is tried again
        self._serves = True
        if topics := read_by().get(self._worker.group):
            self._lag = Lag(self._settings, self._worker.group, topics)
            metrics.LAG.asked[self._worker.group] = self._lag.values
        log.info("serves metrics", host=self._settings.metrics_host, port=self._port)

    def _tell(self) -> None:
        if self._producer is None:
            self._wire, self._producer = wiring.wire(self._settings), producer(self._settings)
        state = self.state()
        self._wire.produce(self._producer, Outgoing(WORKERS, f"{state.worker}|{state.member}|{state.host}", state, []))
        self._producer.poll(0)
