"""AR documents in the contract-based API of the Acumatica sandbox (facts/acumatica.md §4.3, §5.1, §5.4-5.8, §13.1-13.3)."""

from typing import Any

import pytest
from acumatica_site import Site, site

from sandbox.data import load

BOOK = load("demo", customers=20, contacts=30, invoices=0)


def plain(record: dict[str, Any]) -> dict[str, Any]:
    """The values out of their wrappers."""
    return {name: field.get("value") if isinstance(field, dict) else field for name, field in record.items()}


def work(one: Site) -> str:
    """A sales invoice of 110 (10 of it tax) that is paid in part, by a payment of 80 of which 30 wait; gives its number."""
    goods = {"item": "TILE", "text": "Tiles", "qty": "10", "uom": "EA", "price": "10.50", "discount": "5"}
    asked = {
        "customer": "YAMADA",
        "lines": [goods],
        "tax": "10",
        "currency": "EUR",
        "origin": "SO",
        "date": "2026-01-30",
        "due": "2026-02-28",
    }
    one.control("edit", ar="enter", **asked, reference="PO 7", terms="30D", release=True, bill_to={"email": "ap@yamada.example"})
    one.control("edit", ar="enter", customer="YAMADA", amount="30", currency="EUR", release=True)
    one.control("edit", ar="pay", documents={"INV/INV000001": "50"}, amount="80", method="CHECK", reference="1234", date="2026-02-10")
    one.control("edit", ar="pay", documents={"INV/000001": "30"}, release=False)
    return "INV000001"


def test_one_document_in_two_entities() -> None:
    """S16, §3.5, §5.1: Invoice and SalesInvoice share the NoteID; `Customer` in one is `CustomerID` in the other; Invoice has no currency
    and SalesInvoice no terms; labels, not codes; days as midnight with the site's offset."""
    with site(BOOK, time_zone="-08:00") as one:
        number = work(one)
        sales, invoice = (one.get(f"{name}/Invoice/{number}").json() for name in ("SalesInvoice", "Invoice"))
        assert sales["id"] == invoice["id"]
        assert one.get(f"Invoice/{sales['id']}").json() == invoice
        values, other = plain(sales), plain(invoice)
        assert (values["Type"], values["Status"], values["CustomerID"], values["Currency"]) == ("Invoice", "Open", "YAMADA", "EUR")
        assert (values["Amount"], values["Balance"], values["TaxTotal"], values["DetailTotal"], values["PaymentTotal"]) == (
            110,
            60,
            10,
            100,
            50,
        )
        assert (other["Customer"], other["Terms"], other["PostPeriod"], other["CustomerOrder"]) == ("YAMADA", "30D", "012026", "PO 7")
        assert "Currency" not in invoice
        assert "Terms" not in sales
        assert "NoteID" not in sales | invoice
        assert (values["Date"], values["DueDate"]) == ("2026-01-30T00:00:00-08:00", "2026-02-28T00:00:00-08:00")
        assert values["LastModifiedDate"] == values["LastModifiedDateTime"]
        assert sales["Details"] == []


def test_lines_and_taxes() -> None:
    """§5.1: a sales line's text is `TransactionDescr`, its `Description` the account's; an invoice line has `TransactionDescription`. Lists
    may expand them, and the billing contact, which has no number; the sales invoice's top-level one is not mapped (§5.1, §13.3)."""
    with site(BOOK) as one:
        work(one)
        row = one.rows(
            "SalesInvoice", expand="Details,TaxDetails,BillingSettings,BillingSettings/BillToContact,BillToContact,ShipToContact"
        )[0]
        line = plain(row["Details"][0])
        assert (line["TransactionDescr"], line["Description"], line["Qty"], line["Amount"]) == ("Tiles", "Sales Revenue", 10, 100)
        assert plain(row["TaxDetails"][0])["TaxAmount"] == 10
        assert plain(row["BillingSettings"]["BillToContact"])["Email"] == "ap@yamada.example"
        assert "ContactID" not in row["BillingSettings"]["BillToContact"]
        assert (row["BillToContact"], plain(row["ShipToContact"])["Email"]) == (None, "ap@yamada.example")
        row = one.rows("Invoice", expand="Details,BillToContact", filter="ReferenceNbr eq 'INV000001'")[0]
        assert plain(row["Details"][0])["TransactionDescription"] == "Tiles"
        assert plain(row["Details"][0])["ExtendedPrice"] == 105
        chosen = one.rows(
            "Invoice", select="ReferenceNbr,Details/Qty", expand="Details", filter="BillToContact/Email eq 'ap@yamada.example'"
        )
        assert [set(line) - {"id", "rowNumber", "note", "custom"} for line in chosen[0]["Details"]] == [{"Qty"}]


