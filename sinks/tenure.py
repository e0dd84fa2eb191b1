"""One owner's time with a partition: what the owner before may have left under way, and whether this one leaves anything."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from schemas.records import now


class Tenure:
    """`batch`: so many messages, from the committed offset on, are written at the most before they are recorded; `longest`: a call
    takes effect within so many seconds."""

    def __init__(self, batch: int, longest: float) -> None:
        self._batch, self._longest = batch, longest
        self._untold = 0  # so many of the next messages may have been written by somebody who recorded nothing
        self._untold_to = 0  # those that stand before this offset
        self._late: datetime | None = None  # until then what the owner before called may take effect
        self._recorded, self._called = -1, -1
        self.announced = False  # the group's offset says that calls may be under way

    def begin(self, at: int, end: int, clean: bool) -> None:
        """What the owner before read stands before `end`. `clean`: it had nothing under way when it went, or there was none."""
        self._recorded = at
        self._untold, self._untold_to = 0 if clean else self._batch, end
        self._late = None if clean else now() + timedelta(seconds=self._longest)

    def resume(self, at: int) -> None:
        """Batches of our own were dropped, or are recorded after all."""
        self._recorded, self._untold, self._untold_to = at, self._batch, max(self._untold_to, self._called)

    def calls(self, end: int) -> None:
        self._called = max(self._called, end)

    def recorded(self, end: int) -> None:
        self._recorded = end

    @property
    def clean(self) -> int | None:
        """The committed offset, if nothing behind it was called, nor may have been by the owner before; else None, and where nobody ever
        committed anything."""
        heir = self._recorded < self._untold_to and self._is_late
        return self._recorded if 0 <= self._recorded >= self._called and not heir else None

    @property
    def _is_late(self) -> bool:
        return self._late is not None and self._late > now()

    def in_doubt(self, messages: Sequence[Any]) -> datetime | None:
        """Until when a call of the owner before may go over what is written for these."""
        return self._late if self._is_late and messages[0].offset() < self._untold_to else None

    def batches(self, messages: Sequence[Any]) -> list[list[Any]]:
        """In portions for `Lane.judge`. Where somebody may have written and recorded nothing, no subject comes twice in one: an older wish
        that was folded away would never be seen, and what it did (a move to another company, a value since taken back) would stay."""
        found: list[list[Any]] = [[]]
        keys: set[bytes | None] = set()
        for message in messages:
            untold = self._untold > 0 and message.offset() < self._untold_to
            self._untold = self._untold - 1 if untold else 0
            if untold and not self._untold:
                self._untold_to = message.offset() + 1
            if (untold and message.key() in keys) or (keys and not untold) or len(found[-1]) == self._batch:
                found.append([])
                keys.clear()
            found[-1].append(message)
            if untold:
                keys.add(message.key())
        return [batch for batch in found if batch]
