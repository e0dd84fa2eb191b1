"""Whose a customer's code is, as a walk through all customers showed it: with that, a walk through all contacts looks no code up."""

from __future__ import annotations

from collections.abc import Sequence

from producers.acumatica_tables import CUSTOMER
from producers.acumatica_walk import Position
from weighlock.clients.acumatica_values import Row


class Codes:
    """Kept from the beginning of a walk through all customers to the end of the next one through all contacts; a new process knows
    nothing, and asks.

    What is said here is as old as that walk and the changes since. A customer that is new, or that took a code over meanwhile, comes
    with the customers' changes, and then its contacts are read along: nothing stays wrong, or unknown, for longer than that takes.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        #: NoteIDs by code, as `code_of` gives it.
        self.notes: dict[str, str] = {}
        self._codes: dict[str, str] = {}
        #: The key up to which that walk came without a gap; None where none has begun.
        self._after: str | None = None
        #: Every customer is among them.
        self.whole = False

    def learn(self, position: Position, rows: Sequence[Row]) -> None:
        """A page of customers, read from that position."""
        if position["walk"] == "full" and not position["after"]:
            self.forget()
            self._after = ""
        if self._after is None:
            return
        for row in rows:
            if (code := code_of(row, CUSTOMER.key)) and isinstance(note := row.get("id"), str):
                if (old := self._codes.get(note)) != code and old and self.notes.get(old) == note:
                    del self.notes[old]
                self.notes[code], self._codes[note] = note, code

    def safe(self, before: Position, after: Position) -> None:
        """That page is safe. Only a walk whose pages all were ours has seen every customer; another one may run beside it."""
        if before["walk"] == "full" and before["after"] == self._after:
            self._after = after.get("after", self._after)
            self.whole = self.whole or after["walk"] == "idle"


def code_of(row: Row, field: str) -> str | None:
    """A code to compare with: they are padded, and the server compares them without regard to case (facts §3.1, §4.7)."""
    value = row.get(field)
    return value.strip().upper() or None if isinstance(value, str) else None
