"""The HubSpot sink on a real Kafka, in a portal that takes invoices, then not, then again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas.records import Wish
from sinks import hubspot_scope
from tests.integration.sink_kit import Desk, Sandbox, company, contact, eventually, invoice, lines, receivables, sink_running

Complain = Callable[[], None]


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    found = Sandbox(tmp_path)
    yield found
    found.close()


@pytest.fixture
def desk(stack, prefix: str, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(hubspot_scope, "EVERY", 0.5)
    return Desk(stack.kafka, stack.registry, prefix, sandbox, tmp_path)


def held(desk: Desk, wish: Wish) -> dict[str, Any]:
    """The invoice there, empty where there is none."""
    found: dict[str, Any] = desk.sandbox.held("invoices", "acumatica_invoice_key").get(wish.key_value, {})
    return found


def prices(desk: Desk, wish: Wish) -> dict[str, str]:
    """What is associated with the invoice there: its lines' prices, by their numbers."""
    dump, id = desk.sandbox.get("dump"), held(desk, wish).get("id")
    own = {row["to_id"] for row in dump["associations"] if row["from_id"] == id} | {
        row["from_id"] for row in dump["associations"] if row["to_id"] == id
    }
    rows = [row["properties"] for row in dump["line_items"] if not row["archived"] and row["id"] in own]
    return {row["acumatica_line_key"].rpartition("|")[2]: row["price"] for row in rows}


def has(desk: Desk, complain: Complain, wish: Wish, *own: str, **properties: str) -> None:
    """Until HubSpot holds the invoice so, with lines of these prices."""

    def there() -> bool:
        complain()
        found = held(desk, wish)
        return all(found.get(name) == value for name, value in properties.items()) and prices(desk, wish) == dict(
            zip("123456789", own, strict=False)
        )

    eventually(there, 120, f"{wish.subject}: {properties}, {own}")


def test_invoices_come_and_go_with_the_scope(desk: Desk, sandbox: Sandbox) -> None:
    """Invoices of a company that comes later, with a contact that comes later still; paid in place; the scope is lost in the middle: the
    company's totals go on, nothing waits and nothing is a dead letter; it is back: all is as it should be, each invoice once."""
    one, two, paid = invoice(1, 1, 1, 1), invoice(2, 1, 1), invoice(1, 2, 1, 1, hs_invoice_status="paid")
    with sink_running(desk) as complain:
        desk.send(one, lines(1, 1, "1", "2"), company(1, 1))
        has(desk, complain, one, "1", "2", hs_invoice_status="open", hs_amount_billed="1.50")
        desk.send(contact(1, 1, 1, email="p@x.example"))
        eventually(lambda: complain() or one.subject in desk.results(), 90, "the result")
        eventually(lambda: desk.results()[one.subject].associations.keys() >= {"company", "contact"}, 90, "the contact")
        sandbox.portal(invoices="no-scope")
        desk.send(paid, two, lines(2, 1, "5"), receivables(1, 1, acumatica_terms="30D"))
        eventually(lambda: complain() or desk.audit()[two.subject]["out_of_scope"] == 2, 90, "left out")
        eventually(lambda: complain() or sandbox.live("companies")[0]["properties"].get("acumatica_terms") == "30D", 90, "the totals")
        assert held(desk, one)["hs_invoice_status"] == "open"
        reasons = {entry.detail or "" for entry in desk.entries() if entry.event == "out_of_scope"}
        assert all("crm.objects.invoices" in why for why in reasons), reasons  # in the words of the write, or of a question since
        sandbox.portal(invoices="ok")
        has(desk, complain, paid, "1", "2", hs_invoice_status="paid")
        has(desk, complain, two, "5")
    assert desk.dead_letters() == []
    assert len(sandbox.live("invoices")) == 2


def test_a_portal_that_takes_none_of_them_yet(desk: Desk, sandbox: Sandbox) -> None:
    """Without the object the sink starts, and companies are written; in a currency that the portal does not have, an invoice is left out
    alone. The next start finds what has become possible, and so does a running sink."""
    mine, strange = invoice(1, 1, 1), invoice(2, 1, 1, hs_currency="XYZ")
    sandbox.portal(invoices="absent")
    with sink_running(desk) as complain:
        desk.send(company(1, 1), mine, lines(1, 1, "1"), strange, lines(2, 1))
        eventually(lambda: complain() or desk.audit()[mine.subject]["out_of_scope"] == 2, 90, "left out")
        eventually(lambda: complain() or sandbox.live("companies"), 90, "the company")
        assert sandbox.live("invoices") == []
    sandbox.portal(invoices="ok")
    with sink_running(desk) as complain:
        has(desk, complain, mine, "1")
        assert not held(desk, strange)
        desk.send(invoice(1, 2, 1, hs_invoice_status="paid"))
        has(desk, complain, mine, "1", hs_invoice_status="paid")
        sandbox.portal(additional_currencies=["XYZ"])
        has(desk, complain, strange, hs_currency="XYZ")
    assert desk.dead_letters() == []
    assert len(sandbox.live("invoices")) == 2
