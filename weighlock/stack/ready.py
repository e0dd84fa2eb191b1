"""Ready by protocol: a broker that gives its metadata, a registry that lists its subjects."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import httpx
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from weighlock.errors import ConfigError

_PATIENCE = 120.0
_SILENT = logging.getLogger("weighlock.stack.silent")
_SILENT.addHandler(logging.NullHandler())
_SILENT.propagate = False


def wait_for_kafka(kafka: str, cluster_id: str, ended: Callable[[], str | None]) -> None:
    """Return when the broker of this cluster answers. ConfigError when its process has ended or it takes too long."""
    admin = quiet_admin(kafka)
    _wait(lambda: kafka_answers(admin, cluster_id), ended, f"Kafka at {kafka}")


def quiet_admin(kafka: str) -> AdminClient:
    """An admin client that does not write to stderr while nobody answers yet."""
    return AdminClient({"bootstrap.servers": kafka, "log_level": 0, "reconnect.backoff.max.ms": 200}, logger=_SILENT)


def kafka_answers(admin: AdminClient, cluster_id: str | None = None) -> bool:
    """Does a broker (of this cluster) answer within half a second or so?"""
    try:
        metadata = admin.list_topics(timeout=0.5)
    except KafkaException:
        return False
    return bool(metadata.brokers) and cluster_id in (None, metadata.cluster_id)


def wait_for_registry(registry: str, ended: Callable[[], str | None]) -> None:
    """Return when the registry lists its subjects, which it does once it has read its journal. ConfigError as above."""
    _wait(lambda: registry_answers(registry), ended, f"the registry at {registry}")


def registry_answers(registry: str) -> bool:
    """Does the registry list its subjects now?"""
    try:
        return httpx.get(f"{registry}/subjects", timeout=2, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def _wait(answers: Callable[[], bool], ended: Callable[[], str | None], what: str) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not answers():
        if problem := ended():
            raise ConfigError(f"{what} did not start: {problem}")
        if time.monotonic() > deadline:
            raise ConfigError(f"{what} did not answer within {_PATIENCE:.0f} s: see the logs beside stack.json")
        time.sleep(0.1)  # between two questions
