"""The stream worker as a process of its own on the run's Kafka, with topics of its own; what goes in and what comes out."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from confluent_kafka import Message
from confluent_kafka.admin import AdminClient

from schemas.codec import Codec
from schemas.headers import Headers
from schemas.records import Record
from schemas.topics import SOURCE_CONTACT, SOURCE_CUSTOMER, Topic
from tests.unit.streams_kit import PASSAGE
from weighlock import processes
from weighlock.kafka import admin, wire
from weighlock.kafka.registry import Registry
from weighlock.settings import Settings

T = TypeVar("T")
WORKER = """
import logging, sys
from schemas.codec import Codec
from streams import app
from weighlock.kafka.registry import Registry
from weighlock.settings import Settings
logging.basicConfig(level="INFO", format="%(asctime)s %(levelname)s %(name)s %(message)s")
settings = Settings.load()
app.run(settings, Codec(Registry(settings.registry), settings.prefix), sys.argv[1])
"""


def until(found: Callable[[], T], what: str, seconds: float = 90) -> T:
    """The first true thing that `found` returns; fails with `what` after so many seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        result = found()
        if result:
            return result
        time.sleep(0.1)
    raise AssertionError(f"{what}: not within {seconds:.0f} s")


class Lab:
    """`wire` for what goes in and out, `start` for workers; every topic is made with the settings' prefix."""

    def __init__(self, kafka: str, registry: str, prefix: str, folder: Path) -> None:
        self.folder = folder
        self.settings = Settings(kafka=kafka, registry=registry, prefix=prefix, tenant="demo", state=folder)
        self.registry = Registry(registry)
        self.wire = wire.Wire(self.settings, Codec(self.registry, prefix))
        self.producer = wire.producer(self.settings)
        self.admin: AdminClient = admin.admin_client(self.settings)
        self.workers: list[subprocess.Popen[bytes]] = []

    def apply(self) -> None:
        admin.apply(self.settings, self.admin, self.registry)

    def environment(self) -> dict[str, str]:
        one = self.settings
        return {
            "WEIGHLOCK_KAFKA": one.kafka,
            "WEIGHLOCK_REGISTRY": one.registry,
            "WEIGHLOCK_PREFIX": one.prefix,
            "WEIGHLOCK_TENANT": one.tenant,
            "WEIGHLOCK_STATE": str(one.state),
            "WEIGHLOCK_PARTITIONS": str(one.partitions),
            "WEIGHLOCK_TESTING": "1",
            "WEIGHLOCK_CONFIG": os.devnull,
        }

    def log(self, worker: str = "0") -> str:
        path = self.folder / f"worker{worker}.log"
        return path.read_text() if path.exists() else ""

    def start(self, worker: str = "0", **environment: str) -> subprocess.Popen[bytes]:
        found = processes.spawn(
            [sys.executable, "-c", WORKER, worker], self.environment() | environment, self.folder / f"worker{worker}.log"
        )
        self.workers.append(found)
        return found

    def send(self, record: Record, topic: Topic | None = None, headers: Headers | None = None) -> None:
        """A record to its topic (source topics by themselves), under its own ref."""
        if topic is None:
            topic = SOURCE_CUSTOMER if record.schema_name == SOURCE_CUSTOMER.record else SOURCE_CONTACT
        own = PASSAGE.headers() if headers is None else headers
        self.wire.produce(self.producer, wire.Outgoing(topic, getattr(record, "ref"), record, own))  # noqa: B009

    def all(self, topic: Topic) -> list[Message]:
        return list(self.wire.read(topic))

    def close(self) -> None:
        for worker in self.workers:
            processes.stop(worker, 60)
        self.registry.close()


@contextmanager
def lab(kafka: str, registry: str, prefix: str, folder: Path) -> Iterator[Lab]:
    found = Lab(kafka, registry, prefix, folder)
    try:
        yield found
    finally:
        found.close()
