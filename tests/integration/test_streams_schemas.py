"""The registry's own rule, online: it refuses what the offline check refuses (tests/unit/test_schema_compatibility.py)."""

from __future__ import annotations

import pytest

from schemas.codec import subject_of
from tests.conftest import Brokers
from tests.unit.test_schema_compatibility import BREAKING, HARMLESS, changed, objections, schema
from weighlock.errors import ConfigError
from weighlock.kafka.admin import RULE
from weighlock.kafka.registry import Registry


def test_registry_refuses_what_breaks_and_takes_what_does_not(stack: Brokers, prefix: str) -> None:
    """Under the rule that `topics apply` sets, the registry refuses each breaking change with what to do and takes each harmless one."""
    registry = Registry(stack.registry)
    for what, change in BREAKING.items():
        subject = subject_of(f"{prefix}{what.replace(' ', '-')}")
        registry.set_compatibility(subject, RULE)
        registry.register(subject, schema("Customer"))
        assert objections(changed(change), schema("Customer"))
        with pytest.raises(ConfigError, match="refuses this schema"):
            registry.register(subject, changed(change))
    for what, change in HARMLESS.items():
        subject = subject_of(f"{prefix}{what.replace(' ', '-')}")
        registry.set_compatibility(subject, RULE)
        first = registry.register(subject, schema("Customer"))
        assert isinstance(registry.register(subject, changed(change)), int), what
        assert first > 0
    registry.close()
