"""The DAC feeds of the Acumatica sandbox (facts/acumatica.md §5.9, §8, §13.3, §13.4: S17)."""

import json
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from acumatica_site import Site, site

from sandbox.data import credentials, load

FEED = "/t/Demo/api/odata/dac"
BOOK = load("demo", customers=20, contacts=30, invoices=120)


@pytest.fixture(scope="module")
def one() -> Iterator[Site]:
    with site(BOOK) as found:
        yield found


def ask(one: Site, path: str, **options: Any) -> httpx.Response:
    return one.client.get(f"{FEED}/{path}", params={f"${name}": value for name, value in options.items()})


def rows(one: Site, path: str, **options: Any) -> list[dict[str, Any]]:
    response = ask(one, path, **options)
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = json.loads(response.text, parse_float=Decimal)["value"]
    return found


def fails(one: Site, path: str, **options: Any) -> str:
    response = ask(one, path, **options)
    assert response.status_code == 400, response.text
    text: str = response.json()["error"]["message"]
    return text


def test_a_row(one: Site) -> None:
    """S17, §13.4: plain values and explicit nulls, codes and not labels, numbers, times in UTC with `Z`, days as midnight; the set's own
    name in the context. Decimals are exact numbers."""
    one.control("edit", ar="enter", customer="YAMADA", amount="160.10", date="2026-01-30", release=True, currency="EUR", due="2026-02-28")
    number = max(row["RefNbr"] for row in rows(one, "ARRegister", filter="DocType eq 'INV' and CuryOrigDocAmt eq 160.10"))
    one.control("edit", ar="pay", documents={f"INV/{number}": "100.00"})
    answer = ask(one, "arregister", filter=f"RefNbr eq '{number}' and DocType eq 'INV'")
    body = json.loads(answer.text, parse_float=Decimal)
    assert body["@odata.context"] == f"http://site{FEED}/$metadata#PX_Objects_AR_ARRegister"
    assert answer.headers["OData-Version"] == "4.0"
    row = body["value"][0]
    assert (row["DocType"], row["Status"], row["DocDate"]) == ("INV", "N", "2026-01-30T00:00:00Z")
    assert (row["CuryOrigDocAmt"], row["CuryDocBal"], row["OrigDocAmt"]) == (Decimal("160.1"), Decimal("60.1"), Decimal("172.91"))
    assert row["ClosedDate"] is None
    assert row["Released"] is True
    assert row["CustomerID"] == one.vendor.store.customer("YAMADA")["BAccountID"]
    assert row["LastModifiedDateTime"].endswith("Z")
    assert datetime.fromisoformat(row["LastModifiedDateTime"]) > datetime.now(UTC) - timedelta(minutes=1)


def test_the_tables_of_a_document(one: Site) -> None:
    """§13.3: ARRegister has every document once; invoices and payments are rows of ARInvoice and ARPayment as well, a credit memo of both;
    lines are ARTran's, a voiding document's amount is negative."""
    registers = {(row["DocType"], row["RefNbr"]): row for row in rows(one, "ARRegister")}
    invoices, payments = ({(row["DocType"], row["RefNbr"]): row for row in rows(one, name)} for name in ("ARInvoice", "ARPayment"))
    assert registers.keys() == invoices.keys() | payments.keys()
    assert {code for code, _ in invoices.keys() & payments.keys()} == {"CRM"}
    key = next(key for key in invoices if key[0] == "INV")
    assert {name: invoices[key][name] for name in registers[key]} == registers[key]
    assert {"InvoiceNbr", "TermsID", "CuryLineTotal"} <= invoices[key].keys()
    assert {"ExtRefNbr", "AdjDate", "PaymentMethodID"} <= next(iter(payments.values())).keys()
    lines = rows(one, "ARTran", filter=f"TranType eq 'INV' and RefNbr eq '{key[1]}'")
    assert sum(row["CuryTranAmt"] for row in lines) == invoices[key]["CuryLineTotal"]
    assert all(row["CuryOrigDocAmt"] < 0 for key, row in registers.items() if key[0] == "RPM")
    with site(BOOK, voided_payment_amount="positive") as other:
        assert all(row["CuryOrigDocAmt"] > 0 for row in rows(other, "ARRegister", filter="DocType eq 'RPM'"))


