"""What every sink inherits: what the target cannot hold at the moment is left out, nothing waits for it, and it is written when it can."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from schemas.records import Reference, Wish
from sinks.again import AGAIN
from tests.contract.sink_memory import Bench, Memory, numbers
from tests.integration.sink_kit import Desk, company, contact, invoice, lines, sink_running

WHY = "the portal takes no invoices"


class Invoices(Memory):
    objects = ("company", "contact", "invoice")

    def now_out(self, **out: str) -> None:
        self.out, self.changes = out, self.changes + 1


@pytest.fixture(scope="module")
def running(stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:  # type: ignore[no-untyped-def]
    desk, memory = Desk(stack.kafka, stack.registry, f"l{time.time_ns()}.", None, tmp_path_factory.mktemp("sink")), Invoices()
    with sink_running(desk, memory) as complain:
        yield Bench(desk, memory, complain)


@pytest.fixture
def bench(running: Bench) -> Iterator[Bench]:
    yield running
    running.target.now_out()  # type: ignore[attr-defined]


def until_held(bench: Bench, *wishes: Wish) -> None:
    facets = bench.target.facets
    bench.until(lambda: all(facets.get((wish.subject, wish.facet)) is not None for wish in wishes), "all are written")
    assert all(facets[wish.subject, wish.facet].wish.version == wish.version for wish in wishes)


def test_nothing_waits_for_what_is_left_out(bench: Bench) -> None:
    """A document, its lines, and one whose company is not there end without a call; in their last state they are written by themselves when
    the target takes them, and each change has ended once."""
    n, late = next(numbers), next(numbers)
    memory, newest = bench.target, invoice(n, 2, n, hs_comments="newest")
    bench.desk.send(company(n, 1), invoice(late, 1, late), lines(late, 1, "1"))
    bench.until_events(company(n, 0), written=1)
    bench.until_events(invoice(late, 0, late), waiting=2)
    assert isinstance(memory, Invoices)
    memory.now_out(invoice=WHY)
    bench.desk.send(invoice(n, 1, n), lines(n, 1, "1"))
    bench.until_events(invoice(n, 0, n), out_of_scope=2)
    bench.desk.send(newest, newest)
    bench.until(lambda: bench.events(newest).get("out_of_scope") == 3, "the newest")
    bench.until_events(invoice(late, 0, late), waiting=2, released=2, out_of_scope=2)
    assert memory.calls_for(newest) == memory.calls_for(invoice(late, 0, late)) == 0
    states = bench.desk.results()[newest.subject].facets
    found = {name: (state.version, state.outcome) for name, state in states.items()}
    assert found == {"document": (2, "left_out"), "lines": (1, "left_out")}
    details = [one.detail for one in bench.desk.entries() if one.ref == newest.subject and one.event == "out_of_scope"]
    assert set(details) == {WHY}
    memory.now_out()
    until_held(bench, newest, lines(n, 1, "1"))
    bench.until(lambda: bench.events(newest).get("rewritten") == 2, "the account")
    assert "written" not in bench.events(newest)
    bench.desk.send(company(late, 1))
    until_held(bench, invoice(late, 1, late), lines(late, 1, "1"))


def test_only_what_it_cannot_hold_is_left_out(bench: Bench) -> None:
    """Of two documents the one with the value in question is left out, and its lines with it, whatever they hold; the other is written."""
    n, m = next(numbers), next(numbers)
    memory = bench.target
    assert isinstance(memory, Invoices)
    memory.now_out(XYZ="no such currency")
    strange = invoice(m, 1, n, hs_currency="XYZ")
    bench.desk.send(company(n, 1), invoice(n, 1, n), lines(n, 1, "1"), lines(m, 1), strange, lines(m, 1))
    until_held(bench, invoice(n, 1, n), lines(n, 1, "1"))
    bench.until(lambda: bench.events(strange).get("out_of_scope") == 2, "left out")
    assert memory.calls_for(strange) == 0
    bench.desk.send(strange, headers=((AGAIN, b"1"),))
    bench.until(lambda: bench.events(strange).get("unchanged", 0) > 0, "the repeat")
    memory.now_out()
    until_held(bench, strange, lines(m, 1))


def test_what_a_call_shows_to_be_impossible(bench: Bench) -> None:
    """A document that was written stays as it is there, its next change is left out with what comes after; then it is written in place."""
    n = next(numbers)
    memory = bench.target
    bench.desk.send(company(n, 1), invoice(n, 1, n), lines(n, 1, "1"))
    until_held(bench, lines(n, 1, "1"))
    memory.lost = {"invoice": WHY}
    paid = invoice(n, 2, n, hs_invoice_status="paid")
    bench.desk.send(paid)
    bench.until(lambda: bench.events(paid).get("out_of_scope") == 1, "left out")
    result = bench.desk.results()[paid.subject]
    assert (result.facets["document"].outcome, result.facets["lines"].outcome) == ("left_out", "written")
    bench.desk.send(paid, lines(n, 2, "1"))
    bench.until(lambda: bench.events(paid).get("unchanged", 0) >= 2, "a copy, and lines as they were")
    calls = memory.calls_for(paid)
    assert isinstance(memory, Invoices)
    memory.now_out()
    bench.until(lambda: memory.facets[paid.subject, "document"].wish.version == 2, "the payment")
    assert memory.calls_for(paid) == calls + 1
    assert memory.facets[paid.subject, "document"].written == result.target.rpartition(":")[2]  # type: ignore[union-attr]


def test_the_next_owner_writes_what_is_possible_by_now(stack, prefix: str, tmp_path) -> None:  # type: ignore[no-untyped-def]
    """A start is a look: what the run before left out is written where the target takes it, and what was written without an optional
    reference is written with it where its link came while nobody looked."""
    desk, memory = Desk(stack.kafka, stack.registry, prefix, None, tmp_path), Invoices()
    n, m, friend = next(numbers), next(numbers), company(next(numbers), 0).subject
    person = contact(m, 1, n)
    person = person.model_copy(update={"references": [*person.references, Reference(name="friend", ref=friend, optional=True)]})
    memory.now_out(invoice=WHY)
    with sink_running(desk, memory) as complain:
        bench = Bench(desk, memory, complain)
        desk.send(company(n, 1), invoice(n, 1, n), lines(n, 1, "1"), person)
        bench.until_events(invoice(n, 0, n), out_of_scope=2)
        bench.until(lambda: bench.events(person).get("written") == 1, "the contact")
    desk.send_link(friend, "hubspot:company:77", "hubspot")
    memory = Invoices()
    with sink_running(desk, memory) as complain:
        bench = Bench(desk, memory, complain)
        until_held(bench, invoice(n, 1, n), lines(n, 1, "1"))
        bench.until(lambda: bench.events(person).get("rewritten") == 1, "with the friend")
    assert memory.held[person.subject].references["friend"] == "77"
