"""What lanes and calls ask of the process that they are in."""

from __future__ import annotations

from threading import Event
from typing import Protocol

from sinks.again import Again
from sinks.attempts import Attempts
from sinks.contract import Target
from sinks.links import Links
from sinks.member import Member
from weighlock.kafka.wire import Wire


class Loop(Protocol):
    """See sinks.base.Sink."""

    wire: Wire
    target: Target
    links: Links
    attempts: Attempts
    member: Member
    again: Again
    stop: Event
    batch: int

    def wait(self, seconds: float, why: str) -> None: ...
    def claims(self, kind: str, record: str, system: str) -> str | None: ...
