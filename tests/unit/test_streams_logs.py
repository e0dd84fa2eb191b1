"""streams/logs.py: an engine that can be listened to."""

import logging

import pytest

from streams import logs


def test_a_message_comes_once_in_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same message comes through once in ten seconds whatever its arguments, another one at once."""
    at = [100.0]
    monkeypatch.setattr(logs.time, "monotonic", lambda: at[0])
    seldom = logs.Seldom()

    def passes(message: str, argument: int) -> bool:
        return seldom.filter(logging.LogRecord("x", logging.ERROR, "f", 1, message, (argument,), None))

    assert [passes("no node %s", 1), passes("no node %s", 2), passes("other %s", 1)] == [True, False, True]
    at[0] += logs.SECONDS
    assert passes("no node %s", 3)
