"""Killed between two steps that belong together, on purpose: nothing is lost, nothing doubled, and all is accounted for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.chaos.scenarios import killed_at
from tests.harness.accounting import account, twice_created
from tests.harness.flight import Flight, Tower
from tests.harness.system import Broker, System, eventually, running


@pytest.fixture(scope="module")
def system(stack: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with running(stack, tmp_path_factory.mktemp("failpoints"), "--customers", "60", "--seed", "21") as one:
        one.start()
        one.agree(180)
        yield one


def all_is_well(system: System) -> None:
    system.agree()
    eventually("nothing is left to read", Tower(system).idle)
    assert account(system.wire).problems == []
    assert twice_created(system.crm.get("/log")) == []


def edit(system: System, seed: int) -> None:
    system.erp.edit(random=40, seed=seed)


def test_between_page_and_checkpoint(system: System) -> None:
    """The producer dies with a page sent and no checkpoint: the open page never counts, and is read again."""
    killed_at(system, "source-acumatica", "page-before-checkpoint", lambda: edit(system, 1))
    assert Tower(system, 60).look("source-acumatica").open > 0
    system.source.start()
    all_is_well(system)


def test_between_output_and_commit(system: System) -> None:
    """The stream worker dies with its outputs out and its offsets not committed: the same again changes nothing."""
    before = Tower(system, 60).look("streams")

    def change() -> None:
        edit(system, 2)
        eventually("the edits are on the source topics", lambda: Tower(system, 60).look("streams").lag > before.lag + 10)

    killed_at(system, "streams", "output-before-commit", change)
    after = Tower(system, 60).look("streams")
    assert after.written > before.written
    assert after.lag > before.lag
    system.streams.start()
    all_is_well(system)


def killed_sink(system: System, point: str, seed: int) -> tuple[Flight, int]:
    """What the dead sink leaves: its results against before, and how many writes HubSpot has seen of it."""
    before, tower = len(system.crm.get("/log")), Tower(system, 60)

    def change() -> None:
        edit(system, seed)
        eventually("the edits are wishes", lambda: tower.look("sink-hubspot").lag > 10)

    killed_at(system, "sink-hubspot", point, change)
    return tower.look("sink-hubspot"), len(system.crm.get("/log")) - before


def test_between_answer_and_result(system: System) -> None:
    """The sink dies with HubSpot's answer in its hands and nothing said about it: written once more, and only once there."""
    left, writes = killed_sink(system, "answer-before-result", 3)
    assert writes > 0
    assert left.open == 0
    system.sink.start()
    all_is_well(system)


def test_between_result_and_commit(system: System) -> None:
    """The sink dies with its transaction open: none of it counts, the next one fences it and does it again."""
    left, writes = killed_sink(system, "result-before-commit", 4)
    assert writes > 0
    assert left.open > 0
    system.sink.start()
    all_is_well(system)


@pytest.mark.parametrize("back", [False, True], ids=["on to a third", "back again"])
def test_moved_again_before_the_restart(system: System, back: bool) -> None:
    """A contact that moves, whose move was written and not recorded, and that moves once more ends with its last company only."""
    system.agree()
    dump = system.erp.get("/dump")
    codes = [row["CustomerID"] for row in dump["customers"] if (row["CustomerName"] or "").strip()]
    person = next(row for row in dump["contacts"] if row["BusinessAccount"] in codes and not row["Email"])
    first = person["BusinessAccount"]
    second, third = [code for code in codes if code != first][:2]

    def move(code: str) -> None:
        system.erp.edit(entity="contact", key=person["ContactID"], fields={"BusinessAccount": code})

    killed_at(system, "sink-hubspot", "answer-before-result", lambda: move(second))
    move(first if back else third)
    system.sink.start()
    all_is_well(system)
