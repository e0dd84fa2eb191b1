"""The only loop of the sinks: one consumer in the group of its system, a lane for each partition that is ours (sinks/lane.py).

A batch of wishes is written to the target, then results, links, audit, dead letters and offsets are committed in one Kafka
transaction. The API call lies outside of it, so it is one that may be repeated. Nothing here sleeps: a long wait pauses the
partitions and keeps polling, so that the group stays together. Points learned the hard way: facts/kafka.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import structlog
from confluent_kafka import KafkaException, TopicPartition

from schemas.codec import schema_of, subject_of
from schemas.refs import Ref
from schemas.topics import AUDIT, DEAD_LETTERS, LINKS, by_name
from sinks.attempts import Attempts, GivenUp, backoff
from sinks.contract import Answer, Ask, Claims, Resolved, Target, Written
from sinks.lane import Lane, Moved
from sinks.links import Arrival, Links
from weighlock.errors import ConfigError, TransientError
from weighlock.kafka.admin import Wanted, admin_client, check_topics
from weighlock.kafka.wire import Outgoing, Wire, consumer, producer
from weighlock.settings import Settings

__all__ = ["Answer", "Ask", "Claims", "Resolved", "Sink", "Target", "Written", "run"]

log = structlog.get_logger(__name__)
SESSION = 6.0
#: The coordinator's yes to "are we still a member?" is good for a session time-out, less what sending a call may take.
LEASE = SESSION - 1.5
BATCH = 100
#: How long a batch waits for a full house, so that the target's calls are full.
GATHER = 0.05
EXPIRY_EVERY = 30.0


class Stopped(Exception):
    """SIGTERM came while we waited: the batch is dropped, whoever is next reads it again."""


def run(settings: Settings, wire: Wire, target: Target, member: str, stop: Event) -> None:
    """Works until `stop` is set. `member` is this process's name in the group: two live processes must never share one.

    Raises `ConfigError` and `AuthError`, which end this connector; waits for everything that passes by itself.
    """
    sink = Sink(settings, wire, target, member, stop)
    try:
        sink.run()
    except Stopped:
        log.info("stopped", sink=target.system)
    finally:
        sink.close()


def _clock() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)  # goes on while the process or the machine sleeps


class Sink:
    """The process: group membership, the lanes, the links, and what all lanes share. Kafka's callbacks run inside consume() and
    poll() only, never in an open transaction."""

    def __init__(self, settings: Settings, wire: Wire, target: Target, member: str, stop: Event) -> None:
        self.wire, self.target, self.stop, self.batch = wire, target, stop, BATCH
        self.upserts = by_name(f"upserts.{target.system}")
        self.attempts = Attempts(settings.attempts)
        self.lanes: dict[int, Lane] = {}
        self.links = Links(wire)
        self._lease, self._waiting, self._expired = 0.0, False, _clock()
        self._expiry_every = min(EXPIRY_EVERY, settings.wait_limit_hours * 3600 / 4)
        self._again = producer(settings)
        self._owed: list[Outgoing] = []
        group = f"sink.{target.system}"
        self.offsets = consumer(settings, group)  # no member: inside its callbacks the member itself cannot be asked
        self.consumer = consumer(
            settings,
            group,
            group_instance_id=f"{settings.prefix}sink.{target.system}.{member}",
            partition_assignment_strategy="cooperative-sticky",
            session_timeout_ms=int(SESSION * 1000),
            heartbeat_interval_ms=1500,
            max_poll_interval_ms=600_000,
            max_partition_fetch_bytes=262_144,  # small fetches: partitions take turns
            fetch_wait_max_ms=50,
        )

    def run(self) -> None:
        self._until_it_works(self._check_topics, "Kafka and the registry")
        self._until_it_works(self.target.check, self.target.system)
        self._until_it_works(lambda: self.links.load(self.stop), "the links")
        self.consumer.subscribe(
            [self.wire.name(self.upserts)], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_revoke
        )
        while not self.stop.is_set():
            self._turn()

    def close(self) -> None:
        self.consumer.close()
        self.offsets.close()
        self.links.close()
        self._again.flush(2)
        self.target.close()

    def _check_topics(self) -> None:
        """Our topics are there as the settings say, and the registry gives every schema's id now: not after the first call."""
        settings = self.wire.settings
        own = [*(by_name(f"{kind}.{self.target.system}") for kind in ("upserts", "results", "waiting")), LINKS, AUDIT, DEAD_LETTERS]
        wanted = [Wanted(self.wire.name(one), one.partitions(settings.partitions), {}) for one in own]
        wrong = [finding for finding in check_topics(admin_client(settings), wanted) if finding.state != "ok"]
        if wrong:
            found = [f"{finding.name}: {finding.state}: {'; '.join(finding.details)}" for finding in wrong]
            raise ConfigError(*found, "see `weighlock topics check`, then `weighlock topics apply`")
        for one in own:
            self.wire.codec.ids.id_of(subject_of(self.wire.name(one)), schema_of(one.record or ""))

    def _turn(self) -> None:
        messages = self._consume()
        try:
            arrivals = self.links.poll()
        except TransientError as error:
            for lane in self.lanes.values():
                lane.stale = True
            self.wait(backoff(4), str(error))
            return
        self._settle_debts()
        expire = _clock() > self._expired + self._expiry_every
        if expire:
            self._expired = _clock()
        for lane in list(self.lanes.values()):  # one that is revoked meanwhile notices in step()
            own = list({message.offset(): message for message in messages if message.partition() == lane.partition}.values())
            self._work(lane, own, arrivals, expire)

    def _consume(self) -> list[Any]:
        found = self.consumer.consume(self.batch * max(len(self.lanes), 1), GATHER)
        for message in found:
            error = message.error()
            if error is None:
                continue
            if error.name() == "UNKNOWN_TOPIC_OR_PART":
                raise ConfigError(f"there is no topic {self.wire.name(self.upserts)}: run `weighlock topics apply`")
            if error.fatal():
                raise ConfigError(f"{error.str()}: does another sink run under the same member name?")
            log.warning("kafka: cannot read for the moment", error=error.str())
        return [message for message in found if message.error() is None]

    def _work(self, lane: Lane, messages: Sequence[Any], arrivals: Sequence[Arrival], expire: bool) -> None:
        try:
            if lane.stale:
                self._recover(lane)
                return  # what was read is read again
            if lane.unsure:
                lane.release_resolved()
            elif here := [one.ref for one in arrivals if one.system == self.target.system and one.peer is not None]:
                lane.release(here)
            if expire:
                lane.expire()
            for batch in lane.batches(messages):
                lane.step(batch)
        except Moved as moved:
            log.info("dropped a batch", partition=lane.partition, why=str(moved))
            lane.stale = True
        except (GivenUp, TransientError) as error:
            lane.stale = True
            self.wait(backoff(4), str(error))
        except KafkaException as error:
            lane.broken = lane.stale = True
            self.wait(backoff(2), f"Kafka, partition {lane.partition}: {error.args[0].str()}")

    def _recover(self, lane: Lane) -> None:
        """Only who is still a member of the group may fence what was there before: `Moved` if we are not."""
        if lane.broken and lane.live:
            self._lease = 0.0
            self.hold(lane.at(max(lane.committed(), 0)))
            lane.open()
        lane.broken = False
        lane.rewind()

    def _on_assign(self, consumer: Any, partitions: list[TopicPartition]) -> None:
        """Side by side, for each takes half a second. Fence first, then ask where to go on."""
        lanes = [Lane(self, one.partition) for one in partitions]
        with ThreadPoolExecutor(8) as pool:
            offsets = list(pool.map(lambda lane: self._until_it_works(lane.open, "Kafka"), lanes))
        for one, lane, offset in zip(partitions, lanes, offsets, strict=True):
            one.offset, self.lanes[lane.partition] = offset, lane
        consumer.incremental_assign(partitions)
        if self._waiting:
            consumer.pause(partitions)

    def _on_revoke(self, consumer: Any, partitions: list[TopicPartition]) -> None:
        for one in partitions:
            if lane := self.lanes.pop(one.partition, None):
                lane.live = False
        self._lease = 0.0

    def hold(self, here: TopicPartition) -> None:
        """Ask the coordinator whether we are still a member. `Moved` if not, or if nobody answers; `Stopped` when asked to end."""
        if self.stop.is_set():
            raise Stopped
        asked = _clock()
        if asked < self._lease:
            return
        try:
            self.consumer.commit(offsets=[here], asynchronous=False)
        except KafkaException as error:
            raise Moved(error.args[0].str()) from error
        self._lease = asked + LEASE

    def forget_lease(self) -> None:
        self._lease = 0.0

    def wait(self, seconds: float, why: str) -> None:
        """Sit it out inside the group: paused, polling, ready to hand partitions over. `Stopped` when asked to end."""
        log.warning("waits", sink=self.target.system, seconds=round(seconds, 2), why=why)
        self._waiting, until = True, _clock() + seconds
        self.consumer.pause(self.consumer.assignment())
        while (left := until - _clock()) > 0:
            if self.stop.is_set():
                raise Stopped
            message = self.consumer.poll(min(left, 0.2))
            if message is not None and message.error() is None and message.partition() in self.lanes:
                self.lanes[message.partition()].stale = True  # it was fetched before the pause: read it again
        self.consumer.resume(self.consumer.assignment())
        self._waiting = False

    def claims(self, kind: str, record: str, system: str) -> str | None:
        ref = str(Ref(self.target.system, kind, record))
        for lane in self.lanes.values():
            if holder := lane.ledger.holder(ref):
                return holder
        return self.links.peer(ref, system)

    def write_again(self, outgoing: Sequence[Outgoing]) -> None:
        self._owed += outgoing
        self._settle_debts()

    def _settle_debts(self) -> None:
        """Kept until Kafka has them: without them a late call of ours could stay over a newer owner's."""
        if self._owed:
            owed, self._owed = self._owed, []
            for outgoing in owed:
                self.wire.produce(self._again, outgoing)
            if self._again.flush(5):
                self._again.purge()
                self._again.flush(1)
                self._owed = owed

    def _until_it_works(self, step: Callable[[], Any], what: str) -> Any:
        failures = 0
        while True:
            try:
                return step()
            except (TransientError, KafkaException) as error:
                failures += 1
                said = error.args[0].str() if isinstance(error, KafkaException) else str(error)
                seconds = backoff(failures)
                log.warning("not there yet", what=what, sink=self.target.system, seconds=round(seconds, 1), error=said)
                if self.stop.wait(seconds):
                    raise Stopped from error
