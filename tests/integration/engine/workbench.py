"""What an engine test stands on: a mock broker or a real one, workers as processes, what went in, what they saw, what is committed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, Message, Producer, TopicPartition

from tests.integration.streams_lab import until
from weighlock import processes

MOCK = Path(__file__).with_name("mock_kafka.py")
#: The Faust app of the test workers is `<prefix>engine`.
APP = "engine"


class Bench:
    """`broker` is host:port once a mock was started, or the one a test sets. Topics are named without the `prefix`."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.broker, self.prefix = folder, "", ""
        self.mocked, self.processes = False, list[subprocess.Popen[bytes]]()

    def mock(self, topics: dict[str, int], **spec: Any) -> None:
        """A mock cluster of its own for this test; see mock_kafka.py."""
        path = self.folder / "mock.log"
        given = {"topics": topics, "groups": [APP], **spec}
        self.processes.append(processes.spawn([sys.executable, str(MOCK), json.dumps(given)], log_path=path))
        found = until(lambda: path.exists() and re.search(r"^mock at (\S+)$", path.read_text(), re.MULTILINE), "the mock")
        self.broker, self.mocked = found.group(1).split(",")[0], True

    def worker(
        self, agent: str, *, off: Iterable[str] = (), name: str = "0", hook: str = "", kill_at: str = "", **changed: Any
    ) -> subprocess.Popen[bytes]:
        """A worker with that agent of agents.py. `off` are guards left out, `hook` is another function there, `kill_at` a fail-point; what
        else is given changes settings of the engine."""
        if self.mocked:  # the next member waits for a killed one's session to end, and the mock allows short ones
            changed = {"broker_session_timeout": 2, "broker_heartbeat_interval": 0.3} | changed
        spec = {"broker": self.broker, "prefix": self.prefix, "state": str(self.folder), "worker": name}
        spec |= {"agent": agent, "off": list(off), "hook": hook, "changed": changed}
        command = [sys.executable, "-m", "tests.integration.engine.worker", json.dumps(spec)]
        found = processes.spawn(command, {"WEIGHLOCK_TESTING": "1", "WEIGHLOCK_FAILPOINT": kill_at}, self.folder / f"worker{name}.log")
        self.processes.append(found)
        return found

    def seen(self, name: str = "*") -> list[str]:
        """What the agents reported, worker by worker (or one of them), in order: usually offsets."""
        return [line for path in sorted(self.folder.glob(f"seen.{name}.*")) for line in path.read_text().splitlines()]

    def wait_for(self, *lines: str, seconds: float = 90) -> list[str]:
        """Until the agents reported all of these."""
        until(lambda: set(lines) <= set(self.seen()), f"{lines} of {self.folder}", seconds)
        return self.seen()

    def put(self, topic: str, *values: str | None, partition: int = 0, at: float = 0) -> None:
        """Records with the key `k`; `at` is their time in seconds since 1970, now if left out."""
        producer = Producer({"bootstrap.servers": self.broker})
        for value in values:
            raw = None if value is None else value.encode()
            producer.produce(self.prefix + topic, raw, b"k", partition=partition, timestamp=int(at * 1000))
        assert producer.flush(60) == 0

    def committed(self, topic: str, partition: int = 0) -> int:
        """What the workers' group has committed there, 0 for nothing."""
        consumer = Consumer({"bootstrap.servers": self.broker, "group.id": self.prefix + APP})
        try:
            (found,) = consumer.committed([TopicPartition(self.prefix + topic, partition)], 60)
            return max(found.offset, 0)
        finally:
            consumer.close()

    def end(self, topic: str, partition: int = 0) -> int:
        """How many records were written there."""
        consumer = Consumer({"bootstrap.servers": self.broker, "group.id": "ends"})
        try:
            return int(consumer.get_watermark_offsets(TopicPartition(self.prefix + topic, partition), 60)[1])
        finally:
            consumer.close()

    def records(self, topic: str, count: int, partition: int = 0) -> list[Message]:
        """The first `count` records, once they are there."""
        consumer = Consumer({"bootstrap.servers": self.broker, "group.id": "reader", "fetch.wait.max.ms": 50})
        consumer.assign([TopicPartition(self.prefix + topic, partition, 0)])
        found: list[Message] = []
        try:
            until(lambda: found.extend(consumer.consume(count, 0.5)) or len(found) >= count, f"{count} records on {topic}")  # type: ignore[func-returns-value]
            return found
        finally:
            consumer.close()

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        process.kill()
        process.wait()

    def log(self, name: str = "0") -> str:
        return (self.folder / f"worker{name}.log").read_text()

    def close(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.wait()
