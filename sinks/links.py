"""Who a record is in the other system: all of the topic `links`, followed by this process, outside of its consumer group."""

from __future__ import annotations

from collections import deque
from threading import Event
from typing import NamedTuple

import structlog
from confluent_kafka import OFFSET_BEGINNING, Message, TopicPartition

from schemas.codec import Undecodable
from schemas.records import Link
from schemas.refs import Ref, link_key
from schemas.topics import LINKS
from weighlock.kafka.wire import Wire, consumer

log = structlog.get_logger(__name__)


class Arrival(NamedTuple):
    """One link as it was read: `ref` is `peer` in the system `system`; peer None: no longer."""

    ref: str
    system: str
    peer: str | None
    was: str | None = None


class Links:
    """`poll` often: a view is as old as its last poll."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._peers: dict[str, str] = {}
        #: What was unlinked: who is linked anew may have left something there.
        self._left: dict[str, str] = {}
        self._unread: deque[Message] = deque()
        self._consumer = consumer(wire.settings, "links-view", enable_partition_eof=True, fetch_wait_max_ms=50)
        self._loading = {tp.partition for tp in wire.partitions(LINKS)}
        self._consumer.assign([TopicPartition(tp.topic, tp.partition, OFFSET_BEGINNING) for tp in wire.partitions(LINKS)])

    def load(self, stop: Event) -> None:
        """Reads what is there now. A broker that is away is waited for; `TransientError` while the registry is: call again."""
        while self._loading and not stop.is_set():
            self.poll(0.2)

    def poll(self, seconds: float = 0.0) -> list[Arrival]:
        """What came since the last poll, in order within a partition. `TransientError` while the registry is away: nothing is lost."""
        self._unread.extend(self._consumer.consume(2000, seconds))
        found = []
        while self._unread:
            arrival = self._take(self._unread[0])
            self._unread.popleft()
            if arrival is not None:
                found.append(arrival)
        return found

    def _take(self, message: Message) -> Arrival | None:
        error = message.error()
        if error is not None:
            if error.name() == "_PARTITION_EOF":
                self._loading.discard(message.partition())
            else:
                log.warning("links: cannot read for the moment", error=error.str())
            return None
        key = (message.key() or b"").decode(errors="replace")
        try:
            link = self._wire.decode(Link, message)
        except Undecodable as undecodable:
            log.error("links: a record that is no link is passed over", key=key, offset=message.offset(), error=str(undecodable))
            return None
        ref, _, system = key.rpartition("|")
        if link is not None and not _is_ref(link.peer):
            log.error("links: a link to what is no ref is passed over", key=key, offset=message.offset(), peer=link.peer)
            return None
        was = self._peers.pop(key, None) or self._left.pop(key, None)
        if link is not None:
            self._peers[key] = link.peer
        elif was is not None:
            self._left[key] = was
        return Arrival(ref, system, link.peer if link else None, was)

    def peer(self, ref: str, system: str) -> str | None:
        """The ref of the same record in that system."""
        return self._peers.get(link_key(ref, system))

    def close(self) -> None:
        self._consumer.close()


def _is_ref(text: str) -> bool:
    try:
        Ref.parse(text)
    except ValueError:
        return False
    return True
