"""The first sync and edits, from one sandbox to the other, through a real Kafka and all three workers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.harness.accounting import account, twice_created
from tests.harness.flight import Tower
from tests.harness.system import Broker, System, eventually, running


@pytest.fixture(scope="module")
def system(stack: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with running(stack, tmp_path_factory.mktemp("sync"), "--customers", "60", "--seed", "11") as one:
        one.start()
        yield one


def held(system: System, kind: str, key: str) -> dict[str, Any] | None:
    """The properties of the record of HubSpot that carries this key."""
    name = {"companies": "acumatica_customer_key", "contacts": "acumatica_contact_key"}[kind]
    rows = system.crm.get("/dump")[kind]
    return next((row["properties"] for row in rows if row["properties"].get(name) == key and not row["archived"]), None)


def test_the_first_sync_ends_in_agreement(system: System) -> None:
    """All that is in scope arrives once, with its values and its company."""
    verdict = system.agree(180)
    dump = system.erp.get("/dump")
    assert 50 < verdict["companies"] <= len(dump["customers"])
    assert 100 < verdict["contacts"] <= len(dump["contacts"])
    assert twice_created(system.crm.get("/log")) == []


def test_edits_arrive(system: System) -> None:
    """What is edited or added in Acumatica is in HubSpot a moment later, and a contact that moves takes its new company."""
    system.agree()
    dump = system.erp.get("/dump")
    customers = {row["CustomerID"]: row for row in dump["customers"]}
    contact = next(row for row in dump["contacts"] if row["BusinessAccount"] in customers and not row["Email"])
    other = next(row for code, row in customers.items() if row["CustomerName"] and code != contact["BusinessAccount"])
    system.erp.edit(entity="customer", key=other["CustomerID"], fields={"CustomerName": "Löwe & Söhne 木材", "CreditLimit": "1234567.89"})
    system.erp.edit(entity="contact", key=contact["ContactID"], fields={"BusinessAccount": other["CustomerID"], "JobTitle": "Yard boss"})
    system.erp.edit(entity="customer", create={"CustomerID": "NEWCOMER", "CustomerName": "Newcomer Inc."})
    system.erp.edit(entity="contact", create={"BusinessAccount": "NEWCOMER", "LastName": "First", "Email": "first@newcomer.example"})
    system.erp.edit(random=30, seed=4)
    eventually(
        "the new job title", lambda: (held(system, "contacts", f"demo|{contact['id']}".lower()) or {}).get("jobtitle") == "Yard boss"
    )
    system.agree()
    company = held(system, "companies", f"demo|{other['id']}".lower())
    assert company is not None
    assert (company["name"], company["acumatica_credit_limit"]) == ("Löwe & Söhne 木材", "1234567.89")


def test_workers_that_start_again_write_nothing(system: System) -> None:
    """A restart of all workers finds its place: HubSpot is not written to, and what is edited meanwhile arrives."""
    system.agree()
    eventually("nothing is left to read", Tower(system).idle)  # what was written and not recorded is written once more
    system.stop()
    before = len(system.crm.get("/log"))
    edits = system.erp.edit(random=5, seed=99)
    system.start()
    system.agree()
    keys = {entry["key"] for entry in system.crm.get("/log", after=before)}
    assert 0 < len(keys) <= len(edits)


def test_every_change_read_is_accounted_for(system: System) -> None:
    """Each record of the source topics ends in exactly one of written, unchanged, superseded, out of scope, waiting, dead letter."""
    system.agree()
    tower = Tower(system)
    eventually("nothing is left to read", tower.idle)
    found = account(system.wire)
    dump = system.erp.get("/dump")
    assert found.problems == []
    assert found.total >= len(dump["customers"]) + len(dump["contacts"])
    assert found.ends["written"] > 0
    assert found.ends["out_of_scope"] > 0
    assert found.ends["rejected"] > 0
    assert found.ends["waiting"] == 0
