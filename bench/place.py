"""Where a measurement runs: a Kafka and a registry, and what the machine is."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import psutil


class Broker(Protocol):
    """Kafka as host:port, and the address of the registry's Confluent API."""

    @property
    def kafka(self) -> str: ...
    @property
    def registry(self) -> str: ...


@dataclass(frozen=True)
class Given:
    kafka: str
    registry: str


@contextmanager
def broker(folder: Path) -> Iterator[Broker]:
    """Those that WEIGHLOCK_KAFKA and WEIGHLOCK_REGISTRY name, else a stack of its own in that folder."""
    kafka, registry = os.environ.get("WEIGHLOCK_KAFKA"), os.environ.get("WEIGHLOCK_REGISTRY")
    if kafka and registry:
        yield Given(kafka, registry)
        return
    from weighlock.stack import Stack

    with Stack(folder / "stack") as local:
        yield local


def machine() -> str:
    """Its size, and how busy it was in the last minute: a measurement beside other work says little."""
    cores, memory = psutil.cpu_count(), psutil.virtual_memory().total / 2**30
    return f"{cores} cores, {memory:.0f} GB, load {os.getloadavg()[0]:.1f}, CPython {platform.python_version()}, {platform.system()}"
