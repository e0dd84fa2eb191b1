"""The flows while they run: a table that stays up to date in a terminal, a line for each flow now and then where there is none."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from weighlock.errors import WeighlockError
from weighlock.settings import Settings
from weighlock.status import view
from weighlock.status.watch import Watch

#: Seconds between two looks at the topics, and between two lines where nobody looks on.
EVERY, LINES_EVERY = 1.0, 10.0
#: Seconds over which the demo's freshness and rates are computed: short, for something shall be seen.
WINDOW, PACE = 120.0, 5.0
Look = Callable[[], None]


class Flows:
    """`shown` gives a function that is called often and looks when it is time. Figures that cannot be had end no demo."""

    def __init__(self, console: Console, settings: Settings) -> None:
        self._console, self._settings = console, settings
        self._watch: Watch | None = None
        self._found: dict[str, Any] | None = None
        self._looked = self._said = time.monotonic()

    def close(self) -> None:
        if self._watch is not None:
            self._watch.close()

    @contextmanager
    def shown(self, above: RenderableType | None = None) -> Iterator[Look]:
        """`above` is what stands over the table."""
        over = () if above is None else (above, Text())
        if not self._console.is_terminal:
            yield self._line
            if above is not None:
                self._console.print(above)
            return
        with Live(console=self._console, auto_refresh=False) as live:

            def look() -> None:
                self._look(EVERY)
                live.update(Group(*over, self._table()), refresh=True)

            yield look

    def _table(self) -> RenderableType:
        if self._found is None:
            return Text("no figures yet")
        troubles = (Text(line, no_wrap=True, overflow="ellipsis", style="dim") for line in view.troubles(self._found))
        return Group(view.flows(self._found), *troubles)

    def _line(self) -> None:
        if time.monotonic() > self._said + LINES_EVERY:
            self._look(0)
            self._said = time.monotonic()
            for line in view.lines(self._found or {"flows": []}):
                self._console.print(f"  {line}", markup=False, soft_wrap=True)

    def _look(self, every: float) -> None:
        if time.monotonic() < self._looked + every:
            return
        try:
            self._watch = self._watch or Watch(self._settings, WINDOW, PACE)
            self._found = self._watch.see()
        except WeighlockError:
            self._found = None
        self._looked = time.monotonic()
