"""`topics check|apply` against the real Kafka and registry."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from confluent_kafka.admin import AdminClient

from schemas import topics as table
from schemas.codec import schema_of
from tests.conftest import Brokers
from weighlock import processes
from weighlock.errors import ConfigError, TransientError
from weighlock.kafka import admin as topics
from weighlock.kafka.registry import Registry
from weighlock.settings import Settings


@pytest.fixture
def settings(stack: Brokers, prefix: str) -> Settings:
    return Settings(kafka=stack.kafka, registry=stack.registry, prefix=prefix, partitions=2)


@pytest.fixture
def admin(settings: Settings) -> AdminClient:
    return topics.admin_client(settings)


@pytest.fixture
def registry(settings: Settings) -> Iterator[Registry]:
    client = Registry(settings.registry)
    yield client
    client.close()


def test_apply_makes_everything_and_may_be_repeated(settings: Settings, admin: AdminClient, registry: Registry) -> None:
    """Everything is missing, apply makes all of it, and from then on check and apply find nothing to do."""
    before = topics.check(settings, admin, registry)
    assert before.findings == before.only("missing")
    assert len(before.findings) == len(table.TOPICS) + sum(topic.record is not None for topic in table.TOPICS)
    assert topics.apply(settings, admin, registry) == before
    assert topics.check(settings, admin, registry).clean
    assert topics.apply(settings, admin, registry).clean


def test_topics_are_as_the_table_says(settings: Settings, admin: AdminClient, registry: Registry) -> None:
    """Partitions, cleanup and retention of each topic are those of schemas/topics.py; every subject's rule is BACKWARD."""
    topics.apply(settings, admin, registry)
    there = admin.list_topics(timeout=10).topics
    for topic in table.TOPICS:
        name = settings.prefix + topic.name
        assert len(there[name].partitions) == topic.partitions(settings.partitions)
        config = topics._configs(admin, [name])[name]
        assert {key: config[key] for key in topic.config()} == topic.config()
    assert {registry.compatibility(subject) for subject, _ in topics.wanted_schemas(settings)} == {"BACKWARD"}


def test_another_partition_count_is_refused(settings: Settings, admin: AdminClient, registry: Registry) -> None:
    """A changed partition count stops apply before it changes anything, with every topic named and both counts."""
    topics.apply_topics(admin, topics.wanted_topics(settings)[:2])
    more = settings.model_copy(update={"partitions": 3})
    with pytest.raises(ConfigError) as refused:
        topics.apply(more, admin, registry)
    assert len(refused.value.problems) == 2
    assert all("has 2 partitions, the settings say 3" in problem for problem in refused.value.problems)
    assert len(topics.check(more, admin, registry).only("missing")) == len(topics.check(more, admin, registry).findings) - 2


def test_a_differing_config_is_shown_and_altered(settings: Settings, admin: AdminClient) -> None:
    """Another retention is reported with both values, and apply sets it; what the table does not name is left alone."""
    wanted = topics.Wanted(settings.prefix + "one", 1, {"retention.ms": "3600000", "max.message.bytes": "2000000"})
    topics.apply_topics(admin, [wanted])
    changed = replace(wanted, config={"retention.ms": "-1"})
    (finding,) = topics.check_topics(admin, [changed])
    assert (finding.state, finding.details) == ("differs", ["retention.ms is 3600000, not -1"])
    topics.apply_topics(admin, [changed])
    assert [finding.state for finding in topics.check_topics(admin, [changed])] == ["ok"]
    assert topics._configs(admin, [wanted.name])[wanted.name]["max.message.bytes"] == "2000000"


def test_a_schema_that_cannot_read_the_past_stops_apply(settings: Settings, admin: AdminClient, registry: Registry) -> None:
    """An incompatible schema of one subject is refused by name, and no topic is created."""
    subject, schema = topics.wanted_schemas(settings)[0]
    older = {**schema, "fields": [{"name": "another", "type": "string"}]}
    registry.set_compatibility(subject, "BACKWARD")
    registry.register(subject, older)
    assert any("default" not in one for one in schema["fields"]), "the test needs a schema with a field that has no default"
    with pytest.raises(ConfigError, match=subject):
        topics.apply(settings, admin, registry)
    assert not [name for name in admin.list_topics(timeout=10).topics if name.startswith(settings.prefix)]


def test_another_scale_of_an_amount_is_refused(settings: Settings, admin: AdminClient, registry: Registry) -> None:
    """The registry takes another scale of a decimal, which would read old amounts a hundred times too large; apply does not."""
    (topic,) = (topic for topic in table.TOPICS if topic.name == "normalized.customer")
    subject, now = f"{settings.prefix}{topic.name}-value", schema_of(topic.record or "")
    older = json.loads(re.sub(r'("scale": )(\d+)', lambda found: found[1] + str(int(found[2]) + 2), json.dumps(now)))
    assert older != now, "the test needs a schema with a decimal"
    registry.set_compatibility(subject, "BACKWARD")
    registry.register(subject, older)
    assert registry.check(subject, now) == []
    with pytest.raises(ConfigError, match=f"{subject}: .*a decimal of scale") as refused:
        topics.apply(settings, admin, registry)
    assert len(refused.value.problems) == json.dumps(now).count('"decimal"')


def test_a_compatible_new_version_and_a_lost_rule_are_put_right(settings: Settings, admin: AdminClient, registry: Registry) -> None:
    """A new version differs until apply registers it; a rule that somebody loosened differs until apply sets it."""
    wish, *_ = (f"{settings.prefix}{topic.name}-value" for topic in table.TOPICS if topic.record == "Wish")
    now = schema_of("Wish")
    older = {**now, "fields": [*now["fields"], {"name": "gone", "type": "string", "default": ""}]}
    registry.set_compatibility(wish, "BACKWARD")
    registry.register(wish, older)
    assert [one.details for one in topics.check(settings, admin, registry).only("differs")] == [["a new version"]]
    topics.apply(settings, admin, registry)
    assert registry.versions(wish) == [1, 2]
    registry.set_compatibility(wish, "NONE")
    assert [one.details for one in topics.check(settings, admin, registry).only("differs")] == [["its rule is NONE, not BACKWARD"]]
    topics.apply(settings, admin, registry)
    assert topics.check(settings, admin, registry).clean


def test_a_kafka_that_is_away(settings: Settings, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listening is a TransientError that says what to look at."""
    monkeypatch.setattr(topics, "_PATIENCE", 1.0)
    away = settings.model_copy(update={"kafka": f"127.0.0.1:{processes.free_port()}"})
    with pytest.raises(TransientError, match="is it running"):
        topics.check(away, topics.admin_client(away), registry)