def test_payments_are_listed_without_their_applications() -> None:
    """S9, §4.3, §13.1: a flat list of payments works; with their applications it is refused, and is fine by key."""
    with site(BOOK) as one:
        work(one)
        flat = one.rows("Payment", filter="Type eq 'Payment' and CustomerID eq 'YAMADA'", select="ReferenceNbr,Type,LastModifiedDateTime")
        assert [plain(row)["ReferenceNbr"] for row in flat] == ["000001", "000002"]
        for name in ("ApplicationHistory", "DocumentsToApply"):
            assert "CannotOptimizeException" in one.fails("Payment", expand=name)
            assert f"{name}.AmountPaid: View " in one.fails("Payment", expand=name)
        assert "CannotOptimizeException" in one.fails("SalesInvoice", expand="ApplicationsInvoice")
        assert one.rows("Payment", expand="ApplicationHistory", select="ReferenceNbr")
        assert len(one.get("Payment/Payment/000001", expand="ApplicationHistory").json()["ApplicationHistory"]) == 1


def test_applications_by_key() -> None:
    """S16, §13.3: a payment's history shows what was posted, its type fields the payment's own type; what waits is in DocumentsToApply; on
    the invoice `DocType` is the payment's type and `DocumentType` the invoice's."""
    with site(BOOK) as one:
        number = work(one)
        paid = one.get("Payment/Payment/000001", expand="ApplicationHistory,DocumentsToApply").json()
        values, posted = plain(paid), plain(paid["ApplicationHistory"][0])
        assert (values["PaymentAmount"], values["AvailableBalance"], values["Status"], values["PaymentRef"]) == (80, 30, "Open", "1234")
        assert (posted["AdjustedRefNbr"], posted["AmountPaid"], posted["AdjustedDocType"], posted["DisplayDocType"]) == (
            number, 50, "Payment", "Payment"
        )  # fmt: skip
        assert paid["DocumentsToApply"] == []
        waiting = one.get("Payment/Payment/000002", expand="ApplicationHistory,DocumentsToApply").json()
        assert (plain(waiting)["Status"], plain(waiting)["AvailableBalance"], plain(waiting)["AppliedToDocuments"]) == ("Balanced", 0, 30)
        assert (plain(waiting["DocumentsToApply"][0])["ReferenceNbr"], waiting["ApplicationHistory"]) == ("000001", [])
        row = plain(one.get(f"SalesInvoice/Invoice/{number}", expand="ApplicationsInvoice").json()["ApplicationsInvoice"][0])
        assert (row["DocType"], row["DocumentType"], row["AmountPaid"], row["AdjustingDocReferenceNbr"]) == (
            "Payment",
            "Invoice",
            50,
            "000001",
        )
        row = plain(one.get(f"Invoice/Invoice/{number}", expand="ApplicationsDefault").json()["ApplicationsDefault"][0])
        assert (row["DocType"], row["ReferenceNbr"], row["PaymentDate"]) == ("Payment", "000001", "2026-02-10T00:00:00+00:00")


def test_a_voided_payment_and_a_memo() -> None:
    """§13.3: the Voided Payment has the same number and a negative amount; a credit memo is a row of Invoice and of Payment and shows the
    invoices that it pays."""
    with site(BOOK) as one:
        number = work(one)
        one.control("edit", ar="void", document="PMT/000001")
        one.control("edit", ar="enter", type="CRM", customer="YAMADA", amount="20", currency="EUR", release=True)
        one.control("edit", ar="apply", **{"from": "CRM/000002", "to": f"INV/{number}"})
        rows = {(row["Type"], row["ReferenceNbr"]): row for row in map(plain, one.rows("Payment"))}
        assert [rows[label, "000001"]["Status"] for label in ("Payment", "Voided Payment")] == ["Voided", "Closed"]
        assert [rows[label, "000001"]["PaymentAmount"] for label in ("Payment", "Voided Payment")] == [80, -80]
        assert ("Credit Memo", "000002") in rows
        memo = one.get("Invoice/Credit Memo/000002", expand="ApplicationsCreditMemo").json()
        assert (plain(memo)["Amount"], plain(memo["ApplicationsCreditMemo"][0])["ReferenceNbr"]) == (20, number)
        history = one.get("Payment/Voided Payment/000001", expand="ApplicationHistory").json()["ApplicationHistory"]
        assert [plain(row)["AmountPaid"] for row in history] == [-50]
        shown = one.get(f"SalesInvoice/Invoice/{number}", expand="ApplicationsInvoice").json()["ApplicationsInvoice"]
        assert [plain(row)["DocType"] for row in shown] == ["Credit Memo"]


