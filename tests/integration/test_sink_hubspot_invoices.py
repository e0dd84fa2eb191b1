"""HubSpotTarget against the sandbox, without Kafka: invoices and their lines."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from schemas.records import Wish
from sinks import hubspot_scope
from sinks.contract import Answer, Gone, LeftOut, Resolved, Written
from sinks.hubspot_setup import setup
from streams.mappings import hubspot as table
from tests.integration.sink_kit import company, contact, definitions, invoice, lines
from tests.integration.test_sink_hubspot_identity import started
from tests.integration.test_sink_hubspot_match import Bench, id_of
from weighlock.errors import RejectedError

numbers = itertools.count(1)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    portal = started(tmp_path_factory.mktemp("hubspot"))
    yield Bench(portal)
    portal.close()


def pairs(bench: Bench, id: str) -> dict[str, set[str]]:
    """The ids of what an invoice is associated with, by kind."""
    found: dict[str, set[str]] = {}
    for row in bench.sandbox.get("dump")["associations"]:
        if (row["from"], row["from_id"]) == ("invoice", id):
            found.setdefault(row["to"], set()).add(row["to_id"])
        elif (row["to"], row["to_id"]) == ("invoice", id):
            found.setdefault(row["from"], set()).add(row["from_id"])
    return found


def prices(bench: Bench, wish: Wish) -> dict[str, str]:
    """The live lines of an invoice, by the last part of their keys."""
    held = bench.sandbox.held("line_items", "acumatica_line_key")
    return {key.rpartition("|")[2]: row["price"] for key, row in held.items() if key.startswith(f"{wish.key_value}|")}


def known(wish: Wish, answer: Answer, references: dict[str, str]) -> Resolved:
    """What was written before, as the ledger has it."""
    assert isinstance(answer, Written)
    return Resolved(wish, references, written=answer.id, associations=answer.associations or {})


def of(wish: Wish, id: str, *, again: bool = False, before: bool = False) -> Resolved:
    """The lines of that invoice."""
    return Resolved(wish, {"invoice": id}, written=id, again=again, associations={"invoice": id} if before else {})


def firm(bench: Bench) -> str:
    return id_of(bench.write_one(company(next(numbers), 1)))


def test_an_invoice_is_made_whole_and_paid_in_place(bench: Bench) -> None:
    """Made with its status and amount, with its company and its contact; paid or voided later it is the same record."""
    n, there = next(numbers), firm(bench)
    person = id_of(bench.write_one(Resolved(contact(n, 1, n), {"company": there})))
    whose = {"company": there, "contact": person}
    answer = bench.write_one(Resolved(invoice(n, 1, n, n), whose))
    assert isinstance(answer, Written)
    assert (answer.origin, answer.associations) == ("created", whose)
    assert pairs(bench, answer.id) == {"company": {there}, "contact": {person}}
    for status in ("paid", "voided"):
        assert bench.write_one(known(invoice(n, 2, n, n, hs_invoice_status=status), answer, whose)) == replace(answer, origin="known")
        held = bench.sandbox.held("invoices", "acumatica_invoice_key")[invoice(n, 1, n).key_value]
        assert (held["id"], held["hs_invoice_status"], held["hs_amount_billed"]) == (answer.id, status, f"{n}.50")
    assert pairs(bench, answer.id) == {"company": {there}, "contact": {person}}


def test_the_contact_comes_later(bench: Bench) -> None:
    """Where only the contact is new, nothing is written but the association; of one that people deleted meanwhile, all is."""
    n, there = next(numbers), firm(bench)
    answer = bench.write_one(Resolved(invoice(n, 1, n, n), {"company": there}))
    person = id_of(bench.write_one(Resolved(contact(n, 1, n), {"company": there})))
    later = replace(known(invoice(n, 1, n, n), answer, {"company": there, "contact": person}), arrived=frozenset({"contact"}))
    records = bench.sandbox.calls("/objects/")
    assert bench.write_one(later) == Written(id_of(answer), "known", {"company": there, "contact": person})
    assert bench.sandbox.calls("/objects/") == records
    assert pairs(bench, id_of(answer))["contact"] == {person}
    bench.sandbox.edit(entity="invoice", key=id_of(answer), delete=True)
    made = bench.write_one(later)
    assert id_of(made) != id_of(answer)
    assert pairs(bench, id_of(made)) == {"company": {there}, "contact": {person}}


def test_another_contact_and_what_people_associated(bench: Bench) -> None:
    """Billed to another contact, ours changes; whom people added stays; what a late call added goes."""
    n, m, third, there = next(numbers), next(numbers), next(numbers), firm(bench)
    one, two, late = (id_of(bench.write_one(Resolved(contact(k, 1, n), {"company": there}))) for k in (n, m, third))
    answer = bench.write_one(Resolved(invoice(n, 1, n, n), {"company": there, "contact": one}))
    people = bench.make("contact", email=f"people{n}@x.example")
    with bench.sandbox.client() as client:
        client.associations.make(("invoice", "contact"), [(id_of(answer), people), (id_of(answer), late)])
    wish = known(invoice(n, 2, n, m), answer, {"company": there, "contact": two})
    bench.write_one(replace(wish, again=True, strays=frozenset({f"hubspot:contact:{late}"})))
    assert pairs(bench, id_of(answer)) == {"company": {there}, "contact": {two, people}}


def test_an_amount_that_was_lost_is_written_once_more(tmp_path: Path) -> None:
    """§6.2: the amount of a new invoice may read 0; it is written again, for those alone. An invoice over nothing is none of them."""
    portal = started(tmp_path, "amount_billed_on_create=zero")
    bench, n, m = Bench(portal), next(numbers), next(numbers)
    there = firm(bench)
    bench.write(Resolved(invoice(n, 1, n), {"company": there}), Resolved(invoice(m, 1, n, hs_amount_billed="0"), {"company": there}))
    held = portal.held("invoices", "acumatica_invoice_key")
    portal.close()
    assert [held[invoice(k, 1, n).key_value]["hs_amount_billed"] for k in (n, m)] == [f"{n}.50", "0"]


def test_lines_are_their_invoices_own(bench: Bench) -> None:
    """Each line is there once and belongs to it; lines that are changed, added and removed are; what people added stays."""
    n, there = next(numbers), firm(bench)
    id = id_of(bench.write_one(Resolved(invoice(n, 1, n), {"company": there})))
    assert isinstance(bench.write_one(of(lines(n, 1, "1", "2.5", "3"), id)), Written)
    assert prices(bench, lines(n, 1)) == {"1": "1", "2": "2.5", "3": "3"}
    assert len(pairs(bench, id)["line_item"]) == 3
    with bench.sandbox.client() as client:
        (made,) = client.upsert("line_item", "acumatica_line_key", {f"by people {n}": {"name": "theirs", "price": "9"}}).values()
        assert not isinstance(made, RejectedError)
        client.associations.make(("invoice", "line_item"), [(id, made.id)])
    assert isinstance(bench.write_one(of(lines(n, 2, "1.1", "", "3", "4"), id, before=True)), Written)
    assert prices(bench, lines(n, 1)) == {"1": "1.1", "3": "3", "4": "4"}
    assert len(pairs(bench, id)["line_item"]) == 4
    assert made.id in pairs(bench, id)["line_item"]
    bench.write_one(of(lines(n, 3), id, before=True))
    assert prices(bench, lines(n, 1)) == {}


def test_a_line_that_is_refused(bench: Bench) -> None:
    """HubSpot takes no negative price: that invoice's lines are refused with its words, its neighbour's are there."""
    n, m, there = next(numbers), next(numbers), firm(bench)
    ids = [id_of(bench.write_one(Resolved(invoice(k, 1, n), {"company": there}))) for k in (n, m)]
    found = bench.write(of(lines(n, 1, "1", "-2"), ids[0]), of(lines(m, 1, "3"), ids[1]))
    refused = found[lines(n, 1).subject]
    assert isinstance(refused, RejectedError)
    assert "price" in refused.reason
    assert isinstance(found[lines(m, 1).subject], Written)
    assert (prices(bench, lines(n, 1)), prices(bench, lines(m, 1))) == ({"1": "1"}, {"1": "3"})


def test_a_line_that_a_late_call_made(bench: Bench) -> None:
    """A line that was removed and that a late call made once more, with no invoice: written again, the lines are as they should be."""
    n, there = next(numbers), firm(bench)
    id = id_of(bench.write_one(Resolved(invoice(n, 1, n), {"company": there})))
    bench.write_one(of(lines(n, 1, "1", "2"), id))
    bench.write_one(of(lines(n, 2, "1"), id, before=True))
    late = {part.key: {**part.properties, "acumatica_line_key": part.key} for part in lines(n, 1, "1.9", "2").parts}
    with bench.sandbox.client() as client:
        client.upsert("line_item", "acumatica_line_key", late)
    assert prices(bench, lines(n, 1)) == {"1": "1.9", "2": "2"}
    strays = frozenset(late) - {part.key for part in lines(n, 2, "1").parts}
    assert isinstance(bench.write_one(replace(of(lines(n, 2, "1"), id, again=True, before=True), stray_parts=strays)), Written)
    assert prices(bench, lines(n, 1)) == {"1": "1"}


def test_lines_of_an_invoice_that_people_deleted(bench: Bench) -> None:
    """They make none: the document comes first; then they are its, each of them once."""
    n, there = next(numbers), firm(bench)
    answer = bench.write_one(Resolved(invoice(n, 1, n), {"company": there}))
    id = id_of(answer)
    bench.write_one(of(lines(n, 1, "1", "2"), id))
    bench.sandbox.edit(entity="invoice", key=id, delete=True)
    assert bench.write_one(of(lines(n, 2, "1", "2.5"), id, before=True)) == Gone()
    made = id_of(bench.write_one(known(invoice(n, 1, n), answer, {"company": there})))
    assert isinstance(bench.write_one(of(lines(n, 2, "1", "2.5"), made)), Written)
    assert prices(bench, lines(n, 1)) == {"1": "1", "2": "2.5"}
    assert len(pairs(bench, made)["line_item"]) == 2


def test_a_first_sync_takes_few_calls(bench: Bench) -> None:
    """A thousand invoices with three lines each: at most 1.2 times the batches that it takes to write, associate and read them back."""
    there, some = firm(bench), [next(numbers) for _ in range(1000)]
    before: Any = bench.sandbox.get("calls")["total"]
    answers = bench.write(*(Resolved(invoice(n, 1, n), {"company": there}) for n in some))
    bench.write(*(of(lines(n, 1, "1", "2", "3"), id_of(answers[lines(n, 1).subject])) for n in some))
    least = 1000 / 100 + 3000 / 100 + 1000 / 2000 + 3000 / 2000 + 2 * 1000 / 1000
    assert bench.sandbox.get("calls")["total"] - before <= 1.2 * least


@pytest.fixture
def portal(bench: Bench) -> Iterator[Bench]:
    """A target of its own, which knows nothing yet, in a portal that is as it was afterwards."""
    yield Bench(bench.sandbox)
    bench.sandbox.portal(invoices="ok", line_items="ok")


@pytest.mark.parametrize("change", [{"invoices": "no-write"}, {"invoices": "absent"}, {"line_items": "no-scope"}])
def test_an_invoice_that_the_portal_does_not_take(portal: Bench, change: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Found out by the write itself: left out with all its batch, no call more for the next one; asked later, it takes them again."""
    monkeypatch.setattr(hubspot_scope, "EVERY", 0.0)
    n, there, target = next(numbers), firm(portal), portal.target
    target.check()
    id = id_of(portal.write_one(Resolved(invoice(n, 1, n), {"company": there})))
    portal.sandbox.portal(**change)
    wishes = [Resolved(invoice(next(numbers), 1, n), {"company": there}), of(lines(n, 1, "1"), id)]
    answers = portal.write(*wishes).values()
    assert {type(one) for one in answers} == {LeftOut}
    (why,) = {one.reason for one in answers if isinstance(one, LeftOut)}
    assert target.left_out("invoice") == why
    assert target.left_out("company") is None
    calls, changes = portal.sandbox.get("calls")["total"], target.changes
    assert portal.write(wishes[0])[wishes[0].wish.subject] == LeftOut(why)
    assert portal.sandbox.get("calls")["total"] == calls
    target.look()
    assert (target.left_out("invoice") is None, target.changes) == (False, changes)
    portal.sandbox.portal(invoices="ok", line_items="ok")
    target.look()
    assert (target.left_out("invoice"), target.changes) == (None, changes + 1)
    assert all(isinstance(one, Written) for one in portal.write(*wishes).values())


