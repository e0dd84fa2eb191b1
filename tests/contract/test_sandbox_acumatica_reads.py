"""Reading from the Acumatica sandbox (facts/acumatica.md §2 to §4)."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
from acumatica_site import BASE, Site, site

from sandbox.acumatica.ar.entities import BILLING, DOC_CONTACT, DOCUMENTS, FINANCIAL
from sandbox.acumatica.entities import SERVED
from sandbox.acumatica.openapi import document
from sandbox.acumatica.schema import ADDRESS, CREDIT_RULES, Shape
from sandbox.acumatica.wire import encode
from sandbox.data import Book, load


@pytest.fixture(scope="module")
def book() -> Book:
    return load("demo", customers=40, contacts=100)


@pytest.fixture(scope="module")
def one(book: Book) -> Iterator[Site]:
    with site(book) as started:
        yield started


def test_the_list_of_endpoints(one: Site) -> None:
    """S5, §2.1: anyone may read it; an object with the versions, on older builds a bare array."""
    del one.client.headers["Authorization"]
    body = one.client.get("/entity").json()
    one.sign_in()
    assert one.client.get("/entity").json() == body
    assert "acumaticaBuildVersion" in body["version"]
    assert {"name": "Default", "version": "24.200.001", "href": "/entity/Default/24.200.001/"} in body["endpoints"]
    with site(entity_list="array") as older:
        assert older.client.get("/entity").json() == body["endpoints"]


@pytest.mark.parametrize("path", ["Default/24.100.001/Customer", "Nothing/24.200.001/Customer", "Default/24.200.001/Nothing", "Default"])
def test_unknown_paths_are_404(one: Site, path: str) -> None:
    """§2.3: an unknown endpoint, version or entity is a 404 for who is signed in; names are case-sensitive."""
    assert one.client.get(f"/entity/{path}").status_code == 404
    assert one.get("customer").status_code == 404


def test_other_methods(one: Site) -> None:
    """§2.3, §4.10: POST to a collection is a 406, an unknown action a 404."""
    assert one.client.post(f"{BASE}/Customer", json={}).status_code == 406
    assert one.client.post(f"{BASE}/Customer/Nothing", json={}).status_code == 404


def test_a_removed_version_and_a_missing_right() -> None:
    """S19, §2.3, §4.4: a version that is not served is a 404; a form without rights is a 403 that names it."""
    with site(versions="25.200.001", forbidden="Contact") as one:
        assert one.get("Customer").status_code == 404
        answer = one.client.get("/entity/Default/25.200.001/Contact")
        assert answer.status_code == 403
        assert "CR302000" in answer.json()["message"]


def test_a_record_by_its_key(one: Site, book: Book) -> None:
    """S7, §3.1, §4.4: values are wrapped, what is empty is `{}`, linked entities are null and collections [] until they are expanded."""
    row = book.customers[0]
    got = one.get("Customer/O'BRIEN").json()
    assert got["id"] == row["id"]
    assert got["CustomerName"] == {"value": row["CustomerName"]}
    assert got["CustomerCategory"] == {}
    assert got["MainContact"] is None
    assert got["Contacts"] == []
    assert got["rowNumber"] == 1
    assert got["note"] == {"value": ""}
    assert got["custom"] == {}
    assert got["_links"]["self"] == f"{BASE}/Customer/{row['id']}"
    assert got["_links"]["files:put"].endswith(f"/PX.Objects.AR.CustomerMaint/BAccount/{row['id']}/{{filename}}")


@pytest.mark.parametrize("key", ["O'BRIEN", "o'brien", "O'BRIEN  ", "{id}"])
def test_a_key_is_found_as_the_database_compares(one: Site, book: Book, key: str) -> None:
    """S7, §3.1, §4.4: keys are found in any case and with blanks behind them, and by NoteID; blanks and ampersands are no trouble."""
    assert one.get(f"Customer/{key.format(id=book.customers[0]['id'])}").json()["CustomerID"] == {"value": "O'BRIEN"}
    assert one.get("Customer/84%20LUMBER").status_code == 200
    assert one.get("Customer/BAECK&CO").status_code == 200
    number = book.contacts[0]["ContactID"]
    assert one.get(f"Contact/{number}").json()["ContactID"] == {"value": number}


@pytest.mark.parametrize(
    "path",
    [
        "Customer/NOBODY",
        "Customer/TILE/STONE",
        "Customer/TILE%2FSTONE",
        "Contact/1",
        "Contact/abc",
        "Customer/" + "0" * 8 + "-0000-0000-0000-000000000000",
    ],
)
def test_a_missing_record_is_a_500(one: Site, path: str) -> None:
    """S10, §4.4: a record that is not there is a 500 of its own exception type, never a 404; a key with a slash needs the NoteID."""
    assert "NoEntitySatisfiesTheConditionException: No entity satisfies the condition." in one.fails(path)


def test_select_and_expand(one: Site, book: Book) -> None:
    """S7, §4.1: only what is selected comes; a linked entity must be expanded and, with a `$select`, be named in it."""
    main = book.customers[0]["MainContact"]
    keys = {"id", "rowNumber", "note", "custom", "_links"}
    select = "CustomerID,MainContact/Email,MainContact/Address/Country"
    got = one.rows("Customer", filter="CustomerID eq 'O''BRIEN'", select=select, expand="MainContact,MainContact/Address")[0]
    assert set(got) == keys | {"CustomerID", "MainContact"}
    assert got["MainContact"]["id"] == main["id"]
    assert set(got["MainContact"]) == {"id", "rowNumber", "note", "custom", "Email", "Address"}
    assert got["MainContact"]["Address"]["Country"] == {"value": main["Address"]["Country"]}
    assert set(got["MainContact"]["Address"]) == {"id", "rowNumber", "note", "custom", "Country"}
    assert "MainContact" not in one.rows("Customer", top=1, select="CustomerID", expand="MainContact")[0]
    assert one.rows("Customer", top=1, select="CustomerID,MainContact")[0]["MainContact"] is None
    assert one.rows("Customer", top=1, select="CustomerID,MainContact", expand="MainContact/Address")[0]["MainContact"]["Address"] is None
    assert set(one.rows("Customer", top=1, select="CustomerID,NoSuchField")[0]) == keys | {"CustomerID"}


def test_the_deeper_level_may_be_expanded_alone(one: Site) -> None:
    """S7, §13.1: `$expand=MainContact/Address` brings MainContact as well; `$expand=MainContact` alone leaves its address null."""
    deep = one.rows("Customer", top=1, expand="MainContact/Address")[0]
    assert deep["MainContact"]["Address"]["Country"]["value"]
    assert one.rows("Customer", top=1, expand="MainContact")[0]["MainContact"]["Address"] is None
    assert one.rows("Contact", top=1, expand="Address")[0]["Address"]["Country"]["value"]


def test_main_contact_lacks_some_fields(one: Site) -> None:
    """§13.1: MainContact has a ContactID and no LastModifiedDateTime, Type, Active or Phone3."""
    main = one.get("Customer/O'BRIEN", expand="MainContact").json()["MainContact"]
    assert main["ContactID"]["value"] > 0
    assert [main[name] for name in ("LastModifiedDateTime", "Type", "Active", "Phone3")] == [{}] * 4


def test_the_contacts_of_a_customer(one: Site, book: Book) -> None:
    """§5.2: the detail `Contacts` gives ContactID and stamp of each, when it is expanded."""
    code = book.contacts[0]["BusinessAccount"]
    wanted = [row["ContactID"] for row in book.contacts if row["BusinessAccount"] == code]
    details = one.get(f"Customer/{code}", expand="Contacts", select="CustomerID,Contacts").json()["Contacts"]
    assert [row["ContactID"]["value"] for row in details] == wanted
    assert all("LastModifiedDateTime" in row for row in details)


def test_the_optimizer_refuses_lists_with_a_delegate(one: Site) -> None:
    """S9, §4.3, §4.4: CreditVerificationRules fails a whole list, by expansion, selection or filter, and is fine by key."""
    assert (
        "CannotOptimizeException: Optimization cannot be performed.The following fields cause the error:\r\nCreditVerificationRules."
        in one.fails("Customer", expand="CreditVerificationRules", top=1)
    )
    one.fails("Customer", expand="CreditVerificationRules", select="CustomerID,CreditVerificationRules/CreditLimit", top=1)
    one.fails("Customer", filter="CreditVerificationRules/CreditLimit gt 0")
    got = one.get("Customer/O'BRIEN", expand="CreditVerificationRules").json()
    assert got["CreditVerificationRules"]["CreditLimit"] == got["CreditLimit"]


def test_bad_options(one: Site) -> None:
    """S15, §4.1, §13.5: an unknown name in `$expand` and a `$top` that is no number are 500s; `$orderby` and others are ignored."""
    one.fails("Customer", expand="Nothing")
    one.fails("Customer", top="many")
    assert one.rows("Customer", top=3, orderby="CustomerName desc") == one.rows("Customer", top=3)


def test_lists_come_in_key_order(one: Site, book: Book) -> None:
    """S15, §4.1: ascending by key without regard to case; `$skip` comes before `$top`, and past the end is an empty list."""
    codes = [row["CustomerID"]["value"] for row in one.rows("Customer", select="CustomerID")]
    assert codes == sorted((row["CustomerID"] for row in book.customers), key=str.casefold)
    page = one.rows("Customer", skip=5, top=3)
    assert [row["CustomerID"]["value"] for row in page] == codes[5:8]
    assert [row["rowNumber"] for row in page] == [1, 2, 3]
    assert one.rows("Customer", skip=1000) == []
    numbers = [row["ContactID"]["value"] for row in one.rows("Contact", select="ContactID")]
    assert numbers == sorted(numbers)


def test_a_list_is_over_the_live_table() -> None:
    """S15, §4.7: a walk by `$skip` misses a row when one before it goes, which is why nobody should walk so."""
    with site(load("demo", customers=6, contacts=0)) as one:
        codes = [row["CustomerID"]["value"] for row in one.rows("Customer", select="CustomerID")]
        first = one.rows("Customer", top=3)
        one.control("edit", entity="customer", key=codes[0], delete=True)
        second = one.rows("Customer", top=3, skip=3)
        assert {row["CustomerID"]["value"] for row in first + second} == set(codes) - {codes[3]}


def test_a_walk_by_key_meets_no_gap() -> None:
    """§4.7: pages after the last key seen hold every row that was there all the time, whatever comes and goes meanwhile."""
    with site(load("demo", customers=30, contacts=0)) as one:
        there = {row["CustomerID"]["value"] for row in one.rows("Customer", select="CustomerID")}
        gone: set[str] = set()
        seen: list[str] = []
        while True:
            last = seen[-1].replace("'", "''") if seen else ""
            page = one.rows("Customer", select="CustomerID", filter=f"CustomerID gt '{last}'", top=4)
            seen += [row["CustomerID"]["value"] for row in page]
            if len(page) < 4:
                break
            gone.add(seen[-1])
            one.control("edit", entity="customer", key=seen[-1], delete=True)
            one.control("edit", entity="customer", create={"CustomerID": f"{len(gone)}A", "CustomerName": "New"})
        assert len(set(seen)) == len(seen)
        assert there <= set(seen)


def test_business_accounts_are_more_than_customers(one: Site, book: Book) -> None:
    """§5.3, §8: customers, under their own NoteIDs, and prospects and vendors besides."""
    rows = one.rows("BusinessAccount", select="BusinessAccountID,Type,NoteID")
    kinds = {row["BusinessAccountID"]["value"]: (row["Type"]["value"], row["id"]) for row in rows}
    assert len(kinds) == 44
    assert kinds["O'BRIEN"] == ("Customer", book.customers[0]["id"])
    assert kinds["VENDOR01"][0] == "Vendor"
    assert kinds["PROSPECT01"][0] == "Business Account"


def test_numbers_have_no_exponent_and_no_zeros() -> None:
    """S20: decimals are JSON numbers as short as can be, never in exponent form."""
    numbers = [Decimal(text) for text in ("160.00", "1065.27725", "1E+3", "0.000000010", "0.00", "-5.50", "12345678901234567890.12")]
    assert encode(numbers) == "[160,1065.27725,1000,0.00000001,0,-5.5,12345678901234567890.12]"
    text = '{"a":"\\"é\\u0001","b":[true,null,1,{}]}'
    assert json.loads(encode(json.loads(text))) == json.loads(text)


def test_money_arrives_to_the_cent(one: Site, book: Book) -> None:
    """§3.1: a credit limit read with Decimal parsing is the one that is stored."""
    got = json.loads(one.get("Customer", select="CustomerID,CreditLimit").text, parse_float=Decimal, parse_int=Decimal)
    limits = {row["CustomerID"]["value"]: row["CreditLimit"].get("value") for row in got}
    assert limits == {row["CustomerID"]: row["CreditLimit"] for row in book.customers}


@pytest.mark.parametrize(("zone", "pattern"), [("UTC", r"\+00:00$"), ("-08:00", r"-08:00$"), ("Asia/Dubai", r"\+04:00$")])
def test_dates_carry_the_sites_offset(book: Book, zone: str, pattern: str) -> None:
    """S7, §3.1, §4.6: a time has the offset of the site's zone and its fraction without zeros at the end, and is the same instant."""
    with site(book, time_zone=zone) as one:
        text = one.get("Customer/O'BRIEN").json()["LastModifiedDateTime"]["value"]
        assert re.search(pattern, text)
        assert not re.search(r"\.\d*0[+-]", text)
        assert datetime.fromisoformat(text) == book.customers[0]["LastModifiedDateTime"]


