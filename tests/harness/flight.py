"""What is in flight at this moment, as Kafka tells it: lag of a worker's group, its progress, open transactions."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass

from confluent_kafka import ConsumerGroupTopicPartitions, IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from schemas import topics
from schemas.topics import Topic
from tests.harness.system import System
from weighlock.kafka.admin import admin_client

SOURCES = (topics.SOURCE_CUSTOMER, topics.SOURCE_CONTACT, topics.SOURCE_INVOICE, topics.SOURCE_PAYMENT, topics.SOURCE_DAY)
NORMALIZED = (topics.CUSTOMER, topics.CONTACT, topics.INVOICE, topics.PAYMENT)
#: Of each worker: its consumer group, what it reads in that group, and what it alone writes.
EDGES: dict[str, tuple[str | None, tuple[Topic, ...], tuple[Topic, ...]]] = {
    "source-acumatica": (None, (), (*SOURCES, topics.CHECKPOINTS)),
    "streams": ("streams", (*SOURCES, *NORMALIZED), NORMALIZED),
    "source-hubspot": (None, (), (topics.SOURCE_DEAL,)),
    "sink-acumatica": ("sink.acumatica", (topics.UPSERTS_ACUMATICA,), (topics.RESULTS_ACUMATICA, topics.WAITING_ACUMATICA)),
    "sink-hubspot": ("sink.hubspot", (topics.UPSERTS_HUBSPOT,), (topics.RESULTS_HUBSPOT, topics.WAITING_HUBSPOT)),
}


@dataclass(frozen=True)
class Flight:
    """`lag`: records that are there and not committed as read; `sent`: the ends of the partitions that it alone writes, summed up;
    `written`: the same as readers of committed records see it; `open`: how many of them have an open transaction."""

    lag: int
    sent: int
    written: int
    open: int


class Tower:
    """Asks the broker; changes nothing."""

    def __init__(self, system: System, patience: float = 5) -> None:
        """`patience`: seconds for an answer, after which the broker is taken for away."""
        self.system, self.patience = system, patience
        self.admin = admin_client(system.settings)
        self.away: KafkaException | None = None
        self._old: list[AdminClient] = []

    def look(self, worker: str) -> Flight:
        """Raises KafkaException while the broker is away."""
        group, reads, writes = EDGES[worker]
        ends, stable = self.ends(writes), self.ends(writes, committed=True)
        return Flight(
            lag=self.lag(group, reads) if group else 0,
            sent=sum(ends.values()),
            written=sum(stable.values()),
            open=sum(1 for place, end in ends.items() if stable[place] < end),
        )

    def lag(self, group: str, reads: Iterable[Topic]) -> int:
        committed = self.committed(group)
        return sum(max(0, end - committed.get(place, 0)) for place, end in self.ends(reads, committed=True).items())

    def ends(self, wanted: Iterable[Topic], *, committed: bool = False) -> dict[tuple[str, int], int]:
        """The end of each partition; with `committed`, the end of what readers of committed records may see."""
        level = IsolationLevel.READ_COMMITTED if committed else IsolationLevel.READ_UNCOMMITTED
        places = [TopicPartition(tp.topic, tp.partition) for topic in wanted for tp in self.system.wire.partitions(topic)]
        asked = self.admin.list_offsets(
            {place: OffsetSpec.latest() for place in places}, isolation_level=level, request_timeout=self.patience
        )
        return {(place.topic, place.partition): future.result().offset for place, future in asked.items()}

    def committed(self, group: str) -> dict[tuple[str, int], int]:
        name = self.system.settings.prefix + group
        asked = self.admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(name)], request_timeout=self.patience)
        return {(tp.topic, tp.partition): max(0, tp.offset) for tp in asked[name].result().topic_partitions}

    def is_working(self, worker: str, before: Flight, after: Flight) -> bool:
        """It sent something between the two looks (so an open transaction is not a dead one's), and has a transaction open or more to
        do. A transaction's end marker counts in a lag as well, so a few are not enough."""
        return after.sent > before.sent and (after.open > 0 or after.lag > 20)

    def kill_in_flight(self, worker: str, seconds: float = 60) -> str:
        """SIGKILL `worker` while it has work in flight; the line that says so. It is stopped (SIGSTOP) while we look once more, so
        what is said still holds when it dies. AssertionError if it has nothing to do for `seconds`."""
        victim, until = self.system.workers[worker], time.monotonic() + seconds
        before = self._look(worker)
        while time.monotonic() < until:
            assert victim.status is None, f"{worker} died by itself ({victim.status}):\n{victim.tail()}"
            after = self._look(worker)
            if before and after and self.is_working(worker, before, after):
                victim.signal(signal.SIGSTOP)
                frozen = self._look(worker)
                if frozen and self.is_working(worker, before, frozen):
                    return f"killed {worker}: pid {victim.kill()}, lag {frozen.lag}, open transactions on {frozen.open} partitions"
                victim.signal(signal.SIGCONT)
            before = after
            time.sleep(0.01)
        raise AssertionError(f"{worker} had nothing in flight for {seconds} s: {before} {self.away}; its log ends:\n{victim.tail()}")

    def _look(self, worker: str) -> Flight | None:
        try:
            return self.look(worker)
        except KafkaException as error:  # it is away for the moment
            self.away = error
            self._renew()
            return None

    def _renew(self) -> None:
        """An admin client keeps the epochs of before a broker's restart. The old one is kept: it may still wait for answers."""
        self._old.append(self.admin)
        self.admin = admin_client(self.system.settings)

    def busy(self, workers: Iterable[str], seconds: float = 60) -> str:
        """Wait until one of these has work in flight; says what. AssertionError if none has for `seconds`."""
        until = time.monotonic() + seconds
        before = {worker: self._look(worker) for worker in workers}
        while time.monotonic() < until:
            for worker, was in before.items():
                now = self._look(worker)
                if was and now and self.is_working(worker, was, now):
                    return f"{worker} at work: lag {now.lag}, open transactions on {now.open} partitions"
                before[worker] = now
            time.sleep(0.01)
        raise AssertionError(f"nobody had anything in flight for {seconds} s: {before} {self.away}")

    def idle(self) -> bool:
        """Nobody has anything left to read. A transaction's end marker is no record, yet it counts as one: look behind it."""
        try:
            return all(not self.unread(group, reads) for group, reads, _ in EDGES.values() if group)
        except KafkaException:
            self._renew()
            return False

    def unread(self, group: str, reads: Iterable[Topic]) -> int:
        """How many committed records these topics hold behind the group's committed offsets."""
        committed, wire = self.committed(group), self.system.wire
        found = 0
        for topic in reads:
            for message in wire.read(topic):
                found += message.offset() >= committed.get((message.topic(), message.partition()), 0)
        return found
