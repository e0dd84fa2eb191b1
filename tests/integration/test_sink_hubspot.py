"""The HubSpot sink on a real Kafka, against the sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.sink_kit import Desk, Sandbox, company, contact, eventually, sink_running


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    found = Sandbox(tmp_path)
    yield found
    found.close()


@pytest.fixture
def desk(stack, prefix: str, sandbox: Sandbox, tmp_path: Path) -> Desk:
    return Desk(stack.kafka, stack.registry, prefix, sandbox, tmp_path)


def test_all_kinds_of_faults(desk: Desk, sandbox: Sandbox) -> None:
    """Limits, locks, lost answers, silence and error pages: all arrives once, and nobody is blamed."""
    faults: list[dict[str, Any]] = [
        {
            "path": "batch/upsert",
            "kind": "status",
            "args": {"status": 429, "body": {"status": "error", "policyName": "SECONDLY"}},
            "times": 2,
        },
        {"path": "batch/upsert", "kind": "reset-after", "times": 2},
        {"path": "batch/upsert", "kind": "silent", "times": 2},
        {"path": "batch/upsert", "kind": "html", "args": {"status": 502}},
        {"path": "batch/read", "kind": "status", "args": {"status": 423, "body": {"status": "error", "message": "locked"}}},
        {"path": "batch/read", "kind": "html", "args": {"status": 503}},
        {"path": "search", "kind": "stale-search"},
        {"path": "batch/create", "kind": "reset", "times": 2},
        {"path": "batch/create", "kind": "reset-after", "times": 2},
    ]
    for fault in faults:
        sandbox.fault(**fault)
    firms = [company(n, n, domain=f"c{n}.example") for n in range(40)]
    people = [contact(n, n, n, email=f"p{n}@x.example") for n in range(40)]
    with sink_running(desk) as complain:
        desk.send(*firms, *people)
        eventually(lambda: complain() or sum(events["written"] > 0 for events in desk.audit().values()) == 80, 150, "80 written")
    assert all(rule["fired"] == rule["times"] for rule in sandbox.get("faults")), "a fault was not met"
    assert len(sandbox.held("companies", "acumatica_customer_key")) == len(sandbox.live("companies")) == 40
    assert len(sandbox.held("contacts", "acumatica_contact_key")) == len(sandbox.live("contacts")) == 40
    assert len({(row["from_id"], row["to_id"]) for row in sandbox.get("dump")["associations"]}) == 40
    assert desk.dead_letters() == []


def test_companies_and_their_contacts_arrive(desk: Desk, sandbox: Sandbox) -> None:
    """Contacts that are read before their company wait for its link, then arrive associated with it; all is accounted for."""
    people = [contact(n, n, n % 30, email=f"p{n}@c{n % 30}.example") for n in range(60)]
    firms = [company(n, n, domain=f"c{n}.example") for n in range(30)]
    desk.send(*people)
    with sink_running(desk) as complain:
        eventually(lambda: complain() or sum(events["waiting"] for events in desk.audit().values()) == 60, what="60 wait")
        desk.send(*firms)
        eventually(lambda: complain() or desk.ends() >= 90, what="90 ends")
    held = sandbox.held("companies", "acumatica_customer_key")
    assert len(held) == len(sandbox.live("companies")) == 30
    assert len(sandbox.held("contacts", "acumatica_contact_key")) == 60
    pairs = {(row["from_id"], row["to_id"], tuple(sorted(row["types"]))) for row in sandbox.get("dump")["associations"]}
    results, links, audit = desk.results(), desk.links(), desk.audit()
    for wish in people:
        target, firm = results[wish.subject].target, results[wish.references[0].ref].target.rpartition(":")[2]
        assert (target.rpartition(":")[2], firm, (1, 279)) in pairs
        assert results[wish.subject].associations == {"company": firm}
        assert (links[wish.subject], links[target]) == (target, wish.subject)
        assert audit[wish.subject] == {"waiting": 1, "released": 1, "written": 1}
