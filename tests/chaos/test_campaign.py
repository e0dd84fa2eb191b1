"""The fault campaign in its short form; `make chaos` is the long one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console
from rich.progress import Progress

from tests.chaos.campaign import campaign, report
from weighlock.stack import Stack


@pytest.mark.timeout(900)
def test_two_minutes(local_stack: Stack, tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    """Two minutes or more of every fault on all parts: nothing missing, doubled, stale, unaccounted or an orphan; each kind has fired."""
    console = Console(file=(tmp_path / "log").open("w"))
    with Progress(console=console, disable=True) as progress:
        outcome = campaign(local_stack, tmp_path, 2, 4, progress)
    report(outcome, console)
    record_property("says", outcome.line)
    assert outcome.findings == []
    assert outcome.in_flight > 0
    assert outcome.zombies > 0
