"""Our seat in the consumer group of a sink: what it reads, whether it still is ours, and how it is kept through a long wait."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from threading import Event
from typing import Any, NamedTuple

import structlog
from confluent_kafka import OFFSET_BEGINNING, KafkaError, KafkaException, TopicPartition

from weighlock.errors import ConfigError
from weighlock.kafka.wire import consumer
from weighlock.settings import Settings

log = structlog.get_logger(__name__)
SESSION = 6.0
#: The coordinator's yes to "are we still a member?" is good for a session time-out, less what sending a call may take.
LEASE = SESSION - 1.5
#: Seconds for the broker's answer to a question; who asks asks again.
ANSWER = 5.0
#: How long a batch waits for a full house, so that the target's calls are full.
GATHER = 0.05
#: A seat lost for good so many times within so many seconds is somebody else's doing.
REJOINS, WITHIN = 4, 120.0

#: Beside an offset in the group: whoever was there has recorded all that it called.
CLEAN = "nothing under way"
#: Or to which offset it may have called for something.
UNTIL = "under way until "

Rebalanced = Callable[[Any, list[TopicPartition]], None]


class Moved(Exception):
    """The batch is no longer ours, or its transaction was aborted: drop it and rewind."""


class Stopped(Exception):
    """SIGTERM came while we waited: the batch is dropped, whoever is next reads it again."""


class Place(NamedTuple):
    """`at`: where to go on in a partition. `clean`: nothing was under way there (`hand_over`), or nobody was here; else calls may have been
    made for what stands before `end`."""

    at: int
    end: int
    clean: bool


def clock() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)  # goes on while the process or the machine sleeps


class Member:
    """`name` is a static member: killed and started again it has its partitions at once. Two live ones must never share a name.

    `given`, `taken` and `lost` are called inside `consume` and `wait` only: they make the assignment and forget it.
    """

    def __init__(
        self, settings: Settings, group: str, topic: str, name: str, stop: Event, given: Rebalanced, taken: Rebalanced, lost: Rebalanced
    ) -> None:
        self._settings, self._group, self._topic, self._name = settings, group, topic, f"{settings.prefix}{group}.{name}"
        self._stop, self._given, self._taken, self._gone = stop, given, taken, lost
        self._lease, self._waiting, self._lost = 0.0, False, False
        self._rejoined: deque[float] = deque(maxlen=REJOINS)
        self._offsets = consumer(settings, group)  # no member: inside its callbacks the member itself cannot be asked
        self._consumer: Any = None

    def join(self) -> None:
        self._consumer = consumer(
            self._settings,
            self._group,
            group_instance_id=self._name,
            # not cooperative: of a static member that is replaced between the two steps of such a rebalance, nobody does the second step,
            # and what was given away in the first stays nobody's (docs/reliability.md)
            partition_assignment_strategy="range",
            session_timeout_ms=int(SESSION * 1000),
            heartbeat_interval_ms=1500,
            max_poll_interval_ms=600_000,
            max_partition_fetch_bytes=262_144,  # small fetches: partitions take turns
            fetch_wait_max_ms=50,
        )
        self._lost, self._lease = False, 0.0
        self._consumer.subscribe([self._topic], on_assign=self._assign, on_revoke=self._taken, on_lost=self._gone)

    @property
    def lost(self) -> bool:
        """The seat is gone for good (a broker that came back may take us for another): `rejoin`."""
        return self._lost

    def rejoin(self) -> None:
        """A new seat under the same name. `ConfigError` if that happens again and again."""
        self._rejoined.append(clock())
        if len(self._rejoined) == REJOINS and self._rejoined[-1] - self._rejoined[0] < WITHIN:
            raise ConfigError(f"{self._name}: thrown out of the group {REJOINS} times: does another sink run under the same member name?")
        log.warning("kafka: joins the group anew", member=self._name)
        self._consumer.close()
        self.join()

    def consume(self, count: int) -> list[Any]:
        """At most so many messages, after a short while at the most. `ConfigError` where the topic is missing."""
        return [message for message in self._consumer.consume(count, GATHER) if self._is_good(message)]

    def committed(self, partition: int) -> Place:
        """`KafkaException` while the broker is away."""
        found = self._offsets.committed([TopicPartition(self._topic, partition)], ANSWER)[0]
        at, clean = (found.offset, found.metadata == CLEAN) if found.offset >= 0 else (OFFSET_BEGINNING, True)
        end, told = self._offsets.get_watermark_offsets(found, ANSWER)[1], (found.metadata or "").removeprefix(UNTIL)
        return Place(at, min(end, int(told)) if told.isdecimal() else end, clean)

    def anybody(self) -> Any:
        """The group, named by nobody in it."""
        return self._offsets.consumer_group_metadata()

    def give_up(self) -> None:
        """The seat is of no use: `lost` from now on."""
        self._lost = True

    def commit(self, *here: TopicPartition) -> None:
        found = self._consumer.commit(offsets=list(here), asynchronous=False)
        if wrong := [one.error for one in found if one.error is not None]:
            raise KafkaException(wrong[0])

    def hand_over(self, offsets: Mapping[int, int]) -> None:
        """By partition: the owner to come finds nothing under way. Nobody waits for it: where it is lost, something is written again."""
        clean = [TopicPartition(self._topic, partition, offset, CLEAN) for partition, offset in offsets.items()]
        if clean:
            self._consumer.commit(offsets=clean, asynchronous=True)

    def seek(self, here: TopicPartition) -> None:
        self._consumer.seek(here)

    def metadata(self) -> Any:
        """What a transaction needs to commit offsets in our name."""
        return self._consumer.consumer_group_metadata()

    def hold(self, here: Sequence[TopicPartition], anew: bool = False) -> None:
        """Ask the coordinator whether we are still a member, if its last yes is too old (`anew`: in any case). `Moved` if not, or if
        nobody answers; `Stopped` when asked to end."""
        if self._stop.is_set():
            raise Stopped
        asked = clock()
        if asked < self._lease and not anew:
            return
        try:
            self.commit(*here)
        except KafkaException as error:
            self._note(error.args[0])
            raise Moved(error.args[0].str()) from error
        self._lease = asked + LEASE

    def forget_lease(self) -> None:
        self._lease = 0.0

    def wait(self, seconds: float) -> set[int]:
        """Sit it out inside the group: paused, polling, ready to hand partitions over. `Stopped` when asked to end.

        Gives the partitions of which something was read meanwhile: they have to be rewound.
        """
        self._waiting, until, read = True, clock() + seconds, set()
        self._consumer.pause(self._consumer.assignment())
        while (left := until - clock()) > 0:
            if self._stop.is_set():
                raise Stopped
            message = self._consumer.poll(min(left, 0.2))
            if message is not None and self._is_good(message):
                read.add(message.partition())
        self._consumer.resume(self._consumer.assignment())
        self._waiting = False
        return read

    def leave(self, done: Callable[[], bool]) -> None:
        """A static member that only closes keeps its partitions until its session ends: unsubscribing hands them over now."""
        if self._consumer is not None:
            try:
                self._consumer.unsubscribe()
                until = clock() + 3
                while not done() and clock() < until:
                    self._consumer.poll(0.1)
            except KafkaException as error:
                log.warning("kafka: could not leave the group", error=error.args[0].str())
            self._consumer.close()
        self._offsets.close()

    def _assign(self, consumer: Any, partitions: list[TopicPartition]) -> None:
        self._given(consumer, partitions)
        if self._waiting:
            consumer.pause(partitions)
        else:  # one that was taken from us in a wait, and comes back after it, is still paused
            consumer.resume(partitions)

    def _is_good(self, message: Any) -> bool:
        error = message.error()
        if error is None:
            return True
        if error.name() == "UNKNOWN_TOPIC_OR_PART":
            raise ConfigError(f"there is no topic {self._topic}: run `weighlock topics apply`")
        self._note(error)
        log.warning("kafka: cannot read for the moment", error=error.str())
        return False

    def _note(self, error: KafkaError) -> None:
        self._lost = self._lost or error.fatal() or error.code() == KafkaError._FATAL
