"""streams/copies.py and route_invoices.py: what HubSpot shows of an invoice and of its lines."""

from __future__ import annotations

from dataclasses import fields
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from schemas.entities import InvoiceLine
from schemas.records import DeadLetter, Reference, Wish
from schemas.refs import link_key
from streams.copies import InvoiceCopy, LineCopy, line_copy
from streams.mappings import hubspot
from tests.unit.documents_kit import an_application, an_invoice, invoice_ref
from tests.unit.streams_kit import ALICE, AT, BOB, PASSAGE, a_customer, feed, memory, read
from tests.unit.test_route import LINK

REF = invoice_ref("000001")


def copied(**words: Any) -> dict[str, Wish]:
    """The wishes of an invoice, by facet."""
    stages = memory()
    feed(stages, "source.acumatica.customer", a_customer(), ALICE)
    found = feed(stages, "source.acumatica.invoice", an_invoice(**words), REF)
    return {wish.facet: wish for wish in read(stages, Wish, found, "upserts.hubspot") if wish.object == "invoice"}


def test_the_document() -> None:
    """An invoice is a document under our key, never billable, that waits for its company and not for its contact."""
    rows = [
        an_application("INV/000001", "PMT/000009", "30.00", CuryAdjdDiscAmt="1.00", AdjgDocDate=date(2026, 3, 8)),
        an_application("INV/000001", "CRM/000003", "8.9", CuryAdjdWOAmt="0.1"),
    ]
    words = {"contact": BOB, "CuryOrigDocAmt": "100.50", "CuryDocBal": "60.50", "CuryTaxTotal": "7", "TermsID": "30D", "Applications": rows}
    wish = copied(InvoiceNbr="PO 7", DocDesc="Yard order", **words)["document"]
    assert (wish.subject, wish.object, wish.version) == (REF, "invoice", 0)
    assert (wish.key_property, wish.key_value, wish.target) == ("acumatica_invoice_key", "demo|i000001", None)
    assert wish.references == [Reference(name="company", ref=ALICE), Reference(name="contact", ref=BOB, optional=True)]
    assert (wish.matches, wish.parts) == ([], [])
    assert (wish.trace, wish.source_at, wish.source_system) == (PASSAGE.trace, AT, "acumatica")
    assert wish.properties == {
        "hs_number": "000001",
        "hs_currency": "USD",
        "hs_invoice_billable": "false",
        "hs_invoice_status": "open",
        "hs_invoice_date": "2026-03-04",
        "hs_due_date": "2026-04-03",
        "hs_amount_billed": "100.5",
        "hs_purchase_order_number": "PO 7",
        "hs_comments": "Yard order",
        "acumatica_open_balance": "60.5",
        "acumatica_tax_total": "7",
        "acumatica_document_type": "Invoice",
        "acumatica_document_status": "Open",
        "acumatica_terms": "30D",
        "acumatica_payments": "credit memo 000003 of 2026-03-04: 8.90 USD, write-off 0.10 USD\n"
        "payment 000009 of 2026-03-08: 30.00 USD, discount 1.00 USD",
    }


@pytest.mark.parametrize(
    ("words", "status", "erp", "balance"),
    [
        ({"Status": "N", "CuryDocBal": "1"}, "open", "Open", "1"),
        ({"Status": "C", "CuryDocBal": "0"}, "paid", "Closed", "0"),
        ({"Status": "N", "CuryDocBal": "0"}, "paid", "Open", "0"),
        ({"Status": "V", "CuryDocBal": "0"}, "voided", "Voided", "0"),
        ({"Status": "L", "CuryDocBal": "5"}, "voided", "Canceled", "0"),
        ({"Status": "W", "CuryDocBal": "1"}, "open", "W", "1"),
    ],
)
def test_status(words: dict[str, Any], status: str, erp: str, balance: str) -> None:
    """Paid is what has nothing left, voided what was voided or canceled; the ERP's own word stands beside it."""
    found = copied(**words)["document"].properties
    assert (found["hs_invoice_status"], found["acumatica_document_status"], found["acumatica_open_balance"]) == (status, erp, balance)


@pytest.mark.parametrize(("code", "kind"), [("DRM", "Debit memo"), ("FCH", "Overdue charge"), ("CRM", None), ("SMC", None)])
def test_what_has_a_copy(code: str, kind: str | None) -> None:
    """What is billed has a copy; credit memos and write-offs have none."""
    found = copied(code=code)
    assert (found["document"].properties["acumatica_document_type"] if found else None) == kind