def test_applications(one: Site) -> None:
    """§13.3, S16: an ARAdjust row for each application and each reversal; released ones make up what is gone from each invoice."""
    gone: dict[Any, Decimal] = {}
    for row in rows(one, "ARAdjust", filter="Released eq true"):
        key = row["AdjdDocType"], row["AdjdRefNbr"]
        gone[key] = gone.get(key, Decimal(0)) + row["CuryAdjdAmt"] + row["CuryAdjdDiscAmt"] + row["CuryAdjdWOAmt"]
    invoices = rows(one, "ARInvoice", filter="Released eq true and DocType ne 'CRM' and DocType ne 'SMC'")
    assert invoices
    for row in invoices:
        assert row["CuryOrigDocAmt"] - gone.get((row["DocType"], row["RefNbr"]), Decimal(0)) == row["CuryDocBal"]
    undone = rows(one, "Applications", filter="AdjgDocType eq 'RPM'")
    assert undone
    assert all(row["Voided"] and row["CuryAdjdAmt"] < 0 for row in undone)


def test_the_stamp_of_a_paid_invoice() -> None:
    """S16: by switch a payment that is applied leaves the invoice's stamp; the application is seen all the same, and the balance row."""
    for bumps in (True, False):
        with site(BOOK, application_bumps_invoice=bumps) as one:
            since = datetime.now(UTC).isoformat().replace("+00:00", "Z")
            invoice = next(row for row in rows(one, "ARInvoice", filter="Status eq 'N' and DocType eq 'INV'") if usable(one, row))
            one.control("edit", ar="pay", documents=[f"INV/{invoice['RefNbr']}"])
            fresh = {name: rows(one, name, filter=f"LastModifiedDateTime ge {since}") for name in ("ARInvoice", "ARAdjust", "ARBalances")}
            assert [row["RefNbr"] for row in fresh["ARInvoice"]] == ([invoice["RefNbr"]] if bumps else [])
            assert [row["AdjdRefNbr"] for row in fresh["ARAdjust"]] == [invoice["RefNbr"]]
            assert [row["CustomerID"] for row in fresh["ARBalances"]] == [invoice["CustomerID"]]
            assert rows(one, "Customer", filter=f"LastModifiedDateTime ge {since}") == []


def usable(one: Site, row: dict[str, Any]) -> bool:
    customer = one.vendor.store.customer(row["CustomerID"])
    return customer is not None and customer["Status"] == "Active"


def test_a_reversed_invoice_and_its_status() -> None:
    """§5.7a: by switch a reversed invoice is Canceled, Voided or Closed."""
    for switch, status in (("canceled", "L"), ("voided", "V"), ("closed", "C")):
        with site(load("empty"), reversed_invoice=switch) as one:
            one.control("edit", entity="customer", create={"CustomerID": "A", "CustomerName": "A"})
            one.control("edit", ar="enter", customer="A", amount="9.00", release=True)
            one.control("edit", ar="void", document="INV/000001")
            found = rows(one, "ARRegister", select="DocType,Status,Voided", orderby="DocType desc")
            assert [(row["DocType"], row["Status"]) for row in found] == [("INV", status), ("CRM", "C")]
            assert found[0]["Voided"] is (status == "V")


def test_balances(one: Site) -> None:
    """§5.8: a customer's row sums its released documents in the base currency, prepayments and unreleased ones beside."""
    registers = rows(one, "ARRegister")
    signs = {"INV": 1, "DRM": 1, "FCH": 1, "SMC": 1, "RPM": 1, "REF": 1}
    for row in rows(one, "ARBalances"):
        own = [one for one in registers if one["CustomerID"] == row["CustomerID"]]
        current = sum(signs.get(one["DocType"], -1) * one["DocBal"] for one in own if one["Released"] and one["DocType"] != "PPM")
        assert row["CurrentBal"] == current
        assert row["TotalPrepayments"] == sum(one["DocBal"] for one in own if one["Released"] and one["DocType"] == "PPM")
        assert row["UnreleasedBal"] == sum(signs.get(one["DocType"], -1) * one["DocBal"] for one in own if not one["Released"])
    by_currency = rows(one, "ARBalancesByBaseCuryID")
    assert [row["CurrentBal"] for row in by_currency] == [row["CurrentBal"] for row in rows(one, "ARBalances")]


