"""Before Faust starts: the broker answers, every topic is there with its partitions, and the registry knows every schema we write."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from schemas.codec import Codec, schema_of, subject_of
from schemas.topics import CHANGELOGS, DEAD_LETTERS, Topic
from streams.contract import topics_of
from streams.routes import STAGES
from weighlock.errors import ConfigError, TransientError
from weighlock.settings import Settings

log = logging.getLogger(__name__)
NEEDED: tuple[Topic, ...] = (*topics_of(STAGES), DEAD_LETTERS, *CHANGELOGS)


def wait_until_ready(settings: Settings, codec: Codec) -> None:
    """Returns when all is there; waits while broker or registry are away. `ConfigError` naming all topics that are missing or differ."""
    _patiently(lambda: check_topics(settings), f"Kafka at {settings.kafka}")
    _patiently(lambda: _know_schemas(settings, codec), f"the registry at {settings.registry}")


def check_topics(settings: Settings) -> None:
    """`TransientError` while the broker is away, `ConfigError` with every topic that is missing or has another partition count."""
    admin = AdminClient({**settings.kafka_options, "bootstrap.servers": settings.kafka, "log_level": 0})
    try:
        there = admin.list_topics(timeout=5).topics
    except KafkaException as error:
        raise TransientError(f"no answer from Kafka at {settings.kafka}: {error.args[0].str()}") from None
    problems = []
    for topic in NEEDED:
        name, wanted = settings.prefix + topic.name, topic.partitions(settings.partitions)
        found = len(there[name].partitions) if name in there else 0
        if found == 0:
            problems.append(f"topic {name} is missing: run `weighlock topics apply`")
        elif found != wanted:
            problems.append(
                f"topic {name} has {found} partitions, the setting `partitions` is {wanted}: joined topics need the same number; "
                f"set partitions = {found}, or take another prefix"
            )
    if problems:
        raise ConfigError(*problems)


def _know_schemas(settings: Settings, codec: Codec) -> None:
    for topic in NEEDED:
        if topic.record is not None:
            codec.ids.id_of(subject_of(settings.prefix + topic.name), schema_of(topic.record))


def _patiently(step: Callable[[], None], who: str) -> None:
    waited = False
    while True:
        try:
            step()
            break
        except TransientError as error:
            if not waited:
                log.warning("waiting for %s: %s", who, error)
            waited = True
            time.sleep(random.uniform(1, 3))
    if waited:
        log.info("%s is back", who)
