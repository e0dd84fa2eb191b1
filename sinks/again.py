"""What has to be written once more, because a call of ours may have taken effect, or may still, over something newer.

The wish goes to the end of upserts with the header `weighlock-again`; whoever owns the partition then writes what the ledger says was
written last for that subject and facet.
"""

from __future__ import annotations

from collections.abc import Iterable

from schemas.records import Wish
from schemas.topics import Topic
from sinks.entries import passage
from sinks.member import clock
from weighlock.kafka.wire import Outgoing, Wire, producer

#: On a wish that was read before: somebody else's call may have gone over it, write it once more.
AGAIN = "weighlock-again"
#: Beside it, on one that `weighlock links` sends: the ref of the record that a person chose; empty: none.
DECIDED = "weighlock-decided"


class Again:
    """Kept in memory until Kafka has them. `settle` often."""

    def __init__(self, wire: Wire, upserts: Topic) -> None:
        self._wire, self._upserts = wire, upserts
        self._producer = producer(wire.settings)
        self._due: dict[tuple[str, str, bool], tuple[float, Wish]] = {}

    def owe(self, wishes: Iterable[Wish], seconds: float = 0.0) -> None:
        """Not before so many seconds from now; of one subject and facet once now and once later, at the latest time."""
        for wish in wishes:
            self._due[wish.subject, wish.facet, seconds > 0] = clock() + seconds, wish

    def settle(self, *, all: bool = False) -> None:
        """Sends what is due (`all`: and the rest too, for nobody will be there later)."""
        due = {key: wish for key, (at, wish) in self._due.items() if all or at <= clock()}
        for wish in due.values():
            headers = [*passage(wish).headers(), (AGAIN, b"1")]
            self._wire.produce(self._producer, Outgoing(self._upserts, wish.subject, wish, headers))
        if not due:
            return
        if self._producer.flush(5):
            self._producer.purge()
            self._producer.flush(1)
            return
        for key in due:
            del self._due[key]