def test_two_slashes_are_one(one: Site) -> None:
    """S1: the vendor's own clients send `//entity`."""
    assert one.client.get("http://site//entity//Default/24.200.001/Customer/O'BRIEN").status_code == 200
    assert one.client.get("/entity/").json() == one.client.get("/entity").json()


def test_a_virtual_directory() -> None:
    """S1: by switch the site stands in a folder, which is in its links, its discovery and its list of endpoints, and in no other place."""
    with site(virtual_directory="AcumaticaDB", signed_in=False) as one:
        assert one.client.get("/entity").status_code == 404
        found = one.client.get("/AcumaticaDB/identity/.well-known/openid-configuration").json()
        assert found["token_endpoint"] == "http://site/AcumaticaDB/identity/connect/token"
        one.client.base_url = one.client.base_url.join("/AcumaticaDB/")
        one.sign_in()
        row = one.get("Customer/O'BRIEN").json()
        assert row["_links"]["self"] == f"/AcumaticaDB{BASE}/Customer/{row['id']}"
        assert one.client.get("/entity").json()["endpoints"][0]["href"].startswith("/AcumaticaDB/entity/Default/")


def test_names_in_a_path() -> None:
    """S1: whether `customer` is `Customer` is not known: a 404, or by switch the same."""
    for case, status in (("exact", 404), ("any", 200)):
        with site(path_case=case) as one:
            assert one.get("customer/O'BRIEN").status_code == status
            assert one.client.get("/entity/default/24.200.001/Customer/O'BRIEN").status_code == status