def test_documents_in_lists() -> None:
    """S10, §3.5, §4.4: rows in key order, filtered by labels and stamps; a document of another form, an unknown one and a code instead of a
    label are not there; invoices of other origin are no sales invoices unless the switch says so."""
    with site(BOOK) as one:
        number = work(one)
        rows = [plain(row) for row in one.rows("Invoice", filter="Status eq 'Open' and Type eq 'Invoice'", select="Type,ReferenceNbr")]
        assert [row["ReferenceNbr"] for row in rows] == ["000001", number]
        stamp = plain(one.get(f"Invoice/Invoice/{number}").json())["LastModifiedDateTime"]
        found = one.rows("Invoice", filter=f"LastModifiedDateTime eq datetimeoffset'{stamp}' and ReferenceNbr gt '000001'")
        assert [plain(row)["ReferenceNbr"] for row in found] == [number]
        assert [plain(row)["ReferenceNbr"] for row in one.rows("SalesInvoice")] == [number]
        for path in ("SalesInvoice/Invoice/000001", "Invoice/INV/000001", "Payment/Invoice/000001", "Invoice/Invoice/9", "Invoice/000001"):
            assert "NoEntitySatisfiesTheCondition" in one.fails(path)
        assert one.get("Invoice/Invoice|000001").status_code == 200
        one.fails("Invoice", filter="Nope eq 1")
        one.fails("Invoice", filter="Currency eq 'EUR'")
        assert one.vendor.route("/entity/Default/24.200.001/Invoice/Invoice/000001") == "/entity/{endpoint}/{version}/Invoice/{key}"
    with site(BOOK, sales_invoices="all") as one:
        work(one)
        assert len(one.rows("SalesInvoice")) == 2


@pytest.mark.parametrize(("form", "text"), [("midnight", "2026-02-28T00:00:00+00:00"), ("plain", "2026-02-28")])
def test_the_form_of_days(form: str, text: str) -> None:
    """§13.2: by switch days come without a time, as newer builds write them; stamps do not."""
    with site(BOOK, date_form=form) as one:
        row = plain(one.get(f"Invoice/Invoice/{work(one)}").json())
        assert row["DueDate"] == text
        assert "T" in row["LastModifiedDateTime"]


def test_the_credit_of_a_customer() -> None:
    """§5.8: by key the rules show what is left of the limit, what is not released, and the day of the oldest open invoice; the customer's
    stamp stays."""
    with site(BOOK) as one:
        one.control("edit", entity="customer", key="YAMADA", fields={"CreditLimit": "1000"})
        before = one.get("Customer/YAMADA").json()
        one.control("edit", ar="enter", customer="YAMADA", amount="100", currency="USD", date="2026-01-30", release=True)
        one.control("edit", ar="enter", customer="YAMADA", amount="7", currency="USD")
        rules = plain(one.get("Customer/YAMADA", expand="CreditVerificationRules").json()["CreditVerificationRules"])
        assert (rules["RemainingCreditLimit"], rules["UnreleasedBalance"]) == (893, 7)
        assert rules["FirstDueDate"] == "2026-01-30T00:00:00+00:00"
        assert one.get("Customer/YAMADA").json() == before


def test_hidden_and_spoilt_documents() -> None:
    """S19: rows hidden by number or NoteID are gone; a field may hold anything."""
    with site(BOOK) as one:
        number = work(one)
        note = one.get(f"Invoice/Invoice/{number}").json()["id"]
        one.control("faults", path="Invoice", kind="hidden-rows", args={"keys": [note]}, times=2)
        assert note not in [row["id"] for row in one.rows("Invoice")]
        one.fails(f"Invoice/Invoice/{number}")
        one.control("faults", path="Invoice", kind="garbled", args={"rows": {note: {"Balance/value": "-3", "Status": "[]"}}})
        row = one.get(f"Invoice/Invoice/{number}").json()
        assert (row["Balance"]["value"], row["Status"]) == (-3, [])
