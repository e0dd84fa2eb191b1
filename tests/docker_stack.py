"""The tests' Kafka and registry where a Docker engine answers: the same versions, as containers that end with the test run.

Written without an engine at hand: not tried.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from testcontainers.core.container import DockerContainer

from weighlock import processes
from weighlock.stack import jars, ready

_PATIENCE = 120.0


@contextmanager
def containers() -> Iterator[tuple[str, str]]:
    """Kafka as host:port, and the address of the registry's Confluent API."""
    port = processes.free_port()  # known before the start, for the broker tells its clients where it is
    kafka = (
        DockerContainer(f"apache/kafka:{jars.KAFKA}")
        .with_bind_ports(port, port)
        .with_env("KAFKA_NODE_ID", "1")
        .with_env("KAFKA_PROCESS_ROLES", "broker,controller")
        .with_env("KAFKA_LISTENERS", f"PLAINTEXT://:{port},CONTROLLER://:9093")
        .with_env("KAFKA_ADVERTISED_LISTENERS", f"PLAINTEXT://127.0.0.1:{port}")
        .with_env("KAFKA_LISTENER_SECURITY_PROTOCOL_MAP", "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT")
        .with_env("KAFKA_CONTROLLER_LISTENER_NAMES", "CONTROLLER")
        .with_env("KAFKA_CONTROLLER_QUORUM_VOTERS", "1@localhost:9093")
        .with_env("KAFKA_AUTO_CREATE_TOPICS_ENABLE", "false")
        .with_env("KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR", "1")
        .with_env("KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR", "1")
        .with_env("KAFKA_TRANSACTION_STATE_LOG_MIN_ISR", "1")
        .with_env("KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS", "0")
        .with_env("KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS", "1000")
    )
    registry = DockerContainer(f"apicurio/apicurio-registry:{jars.APICURIO}").with_exposed_ports(8080)
    with kafka, registry:  # its own database is enough here: a test run starts with an empty one
        addresses = (f"127.0.0.1:{port}", f"http://127.0.0.1:{registry.get_exposed_port(8080)}/apis/ccompat/v7")
        _wait(*addresses)
        yield addresses


def _wait(kafka: str, registry: str) -> None:
    admin = ready.quiet_admin(kafka)
    deadline = time.monotonic() + _PATIENCE
    while not (ready.kafka_answers(admin) and ready.registry_answers(registry)):
        if time.monotonic() > deadline:
            raise TimeoutError(f"the containers of Kafka ({kafka}) and the registry ({registry}) do not answer")
        time.sleep(0.2)  # between two questions
