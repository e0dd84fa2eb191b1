"""What cannot be right about invoices, payments, the portal and the feeds, while all of it runs: each ends in its place, in words for a
finance person, and goes on when somebody puts it right."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from schemas.records import Audit, DeadLetter
from schemas.topics import AUDIT, DEAD_LETTERS
from tests.harness.system import Broker, System, Worker, eventually, running


@pytest.fixture(scope="module")
def system(stack: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """With one customer, in dollars, and nothing else."""
    with running(stack, tmp_path_factory.mktemp("money"), "--data", "empty") as one:
        one.erp.edit(entity="customer", create={"CustomerID": "ACME", "CustomerName": "Acme", "CurrencyID": "USD"})
        one.start()
        one.agree(180)
        yield one


def billed(system: System, customer: str = "ACME", **words: str) -> dict[str, Any]:
    """An invoice of 100.00 that is released, as the books have it."""
    [name] = {one["key"] for one in system.erp.edit(ar="enter", customer=customer, amount="100.00", release=True, **words)}
    return next(row for row in system.erp.get("/books")["documents"] if f"{row['DocType']}/{row['RefNbr']}" == name)


def ref(row: Mapping[str, Any]) -> str:
    return f"acumatica:invoice:{row['NoteID']}"


def told(system: System, ref: str, event: str, *words: str) -> Audit:
    """The audit record of that event with these words; it is waited for."""

    def found() -> Audit | None:
        entries = (system.wire.decode(Audit, message) for message in system.wire.read(AUDIT))
        return next((one for one in entries if one and (one.ref, one.event) == (ref, event) and has(one.detail or "", words)), None)

    entry: Audit = eventually(f"{ref}: {event}: {words}", found, 120, 0.5)
    return entry


def has(text: str, words: tuple[str, ...]) -> bool:
    return all(word in text for word in words)


def letters(system: System) -> dict[str | None, DeadLetter]:
    found = (system.wire.decode(DeadLetter, message) for message in system.wire.read(DEAD_LETTERS))
    return {letter.ref: letter for letter in found if letter is not None}


def company(system: System, name: str = "Acme") -> dict[str, str]:
    rows = (row["properties"] for row in system.crm.get("/dump")["companies"])
    return next((row for row in rows if row.get("name") == name), {})


def shows(system: System, **properties: str | None) -> None:
    eventually(f"the company shows {properties}", lambda: all(company(system).get(name) == want for name, want in properties.items()), 120)


def invoice(system: System, row: Mapping[str, Any]) -> dict[str, str]:
    rows = (one["properties"] for one in system.crm.get("/dump")["invoices"])
    return next((one for one in rows if one.get("hs_number") == row["RefNbr"]), {})


def again(worker: Worker, **env: str) -> None:
    worker.stop()
    worker.start(**env)


def test_an_invoice_of_nobody(system: System) -> None:
    """Its customer is gone from the ERP before it was read: it is out of scope, and says whose it is."""
    system.source.stop()
    system.erp.edit(entity="customer", create={"CustomerID": "GHOST", "CustomerName": "Ghost"})
    row = billed(system, "GHOST")
    system.erp.edit(entity="customer", key="GHOST", delete=True)
    system.source.start()
    told(system, ref(row), "out_of_scope", "its customer", "is none that we can see")
    system.agree()


def test_an_invoice_of_a_rejected_customer(system: System) -> None:
    """Its customer has no name: the customer is a dead letter, the invoice waits where `weighlock waiting` shows it, and goes on when the
    name is there."""
    system.erp.edit(entity="customer", create={"CustomerID": "NAMELESS"})
    row = billed(system, "NAMELESS")

    def waits() -> dict[str, Any] | None:
        found = json.loads(system.command("waiting", "--json").stdout or "[]")
        rows = found["waiting"] if isinstance(found, dict) else found
        return next((one for one in rows if one["subject"] == ref(row) and "CustomerName" in one["why"]), None)

    eventually("it is seen to wait, and why", waits, 120, 0.5)
    system.erp.edit(entity="customer", key="NAMELESS", fields={"CustomerName": "Named"})
    system.agree()
    assert invoice(system, row)


def test_another_currency(system: System) -> None:
    """An invoice in euros of a customer in dollars is told beside the balance and not in it, with a note about both."""
    row = billed(system, currency="EUR")
    told(system, ref(row), "noted", row["RefNbr"], "EUR", "USD")
    system.agree()
    assert company(system)["acumatica_other_currencies"] == "100.00 EUR open"
    assert invoice(system, row)["hs_currency"] == "EUR"


def test_a_negative_balance(system: System) -> None:
    """It is a dead letter that names the document and the amount and says what to do; what HubSpot shows stays, until it is put right."""
    row = billed(system)
    system.agree()
    before = company(system)["acumatica_ar_balance"]
    wrong = {"CuryDocBal": "-40.00"}
    system.fault(system.erp, path="odata", kind="garbled", times=1000, args={"rows": {row["NoteID"]: wrong}})
    system.erp.edit(ar="pay", documents={f"INV/{row['RefNbr']}": "25.00"})
    letter = eventually("a dead letter", lambda: letters(system).get(ref(row)), 120, 0.5)
    assert has(letter.reason, (f"invoice {row['RefNbr']}", "negative balance", "-40", "Validate the balances"))
    assert letter.value is not None
    assert company(system)["acumatica_ar_balance"] == before
    system.heal()
    system.erp.edit(ar="pay", documents={f"INV/{row['RefNbr']}": "5.00"})
    system.agree()


def test_a_payment_of_a_voided_invoice(system: System) -> None:
    """The invoice goes on as voided, and the audit says how much of which payment is to be reversed."""
    row = billed(system)
    system.erp.edit(ar="pay", documents={f"INV/{row['RefNbr']}": "30.00"})
    system.agree()
    wrong = {"Voided": "true", "CuryDocBal": "0"}
    system.fault(system.erp, path="odata", kind="garbled", times=1000, args={"rows": {row["NoteID"]: wrong}})
    system.erp.edit(ar="pay", documents={f"INV/{row['RefNbr']}": "10.00"})
    told(system, ref(row), "noted", f"invoice {row['RefNbr']} is voided", "30 USD of payment", "reverse that in Acumatica")
    eventually("it is voided there", lambda: invoice(system, row).get("hs_invoice_status") == "voided", 120)
    system.heal()
    system.erp.edit(ar="pay", documents={f"INV/{row['RefNbr']}": "5.00"})
    system.agree()


def test_a_scope_that_is_lost(system: System) -> None:
    """Invoices stop and say why, the company's own properties go on, nothing waits; when it is back, the invoices catch up."""
    row = billed(system)
    system.agree()
    was = company(system)["acumatica_open_invoice_count"]
    system.crm.http.post("/portal", json={"invoices": "no-scope"}).raise_for_status()
    system.erp.edit(ar="pay", documents=[f"INV/{row['RefNbr']}"])
    told(system, ref(row), "out_of_scope", "crm.objects.invoices")
    shows(system, acumatica_open_invoice_count=str(int(was) - 1))
    assert invoice(system, row)["hs_invoice_status"] == "open"
    system.crm.http.post("/portal", json={"invoices": "ok"}).raise_for_status()
    again(system.sink)
    system.agree()
    assert invoice(system, row)["hs_invoice_status"] == "paid"


