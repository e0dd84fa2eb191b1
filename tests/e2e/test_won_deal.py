"""A deal that is won in HubSpot becomes a customer in Acumatica, and that customer's number comes back to the very company."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from schemas.records import Audit, DeadLetter
from schemas.topics import AUDIT, DEAD_LETTERS
from tests.harness.system import Broker, System, eventually, running

DEALS = """
[deals]
since = 2026-01-01
deal = { every = 0.5 }
overlap_seconds = 30
requests_per_minute = 6000
rules = [{ when = { country = "DE", pipeline = "Sales Pipeline" }, give = { Terms = "60D" } }, { give = { Terms = "COD" } }]
"""
NUMBERED, QUICK = ("--set", "customer_numbering=auto"), ("--set", "search_delay_seconds=0.5")


def made(entries: list[dict[str, Any]], entity: str) -> str:
    return str(next(entry["id"] for entry in entries if entry["entity"] == entity and entry["op"] == "create"))


def customers(system: System) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = system.erp.get("/dump")["customers"]
    return found


def company(system: System, id: str) -> dict[str, Any]:
    return next(row["properties"] for row in system.crm.get("/dump")["companies"] if row["id"] == id)


def test_a_won_deal_becomes_a_customer(stack: Broker, tmp_path: Path) -> None:
    """Won: one customer, by the rules, with the company's ref; the company gets its number. A second deal makes none; a deal
    without a company, and one of a company that is like a customer, are dead letters."""
    with running(stack, tmp_path, "--data", "empty", acumatica=NUMBERED, hubspot=QUICK, more=DEALS) as system:
        firm = {"name": "Acme", "domain": "acme.example", "country": "Germany", "hs_country_code": "DE", "city": "Ulm"}
        acme = made(system.crm.edit(entity="company", create=firm), "company")
        jane = made(system.crm.edit(entity="contact", create={"email": "jane@acme.example", "lastname": "Doe"}), "contact")
        deal = {"dealname": "First", "dealstage": "contractsent"}
        first = made(system.crm.edit(entity="deal", create=deal, company=acme, contact=jane), "deal")
        system.erp.edit(entity="customer", create={"CustomerName": "Bolt Ltd"})
        system.start()
        bolt = made(system.crm.edit(entity="company", create={"name": "BOLT LTD"}), "company")
        won = {"dealstage": "closedwon"}
        system.crm.edit(entity="deal", create=won | {"dealname": "Like a customer"}, company=bolt)
        system.crm.edit(entity="deal", create=won | {"dealname": "Nobody's"})
        system.crm.edit(entity="deal", key=first, fields=won)
        eventually("the customer is made", lambda: len(customers(system)) == 2, 120)
        customer = next(row for row in customers(system) if row["CustomerName"] == "Acme")
        assert (customer["AccountRef"], customer["Terms"]) == (f"hubspot:company:{acme}", "60D")
        assert (customer["MainContact"]["Email"], customer["MainContact"]["Address"]["City"]) == ("jane@acme.example", "Ulm")
        number = customer["CustomerID"]
        eventually("its number is on the company", lambda: company(system, acme).get("acumatica_customer_id") == number, 120)
        system.crm.edit(entity="deal", create=won | {"dealname": "Second"}, company=acme)
        eventually("the second deal is done", lambda: any("is a customer already" in one for one in unchanged(system)), 120)
        eventually("two dead letters", lambda: len(records(system, DeadLetter, DEAD_LETTERS)) == 2, 120, 0.5)
        letters = {one.ref: one.reason for one in records(system, DeadLetter, DEAD_LETTERS)}
        like = next(row for row in customers(system) if row["CustomerName"] == "Bolt Ltd")
        assert f"may be this company already: customer {like['CustomerID']} (Bolt Ltd" in letters[f"hubspot:company:{bolt}"]
        assert any("no company is associated with the deal" in reason for reason in letters.values())
        told = system.command("trace", f"hubspot:deal:{first}").stdout
        for word in ("read (", "First in Closed Won", "normalised", f"First of hubspot:company:{acme}", "become a customer: see there"):
            assert word in " ".join(told.split()), told
        system.agree()
        assert len(customers(system)) == 2
        assert system.erp.get("/calls")["sessions"]["most"] == 1  # the source and the sink share a seat


def unchanged(system: System) -> list[str]:
    """What was said of changes that asked for nothing."""
    return [one.detail or "" for one in records(system, Audit, AUDIT) if one.event == "unchanged"]


def records(system: System, kind: Any, topic: Any) -> list[Any]:
    return [record for message in system.wire.read(topic) if (record := system.wire.decode(kind, message)) is not None]
