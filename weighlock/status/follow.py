"""Many topics followed by one consumer: each call reads on to where they end now."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, ConsumerGroupTopicPartitions, IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from weighlock.errors import ConfigError, TransientError
from weighlock.kafka.admin import admin_client
from weighlock.kafka.wire import consumer
from weighlock.settings import Settings

#: A partition of a topic, its name with the prefix.
Place = tuple[str, int]
#: Seconds for an answer of the broker, and without a record before an end that is not reached.
ANSWER, SILENCE = 10.0, 15.0


class Brokers:
    """What the cluster tells: ends, offsets of groups, members. `TransientError` where it does not answer."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._admin: AdminClient = admin_client(settings)

    def missing(self, names: Iterable[str]) -> list[str]:
        """Of these topics those that are not there."""
        try:
            there = self._admin.list_topics(timeout=ANSWER).topics
        except KafkaException as error:
            raise self._away(error) from None
        return [name for name in names if name not in there]

    def ends(self, places: Iterable[Place]) -> dict[Place, int]:
        """The offset behind the last committed record."""
        return self._offsets(places, OffsetSpec.latest())

    def since(self, places: Iterable[Place], at: float) -> dict[Place, int]:
        """The first offset of that Unix time or later; where there is none the end."""
        found, ends = self._offsets(places, OffsetSpec.for_timestamp(int(at * 1000))), self.ends(places)
        return {place: offset if offset >= 0 else ends[place] for place, offset in found.items()}

    def committed(self, group: str) -> dict[Place, int]:
        """By partition, where the group (without prefix) goes on; only where it ever committed."""
        asked = ConsumerGroupTopicPartitions(self._settings.prefix + group)
        try:
            (future,) = self._admin.list_consumer_group_offsets([asked], request_timeout=ANSWER).values()
            found = future.result().topic_partitions
        except KafkaException as error:
            if error.args[0].name() == "GROUP_ID_NOT_FOUND":
                return {}
            raise self._away(error) from None
        return {(one.topic, one.partition): one.offset for one in found if one.error is None and one.offset >= 0}

    def members(self, groups: Iterable[str]) -> dict[str, int]:
        """How many processes are in each group (without prefix) now."""
        prefix = self._settings.prefix
        futures = self._admin.describe_consumer_groups([prefix + group for group in groups], request_timeout=ANSWER)
        found: dict[str, int] = {}
        for group, future in futures.items():
            try:
                found[group.removeprefix(prefix)] = len(future.result().members)
            except KafkaException as error:
                if error.args[0].name() != "GROUP_ID_NOT_FOUND":
                    raise self._away(error) from None
                found[group.removeprefix(prefix)] = 0
        return found

    def _offsets(self, places: Iterable[Place], spec: Any) -> dict[Place, int]:
        asked = {TopicPartition(*place): spec for place in places}
        futures = self._admin.list_offsets(asked, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=ANSWER) if asked else {}
        try:
            return {(place.topic, place.partition): future.result().offset for place, future in futures.items()}
        except KafkaException as error:
            raise self._away(error) from None

    def _away(self, error: KafkaException) -> Exception:
        said = error.args[0]
        if said.name() in ("UNKNOWN_TOPIC_OR_PART", "_UNKNOWN_TOPIC", "_UNKNOWN_PARTITION"):
            return ConfigError(f"{said.str()}: run `weighlock topics apply`")
        return TransientError(f"no answer from Kafka at {self._settings.kafka}: {said.str()}")


class Follow:
    """`starts`: the offset from which each partition is read; what is no more there begins where the partition does."""

    def __init__(self, settings: Settings, brokers: Brokers, starts: Mapping[Place, int]) -> None:
        self._brokers = brokers
        self._at = {place: max(0, start) for place, start in starts.items()}
        self._reader = consumer(settings, "reader", enable_partition_eof=True, fetch_wait_max_ms=20)
        self._reader.assign([TopicPartition(*place, start if start > 0 else OFFSET_BEGINNING) for place, start in starts.items()])

    def close(self) -> None:
        self._reader.close()

    def news(self) -> Iterator[Any]:
        """The messages that have come since the last call. `TransientError` where they do not come."""
        ends = self._brokers.ends(self._at)
        heard = time.monotonic()
        while any(self._at[place] < end for place, end in ends.items()):
            messages = self._reader.consume(1000, 0.2)
            heard = time.monotonic() if messages else heard
            if time.monotonic() > heard + SILENCE:
                raise TransientError(f"nothing came from Kafka for {SILENCE:g} s")
            for message in messages:
                place, error = (message.topic(), message.partition()), message.error()
                if error is None:
                    self._at[place] = message.offset() + 1
                    yield message
                elif error.name() == "_PARTITION_EOF":
                    self._at[place] = max(self._at[place], message.offset())
                elif error.fatal() or not error.retriable():
                    raise TransientError(f"{place[0]}/{place[1]} cannot be read: {error.str()}")
