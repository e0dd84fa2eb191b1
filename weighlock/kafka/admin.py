"""`weighlock topics check|apply`: the topics and schemas that are there against those that schemas/topics.py declares.

    plan = check(settings, admin_client(settings), Registry(settings.registry))
    for finding in plan.findings:
        print(finding.state, finding.kind, finding.name, *finding.details)

Errors of all functions: ConfigError (what the operator has to decide or correct, all of it at once) and TransientError (Kafka
or the registry does not answer).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic, ResourceType

from schemas.codec import Schema, schema_of, subject_of
from schemas.topics import TOPICS
from weighlock.errors import ConfigError, TransientError
from weighlock.kafka.registry import Registry
from weighlock.kafka.wire import admin_client as admin_client
from weighlock.settings import Settings

#: A reader of today reads all that was ever written: what replays need.
RULE = "BACKWARD"
_PATIENCE = 15.0


@dataclass(frozen=True)
class Wanted:
    """A topic as it should be; `name` with its prefix."""

    name: str
    partitions: int
    config: Mapping[str, str]


@dataclass(frozen=True)
class Finding:
    """One topic or subject. `apply` makes what is missing and alters what differs; what is refused stops it."""

    kind: Literal["topic", "schema"]
    name: str
    state: Literal["missing", "differs", "refused", "ok"]
    details: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Plan:
    """What there is to do, topics first, in the order in which they are declared."""

    findings: list[Finding]

    def only(self, state: str) -> list[Finding]:
        """The findings in that state."""
        return [finding for finding in self.findings if finding.state == state]

    @property
    def clean(self) -> bool:
        """Nothing is missing, different or refused."""
        return len(self.only("ok")) == len(self.findings)


def wanted_topics(settings: Settings) -> list[Wanted]:
    """Every topic of ours with its prefix, partition count and configs."""
    return [Wanted(settings.prefix + one.name, one.partitions(settings.partitions), one.config()) for one in TOPICS]


def wanted_schemas(settings: Settings) -> list[tuple[str, Schema]]:
    """Every subject of ours with its schema as it stands in schemas/avro."""
    return [(subject_of(settings.prefix + one.name), schema_of(one.record)) for one in TOPICS if one.record is not None]


def check(settings: Settings, admin: AdminClient, registry: Registry) -> Plan:
    """Compare, and change nothing."""
    topics = check_topics(admin, wanted_topics(settings))
    return Plan(topics + [_check_schema(registry, subject, schema) for subject, schema in wanted_schemas(settings)])


def apply(settings: Settings, admin: AdminClient, registry: Registry) -> Plan:
    """Make it so, and return what there was to do. Repeating it does no harm.

    ConfigError names everything that is refused (another partition count, an incompatible schema); then nothing was changed.
    """
    plan = check(settings, admin, registry)
    if refused := plan.only("refused"):
        raise ConfigError(*(f"{finding.name}: {detail}" for finding in refused for detail in finding.details))
    apply_topics(admin, wanted_topics(settings), settings.replication)
    for subject, schema in wanted_schemas(settings):
        registry.set_compatibility(subject, RULE)
        registry.register(subject, schema)
    return plan


def check_topics(admin: AdminClient, wanted: Iterable[Wanted]) -> list[Finding]:
    """Compare these topics with those that are there: partition counts, and the configs that we name."""
    wanted = list(wanted)
    partitions = _partitions(admin)
    configs = _configs(admin, [one.name for one in wanted if one.name in partitions])
    return [_check_topic(one, partitions.get(one.name), configs.get(one.name, {})) for one in wanted]


def apply_topics(admin: AdminClient, wanted: Iterable[Wanted], replication: int = 1) -> list[Finding]:
    """Create what is missing, alter the configs that differ. Returns what was found before. ConfigError on what is refused."""
    wanted = list(wanted)
    findings = check_topics(admin, wanted)
    if refused := [finding for finding in findings if finding.state == "refused"]:
        raise ConfigError(*(f"{finding.name}: {detail}" for finding in refused for detail in finding.details))
    by_state = {
        state: [one for one, found in zip(wanted, findings, strict=True) if found.state == state] for state in ("missing", "differs")
    }
    _create(admin, by_state["missing"], replication)
    _alter(admin, by_state["differs"])
    return findings


def _check_topic(wanted: Wanted, partitions: int | None, config: Mapping[str, str]) -> Finding:
    if partitions is None:
        return Finding("topic", wanted.name, "missing", [f"{wanted.partitions} partitions"])
    if partitions != wanted.partitions:
        return Finding(
            "topic",
            wanted.name,
            "refused",
            [
                f"the topic has {partitions} partitions, the settings say {wanted.partitions}: records would change their partition "
                "and lose their order. Set `partitions` back, or choose another `prefix` and read everything again"
            ],
        )
    differences = [f"{name} is {config.get(name)}, not {value}" for name, value in wanted.config.items() if config.get(name) != value]
    return Finding("topic", wanted.name, "differs" if differences else "ok", differences)


def _check_schema(registry: Registry, subject: str, schema: Schema) -> Finding:
    latest = registry.latest(subject)
    if latest is None:
        return Finding("schema", subject, "missing", ["no version is registered"])
    rule = registry.compatibility(subject)
    differences = [] if rule == RULE else [f"its rule is {rule or 'that of the whole registry'}, not {RULE}"]
    if registry.find(subject, schema) is None:
        problems = _other_scales(latest, schema)
        if rule == RULE:  # a check under another rule would prove nothing
            problems += registry.check(subject, schema)
        if problems:
            return Finding("schema", subject, "refused", problems)
        differences.append("a new version")
    return Finding("schema", subject, "differs" if differences else "ok", differences)


def _other_scales(old: Schema, new: Schema) -> list[str]:
    """The rule of the registry does not look at decimals (docs/stack.md): with another scale old amounts are read ten times too large."""
    before, after = dict(_scales(old)), dict(_scales(new))
    return [
        f"{path}: a decimal of scale {before[path]} was written, this schema reads scale {after[path]}: add a new field instead"
        for path in sorted(before.keys() & after.keys())
        if before[path] != after[path]
    ]


def _scales(schema: Any, path: str = "") -> Iterator[tuple[str, int]]:
    """The scale of every decimal in an Avro schema, with the path of field names that leads to it."""
    if isinstance(schema, list):
        for branch in schema:
            yield from _scales(branch, path)
    elif isinstance(schema, dict):
        if schema.get("logicalType") == "decimal":
            yield path, schema.get("scale", 0)
        for one in schema.get("fields", []):
            yield from _scales(one["type"], f"{path}.{one['name']}".lstrip("."))
        for inside in ("type", "items", "values"):
            if isinstance(schema.get(inside), list | dict):
                yield from _scales(schema[inside], path)


@contextmanager
def _kafka() -> Iterator[None]:
    """Kafka's errors as ours."""
    try:
        yield
    except KafkaException as failure:
        error: KafkaError = failure.args[0]
        if error.retriable() or error.code() in _AWAY:
            raise TransientError(f"Kafka does not answer ({error.str()}): is it running? (`weighlock stack status`)") from failure
        raise ConfigError(f"Kafka refuses: {error.name()}: {error.str()}") from failure


