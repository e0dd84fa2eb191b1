"""The measurements run and say what they measured; what they measure is for docs/performance.md."""

from __future__ import annotations

import pytest

from bench import streams, sync
from tests.harness.system import Broker


@pytest.fixture(autouse=True)
def on_this_stack(stack: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEIGHLOCK_KAFKA", stack.kafka)
    monkeypatch.setenv("WEIGHLOCK_REGISTRY", stack.registry)


def test_streams(capsys: pytest.CaptureFixture[str]) -> None:
    """Every record came out of the stream worker as a wish, and all four ways have a figure."""
    assert streams.main(["--records", "100", "--rounds", "1"]) == 0
    said = capsys.readouterr().out
    assert "100 customers" in said
    for what in ("bare loop, topic to topic", "validated records", "in memory, without Kafka", "the stream worker"):
        assert what in said


def test_sync(capsys: pytest.CaptureFixture[str]) -> None:
    """The first sync ends in agreement, beside the sandbox's own speed and the least number of calls."""
    assert sync.main(["--customers", "10", "--contacts", "25"]) == 0
    said = capsys.readouterr().out
    for what in ("the sandbox alone", "the least number of calls", "Weighlock", "in agreement: 10 companies"):
        assert what in said
