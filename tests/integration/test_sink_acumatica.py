"""The Acumatica sink on a real Kafka, against the sandbox: whatever becomes of calls and callers, each company becomes one customer."""

from __future__ import annotations

import pytest

from sinks import acumatica, intents
from tests.integration import seed_rounds
from tests.integration.acumatica_kit import Line, Town
from tests.integration.seed_rounds import Clock

#: Of each kind of trouble so many customers; `python -m tests.integration.seed_rounds` does it with 200.
ROUNDS = 20


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(intents, "now", found)
    monkeypatch.setattr(acumatica, "FRUITLESS", 10**6)
    return found


@pytest.fixture
def town(stack, prefix: str, tmp_path) -> Town:  # type: ignore[no-untyped-def]
    return Town(stack, prefix, tmp_path, Line(customer_numbering="auto"))


def test_lost_and_late_answers(town: Town, clock: Clock) -> None:
    """Time-outs after the commit, and before a commit that comes late: one customer for each company, and both links."""
    seed_rounds.lost_and_late(town, clock, ROUNDS)
    assert town.line.carrying() == sorted(f"hubspot:company:{number}" for number in range(1, 2 * ROUNDS + 1))
    links = town.links()
    for row in town.line.customers:
        ref = f"acumatica:customer:{row['id']}"
        assert (links[ref], links[str(row["AccountRef"])]) == (row["AccountRef"], ref)


def test_killed_and_zombies(town: Town, clock: Clock) -> None:
    """Killed between the calls and their results; standing still in the midst of a call while another one takes over: one customer each."""
    seed_rounds.killed_and_zombie(town, clock, ROUNDS)
    assert town.line.carrying() == sorted(f"hubspot:company:{number}" for number in range(1, 2 * ROUNDS + 1))
