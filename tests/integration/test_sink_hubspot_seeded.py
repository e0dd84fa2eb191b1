"""Customers that were made of companies of HubSpot come back to those very companies (docs/deals.md)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.sink_kit import Desk, Sandbox, company, eventually, sink_running


@pytest.fixture
def sandbox(tmp_path: Path):  # type: ignore[no-untyped-def]
    found = Sandbox(tmp_path, "--set", "search_delay_seconds=0")
    yield found
    found.close()


def test_a_seeded_customer_lands_on_its_company(stack, prefix: str, tmp_path: Path, sandbox: Sandbox) -> None:  # type: ignore[no-untyped-def]
    """Whether the link of the other sink or the customer itself comes first; another company has its domain. A customer with a copied ref
    does not get the company."""
    desk = Desk(stack.kafka, stack.registry, prefix, sandbox, tmp_path)
    ids = [str(sandbox.edit(entity="company", create={"name": name})[0]["id"]) for name in ("Linked", "Named")]
    for number in (1, 2):
        sandbox.edit(entity="company", create={"name": "Of that domain", "domain": f"c{number}.example"})
    linked, named = company(1, 1, domain="c1.example"), company(2, 1, domain="c2.example")
    copied = company(3, 1, domain="c3.example").model_copy(update={"target": f"hubspot:company:{ids[1]}"})
    named = named.model_copy(update={"target": f"hubspot:company:{ids[1]}"})
    desk.send_link(linked.subject, f"hubspot:company:{ids[0]}", "hubspot")
    desk.send_link(f"hubspot:company:{ids[0]}", linked.subject, "acumatica")
    with sink_running(desk) as complain:
        desk.send(linked, named)
        eventually(lambda: complain() or desk.ends() == 2)
        desk.send_link(named.subject, f"hubspot:company:{ids[1]}", "hubspot")  # the other sink's result comes after all
        desk.send(copied, company(2, 2, domain="c2.example", phone="2").model_copy(update={"target": named.target}))
        eventually(lambda: complain() or desk.ends() == 4)
    held = sandbox.held("companies", "acumatica_customer_key")
    assert {key.rpartition("|")[2][-1]: row["id"] for key, row in held.items()} == {"1": ids[0], "2": ids[1]}
    (letter,) = desk.dead_letters()
    assert (letter.ref, letter.candidates) == (copied.subject, [ids[1]])
    assert f"company {ids[1]} of HubSpot, which is" in letter.reason
    assert len(sandbox.live("companies")) == 4
