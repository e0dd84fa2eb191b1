"""The one place that names concrete classes: which workers there are and what each is made of."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from schemas.codec import Codec
from schemas.topics import CONTACT, CUSTOMER
from weighlock.kafka import admin
from weighlock.kafka.registry import Registry
from weighlock.kafka.wire import Wire
from weighlock.settings import Settings

if TYPE_CHECKING:
    from sinks.hubspot_setup import Step


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

    topics = {"customer": CUSTOMER, "contact": CONTACT}

    def known(entity: str) -> set[str]:
        """The refs of the records that normalized.<entity> holds."""
        found: dict[str, bool] = {}
        for message in there.read(topics[entity]):
            found[(message.key() or b"").decode()] = message.value() is not None
        return {ref for ref, live in found.items() if live}

    there = wire(settings)
    run(settings, there, AcumaticaSource(settings, known=known), stop)


def streams(settings: Settings, member: str, stop: threading.Event) -> None:
    from streams.app import run

    run(settings, codec(settings), member)


def sink_hubspot(settings: Settings, member: str, stop: threading.Event) -> None:
    from sinks.base import run
    from sinks.hubspot import HubSpotTarget

    run(settings, wire(settings), HubSpotTarget(settings, hubspot_definitions()), member, stop)


def source_hubspot(settings: Settings, member: str, stop: threading.Event) -> None:
    from producers.base import run
    from producers.hubspot import HubSpotSource

    run(settings, wire(settings), HubSpotSource(settings), stop)


def sink_acumatica(settings: Settings, member: str, stop: threading.Event) -> None:
    from sinks.acumatica import AcumaticaTarget
    from sinks.base import run

    settings.need_deals()
    run(settings, wire(settings), AcumaticaTarget(settings), member, stop)


def hubspot_definitions() -> dict[str, list[dict[str, Any]]]:
    """The properties that we need in a portal, by object, as HubSpot's API takes them: from the mapping table."""
    from streams.mappings import hubspot

    return {target.object: hubspot.definitions(target) for target in hubspot.TARGETS}


def setup_hubspot(settings: Settings, *, dry_run: bool) -> list[Step]:
    """Make the property group and the properties; what was found and done, line by line."""
    from sinks.hubspot_setup import setup
    from streams.mappings import hubspot
    from weighlock.clients.hubspot import HubSpot

    with HubSpot(settings.need_hubspot(), again=lambda: settings.reread().hubspot) as client:
        return setup(client, (hubspot.GROUP["name"], hubspot.GROUP["label"]), hubspot_definitions(), dry_run=dry_run)


def probe_acumatica(settings: Settings) -> str:
    """Sign in, check the pinned version and how documents can be read, sign out."""
    from producers.acumatica_documents import Documents
    from weighlock.clients.acumatica import Acumatica

    client = Acumatica.of(settings)
    try:
        client.check()
        documents = Documents(settings.need_acumatica(), client).way()
    finally:
        client.close()
    return f"{settings.need_acumatica().endpoint} {settings.need_acumatica().version} at {settings.need_acumatica().url}; {documents}"


def probe_hubspot(settings: Settings) -> str:
    """Ask for the account, and whether our properties are there."""
    from sinks.hubspot import HubSpotTarget

    target = HubSpotTarget(settings, hubspot_definitions())
    try:
        target.check()
    finally:
        target.close()
    if settings.deals is not None:
        from producers.hubspot import HubSpotSource

        HubSpotSource(settings).check()
    return f"portal and properties at {settings.need_hubspot().url}"


@dataclass(frozen=True)
class Worker:
    """A long-running process. `needs` are the sections of the settings it cannot do without."""

    name: str
    what: str
    needs: tuple[str, ...]
    run: Callable[[Settings, str, threading.Event], None]

    def wanted(self, settings: Settings) -> bool:
        """Deals are off unless their section is there."""
        return "deals" not in self.needs or settings.deals is not None

    @property
    def group(self) -> str:
        """Its copies' consumer group, without the prefix."""
        return self.name.replace("-", ".")


WORKERS = {
    worker.name: worker
    for worker in (
        Worker("source-acumatica", "polls Acumatica and publishes what changed", ("acumatica",), source_acumatica),
        Worker("streams", "normalises and routes, with Faust", (), streams),
        Worker("sink-hubspot", "writes into HubSpot and keeps the ledger", ("hubspot",), sink_hubspot),
        Worker("source-hubspot", "polls HubSpot's won deals", ("hubspot", "deals"), source_hubspot),
        Worker("sink-acumatica", "makes customers of won deals, once each", ("acumatica", "deals"), sink_acumatica),
    )
}


def workers(settings: Settings) -> list[Worker]:
    """Those that these settings ask for."""
    return [worker for worker in WORKERS.values() if worker.wanted(settings)]