_AWAY = (KafkaError._TRANSPORT, KafkaError._TIMED_OUT, KafkaError._ALL_BROKERS_DOWN, KafkaError._RESOLVE)


def _partitions(admin: AdminClient) -> dict[str, int]:
    with _kafka():
        return {name: len(topic.partitions) for name, topic in admin.list_topics(timeout=_PATIENCE).topics.items()}


def _configs(admin: AdminClient, names: list[str]) -> dict[str, dict[str, str]]:
    if not names:
        return {}
    with _kafka():
        asked = admin.describe_configs([ConfigResource(ResourceType.TOPIC, name) for name in names], request_timeout=_PATIENCE)
        return {resource.name: {entry.name: entry.value for entry in future.result().values()} for resource, future in asked.items()}


def _create(admin: AdminClient, wanted: list[Wanted], replication: int) -> None:
    if not wanted:
        return
    new = [NewTopic(one.name, one.partitions, replication, config=dict(one.config)) for one in wanted]
    with _kafka():
        for future in admin.create_topics(new, request_timeout=_PATIENCE).values():
            try:
                future.result()
            except KafkaException as failure:
                if failure.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:  # somebody applies beside us
                    raise
    _wait_for_leaders(admin, {one.name for one in wanted})


def _wait_for_leaders(admin: AdminClient, names: set[str]) -> None:
    """Created is not yet usable: wait until every partition has a leader that clients are told of."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        with _kafka():
            topics: dict[str, Any] = admin.list_topics(timeout=_PATIENCE).topics
        if all(name in topics and topics[name].partitions and _led(topics[name]) for name in names):
            return
        time.sleep(0.05)  # between two questions
    raise TransientError(f"Kafka has not given a leader to every new topic within {_PATIENCE:.0f} s")


def _led(topic: Any) -> bool:
    return topic.error is None and all(partition.leader >= 0 for partition in topic.partitions.values())


def _alter(admin: AdminClient, wanted: list[Wanted]) -> None:
    if not wanted:
        return
    resources = [
        ConfigResource(
            ResourceType.TOPIC,
            one.name,
            incremental_configs=[
                ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in one.config.items()
            ],
        )
        for one in wanted
    ]
    with _kafka():
        for future in admin.incremental_alter_configs(resources, request_timeout=_PATIENCE).values():
            future.result()