def test_select_expand_orderby_top(one: Site) -> None:
    """§5.9: names in any case, answered as declared; ways to other tables with options of their own, to three levels."""
    answer = ask(one, "ARInvoice", select="refnbr,CuryDocBal", expand="CustomerByCustomerID($select=AcctCD,NoteID)", top=2).json()
    assert answer["@odata.context"].endswith("#PX_Objects_AR_ARInvoice(RefNbr,CuryDocBal,CustomerByCustomerID(AcctCD,NoteID))")
    assert [set(row) for row in answer["value"]] == [{"RefNbr", "CuryDocBal", "CustomerByCustomerID"}] * 2
    code = answer["value"][0]["CustomerByCustomerID"]["AcctCD"]
    assert one.get(f"Customer/{answer['value'][0]['CustomerByCustomerID']['NoteID']}").json()["CustomerID"]["value"] == code
    contact = "ARContactByBillContactID($select=CustomerContactID,IsDefaultContact,Email)"
    found = rows(one, "ARInvoice", select="RefNbr", expand=contact, filter="DocType eq 'INV'")
    assert {row["ARContactByBillContactID"]["IsDefaultContact"] for row in found} == {True, False}
    lines = rows(one, "ARInvoice", filter="DocType eq 'INV'", top=1, expand="ARTranCollection($expand=CustomerByCustomerID)")[0]
    assert sum(line["CuryTranAmt"] for line in lines["ARTranCollection"]) == lines["CuryLineTotal"]
    assert {line["CustomerByCustomerID"]["BAccountID"] for line in lines["ARTranCollection"]} == {lines["CustomerID"]}
    ordered = rows(one, "ARRegister", orderby="LastModifiedDateTime desc,DocType,RefNbr", select="LastModifiedDateTime,RefNbr,DocType")
    stamps = [datetime.fromisoformat(row["LastModifiedDateTime"]) for row in ordered]
    assert stamps == sorted(stamps, reverse=True)
    keys = [(row["DocType"], row["RefNbr"]) for row in rows(one, "ARRegister")]
    assert keys == sorted(keys)
    assert [(row["DocType"], row["RefNbr"]) for row in rows(one, "ARRegister", skip=5, top=3)] == keys[5:8]
    assert [row["ClosedDate"] for row in rows(one, "ARRegister", orderby="ClosedDate", top=1)] == [None]


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("DocType eq 'inv'", lambda row: row["DocType"] == "INV"),
        ("DocType in ('INV','CRM') and not (CuryDocBal eq 0)", lambda row: row["DocType"] in ("INV", "CRM") and row["CuryDocBal"]),
        ("CuryOrigDocAmt gt 1000.5 or Status eq 'V'", lambda row: row["CuryOrigDocAmt"] > Decimal("1000.5") or row["Status"] == "V"),
        ("ClosedDate eq null", lambda row: row["ClosedDate"] is None),
        ("ClosedDate lt 2025-01-01T00:00:00Z", lambda row: row["ClosedDate"] and row["ClosedDate"] < "2025"),
        ("DocDate ge 2025-06-01T02:00:00+02:00", lambda row: row["DocDate"] >= "2025-06-01"),
        ("startswith(RefNbr,'INV0') and contains(DocDesc,'JOB')", lambda row: row["RefNbr"][:3] == "INV" and "Job" in str(row["DocDesc"])),
        ("CustomerByCustomerID/AcctCD eq 'YAMADA'", lambda row: row["CustomerID"] == 7003),
        ("OpenDoc eq true", lambda row: row["OpenDoc"]),
    ],
)  # fmt: skip
def test_filters(one: Site, text: str, holds: Any) -> None:
    """§5.9: OData 4.01 with bare literals, compared as the database does; a nav's field too."""
    whole = rows(one, "ARRegister")
    found = rows(one, "ARRegister", filter=text)
    assert found == [row for row in whole if holds(row)]
    assert 0 < len(found) < len(whole)


def test_a_guid_is_bare(one: Site) -> None:
    """§13.4: a guid stands without quotes; the contract's `id` finds the very document."""
    row = rows(one, "ARRegister", top=1)[0]
    assert rows(one, "ARRegister", filter=f"NoteID eq {row['NoteID']}") == [row]
    assert "incompatible types" in fails(one, "ARRegister", filter=f"NoteID eq '{row['NoteID']}'")


