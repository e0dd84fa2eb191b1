"""How many calls a first sync takes, what polling at rest costs, and how many of Acumatica's seats are taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.calls import World, first_sync, prepared
from tests.harness.system import Broker, eventually, running

#: The demo's settings poll each entity twice a second.
EVERY = 0.5


@pytest.mark.parametrize("filled", ["half", "none"])
def test_a_first_sync_takes_few_calls(filled: str, stack: Broker, tmp_path: Path) -> None:
    """At most 1.2 times the least number of calls to HubSpot, none refused; then one list per entity and interval of Acumatica."""
    world = World(1000, 2500, filled == "half")
    with prepared(stack, tmp_path, world) as system:
        count = first_sync(system, world, rest=4, seconds=150)
    assert count.verdict["agreed"], count
    assert count.ratio <= 1.2, str(count)
    assert count.refused == 0, str(count)
    lists = {route.rpartition("/")[2]: calls for route, calls in count.rest.items()}
    assert set(lists) == {"Customer", "Contact"}, str(count)
    assert max(lists.values()) <= count.rested / EVERY + 1, str(count)


def test_one_seat_through_ten_kills(stack: Broker, tmp_path: Path) -> None:
    """Whoever comes after a killed source goes on with its session of Acumatica: one seat after ten kills, none after a stop."""
    with running(stack, tmp_path, "--customers", "5") as system:
        polls = "GET /entity/{endpoint}/{version}/Contact"
        for _ in range(10):
            before = sum(system.erp.get("/calls")["routes"].get(polls, {}).values())
            system.source.start()
            eventually("the source reads", lambda before=before: sum(system.erp.get("/calls")["routes"].get(polls, {}).values()) > before)
            system.source.kill()
        assert system.erp.get("/calls")["sessions"] == {"open": 1, "most": 1, "seats": 2}
        system.source.start()
        eventually("the source reads again", lambda: system.erp.get("/calls")["routes"][polls]["200"] > before + 1)
        assert system.source.stop() == 0
        assert system.erp.get("/calls")["sessions"] == {"open": 0, "most": 1, "seats": 2}
