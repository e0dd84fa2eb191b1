"""What has to be written once more, because a call of ours may have taken effect, or may still, over something newer.

The wish goes to the end of upserts with the header `weighlock-again`; whoever owns the partition then writes what the ledger says was
written last for that subject and facet. As long as a call may still take effect, the subject is in doubt: its result says so
(`Result.doubt`), so that the owner of that time repeats it, whatever became of this process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from schemas.records import Doubt, Wish, now
from schemas.topics import Topic
from sinks.entries import passage
from weighlock.kafka.wire import Outgoing, Wire, producer

#: On a wish that was read before: somebody else's call may have gone over it, write it once more.
AGAIN = "weighlock-again"
#: Beside it: what a call may have done, or may still do until then (a `Doubt` as JSON).
DOUBT = "weighlock-doubt"
#: Beside it, on one that `weighlock links` sends: the ref of the record that a person chose; empty: none.
DECIDED = "weighlock-decided"
#: Subject, facet, and whether it is to be repeated when the doubt ends (else at once).
Key = tuple[str, str, bool]


class Again:
    """Kept in memory until Kafka has them. `settle` often."""

    def __init__(self, wire: Wire, upserts: Topic) -> None:
        self._wire, self._upserts = wire, upserts
        self._producer = producer(wire.settings)
        self._due: dict[Key, tuple[Wish, Doubt]] = {}

    def owe(self, wishes: Iterable[Wish]) -> None:
        """Once more, at once."""
        for wish in wishes:
            self._add((wish.subject, wish.facet, False), wish, Doubt.of(wish, now()))

    def doubt(self, wishes: Iterable[Wish], until: datetime, before: Doubt | None = None) -> None:
        """Calls for these may take effect until then: once more after that. `before`: what others may do, besides."""
        for wish in wishes:
            self._add((wish.subject, wish.facet, True), wish, Doubt.of(wish, until).joined(before))

    def doubts(self) -> dict[str, Doubt]:
        """By subject: what its result has to say."""
        found: dict[str, Doubt] = {}
        for (subject, _, later), (_, doubt) in self._due.items():
            if later:
                found[subject] = doubt.joined(found.get(subject))
        return found

    def hand_over(self, mine: Callable[[str], bool], recorded: Callable[[str], Doubt | None]) -> None:
        """These subjects are another owner's from now on: it reads what was recorded of a doubt, and is told the rest at once."""
        for key in [key for key in self._due if key[2] and mine(key[0])]:
            wish, doubt = self._due.pop(key)
            if doubt.joined(known := recorded(key[0])) != known:
                self._add((*key[:2], False), wish, doubt)

    def settle(self, *, all: bool = False) -> bool:
        """Sends what is due (`all`: and the rest too, for nobody will be there later). Has Kafka got it?"""
        at = now()
        due = {key: (wish, doubt) for key, (wish, doubt) in self._due.items() if all or not key[2] or doubt.until <= at}
        for wish, doubt in due.values():
            headers = [*passage(wish).headers(), (AGAIN, b"1"), (DOUBT, doubt.model_dump_json().encode())]
            self._wire.produce(self._producer, Outgoing(self._upserts, wish.subject, wish, headers))
        if not due:
            return True
        if self._producer.flush(5):
            self._producer.purge()
            self._producer.flush(1)
            return False
        for key in due:
            del self._due[key]
        return True

    def _add(self, key: Key, wish: Wish, doubt: Doubt) -> None:
        before = self._due.get(key)
        self._due[key] = wish, doubt.joined(before[1] if before else None)
