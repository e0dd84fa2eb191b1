"""The demo's view of the flows: a table in a terminal, lines elsewhere, and never the end of a demo."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from weighlock.demo import live
from weighlock.demo.live import Flows
from weighlock.errors import TransientError
from weighlock.status import view

ROW = {
    "source": "acumatica",
    "entity": "customer",
    "target": "hubspot",
    "objects": ["company"],
    "read_per_second": 3.0,
    "written_per_second": 2.4,
    "lag": 1,
    "waiting": 0,
    "dead_letters": 4,
    "freshness_p50": 0.3,
    "freshness_p95": 0.7,
    "checkpoint_seconds": 1.0,
    "last_error": {"at": "then", "said": "no name"},
}
STILL = (
    ROW | dict.fromkeys(("read_per_second", "written_per_second", "lag", "dead_letters"), 0) | {"freshness_p95": None, "entity": "contact"}
)


class Watch:
    """Gives what it is told, or raises it."""

    answers: list[Any]

    def __init__(self, *_: Any) -> None:
        pass

    def see(self) -> Any:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        pass


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, which a test moves."""
    at = [100.0]
    monkeypatch.setattr(live, "Watch", Watch)
    monkeypatch.setattr(live.time, "monotonic", lambda: at[0])
    return at


def shown(now: list[float], terminal: bool, looks: int, seconds: float) -> tuple[str, int]:
    """What stands there after so many looks, so many seconds apart; and how many answers were not asked for."""
    found = {"flows": [ROW, STILL], "workers": []}
    Watch.answers = [TransientError("Kafka is away"), *[found] * looks]
    console = Console(file=io.StringIO(), force_terminal=terminal, width=150)
    flows = Flows(console, None)  # type: ignore[arg-type]
    with flows.shown("the bars") as look:
        for _ in range(looks):
            now[0] += seconds
            look()
    flows.close()
    return console.file.getvalue(), len(Watch.answers)  # type: ignore[attr-defined]


def test_a_table_in_a_terminal(now: list[float]) -> None:
    """It is looked at again when it is time, under what stands above; a Kafka that is away for a moment is waited for."""
    text, _ = shown(now, True, 2, 2.0)
    assert text.index("no figures yet") < text.index("acumatica customer → hubspot company") < text.index("no name")
    assert "the bars" in text


def test_a_look_costs_nothing_until_it_is_time(now: list[float]) -> None:
    """Ten looks within a second read the topics once at the most."""
    assert shown(now, True, 10, 0.11)[1] == 10


def test_lines_where_there_is_no_terminal(now: list[float]) -> None:
    """Now and then one for each flow in which something happens; what stood above comes at the end; no escape sequence."""
    text, _ = shown(now, False, 25, 1.0)
    line = "  acumatica customer → hubspot company: 3 read/s, 2.4 written/s, 1 to do, 4 dead letters, fresh p95 0.7 s\n"
    assert text == line + "the bars\n"
    assert view.lines({"flows": [STILL]}) == []