def test_the_clock_of_the_stamps_can_differ() -> None:
    """§4.6: stamps come from the database's clock; a switch puts it ahead of the Date header."""
    with site(clock_skew_seconds=90) as one:
        one.control("edit", entity="customer", key="O'BRIEN", fields={"Terms": "COD"})
        answer = one.get("Customer/O'BRIEN")
        stamp = datetime.fromisoformat(answer.json()["LastModifiedDateTime"]["value"])
        ahead = stamp - parsedate_to_datetime(answer.headers["Date"]).astimezone(UTC)
        assert 85 < ahead.total_seconds() < 95


def test_the_description_is_the_vendors() -> None:
    """S5, §5: what the sandbox describes is in the vendor's own description: each field, linked entity and detail with its type, each
    operation under its id. No single value of the entities is left out."""
    found = (parent / "shared/vendor/acumatica/swagger_Default_24.200.001.json" for parent in Path(__file__).resolve().parents)
    description = next((path for path in found if path.is_file()), None)
    if description is None:
        pytest.skip("the vendor's description is not at hand: no shared/vendor/acumatica beside the repository")
    theirs, ours = json.loads(description.read_text("utf-8")), document("http://site/entity/Default/24.200.001")
    schemas = theirs["components"]["schemas"]
    shapes = [entity.shape for entity in SERVED.values()]
    rows = [row for shape in shapes if shape.type_name in DOCUMENTS for row in shape.details.values() if isinstance(row, Shape)]
    whole = {shape.type_name for shape in (*shapes, *rows, ADDRESS, CREDIT_RULES, BILLING, FINANCIAL, DOC_CONTACT)}
    for name, schema in ours["components"]["schemas"].items():
        if "allOf" not in schema:
            kinds = [{field: value.get("type") for field, value in one["properties"].items()} for one in (schema, schemas[name])]
            assert kinds[0].items() <= kinds[1].items(), name
            continue
        properties, known = schema["allOf"][1]["properties"], schemas[name].get("allOf", [{}, {"properties": {}}])[1]["properties"]
        assert {field: known.get(field) for field in properties} == properties, name
        if name in whole:
            values = {field for field, value in known.items() if value.get("$ref", "").endswith("Value")}
            assert values <= set(properties), name
    for path, operations in ours["paths"].items():
        for method, operation in operations.items():
            real = theirs["paths"][path][method]
            assert (operation["operationId"], operation["parameters"]) == (real["operationId"], real.get("parameters", []))
            assert set(operation["responses"]) == set(real["responses"])
