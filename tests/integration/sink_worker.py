"""A HubSpot sink as a process of its own, from the environment alone: for tests that kill it. The argument is its member name."""

from __future__ import annotations

import signal
import sys
from threading import Event

from schemas.codec import Codec
from sinks.base import run
from sinks.hubspot import HubSpotTarget
from tests.integration.sink_kit import definitions
from weighlock.kafka.registry import Registry
from weighlock.kafka.wire import Wire
from weighlock.settings import Settings


def main(member: str) -> None:
    stop = Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    settings = Settings.load()
    wire = Wire(settings, Codec(Registry(settings.registry), settings.prefix))
    run(settings, wire, HubSpotTarget(settings, definitions()), member, stop)


if __name__ == "__main__":
    main(sys.argv[1])
