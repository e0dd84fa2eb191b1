"""One owner's time with a partition: what the owner before may have left under way, and whether this one leaves anything."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
        self._announced = -1  # the group's offset says that what stands before this may have been called for

    def begin(self, at: int, end: int, clean: bool) -> None:
        """What the owner before may have called for stands before `end`. `clean`: it had nothing under way, or there was none."""
        self._recorded = at
        self._untold, self._untold_to = 0 if clean else self._batch, end
        self._late = None if clean else now() + timedelta(seconds=self._longest)

    def resume(self, at: int) -> None:
        """Batches of our own were dropped, or are recorded after all."""
        self._recorded, self._untold, self._untold_to = at, self._batch, max(self._untold_to, self._called)

    def is_announced(self, end: int) -> bool:
        """Would whoever comes next know that what stands before `end` may have been called for?"""
        return end <= self._announced

    def under_way(self, end: int = -1) -> int:
        """To be announced with the group's offset before calls for what stands before `end`: that, and what may be under way already."""
        return max(end, self._called, self._untold_to)

    def calls(self, end: int) -> None:
        self._announced = max(self._announced, end)
        self._called = max(self._called, end)

    def recorded(self, end: int) -> None:
        """With the group's offset `under_way` was written too."""
        self._recorded, self._announced = end, self.under_way()

    @property
    def inherits(self) -> bool:
        """May the next messages have been called for by somebody who recorded nothing?"""
        return self._untold > 0 and self._recorded < self._untold_to

    def is_untold(self, messages: Sequence[Any]) -> bool:
        """May one of these batches have been called for by somebody who recorded nothing?"""
        return bool(messages[0].offset() < self._untold_to)

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

    def batches(self, messages: Sequence[Any], name: Callable[[Any], object]) -> list[list[Any]]:
        """In portions for `Lane.judge`. Where somebody may have written and recorded nothing, nothing of one name (None: it has none) comes
        twice in one: an older wish that was folded away would never be seen, and what it did (a record that was made, a move to another
        company) would stay."""
        found: list[list[Any]] = [[]]
        names: set[object] = set()
        was = True
        for message in messages:
            untold = self._untold > 0 and message.offset() < self._untold_to
            self._untold = self._untold - 1 if untold else 0
            if untold and not self._untold:
                self._untold_to = message.offset() + 1
            own = name(message) if untold else None
            if own in names or (was and not untold) or len(found[-1]) == self._batch:
                found.append([])
                names.clear()
            found[-1].append(message)
            was = untold
            if own is not None:
                names.add(own)
        return [batch for batch in found if batch]
