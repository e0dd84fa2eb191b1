"""The net holds: with a worker that is wrong on purpose the same scenarios end in a disagreement, and without it they do not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chaos import scenarios
from tests.harness.system import Broker, running

#: Mutant, scenario, the finding that gives it away.
CASES: list[tuple[str, Callable[..., None], str]] = [
    ("ack-before-write", scenarios.first_sync_with_a_call_that_fails, "rule 1: no company"),
    ("no-checkpoint-transaction", scenarios.first_sync_with_a_lost_page, "rule 1: no company"),
    ("skip-paging", scenarios.first_sync_while_rows_vanish, "rule 1: no company"),
]


@pytest.mark.parametrize(("mutant", "scenario", "finding"), CASES, ids=[case[0] for case in CASES])
def test_a_mutant_is_caught(mutant: str, scenario: Callable[..., None], finding: str, stack: Broker, tmp_path: Path) -> None:
    """As it is, a worker ends the scenario in agreement; the mutant loses records, and the comparer says which."""
    data = ("--customers", "80", "--contacts", "120", "--seed", "31")
    with running(stack, tmp_path / "honest", *data) as system:
        scenario(system)
        system.agree()
    with running(stack, tmp_path / "mutant", *data) as system:
        scenario(system, WEIGHLOCK_MUTANT=mutant)
        verdict = system.settle()
    assert not verdict["agreed"]
    assert any(one.startswith(finding) for one in verdict["missing"]), verdict["line"]
    assert verdict["companies"] > 0, "nothing arrived at all, so nothing is proven"