def test_feeds_that_are_refused(system: System) -> None:
    """The feeds are refused while it runs: documents come from their forms from then on, with a warning; where the settings demand the
    feeds, the worker ends and says so."""
    system.fault(system.erp, path="odata", kind="status", times=10_000, args={"status": 403, "body": "Forbidden"})
    row = billed(system)
    eventually("it is there", lambda: invoice(system, row), 120)
    assert any("the feeds are refused" in str(line) for line in system.source.said())
    system.agree()
    again(system.source, WEIGHLOCK_ACUMATICA__FEED="odata")
    assert system.source.wait(120) in (2, 3), system.source.tail()
    assert "odata" in system.source.tail().lower()
    system.heal()
    again(system.source)
    system.erp.edit(ar="pay", documents=[f"INV/{row['RefNbr']}"])
    system.agree()


def test_a_stage_that_no_pipeline_has(system: System) -> None:
    """The worker of the deals ends at its start, and names the stage and those that there are."""
    deals = {"WEIGHLOCK_DEALS__SINCE": "2026-01-01", "WEIGHLOCK_DEALS__STAGES": '["signedinblood"]'}
    worker = Worker("source-hubspot", system.env, system.folder / "deals.log")
    worker.start(**deals)
    assert worker.wait(120) == 2, worker.tail()
    assert has(worker.tail(), ("signedinblood", "closedwon"))
