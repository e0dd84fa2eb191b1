"""Calls into librdkafka that may never come back, whatever time-out they were given.

`send_offsets_to_transaction` waits for ever for a group coordinator that was away at the wrong moment (librdkafka issues 5456 and 5511,
seen here after a broker's restart); while it does, no signal reaches Python. So what could wait runs in a thread of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event, Thread
from typing import TypeVar

import structlog
from confluent_kafka import KafkaError, KafkaException

from sinks.member import Stopped

log = structlog.get_logger(__name__)
T = TypeVar("T")
#: Seconds for what is under way when the process is told to stop.
GRACE = 3.0


def bounded(what: str, call: Callable[[], T], stop: Event, seconds: float) -> T:
    """What `call` gives or raises. `KafkaException` after so many seconds, `Stopped` soon after a stop: then it is left alone and may go
    on, so it must change nothing that others use."""
    given: list[T] = []
    raised: list[BaseException] = []
    over = Event()

    def work() -> None:
        try:
            given.append(call())
        except BaseException as error:
            raised.append(error)
        finally:
            over.set()

    Thread(target=work, name=what, daemon=True).start()
    until = time.monotonic() + seconds
    while not over.wait(0.2):
        if stop.is_set() and not over.wait(GRACE):
            raise Stopped
        if time.monotonic() > until and not over.is_set():
            log.warning("kafka: does not come back: left alone", what=what, seconds=seconds)
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, f"{what}: librdkafka did not come back within {seconds:g} s"))
    if raised:
        raise raised[0]
    return given[0]
