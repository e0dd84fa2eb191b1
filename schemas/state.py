"""What the stream worker keeps for itself: the values of its table of receivables (streams/accounts.py).

Decimals are as they were read or summed: exact, with eight places.
"""

from __future__ import annotations

from datetime import date as Day
from decimal import Decimal
from typing import Any

from pydantic import Field

from schemas.records import Record


class BookedDocument(Record):
    kind: str
    number: str
    date: Day
    due: Day | None = None
    currency: str
    amount: Decimal
    balance: Decimal
    void: bool


class BucketEntry(Record):
    ref: str
    version: int
    document: BookedDocument | None = None


class OpenSum(Record):
    currency: str
    balance: Decimal


class DueSum(Record):
    currency: str
    due: Day | None = None
    balance: Decimal
    count: int


class BucketSums(Record):
    bucket: str
    open: list[OpenSum]
    dues: list[DueSum]
    latest: list[BookedDocument]
    payment: BookedDocument | None = None
    invoiced: Day | None = None


class AccountCustomer(Record):
    version: int
    known: bool
    currency: str | None = None
    status: str | None = None
    credit_limit: Decimal | None = None


class Account(Record):
    customer: AccountCustomer | None = None
    revision: int = 0
    buckets: list[BucketSums] = Field(default_factory=list)


class DocumentPlace(Record):
    party: str | None = None
    bucket: str | None = None
    version: int = -1


class Receivables(Record):
    """One of the parts, as the key says."""

    bucket: list[BucketEntry] = Field(default_factory=list)
    account: Account | None = None
    place: DocumentPlace | None = None
    parties: list[str] = Field(default_factory=list)
    days: list[Day] = Field(default_factory=list)

    def to_avro(self) -> dict[str, Any]:
        """With the names of the records in unions: without them each is checked against the whole schema first, to find out which it is."""
        found = self.model_dump()
        _name(found, "account", "Account")
        _name(found, "place", "DocumentPlace")
        for entry in found["bucket"]:
            _name(entry, "document", "BookedDocument")
        for sums in found["account"][1]["buckets"] if self.account else ():
            _name(sums, "payment", "BookedDocument")
        return found


def _name(record: dict[str, Any], field: str, kind: str) -> None:
    if record[field] is not None:
        record[field] = f"weighlock.{kind}", record[field]
