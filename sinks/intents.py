"""What stands in the ledger before a record is made in a system that has no unique key of ours: who finds it does not make a second one.

The record is looked up by what it carries of ours. Where it is not there, a call that nobody heard the answer of may still make it: nothing
is made until the longest time that a call takes is over since the intent; then it is looked up again, and made.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from schemas.records import now


@dataclass(frozen=True)
class Intent:
    """`at`: no call was made under it before; `count`: so many times it was tried, this one included."""

    at: datetime
    count: int = 1

    @classmethod
    def begin(cls, count: int) -> Intent:
        return cls(now(), count)

    def over(self, longest: float) -> bool:
        """Can no call under it take effect any more?"""
        return now() >= self.until(longest)

    def until(self, longest: float) -> datetime:
        return self.at + timedelta(seconds=longest)

    def text(self) -> str:
        """As it stands in `Result.intent`."""
        return f"{self.at.isoformat()} {self.count}"

    @classmethod
    def parse(cls, text: str) -> Intent:
        at, _, count = text.partition(" ")
        return cls(datetime.fromisoformat(at), int(count or 1))
