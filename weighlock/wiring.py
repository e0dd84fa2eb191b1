"""The one place that names concrete classes: which workers there are and what each is made of."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from schemas.codec import Codec
from weighlock.kafka import admin
from weighlock.kafka.registry import Registry
from weighlock.kafka.wire import Wire
from weighlock.settings import Settings


def codec(settings: Settings) -> Codec:
    return Codec(Registry(settings.registry), settings.prefix)


def wire(settings: Settings) -> Wire:
    return Wire(settings, codec(settings))


def topics(settings: Settings, *, apply: bool) -> admin.Plan:
    """Compare topics and schemas with what is declared; with `apply`, make it so."""
    work = admin.apply if apply else admin.check
    return work(settings, admin.admin_client(settings), Registry(settings.registry))


def source_acumatica(settings: Settings, member: str, stop: threading.Event) -> None:
    from producers.acumatica import AcumaticaSource
    from producers.base import run

    run(settings, wire(settings), AcumaticaSource(settings), stop)


def streams(settings: Settings, member: str, stop: threading.Event) -> None:
    from streams.app import run

    run(settings, codec(settings), member)


def sink_hubspot(settings: Settings, member: str, stop: threading.Event) -> None:
    from sinks.base import run
    from sinks.hubspot import HubSpotTarget

    run(settings, wire(settings), HubSpotTarget(settings), member, stop)


@dataclass(frozen=True)
class Worker:
    """A long-running process. `needs` are the sections of the settings it cannot do without."""

    name: str
    what: str
    needs: tuple[str, ...]
    run: Callable[[Settings, str, threading.Event], None]


WORKERS = {
    worker.name: worker
    for worker in (
        Worker("source-acumatica", "polls Acumatica and publishes what changed", ("acumatica",), source_acumatica),
        Worker("streams", "normalises and routes, with Faust", (), streams),
        Worker("sink-hubspot", "writes into HubSpot and keeps the ledger", ("hubspot",), sink_hubspot),
    )
}
