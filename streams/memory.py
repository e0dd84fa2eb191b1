"""The stages in memory: what goes in is followed until nothing comes out any more. For tests, dry runs and comparisons."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, field

from schemas.codec import Codec
from schemas.headers import Headers
from streams.contract import Context, Incoming, Sendable
from streams.routes import STAGES
from streams.stage import process


@dataclass
class Memory:
    """`written` holds what was written to each topic (without prefix), in order."""

    context: Context
    codec: Codec
    partitions: int = 4
    written: dict[str, list[Sendable]] = field(default_factory=lambda: defaultdict(list))
    _ends: dict[tuple[str, int], int] = field(default_factory=lambda: defaultdict(int))

    def feed(self, topic: str, key: bytes | None, value: bytes | None, headers: Headers, partition: int = 0) -> list[Sendable]:
        """One message in; all that was written because of it, on every topic on the way."""
        queue, found = deque([(topic, partition, key, value, headers)]), []
        while queue:
            topic, partition, key, value, headers = queue.popleft()
            offset = self._ends[topic, partition]
            self._ends[topic, partition] += 1
            message = Incoming(topic, partition, offset, key, value, headers)
            for stage in STAGES:
                if any(flow.topic.name == topic for flow in stage.flows):
                    for out in process(stage, message, self.context, self.codec, self.partitions):
                        self.written[out.topic].append(out)
                        found.append(out)
                        queue.append((out.topic, out.partition, out.key, out.value, out.headers))
        return found
