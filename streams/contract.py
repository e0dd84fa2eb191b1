"""What a step is: a pure function from one record, its papers and what is known, to what goes out. The engine stands elsewhere (app.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, MutableMapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from schemas.codec import Codec
from schemas.headers import Headers, Passage
from schemas.records import Audit, Link, Record, now
from schemas.refs import link_key
from schemas.topics import LINKS, Topic
from streams.accounts import Accounts
from weighlock.deals import Deals
from weighlock.kafka.wire import Outgoing

WORKER = "streams"
Outputs = list[Outgoing]


class Links:
    """The table of links over any mapping of bytes to bytes (Faust's, or a dict). Values are Avro and carry their schema id."""

    def __init__(self, table: MutableMapping[bytes, bytes], codec: Codec) -> None:
        self.table, self.codec = table, codec

    def get(self, ref: str, system: str) -> Link | None:
        """Who `ref` is in that system, as far as this partition knows."""
        found = self.table.get(link_key(ref, system).encode())
        return None if found is None else self.codec.decode(Link, found)

    def put(self, key: str, link: Link | None) -> None:
        """`key` as on the topic, ref and peer's system; None deletes."""
        if link is None:
            self.table.pop(key.encode(), None)
        else:
            self.table[key.encode()] = self.codec.encode(LINKS, link)


@dataclass(frozen=True)
class Context:
    """What a step may know besides its record. The clock counts the wishes of what is computed, it decides nothing else."""

    tenant: str
    free_mail: frozenset[str]
    links: Links
    accounts: Accounts
    deals: Deals | None = None
    clock: Callable[[], datetime] = now


@dataclass(frozen=True)
class Arrival:
    """One record with its papers. `record` is None for a tombstone; the passage's version is the record's offset in its source topic."""

    key: str
    record: Any
    passage: Passage


Step = Callable[[Arrival, Context], Outputs]


@dataclass(frozen=True)
class Flow:
    """What one topic carries, which step takes it, and the topics that the step may write to."""

    topic: Topic
    kind: type[Record]
    step: Step
    into: tuple[Topic, ...]


@dataclass(frozen=True)
class Stage:
    """One agent: it reads the topics of all its flows."""

    name: str
    flows: tuple[Flow, ...]

    def flow(self, topic: str) -> Flow:
        """The flow of that topic (name without prefix)."""
        return next(flow for flow in self.flows if flow.topic.name == topic)


@dataclass(frozen=True)
class Incoming:
    """A message as it was read; `topic` without prefix."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers = field(default_factory=list)

    def text_key(self) -> str:
        """The key as text, or where it was read, so that even a record without a readable key can be found."""
        return self.key.decode("utf-8", "replace") if self.key else f"{self.topic}:{self.partition}:{self.offset}"


@dataclass(frozen=True)
class Sendable:
    """One record on its way out, encoded and addressed; `topic` without prefix. `said` is what it is, where it is of the audit."""

    topic: str
    partition: int
    key: bytes
    value: bytes | None
    headers: Headers
    said: Audit | None = None


def topics_of(stages: Iterable[Stage]) -> tuple[Topic, ...]:
    """Every topic that these stages read or write, once, in order."""
    found = [topic for stage in stages for flow in stage.flows for topic in (flow.topic, *flow.into)]
    return tuple(dict.fromkeys(found))
