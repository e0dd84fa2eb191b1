"""Rules 20 to 25 of docs/agreement.md: what customers owe, and their invoices, by hand-made books."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from agreed_dumps import Dump, acumatica, company_of, customer, guid, hubspot, key

from sandbox.compare.receivables import rollups
from sandbox.comparer import compare

TODAY = date(2026, 3, 1)


def document(number: int, kind: str, amount: str, balance: str, customer: int = 1, **more: Any) -> Dump:
    row = {
        "DocType": kind,
        "RefNbr": f"{number:06d}",
        "NoteID": guid(number),
        "CustomerNoteID": guid(customer),
        "AcctCD": f"C{customer:03d} ",
    }
    row |= {"CuryID": "GBP", "CuryOrigDocAmt": amount, "CuryDocBal": balance, "DocDate": "2026-01-10", "DueDate": "2026-02-09", "Lines": []}
    row |= {"Status": "N", "Released": True, "Voided": False, "InvoiceNbr": None, "TermsID": "30D", "DocDesc": None, "BillTo": None}
    row |= {"CuryTaxTotal": "1.50"}
    return row | more


def book() -> list[Dump]:
    line = {"LineNbr": 1, "Qty": "2", "CuryUnitPrice": "50.25"}
    bill = {"contact": None, "email": "SECOND@old.example "}
    return [
        document(501, "INV", "100.50", "40.50", Lines=[line], BillTo=bill),
        document(502, "INV", "10", "10", DocDate="2026-02-20", DueDate="2026-03-22"),
        document(503, "INV", "7", "7", Released=False, Status="B"),
        document(504, "CRM", "5", "5"),
        document(505, "PMT", "70.25", "10.25", DocDate="2026-02-01", AdjDate="2026-02-03", DueDate=None),
        document(506, "PMT", "9", "0", Status="V", Voided=True, DocDate="2026-02-25", DueDate=None),
        document(506, "RPM", "-9", "0", Status="C", DocDate="2026-02-25", DueDate=None),
        document(507, "INV", "30", "30", CuryID="EUR", DocDate="2025-12-01", DueDate="2025-12-31"),
        document(508, "INV", "8", "0", Status="L", DocDate="2026-02-28"),
    ]


OWED = {
    "acumatica_ar_balance": "35.25",
    "acumatica_overdue_amount": "40.5",
    "acumatica_oldest_due_date": "2025-12-31",
    "acumatica_open_invoice_count": "3",
    "acumatica_last_payment_date": "2026-02-03",
    "acumatica_last_payment_amount": "70.25",
    "acumatica_last_invoice_date": "2026-02-20",
    "acumatica_credit_status": "Within the limit",
    "acumatica_credit_hold": "false",
    "acumatica_open_invoices": "invoice 000502 of 2026-02-20, due 2026-03-22: 10.00 GBP open\n"
    "invoice 000501 of 2026-01-10, due 2026-02-09 (overdue): 40.50 GBP of 100.50 GBP open\n"
    "invoice 000507 of 2025-12-01, due 2025-12-31 (overdue): 30.00 EUR open",
    "acumatica_other_currencies": "30.00 EUR open, 30.00 EUR overdue",
}


def invoice(number: int, amount: str, balance: str, status: str, **more: str) -> Dump:
    found = {"hs_number": f"{number:06d}", "hs_currency": "GBP", "hs_invoice_billable": "false", "hs_invoice_status": status}
    found |= {"hs_invoice_date": "2026-01-10T00:00:00Z", "hs_due_date": "2026-02-09", "hs_amount_billed": amount, "acumatica_terms": "30D"}
    found |= {"acumatica_open_balance": balance, "acumatica_document_type": "Invoice", "acumatica_invoice_key": key(number)}
    found |= {"acumatica_document_status": "Open", "acumatica_tax_total": "1.5"}
    return found | more


def applied(kind: str, number: int, amount: str, **more: Any) -> Dump:
    row = {"AdjdDocType": "INV", "AdjdRefNbr": "000501", "AdjgDocType": kind, "AdjgRefNbr": f"{number:06d}", "AdjgDocDate": "2026-02-03"}
    return row | {"CuryAdjdAmt": amount, "CuryAdjdDiscAmt": "0", "CuryAdjdWOAmt": "0.5", "Released": True} | more


PAID = """payment 000505 of 2026-02-03: 60.00 GBP, write-off 0.50 GBP
payment 000506 of 2026-02-03: 9.00 GBP, write-off 0.50 GBP
voided payment 000506 of 2026-02-03: -9.00 GBP, write-off 0.50 GBP"""


def both() -> tuple[Dump, Dump]:
    left, right = acumatica(), copy.deepcopy(hubspot())
    left["books"] = {"documents": book(), "applications": [applied("PMT", 505, "60"), applied("PMT", 506, "9"), applied("RPM", 506, "-9")]}
    right["companies"][0]["properties"] |= OWED
    rows = {
        "301": invoice(501, "100.5", "40.5", "open", acumatica_payments=PAID),
        "302": invoice(502, "10", "10", "open", hs_invoice_date="2026-02-20", hs_due_date="2026-03-22"),
        "308": invoice(508, "8", "0", "voided", hs_invoice_date="2026-02-28", acumatica_document_status="Canceled"),
    }
    right["invoices"] = [{"id": ref, "properties": properties, "archived": False} for ref, properties in rows.items()]
    line = {"acumatica_line_key": f"{key(501)}|1", "quantity": "2.00", "price": "50.25", "hs_line_item_currency_code": "GBP"}
    right["line_items"] = [{"id": "401", "properties": line, "archived": False}]
    pairs = [
        ("301", "company", "101"),
        ("302", "company", "101"),
        ("308", "company", "101"),
        ("301", "contact", "211"),
        ("301", "line_item", "401"),
    ]
    right["associations"] += [{"from": "invoice", "from_id": one, "to": kind, "to_id": other, "types": []} for one, kind, other in pairs]
    return left, right | {"currencies": ["GBP"], "access": {"invoices": "ok"}}


def test_agreement() -> None:
    """Sums, invoices, lines and associations as the rules say; a document in a currency that the portal lacks is excused."""
    verdict = compare(*both(), "Demo", TODAY)
    assert (verdict.agreed, verdict.invoices) == (True, 3), [*verdict.missing, *verdict.doubled, *verdict.stale, *verdict.altered]
    assert [one.split(":")[0] for one in verdict.excused].count("rule 25") == 1


def test_a_day_later() -> None:
    """What is overdue depends on the day alone."""
    row, documents = acumatica()["customers"][0], [one for one in book() if one["Released"]]
    assert rollups(row, documents, TODAY) == OWED
    assert rollups(row, documents, date(2026, 2, 9))["acumatica_overdue_amount"] == "0"
    assert rollups(row, documents, date(2026, 3, 23))["acumatica_overdue_amount"] == "50.5"


def spoil(kind: str, ref: str, **values: str) -> Callable[[Dump], None]:
    def change(right: Dump) -> None:
        next(row for row in right[kind] if row["id"] == ref)["properties"] |= values

    return change


def unlink(kind: str) -> Callable[[Dump], None]:
    def change(right: Dump) -> None:
        right["associations"] = [one for one in right["associations"] if not (one["from_id"] == "301" and one["to"] == kind)]

    return change


def again(right: Dump) -> None:
    right["invoices"].append({"id": "309", "properties": invoice(501, "100.5", "40.5", "open"), "archived": False})


def stranger(right: Dump) -> None:
    right["invoices"].append({"id": "310", "properties": {"hs_currency": "GBP"}, "archived": False})


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        *((spoil("companies", "101", **{name: "1"}), "stale") for name in OWED),
        *(
            (spoil("invoices", "301", **{name: "1"}), "stale")
            for name in (*invoice(1, "1", "1", "open"), "acumatica_payments")
            if name != "acumatica_invoice_key"
        ),
        *((spoil("line_items", "401", **{name: "1"}), "stale") for name in ("quantity", "price", "hs_line_item_currency_code")),
        *((unlink(kind), "stale") for kind in ("company", "contact", "line_item")),
        (spoil("invoices", "302", acumatica_invoice_key=""), "missing"),
        (again, "doubled"),
        (stranger, "doubled"),
        (spoil("invoices", "302", acumatica_invoice_key=key(503)), "doubled"),
    ],
)
def test_anything_else_is_found(change: Callable[[Dump], None], kind: str) -> None:
    """Another value, a lost association, a missing, second or strange invoice: each is a finding."""
    left, right = both()
    change(right)
    verdict = compare(left, right, "Demo", TODAY)
    assert getattr(verdict, kind)
    assert not verdict.agreed


def test_a_portal_without_invoices() -> None:
    """Where the portal takes none, none is missed; the sums are judged all the same."""
    left, right = both()
    right |= {"access": {"invoices": "no-scope"}, "invoices": [], "line_items": []}
    assert compare(left, right, "Demo", TODAY).agreed
    spoil("companies", "101", acumatica_ar_balance="35.24")(right)
    assert compare(left, right, "Demo", TODAY).stale


def won(right: Dump, company: str = "190") -> None:
    properties = {"hs_is_closed_won": "true", "hs_primary_associated_company": company}
    right["deals"] = [{"id": "601", "properties": properties, "archived": False, "seeded": False}]


def made_of_190(left: Dump, right: Dump, ref: str = "190", number: int = 31) -> None:
    row = customer(number, f"Gmail fans {number}", "gmail-fans.example") | {"AccountRef": f"X-1; hubspot:company:{ref}"}
    left["customers"].append(row)
    properties = company_of(number, f"Gmail fans {number}", "gmail-fans.example", "gmail-fans.example")
    next(row for row in right["companies"] if row["id"] == "190")["properties"] |= properties
    right["associations"] = [one for one in right["associations"] if one["to_id"] != "190"]


def test_a_won_deal() -> None:
    """Its company is a customer, made of it once; that customer is that company, whatever its domain was."""
    left, right = both()
    won(right)
    verdict = compare(left, right, "Demo", TODAY)
    assert [one for one in verdict.missing if "rule 26" in one]
    made_of_190(left, right)
    verdict = compare(left, right, "Demo", TODAY)
    assert (verdict.agreed, verdict.seeded) == (True, 1), [*verdict.missing, *verdict.doubled, *verdict.stale, *verdict.altered]
    left["customers"].append(left["customers"][-1] | {"id": guid(32), "CustomerID": "C032"})
    assert [one for one in compare(left, right, "Demo", TODAY).doubled if "several customers were made" in one]


def test_made_of_another_company() -> None:
    """A customer that was made of one company and is another one is found."""
    left, right = both()
    made_of_190(left, right, ref="108")
    assert [one for one in compare(left, right, "Demo", TODAY).doubled if "rule 26" in one]


def test_a_customer_before() -> None:
    """A deal of a company that is a customer makes none."""
    left, right = both()
    won(right, "101")
    assert compare(left, right, "Demo", TODAY).agreed
