"""The only loop of the sinks: one seat in the consumer group of its system, a lane for each partition that is ours (sinks/lane.py).

A batch of wishes, of all lanes together (sinks/calls.py), is written to the target; then each lane's results, links, audit, dead letters
and offset are committed in a Kafka transaction of its own. The API call lies outside of it, so it is one that may be repeated. Nothing
here sleeps: a long wait pauses the partitions and keeps polling, so that the group stays together. Points learned the hard way:
facts/kafka.md.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from threading import Event
from typing import Any

import structlog
from confluent_kafka import KafkaException, TopicPartition

from schemas.codec import schema_of, subject_of
from schemas.records import now
from schemas.refs import Ref
from schemas.topics import AUDIT, DEAD_LETTERS, LINKS, by_name
from sinks.again import Again
from sinks.attempts import Attempts, GivenUp, backoff
from sinks.calls import Calls
from sinks.contract import Answer, Ask, Claims, Resolved, Target, Written
from sinks.creates import release_due
from sinks.lane import Lane, Portion
from sinks.links import Arrival, Links
from sinks.member import Member, Moved, Stopped, clock
from weighlock import metrics
from weighlock.errors import ConfigError, TransientError
from weighlock.kafka.admin import Wanted, admin_client, check_topics
from weighlock.kafka.wire import Wire
from weighlock.settings import Settings

__all__ = ["Answer", "Ask", "Claims", "Resolved", "Sink", "Target", "Written", "run"]

log = structlog.get_logger(__name__)
#: Messages of one turn, of all lanes together; a lane's part of it is one transaction: cut in two, its end would cost calls of its own.
BATCH = 4000
#: Where an owner died, or something failed, it is so many, then twice as many after each turn: who dies in a long one has done nothing.
CAREFUL = 250
#: With so many in hand that are new to us it is a first sync: more are waited for, for so many seconds, until none comes for so many.
MANY, LINGER, QUIET = 20, 20.0, 2.0
EXPIRY_EVERY = 30.0


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


class Sink:
    """The process: its seat in the group, the lanes, the links, and what all lanes share. Kafka's callbacks run inside consume()
    and wait() only, never in an open transaction."""

    def __init__(self, settings: Settings, wire: Wire, target: Target, member: str, stop: Event) -> None:
        self.wire, self.target, self.stop, self.batch = wire, target, stop, min(BATCH, target.batch)
        self.upserts = by_name(f"upserts.{target.system}")
        self.attempts = Attempts(settings.attempts)
        self.links, self.again = Links(wire), Again(wire, self.upserts)
        self.lanes: dict[int, Lane] = {}
        self._most = self.batch  # messages of the next turn
        self._expired, self._expiry_every = clock(), min(EXPIRY_EVERY, settings.wait_limit_hours * 3600 / 4)
        group, topic = f"sink.{target.system}", wire.name(self.upserts)
        self.member = Member(settings, group, topic, member, stop, self._given, self._taken, self._lost)
        metrics.partitions(f"sink-{target.system}", lambda: len(self.lanes))
        metrics.waiting(target.system, lambda: [one for lane in list(self.lanes.values()) for one in list(lane.ledger.waiting)])

    def run(self) -> None:
        self._until_it_works(self._check_topics, "Kafka and the registry")
        self._until_it_works(self.target.check, self.target.system)
        self._until_it_works(lambda: self.links.load(self.stop), "the links")
        self.member.join()
        while not self.stop.is_set():
            self._turn()

    def close(self) -> None:
        self.member.leave(lambda: not self.lanes)
        self.again.settle(all=True)
        self.links.close()
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
        messages = self._gather()
        if self.member.lost:
            self._forget(list(self.lanes))
            self.member.rejoin()
            return
        try:
            arrivals = self.links.poll()
        except TransientError as error:
            for lane in self.lanes.values():
                lane.stale = True
            self.wait(backoff(4), str(error))
            return
        self.again.settle()
        self._look()
        expire = clock() > self._expired + self._expiry_every
        if expire:
            self._expired = clock()
        queues: dict[Lane, deque[list[Any]]] = {}
        for lane in list(self.lanes.values()):
            own = list({message.offset(): message for message in messages if message.partition() == lane.partition}.values())
            with self._careful(lane):
                queues[lane] = deque(self._batches(lane, own, arrivals, expire))
        self._most = min(self.batch, 2 * self._most) if messages else self._most
        while any(queues.values()):
            self._step([(lane, queue.popleft()) for lane, queue in queues.items() if queue])

    def _look(self) -> None:
        """What the target left out may be possible by now. If it cannot tell, it is asked again later."""
        try:
            self.target.look()
        except TransientError as error:
            log.info("cannot tell yet what it leaves out", sink=self.target.system, error=str(error))

    def _gather(self) -> list[Any]:
        """What there is now; where it is a first sync (much that we never wrote), what comes in the next seconds too, for full calls."""
        messages = self.member.consume(self._most)
        if sum(self._is_new(message) for message in messages) < MANY:
            return messages
        until, quiet = clock() + LINGER, clock() + QUIET
        while len(messages) < self._most and clock() < min(until, quiet) and not self.stop.is_set() and not self.member.lost:
            before = dict(self.lanes)
            more = self.member.consume(self._most - len(messages))
            if self.lanes != before:  # what came before another owner, or a new seat, is read again
                messages = [one for one in messages if self.lanes.get(one.partition()) is before.get(one.partition())]
            if more:
                messages, quiet = messages + more, clock() + QUIET
        return messages

    def _is_new(self, message: Any) -> bool:
        lane = self.lanes.get(message.partition())
        return lane is not None and (message.key() or b"").decode(errors="replace") not in lane.ledger.results

    def _batches(self, lane: Lane, messages: Sequence[Any], arrivals: Sequence[Arrival], expire: bool) -> list[list[Any]]:
        if lane.stale:
            lane.recover()
            return []  # what was read is read again
        if lane.watch.unsure:
            lane.watch.catch_up()
        else:
            there = [one.ref for one in arrivals if one.system == self.target.system and one.peer is not None]
            lane.watch.release(there)
            lane.watch.came(there)
            for one in arrivals:
                lane.watch.contest(one.ref, one.peer)
                lane.watch.follow(one)
        release_due(lane)
        lane.watch.sweep()
        if expire:
            lane.watch.expire()
        return lane.tenure.batches(messages, lane.inbox.maker)

    def _step(self, batches: Sequence[tuple[Lane, list[Any]]]) -> None:
        """One batch of each lane: written together, each recorded in a transaction of its own."""
        portions: list[Portion] = []
        for lane, messages in batches:
            with self._careful(lane):
                if not lane.stale:
                    portions.append(lane.judge(messages))
        if not portions:
            return
        done = False
        with self._careful(*(portion.lane for portion in portions)):
            Calls(self, portions).carry_out()
            done = True
        for portion in portions if done else ():
            with self._careful(portion.lane):
                portion.lane.record(portion)

    @contextmanager
    def _careful(self, *lanes: Lane) -> Iterator[None]:
        """What goes wrong is these lanes': they are rewound, and go on when it may have passed."""
        try:
            yield
        except Moved as moved:
            log.info("dropped a batch", partitions=[lane.partition for lane in lanes], why=str(moved))
            self._mark(lanes)
        except (GivenUp, TransientError) as error:
            self._mark(lanes)
            self.wait(backoff(4), str(error))
        except KafkaException as error:
            self._mark(lanes, broken=True)
            self.wait(backoff(2), f"Kafka, partitions {[lane.partition for lane in lanes]}: {error.args[0].str()}")

    def _mark(self, lanes: Sequence[Lane], broken: bool = False) -> None:
        self._most = min(self.batch, CAREFUL)
        for lane in lanes:
            lane.broken, lane.stale = lane.broken or broken, True

    def _given(self, consumer: Any, partitions: list[TopicPartition]) -> None:
        """Side by side, for each takes half a second. Fence first, then ask where to go on."""
        lanes = [Lane(self, one.partition) for one in partitions]
        with ThreadPoolExecutor(8) as pool:
            offsets = list(pool.map(lambda lane: self._until_it_works(lane.take, "Kafka"), lanes))
        for one, lane, offset in zip(partitions, lanes, offsets, strict=True):
            one.offset, self.lanes[lane.partition] = offset, lane
            self._most = min(self._most, CAREFUL) if lane.tenure.inherits else self._most
        consumer.assign(partitions)

    def _taken(self, consumer: Any, partitions: list[TopicPartition]) -> None:
        """Who comes next is told where nothing is under way."""
        clean = self._forget([one.partition for one in partitions])
        if self.again.settle():
            self.member.hand_over(clean)

    def _lost(self, consumer: Any, partitions: list[TopicPartition]) -> None:
        self._forget([one.partition for one in partitions])

    def _forget(self, partitions: Sequence[int]) -> dict[int, int]:
        """Of those that we leave with nothing under way, the offset."""
        clean: dict[int, int] = {}
        for partition in partitions:
            if lane := self.lanes.pop(partition, None):
                offset = lane.give_away()
                clean |= {partition: offset} if offset is not None else {}
        self.member.forget_lease()
        return clean

    def wait(self, seconds: float, why: str) -> None:
        """See `Member.wait`."""
        say = log.warning if seconds > 2 else log.info
        until = (now() + timedelta(seconds=seconds)).isoformat(timespec="seconds")
        say("waits", sink=self.target.system, seconds=round(seconds, 2), until=until, why=why)
        for partition in self.member.wait(seconds):
            if lane := self.lanes.get(partition):
                lane.stale = True

    def claims(self, kind: str, record: str, system: str) -> str | None:
        ref = str(Ref(self.target.system, kind, record))
        for lane in self.lanes.values():
            if holder := lane.ledger.holder(ref):
                return holder
        return self.links.peer(ref, system)

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
