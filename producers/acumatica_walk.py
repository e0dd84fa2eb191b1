"""How a table of Acumatica is walked: everything once by its key, then what changed, window by window. Nothing here calls anything.

A position is a plain map of texts, so that it can lie in a checkpoint:

- `walk`: `full` (everything), `gone` (what that did not meet is asked for), `changes` (a window is being read) or `idle` (until the
  next window)
- `after`: the last key that was read in this walk
- `since`, `until`: the window of `changes`, frozen when it begins; in `idle` and `gone` where the next one begins
- `clock`: the server's clock when the walk began; the next window begins that much of overlap before it
- `part`, `top`: only where the site cannot filter by stamp and key at once, see `_by_time`

Why nothing is skipped: a row that is edited during a walk gets a stamp of now, so the next window has it, wherever its key stands.
Commits that show later than their stamp, and a database clock other than the web server's, are what the overlap is for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from weighlock.clients.acumatica_values import literal

Position = dict[str, str]
STAMP = "LastModifiedDateTime"
#: Stamps are no finer than this: rows of one instant cannot be told apart by time.
INSTANT = timedelta(milliseconds=1)
#: A Date header names the second, so the server's clock may already be at its end.
SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Ask:
    """The list call for a page; `after` is the position's."""

    filter: str
    top: int
    skip: int = 0
    after: str = ""


@dataclass(frozen=True)
class Turn:
    """What a page comes to: where it leaves us, whether its rows count, and whether there is more to read now."""

    position: Position
    counts: bool
    more: bool


class Terms(Protocol):
    """How a table's filters are written."""

    def window(self, since: datetime, until: datetime) -> str: ...
    def beyond(self, after: str) -> str:
        """The rows behind that one, in the order of the key."""
        ...


@dataclass(frozen=True)
class ByKey:
    """In the contract-based API: `key` is the vendor's key field, `number` whether it is one."""

    key: str
    number: bool = False

    def window(self, since: datetime, until: datetime) -> str:
        return f"{STAMP} ge {literal(since)} and {STAMP} lt {literal(until)}"

    def beyond(self, after: str) -> str:
        return f"{self.key} gt {literal(int(after) if self.number else after)}"


@dataclass(frozen=True)
class Walk:
    """`size` rows a page."""

    terms: Terms
    size: int
    overlap: timedelta

    def begin(self, position: Position | None, clock: datetime) -> Position:
        """The position of the page to read now: a walk goes on, or the next one begins at the server's `clock`."""
        if not position:
            return {"walk": "full", "after": "", "clock": _text(clock)}
        if position["walk"] != "idle":
            return position
        until = _text(clock + SECOND)
        return {"walk": "changes", "after": "", "since": position["since"], "until": until, "clock": _text(clock)}

    def ask(self, position: Position, by_key: bool, skipping: bool = False) -> Ask:
        """`by_key`: the site filters by stamp and key at once. `skipping` is the mutant that pages with $skip over the live table."""
        if position["walk"] == "changes" and not by_key:
            return Ask(self._window(position["since"], position.get("part", position["until"])), int(position.get("top", self.size)))
        terms = [self._window(position["since"], position["until"])] if position["walk"] == "changes" else []
        if skipping:
            return Ask(" and ".join(terms), self.size, int(position["after"] or 0))
        if position["after"]:
            terms.append(self.terms.beyond(position["after"]))
        return Ask(" and ".join(terms), self.size, after=position["after"])

    def turn(self, position: Position, keys: Sequence[Any], by_key: bool = True, skipping: bool = False, more: bool | None = None) -> Turn:
        """The page that `ask(position)` got is read, and these were its keys in order, None for one that no filter can name. A short page
        is the last one (facts §4.7), if the vendor does not say whether there is `more`. Rows behind the last usable key come again on
        the next page."""
        if position["walk"] == "changes" and not by_key:
            return self._by_time(position, len(keys) >= int(position.get("top", self.size)) if more is None else more)
        if not (len(keys) >= self.size if more is None else more):
            return Turn(self._end(position), True, False)
        after = str(int(position["after"] or 0) + len(keys)) if skipping else str(next(key for key in reversed(keys) if key is not None))
        return Turn({**position, "after": after}, True, True)

    def _by_time(self, position: Position, full: bool) -> Turn:
        """Without the key in the filter a full page cannot be continued, so the part of the window is halved until its rows fit one page.

        Rows of one instant cannot be parted: they are read in one ever larger page, for with $skip an edit between two
        pages would move a row past us.
        """
        since, until = _at(position["since"]), _at(position["until"])
        part, top = _at(position.get("part", position["until"])), int(position.get("top", self.size))
        if full:
            if part - since <= INSTANT:
                return Turn({**position, "top": str(2 * top)}, False, True)
            half = max(since + INSTANT, since + (part - since) / 2)
            return Turn({**position, "part": _text(half)}, False, True)
        if part >= until:
            return Turn(self._end(position), True, False)
        longer = min(until, part + 2 * (part - since))
        return Turn(
            {
                "walk": "changes",
                "after": "",
                "since": _text(part),
                "until": _text(until),
                "part": _text(longer),
                "clock": position["clock"],
            },
            True,
            True,
        )

    def reach(self, position: Position) -> datetime:
        """Where the window after this walk begins: nothing older will be seen again."""
        return _at(position["since"]) if position["walk"] == "idle" else _at(position["clock"]) - self.overlap

    def _window(self, since: str, until: str) -> str:
        return self.terms.window(_at(since), _at(until))

    def _end(self, position: Position) -> Position:
        return {"walk": "idle", "since": _text(self.reach(position))}


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _text(at: datetime) -> str:
    """To the millisecond, as the filters have it: windows that lie side by side in one lie so in the other."""
    return at.isoformat(timespec="milliseconds")
