"""The table of receivables: what was told of each customer and of its documents, over any mapping of bytes to bytes.

All keys of a customer are written while a record of that customer's partition is processed, and Faust puts them into that partition of the
store and of the changelog. A customer's documents lie in buckets by month, each month in slices, so that a document costs about the same
with 20,000 or 20 beside it; the account holds what each bucket comes to.

A crash may leave any of these values older or newer than the others, in the store and in the changelog. What was not committed is done
again, so every step writes all that it stands for, even what is there already, and computes nothing from a difference: then all of it is
right again.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from datetime import date, datetime, timedelta
from zlib import crc32

from schemas.codec import Codec
from schemas.state import Account, AccountCustomer, BookedDocument, BucketEntry, DocumentPlace, Receivables
from schemas.topics import RECEIVABLES
from streams.receivables import BILLED, sums

#: Of a month: a customer with thousands of documents in one month has a few hundred in a bucket.
SLICES = 8
#: Of a day on which invoices are due: the list of customers that is written with each of them stays short.
DUE_SLICES = 64
#: Days that are remembered: one that is told again means the same customers as the first time.
DAYS = 32
DAYS_KEY = b"days"


class Accounts:
    """`customer`, `put` and `gone` book and give the account as it is then, `tick` tells who is concerned by a new day. Each account that
    is given has a `revision` of its own: for a customer they only grow, and are about the time (milliseconds since 1970)."""

    def __init__(self, table: MutableMapping[bytes, bytes], codec: Codec) -> None:
        self.table, self.codec = table, codec

    def customer(self, party: str, told: AccountCustomer, clock: datetime) -> tuple[Account, bool]:
        """Whether something is to be said of it: it is not as it was before, or this is the same once more after a crash."""
        account = self.account(party)
        before = account.customer
        if before is not None and told.version < before.version:
            return self._keep(party, account, clock), False
        changed = before is None or told.version == before.version or told != before.model_copy(update={"version": told.version})
        return self._keep(party, account.model_copy(update={"customer": told}), clock), changed

    def put(self, party: str, ref: str, version: int, document: BookedDocument, clock: datetime) -> tuple[Account, bool]:
        """Whether it is news: False where a newer version is booked. The bucket is chosen when a document is first seen, and stays."""
        place = self._get(ref.encode()).place or DocumentPlace()
        if version < place.version:
            self._put(ref.encode(), Receivables(place=place))
            return self._keep(party, self.account(party), clock), False
        bucket = place.bucket or f"{document.date:%Y-%m}-{crc32(ref.encode()) % SLICES}"
        self._put(ref.encode(), Receivables(place=DocumentPlace(party=party, bucket=bucket)))
        if document.kind in BILLED and document.balance and document.due is not None and document.due >= self.today(clock):
            self._remember_due(document.due, party)
        return self._book(party, bucket, BucketEntry(ref=ref, version=version, document=document), clock)

    def gone(self, ref: str, version: int, clock: datetime) -> tuple[str, Account] | None:
        """The document is none any more: its customer and the account, if it was booked."""
        place = self._get(ref.encode()).place or DocumentPlace()
        if place.party is None or place.bucket is None:
            self._put(ref.encode(), Receivables(place=DocumentPlace(version=max(version, place.version))))
            return None
        self._put(ref.encode(), Receivables(place=place))
        account, _ = self._book(place.party, place.bucket, BucketEntry(ref=ref, version=version), clock)
        return place.party, account

    def tick(self, day: date, clock: datetime) -> list[tuple[str, Account]]:
        """A new day: the customers for whom something is overdue that was not. The same ones if that day is told once more."""
        days = self._get(DAYS_KEY).days
        if days and day < days[-1] and day not in days:
            return []
        days = days if day in days else [*days, day]
        if len(days) > DAYS:
            self._forget(days[0], days[1])
            days = days[1:]
        self._put(DAYS_KEY, Receivables(days=days))
        since = days[max(0, days.index(day) - 1)]
        parties = sorted({party for key in _due_keys(since, day) for party in self._get(key).parties})
        return [(party, self._keep(party, self.account(party), clock)) for party in parties]

    def today(self, clock: datetime) -> date:
        """The day as of which is summed: the last that was told, or the day that has begun everywhere on earth, if that one is later."""
        days = self._get(DAYS_KEY).days
        everywhere = (clock - timedelta(hours=12)).date()
        if len(days) < 2:  # a first day that is only guessed is written again and again: a crash must not lose it
            self._put(DAYS_KEY, Receivables(days=days or [everywhere]))
        return max([*days, everywhere])

    def _book(self, party: str, bucket: str, entry: BucketEntry, clock: datetime) -> tuple[Account, bool]:
        key = f"{party}|{bucket}".encode()
        entries = {one.ref: one for one in self._get(key).bucket}
        held = entries.get(entry.ref)
        newest = held is None or held.version <= entry.version
        if newest:
            entries[entry.ref] = entry
        self._put(key, Receivables(bucket=list(entries.values())))
        account = self.account(party)
        own = sums(bucket, (one.document for one in entries.values() if one.document is not None))
        buckets = {one.bucket: one for one in account.buckets} | {bucket: own}
        return self._keep(party, account.model_copy(update={"buckets": list(buckets.values())}), clock), newest

    def _remember_due(self, due: date, party: str) -> None:
        key = _due_key(due, crc32(party.encode()) % DUE_SLICES)
        parties = self._get(key).parties
        self._put(key, Receivables(parties=parties if party in parties else [*parties, party]))

    def _forget(self, since: date, until: date) -> None:
        for key in _due_keys(since, until):
            self.table.pop(key, None)

    def account(self, party: str) -> Account:
        return self._get(party.encode()).account or Account()

    def _keep(self, party: str, account: Account, clock: datetime) -> Account:
        kept = account.model_copy(update={"revision": max(account.revision + 1, int(clock.timestamp() * 1000))})
        self._put(party.encode(), Receivables(account=kept))
        return kept

    def _get(self, key: bytes) -> Receivables:
        found = self.table.get(key)
        return Receivables() if found is None else self.codec.decode(Receivables, found)

    def _put(self, key: bytes, value: Receivables) -> None:
        self.table[key] = self.codec.encode(RECEIVABLES, value)


def _due_key(day: date, slice_: int) -> bytes:
    return f"due|{day}|{slice_}".encode()


def _due_keys(since: date, until: date) -> Iterator[bytes]:
    """Of all days from `since` on, and before `until`."""
    for number in range(since.toordinal(), until.toordinal()):
        for slice_ in range(DUE_SLICES):
            yield _due_key(date.fromordinal(number), slice_)