def test_what_is_refused(one: Site) -> None:
    """§13.4, §5.9: unknown or computed properties, other types, the contract's literals, unknown options: 400; unknown sets, dotted names
    and keys: 404; writes: 405."""
    for options, reason in (
        ({"filter": "Nope eq 1"}, "Could not find a property named 'Nope'"),
        ({"select": "Nope"}, "Could not find a property named 'Nope'"),
        ({"expand": "Nope"}, "Could not find a property named 'Nope'"),
        ({"filter": "NoteText eq 'x'"}, "cannot be used in the $filter"),
        ({"select": "DocDisc"}, "cannot be used in the $filter or $select"),
        ({"filter": "Status eq 1"}, "incompatible types"),
        ({"filter": "LastModifiedDateTime gt '2024-01-01'"}, "incompatible types"),
        ({"filter": "DocDate ge 2024-01-01"}, "incompatible types"),
        ({"filter": "LastModifiedDateTime gt datetimeoffset'2024-01-01T00:00:00Z'"}, "named 'datetimeoffset'"),
        ({"filter": "substringof('a',RefNbr)"}, "unknown function"),
        ({"filter": "Status"}, "single boolean"),
        ({"filter": "Status eq 'N' and"}, "Syntax error"),
        ({"orderby": "RefNbr up"}, "Syntax error"),
        ({"top": "-1"}, "non-negative"),
        ({"apply": "aggregate(DocBal with sum as X)"}, "'$apply' is not supported"),
    ):
        assert reason in fails(one, "ARRegister", **options), options
    for name in ("Nope", "PX.Objects.AR.Customer", "ARRegister(DocType='INV',RefNbr='nope')"):
        assert ask(one, name).status_code == 404, name
    assert "The key of" in fails(one, "ARRegister(RefNbr='000001')")
    assert one.client.post(f"{FEED}/ARRegister", json={}).status_code == 405


def test_names_and_keys(one: Site) -> None:
    """§5.9, §13.4: full, short and other names lead to one set, as the old path does; a row by its key."""
    whole = rows(one, "ARRegister")
    for name in ("PX_Objects_AR_ARRegister", "ARDocument", "ardocument"):
        assert rows(one, name) == whole
    old = one.client.get("/ODatav4/Demo/ARRegister").json()
    assert (len(old["value"]), old["@odata.context"]) == (len(whole), "http://site/ODatav4/Demo/$metadata#PX_Objects_AR_ARRegister")
    assert len(one.client.get("/t/Demo/api/OData/DAC/ARRegister").json()["value"]) == len(whole)
    row = whole[0]
    keyed = ask(one, f"ARRegister(DocType='{row['DocType']}',RefNbr='{row['RefNbr']}')")
    assert keyed.json()["NoteID"] == row["NoteID"]
    assert keyed.json()["@odata.context"].endswith("#PX_Objects_AR_ARRegister/$entity")
    assert ask(one, "Customer('YAMADA')").json()["BAccountID"] == 7003


def test_pages() -> None:
    """S17, §13.4: by switch an answer ends after so many rows, with a link to the rest that keeps the options; $top counts over all."""
    with site(BOOK, odata_page=7) as one:
        options = {"filter": "DocType eq 'INV'", "orderby": "LastModifiedDateTime,DocType,RefNbr", "select": "RefNbr", "top": 20}
        answer, found, calls = ask(one, "ARRegister", **options).json(), [], 1
        while True:
            found += [row["RefNbr"] for row in answer["value"]]
            if "@odata.nextLink" not in answer:
                break
            answer, calls = one.client.get(answer["@odata.nextLink"]).json(), calls + 1
        assert calls == 3
    with site(BOOK) as one:
        assert found == [row["RefNbr"] for row in rows(one, "ARRegister", **options)]


def test_sign_in() -> None:
    """S17, §5.9: Basic (the user's name; no API seat) or a bearer token (a session); else 401, in the tenant's own path only."""
    user = (credentials.ACUMATICA_USER, credentials.ACUMATICA_PASSWORD)
    with site(BOOK, signed_in=False, seats=1) as one:
        for headers in ({}, {"Authorization": "Bearer nope"}, {"Authorization": "Basic bm9wZTpub3Bl"}, {"Authorization": "Basic ?"}):
            assert one.client.get(f"{FEED}/Customer", headers=headers).status_code == 401
        assert one.client.get(f"{FEED}/Customer", auth=user).status_code == 200
        assert one.vendor.seats.open == 0
        assert one.client.get("/t/Other/api/odata/dac/Customer", auth=user).status_code == 401
        one.sign_in()
        assert one.client.get(f"{FEED}/Customer").status_code == 200
        assert one.vendor.seats.open == 1
        one.sign_in()
        assert "API Login Limit" in one.client.get(f"{FEED}/Customer").text
        assert one.client.get(f"{FEED}/Customer", auth=user).status_code == 200
        one.control("faults", method="GET", path="Customer", kind="expire-token")
        assert one.client.get(f"{FEED}/Customer").status_code == 401


