"""What librdkafka may never give back does not hold up a sink."""

from __future__ import annotations

import time
from collections.abc import Iterator
from threading import Event

import pytest
from confluent_kafka import KafkaException

from sinks import patience
from sinks.member import Stopped
from sinks.patience import bounded


@pytest.fixture
def never() -> Iterator[Event]:
    """An event that comes at the end of the test only."""
    found = Event()
    yield found
    found.set()


def test_what_comes_is_given() -> None:
    """Values and errors are the caller's, as if there were no thread."""
    assert bounded("x", lambda: 7, Event(), 60) == 7
    with pytest.raises(ZeroDivisionError):
        bounded("x", lambda: 1 // 0, Event(), 60)


def test_what_does_not_come_is_left_alone(never: Event) -> None:
    """After the time that it was given it is Kafka's failure."""
    with pytest.raises(KafkaException, match="did not come back"):
        bounded("x", never.wait, Event(), 0.3)


def test_a_stop_does_not_wait(never: Event, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told to stop, what is under way has a moment to end well; then we go."""
    stop, began = Event(), time.monotonic()
    stop.set()
    monkeypatch.setattr(patience, "GRACE", 30.0)
    assert bounded("x", lambda: never.wait(0.5), stop, 600) is False
    monkeypatch.setattr(patience, "GRACE", 0.5)
    with pytest.raises(Stopped):
        bounded("x", never.wait, stop, 600)
    assert time.monotonic() - began < 60