def test_the_lines() -> None:
    """The lines are a facet of their own that waits for the document; each has a key of its own, and an invoice without lines has none."""
    row = {"LineNbr": 4, "InventoryID": "NAIL16D", "TranDesc": "Nails", "Qty": "3", "UOM": "BOX", "CuryUnitPrice": "72.005"}
    wish = copied(CuryID="EUR", Lines=[{**row, "CuryDiscAmt": "1.00", "CuryTranAmt": "215.02", "SOOrderNbr": "SO1"}])["lines"]
    assert (wish.properties, wish.references) == ({}, [Reference(name="invoice", ref=REF)])
    (part,) = wish.parts
    assert part.key == "demo|i000001|4"
    assert part.properties == {
        "name": "Nails",
        "description": "unit: BOX\norder: SO1",
        "hs_sku": "NAIL16D",
        "quantity": "3",
        "price": "72.005",
        "discount": "0.33333333",
        "hs_line_item_currency_code": "EUR",
    }
    assert copied()["lines"].parts == []


def line(**words: Any) -> LineCopy:
    amounts = {name: Decimal(value) if name in ("quantity", "price", "discount", "amount") else value for name, value in words.items()}
    return line_copy(InvoiceLine(number=7, **amounts), "USD")


@pytest.mark.parametrize(
    ("words", "quantity", "price", "discount"),
    [
        ({"quantity": "2", "price": "5", "amount": "10"}, "2", "5", None),
        ({"quantity": "2", "price": "5", "discount": "0", "amount": "10"}, "2", "5", None),
        ({"quantity": "4", "price": "5", "discount": "2", "amount": "18"}, "4", "5", "0.5"),
        ({"quantity": "0", "price": "0", "amount": "99.5"}, "1", "99.5", None),
        ({"amount": "99.5", "discount": "0.5"}, "1", "100", "0.5"),
        ({"quantity": "3", "amount": "10"}, "3", "3.33333333", None),
        ({"quantity": "2", "price": "5", "discount": "-1", "amount": "11"}, "2", "5.5", None),
        ({"quantity": "2", "price": "5"}, "2", "5", None),
        ({}, "1", "0", None),
    ],
)
def test_price_and_discount_are_of_one_unit(words: dict[str, str], quantity: str, price: str, discount: str | None) -> None:
    """What HubSpot makes of quantity, price and discount is the line's amount, exactly or to the eighth place of a unit's price."""
    found = line(**words)
    assert (found.quantity, found.price) == (Decimal(quantity), Decimal(price))
    assert found.discount == (None if discount is None else Decimal(discount))
    if "amount" in words:
        made = found.quantity * (found.price - (found.discount or Decimal(0)))
        assert abs(made - Decimal(words["amount"])) < Decimal("0.0000001")


@pytest.mark.parametrize(
    "words",
    [
        {"quantity": "-2", "price": "5", "amount": "-10"},
        {"quantity": "2", "price": "-5", "amount": "-10"},
        {"quantity": "2", "price": "5", "discount": "20", "amount": "-10"},
        {"amount": "-10"},
    ],
)
def test_a_negative_line_stands_for_nothing_and_says_so(words: dict[str, str]) -> None:
    """HubSpot takes no negative line: it is there with a price of nothing, and its amount in words."""
    found = line(unit="EA", **words)
    assert (found.price, found.discount) == (Decimal(0), None)
    assert found.quantity > 0
    assert found.description == "unit: EA\n-10.00 USD: HubSpot takes no negative line"


def test_a_line_has_a_name() -> None:
    """A line is named by its text, else its item, else its number."""
    assert [line(text="Nails", item="N").name, line(item="N").name, line().name] == ["Nails", "N", "Line 7"]


def test_a_link_of_the_invoice_is_not_looked_up() -> None:
    """Links lie in the partition of their ref, which is another than that of the invoice: what one worker happens to know is not said."""
    stages = memory()
    feed(stages, "links", LINK.model_copy(update={"ref": REF, "peer": "hubspot:invoice:5"}), link_key(REF, "hubspot"))
    found = feed(stages, "source.acumatica.invoice", an_invoice(), REF)
    assert [wish.target for wish in read(stages, Wish, found, "upserts.hubspot")] == [None, None]


def test_a_refused_value_changes_nothing() -> None:
    """A text that HubSpot cannot hold is a dead letter that names it, and the invoice is in no sum."""
    stages = memory()
    feed(stages, "source.acumatica.customer", a_customer(CurrencyID="USD"), ALICE)
    found = feed(stages, "source.acumatica.invoice", an_invoice(DocDesc="x" * 70_000), REF)
    (letter,) = read(stages, DeadLetter, found, "dead-letters")
    assert "description is too long for hs_comments" in letter.reason
    assert read(stages, Wish, found, "upserts.hubspot") == []
    assert stages.context.accounts.account(ALICE).buckets == []


def test_every_value_has_its_property() -> None:
    """Each field of a copy is a property, and the other way round."""
    assert [field.canonical for field in hubspot.INVOICE.fields] == [field.name for field in fields(InvoiceCopy)]
    assert [field.canonical for field in hubspot.LINE.fields] == [field.name for field in fields(LineCopy)]