def test_feeds_that_are_not_allowed() -> None:
    """§5.9: without the role every feed is a 403; on an older build they are not there; the contract API goes on."""
    for switch, status in (("forbidden", 403), ("absent", 404)):
        with site(BOOK, odata=switch) as one:
            assert ask(one, "ARRegister").status_code == status
            assert ask(one, "ARRegister").json()["error"]["message"]
            assert one.get("Customer", top=1).status_code == 200


def test_metadata(one: Site) -> None:
    """S17, §13.4: XML with types, keys, ways and what cannot be filtered; the inquiries' feed has a container and nothing in it."""
    edm, edmx = "{http://docs.oasis-open.org/odata/ns/edm}", "{http://docs.oasis-open.org/odata/ns/edmx}"
    answer = ask(one, "$metadata")
    tree = ET.fromstring(answer.text)
    assert (answer.headers["content-type"].split(";")[0], tree.tag) == ("application/xml", f"{edmx}Edmx")
    types = {node.get("Name"): node for node in tree.iter(f"{edm}EntityType")}
    assert [key.get("Name") for key in types["ARRegister"].iter(f"{edm}PropertyRef")] == ["DocType", "RefNbr"]
    kinds = {node.get("Name"): node.get("Type") for node in types["ARRegister"].iter(f"{edm}Property")}
    assert (kinds["CuryDocBal"], kinds["DocDate"], kinds["CustomerID"]) == ("Edm.Decimal", "Edm.DateTimeOffset", "Edm.Int32")
    assert "NoteText" in [node.text for node in types["ARRegister"].iter(f"{edm}PropertyPath")]
    assert types["ARInvoice"].get("BaseType") == "PX.Objects.AR.ARRegister"
    sets = {node.get("Name") for node in tree.iter(f"{edm}EntitySet")}
    assert sets == {row["name"] for row in rows(one, "")}
    inquiries = ET.fromstring(one.client.get("/t/Demo/api/odata/gi/$metadata").text)
    assert [node.get("Name") for node in inquiries.iter(f"{edm}EntityContainer")] == ["Default"]
    assert one.client.get("/t/Demo/api/odata/gi/Anything").status_code == 404


def test_deleted_documents() -> None:
    """S17, §8: where the site tracks them, deletes are told by NoteID and time, and can be filtered by it."""
    for tracked, count in (("", 0), ("ARRegister", 1)):
        with site(load("empty"), deleted_tracked=tracked) as one:
            one.control("edit", entity="customer", create={"CustomerID": "A", "CustomerName": "A"})
            one.control("edit", ar="enter", customer="A", amount="9.00")
            note = rows(one, "ARRegister")[0]["NoteID"]
            one.control("edit", ar="delete", document="INV/000001")
            found = rows(one, "ARRegister/px.GetDeletedRecords()", filter="DeleteDate ge 2025-01-01T00:00:00Z")
            assert [row["RefNoteID"] for row in found] == [note] * count
            assert rows(one, "ARRegister/px.GetDeletedRecords()", filter="DeleteDate lt 2025-01-01T00:00:00Z") == []


def test_spoilt_and_hidden_rows(one: Site) -> None:
    """§10: faults reach the feeds: a field may hold anything, and rows may be hidden from the user."""
    row = rows(one, "ARRegister", top=1)[0]
    one.control("faults", path="ARRegister", kind="garbled", args={"rows": {row["NoteID"]: {"CuryDocBal": '"-5,00"', "CustomerID": "999"}}})
    spoilt = rows(one, "ARRegister", top=1)[0]
    assert spoilt == {**row, "CuryDocBal": "-5,00", "CustomerID": 999}
    one.control("faults", path="ARRegister", kind="hidden-rows", args={"keys": [row["NoteID"]]})
    assert row["NoteID"] not in [other["NoteID"] for other in rows(one, "ARRegister")]
    assert rows(one, "ARRegister", top=1) == [row]


def test_padded_keys() -> None:
    """§13.4: by switch AcctCD comes filled up with blanks, and is found without them."""
    with site(BOOK, odata_padded_keys=True) as one:
        assert [row["AcctCD"] for row in rows(one, "Customer", filter="AcctCD eq 'YAMADA'")] == ["YAMADA".ljust(30)]
