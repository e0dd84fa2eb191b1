"""The engine's rules (design.md §3, in its words), and what marks the two cases of each: with the rule kept and with it broken."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from streams.guards import GUARDS

RULES: dict[str, str] = {
    **GUARDS,
    "topics-made-by-us": "topics are created by us, changelogs among them (topic_allow_declare=False, topic_disable_leader=True)",
    "bytes-encoded-by-us": "bytes topics and bytes tables, Avro encoded and decoded by us",
    "crashing-supervisor": "an agent that fails takes the worker down",
    "acked-by-hand": "stream.noack().events() and event.ack() after the work",
    "no-concurrency": "no concurrency",
    "no-take": "no take()",
    "no-windows": "no windows",
    "no-timers-that-write": "no timers that write",
    "murmur2": "murmur2_random, or the explicit partition, on every confluent-kafka producer",
    "short-transactions": "transaction.timeout.ms about 10 s, or a killed producer holds back every reader",
    "no-web-tables": "web_tables_enabled=False",
    "few-databases": "few tables and partitions: each pair is a RocksDB of its own",
    "exact-pins": "exact pins of faust-streaming, mode-streaming and aiokafka",
}
ON, OFF = "on", "off"


def rule(name: str) -> Any:
    """Marks a test of that rule, which runs twice: `on` True with the rule kept (no harm) and False with it broken (the harm is seen)."""
    if name not in RULES:
        raise ValueError(f"no rule {name!r}: name it in RULES first")

    def decorate(function: Any) -> Any:
        return pytest.mark.engine_rule(name)(pytest.mark.parametrize("on", [True, False], ids=[ON, OFF])(function))

    return decorate


def lacking(cases: Iterable[tuple[str, str]]) -> list[str]:
    """What is missing, given (rule, case) of each collected test."""
    found = set(cases)
    return [f"the rule {name!r} has no test with it {case}" for name in RULES for case in (ON, OFF) if (name, case) not in found]
