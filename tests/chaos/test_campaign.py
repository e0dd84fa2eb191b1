"""The fault campaign in its short form; `make chaos` is the long one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from rich.console import Console
from rich.progress import Progress

from tests.chaos.campaign import campaign, report
from weighlock.stack import Stack


@pytest.mark.timeout(900)
def test_two_minutes(local_stack: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two minutes or more of every fault on all parts: nothing missing, doubled, stale, unaccounted or an orphan; each kind has fired."""
    with Progress(console=Console(file=(tmp_path / "log").open("w")), disable=True) as progress:
        outcome = campaign(local_stack, tmp_path, 2, 4, progress)
    with capsys.disabled():
        report(outcome, Console(file=sys.stdout))
    assert outcome.findings == []
    assert outcome.in_flight > 0
    assert outcome.zombies > 0
