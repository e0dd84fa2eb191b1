"""Engine rules about our own clients and the pins: each with the rule on and off."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from schemas.partitions import partition_of
from streams import guards
from tests.integration.engine.rules import RULES, lacking, rule
from tests.integration.engine.workbench import Bench
from weighlock.errors import ConfigError
from weighlock.kafka import wire
from weighlock.settings import Settings


@rule("murmur2")
def test_keys_land_where_java_and_faust_put_them(bench: Bench, on: bool) -> None:
    """A key lands in its murmur2 partition; librdkafka's own default puts it elsewhere, and what is joined by it never meets."""
    bench.mock({"in": 4})
    settings = Settings(kafka=bench.broker, registry="http://127.0.0.1:1")
    producer = wire.producer(settings) if on else Producer({"bootstrap.servers": bench.broker})
    landed: dict[str, int] = {}
    for n in range(40):
        producer.produce("in", b"v", f"key{n}".encode(), on_delivery=lambda _, m: landed.update({m.key().decode(): m.partition()}))
    assert producer.flush(20) == 0
    assert len(landed) == 40
    assert all(partition == partition_of(key, 4) for key, partition in landed.items()) is on


@rule("exact-pins")
def test_another_engine_is_refused(on: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The guards refuse an engine that they were not written for; unasked, they would stand beside a class that nobody uses any more."""

    class Transport:
        """A later Faust, in which the consumer's name has changed."""

        ConsumerClass: Any = guards.driver.Consumer

    monkeypatch.setattr(guards.driver, "Transport", Transport)
    monkeypatch.setattr(guards, "version", lambda name: "0.16.0" if name == "faust-streaming" else guards.PINS[name])
    if on:
        with pytest.raises(ConfigError, match=r"faust-streaming is 0\.16\.0"):
            guards.install()
    else:
        monkeypatch.setattr(guards, "PINS", {})
        guards.install()
        assert Transport.ConsumerClass is not guards.GuardedConsumer


def test_pins_are_those_of_the_project() -> None:
    """pyproject.toml pins exactly the versions that the guards name."""
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    pinned = {line.split("[")[0].split("==")[0]: line.split("==")[1] for line in project["dependencies"] if "==" in line}
    assert guards.PINS.items() <= pinned.items()


def test_unknown_guard_is_refused() -> None:
    """A misspelt guard cannot be switched off: no test passes because nothing was off."""
    with pytest.raises(ValueError, match="no such guard: comit-in-order"):
        guards.install(frozenset({"comit-in-order"}))


def test_rule_without_both_cases_is_named() -> None:
    """The collection's check says which case of which rule is lacking, and nothing when all are there."""
    everything = [(name, case) for name in RULES for case in ("on", "off")]
    assert lacking(everything) == []
    assert lacking([case for case in everything if case != ("no-take", "off")]) == ["the rule 'no-take' has no test with it off"]
    with pytest.raises(ValueError, match="no rule"):
        rule("no-such-rule")
