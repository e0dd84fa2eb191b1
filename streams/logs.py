"""The engine's loggers, made bearable: Faust prints a page at each rebalance, aiokafka sixty lines a second while no broker answers."""

from __future__ import annotations

import logging
import time

QUIET = ("faust", "mode", "aiokafka", "httpx", "streams.guards")
#: aiokafka's loggers that repeat themselves; a filter counts for its own logger only, so each is named.
CHATTY = (
    *("aiokafka", "aiokafka.cluster", "aiokafka.conn", "aiokafka.consumer.fetcher"),
    *("aiokafka.consumer.group_coordinator", "aiokafka.producer.sender"),
)
SECONDS = 10.0


class Seldom(logging.Filter):
    """Lets a message through once in so many seconds, whatever its arguments."""

    def __init__(self) -> None:
        super().__init__()
        self.last: dict[object, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        now, before = time.monotonic(), self.last.get(record.msg)
        if before is not None and now - before < SECONDS:
            return False
        self.last[record.msg] = now
        return True


def quieten() -> None:
    """From here on only warnings of the engine, and none of them sixty times a second."""
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in CHATTY:
        logging.getLogger(name).addFilter(Seldom())