def test_a_property_that_cannot_be_written(portal: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever it is that the write meets: it is remembered, and invoices are left out as long as its definition says so."""
    monkeypatch.setattr(hubspot_scope, "EVERY", 0.0)
    n, there, target = next(numbers), firm(portal), portal.target
    portal.sandbox.portal(invoices={"read-only": ["hs_comments"]})
    wish = Resolved(invoice(n, 1, n, hs_comments="for you"), {"company": there})
    answer = portal.write_one(wish)
    assert isinstance(answer, LeftOut)
    assert "hs_comments" in answer.reason
    target.look()
    assert "hs_comments" in (target.left_out("invoice") or "")
    portal.sandbox.portal(invoices="ok")
    target.look()
    assert isinstance(portal.write_one(wish), Written)


def test_a_currency_that_the_portal_refuses(portal: Bench) -> None:
    """Where it does not say which ones it has: that currency is left out from then on, its neighbours are written."""
    n, m, there = next(numbers), next(numbers), firm(portal)
    strange = Resolved(invoice(n, 1, n, hs_currency="XYZ"), {"company": there})
    answers = portal.write(strange, Resolved(invoice(m, 1, n), {"company": there}))
    left = answers[strange.wish.subject]
    assert isinstance(left, LeftOut)
    assert "XYZ" in left.reason
    assert isinstance(answers[invoice(m, 1, n).subject], Written)
    assert portal.target.left_out("invoice", strange.wish) == left.reason
    assert portal.target.left_out("invoice", invoice(m, 1, n)) is None


def test_setup_where_invoices_are_not_to_be_had(portal: Bench) -> None:
    """Companies and contacts are set up, and each object that is not to be had is named with the reason; the sink starts."""
    portal.sandbox.portal(invoices="absent", line_items="no-scope")
    with portal.sandbox.client() as client:
        steps = setup(client, (table.GROUP["name"], table.GROUP["label"]), definitions())
    assert {step.kind: step.state for step in steps} == {"company": "ok", "contact": "ok", "invoice": "left out", "line_item": "left out"}
    portal.target.check()
    assert portal.target.left_out("invoice") is not None
