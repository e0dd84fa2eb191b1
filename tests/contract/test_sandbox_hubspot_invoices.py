"""HubSpot's invoices and their line items in the sandbox."""

from __future__ import annotations

from typing import Any

import pytest
from hubspot_kit import ASSOCIATIONS, MIRROR, OBJECTS, OLD, PROPERTIES, Hub, codes, hub, patch, traced


def link(portal: Hub, one: str, id: str, other: str, to: str) -> Any:
    answer = portal("PUT", f"{OBJECTS}/{one}/{id}/associations/default/{other}/{to}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def inline(parent: str, type: int = 410) -> list[dict[str, Any]]:
    return [{"to": {"id": parent}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": type}]}]


def lines(portal: Hub, *rows: dict[str, Any], trace: bool = True) -> Any:
    inputs = [dict(row) for row in rows]
    return portal.post(f"{OBJECTS}/line_items/batch/create", {"inputs": traced(inputs) if trace else inputs})


def test_a_mirror_has_its_own_number_amount_and_status() -> None:
    """§6.2, §14.4: not billable, an invoice takes number, amount, dates and any status at once; balance and paid amount are computed."""
    with hub() as portal:
        days = {"hs_invoice_date": "2026-10-01", "hs_due_date": "1793404800000"}
        id = portal.make("invoices", **MIRROR, **days, hs_number="000123", hs_amount_billed="120.50", hs_invoice_status="open")
        names = ("hs_number", "hs_amount_billed", "hs_balance_due", "hs_amount_paid", "hs_invoice_date", "hs_due_date", "hs_invoice_status")
        found = portal.properties("invoices", id, *names)
        assert [found[name] for name in names[:4]] == ["000123", "120.50", "120.5", "0"]
        assert (found["hs_invoice_date"], found["hs_due_date"]) == ("2026-10-01T00:00:00Z", "2026-10-31T00:00:00Z")
        for status, balance, paid in (("paid", "0", "120.5"), ("voided", "0", "0"), ("open", "120.5", "0"), ("draft", "120.5", "0")):
            assert patch(portal, "invoices", id, hs_invoice_status=status).status_code == 200
            found = portal.properties("invoices", id, *names)
            assert (found["hs_invoice_status"], found["hs_balance_due"], found["hs_amount_paid"]) == (status, balance, paid)


def test_what_an_invoice_answers_by_default() -> None:
    """§2.2, §2.3: only the stamps and the id come without asking; `hs_currency` is all that is required, on every path."""
    with hub() as portal:
        id = portal.make("invoices", hs_currency="EUR")
        assert set(portal.properties("invoices", id)) == {"hs_createdate", "hs_lastmodifieddate", "hs_object_id"}
        names = ("hs_invoice_status", "hs_invoice_billable", "hs_invoice_date", "hs_due_date", "hs_number")
        found = portal.properties("invoices", id, *names)
        assert [found[name] for name in names[:2]] == ["draft", "true"]
        assert found["hs_invoice_date"] == found["hs_due_date"] == "2026-11-20T10:00:00.123Z"
        assert found["hs_number"].startswith("INV-")
        for path in (OBJECTS, OLD):
            assert codes(portal.post(f"{path}/0-53", {"properties": {}})) == {"hs_currency": "MISSING_REQUIRED_PROPERTY"}
        assert codes(patch(portal, "invoices", id, hs_currency="")) == {"hs_currency": "MISSING_REQUIRED_PROPERTY"}


def test_a_currency_that_the_portal_has_not() -> None:
    """§14.4: account details list the currencies; another one is a 400 INVALID_OPTION, also one that was taken away a moment ago."""
    with hub(currency="USD", additional_currencies="EUR") as portal:
        for version in ("v3", "2026-03", "2026-09"):
            details = portal("GET", f"/account-info/{version}/details").json()
            assert (details["companyCurrency"], details["additionalCurrencies"], details["timeZone"]) == ("USD", ["EUR"], "UTC")
        assert codes(portal.post(f"{OBJECTS}/invoices", {"properties": {"hs_currency": "CHF"}})) == {"hs_currency": "INVALID_OPTION"}
        assert codes(portal.post(f"{OBJECTS}/line_items", {"properties": {"hs_line_item_currency_code": "CHF"}}))
        assert portal.make("invoices", hs_currency="EUR")
        assert portal.control("POST", "portal", {"additional_currencies": ["CHF"]})["additional_currencies"] == ["CHF"]
        assert codes(portal.post(f"{OBJECTS}/invoices", {"properties": {"hs_currency": "EUR"}})) == {"hs_currency": "INVALID_OPTION"}
        assert portal.make("invoices", hs_currency="CHF")


def test_computed_and_read_only_properties() -> None:
    """§6.2, §14.4: balance, paid amount, links and ids are READ_ONLY_VALUE; amount and number too where HubSpot bills itself."""
    with hub() as portal:
        mirror, billable = portal.make("invoices", **MIRROR), portal.make("invoices", hs_currency="USD")
        for name in ("hs_balance_due", "hs_amount_paid", "hs_invoice_link", "hs_pdf_download_link", "hs_unique_id", "hs_createdate"):
            assert codes(patch(portal, "invoices", mirror, **{name: "1"})) == {name: "READ_ONLY_VALUE"}
        for name in ("hs_amount_billed", "hs_number"):
            assert patch(portal, "invoices", mirror, **{name: "1"}).status_code == 200
            assert codes(patch(portal, "invoices", billable, **{name: "1"})) == {name: "READ_ONLY_VALUE"}
        assert codes(patch(portal, "invoices", mirror, hs_invoice_status="closed")) == {"hs_invoice_status": "INVALID_OPTION"}


def test_the_amount_right_after_create() -> None:
    """§6.2, switch amount_billed_on_create: the amount reads 0 until it is written again; by default it is there."""
    for switch, held in (("zero", "0"), ("kept", "99.99")):
        with hub(amount_billed_on_create=switch) as portal:
            id = portal.make("invoices", **MIRROR, hs_amount_billed="99.99")
            assert portal.properties("invoices", id, "hs_amount_billed")["hs_amount_billed"] == held
            patch(portal, "invoices", id, hs_amount_billed="99.99")
            assert portal.properties("invoices", id, "hs_amount_billed", "hs_balance_due")["hs_balance_due"] == "99.99"


def test_a_billable_invoice_opens_with_a_line_and_a_contact() -> None:
    """§6.2, §6.3: draft to open needs a line item and a contact; then only void is left, and nobody pays it through the API."""
    with hub() as portal:
        id, ann = portal.make("invoices", hs_currency="USD"), portal.make("contacts", email="ann@acme.example")
        answer = patch(portal, "invoices", id, hs_invoice_status="open")
        assert (answer.status_code, "INVOICE_TO_LINE_ITEM" in answer.json()["message"]) == (400, True)
        assert lines(portal, {"properties": {"name": "Brick", "price": "2.5"}, "associations": inline(id)}).status_code == 201
        assert patch(portal, "invoices", id, hs_invoice_status="open").status_code == 400
        link(portal, "invoices", id, "contacts", ann)
        assert patch(portal, "invoices", id, hs_invoice_status="paid").status_code == 400
        assert patch(portal, "invoices", id, hs_invoice_status="open").status_code == 200
        assert portal.properties("invoices", id, "hs_amount_billed")["hs_amount_billed"] == "2.5"
        assert patch(portal, "invoices", id, hs_invoice_status="paid").status_code == 400
        assert patch(portal, "invoices", id, hs_invoice_status="voided").status_code == 200
        assert portal.post(f"{OBJECTS}/invoices", {"properties": {"hs_currency": "USD", "hs_invoice_status": "open"}}).status_code == 400


def test_line_items_are_computed() -> None:
    """§6.3, §14.4: amount, discounts and their sums follow price, quantity and discount; the invoice that HubSpot bills follows too."""
    with hub() as portal:
        id = portal.make("invoices", hs_currency="USD")
        one = portal.make("line_items", name="Brick", quantity="3", price="10.10", discount="0.10", hs_sku="B-1")
        link(portal, "line_items", one, "invoices", id)
        names = ("amount", "hs_pre_discount_amount", "hs_total_discount", "hs_post_tax_amount")
        found = portal.properties("line_items", one, *names)
        assert [found[name] for name in names] == ["30", "30.3", "0.3", "30"]
        assert portal.properties("invoices", id, "hs_amount_billed")["hs_amount_billed"] == "30"
        patch(portal, "line_items", one, hs_discount_percentage="50")
        assert portal.properties("invoices", id, "hs_amount_billed", "hs_balance_due")["hs_balance_due"] == "15.15"
        assert codes(patch(portal, "line_items", one, amount="1")) == {"amount": "READ_ONLY_VALUE"}
        assert portal("DELETE", f"{OBJECTS}/line_items/{one}").status_code == 204
        assert portal.properties("invoices", id, "hs_amount_billed")["hs_amount_billed"] == "0"


def test_lines_of_a_mirror_leave_its_amount_alone() -> None:
    """§6.2: on an invoice that is not billable the amount is what was written, and its stamp does not move for its lines."""
    with hub() as portal:
        id = portal.make("invoices", **MIRROR, hs_amount_billed="7")
        before = portal.properties("invoices", id, "hs_amount_billed")
        portal.clock.pass_(5)
        assert lines(portal, {"properties": {"name": "Brick", "price": "2.5"}, "associations": inline(id)}).status_code == 201
        assert portal.properties("invoices", id, "hs_amount_billed") == before


def test_no_negative_lines() -> None:
    """§6.3, §14.4: a negative price is a 400; a negative quantity too, unless the switch negative_quantity allows it."""
    with hub() as portal:
        assert codes(portal.post(f"{OBJECTS}/line_items", {"properties": {"price": "-1"}})) == {"price": "NEGATIVE_VALUE"}
        minus = {"price": "1", "quantity": "-2"}
        assert codes(portal.post(f"{OBJECTS}/line_items", {"properties": minus})) == {"quantity": "NEGATIVE_VALUE"}
    with hub(negative_quantity="allowed") as portal:
        id = portal.make("line_items", **minus)
        assert portal.properties("line_items", id, "amount")["amount"] == "-2"


def test_the_same_line_twice_is_one() -> None:
    """§6.3: identical inputs of one batch/create are one line item without a word, whatever their trace ids; by upsert they are not."""
    with hub() as portal:
        id = portal.make("invoices", **MIRROR)
        brick: dict[str, Any] = {"properties": {"name": "Brick", "price": "2"}, "associations": inline(id)}
        numbered = [{**brick, "properties": {**brick["properties"], "hs_position_on_quote": str(n)}} for n in range(2)]
        answer = lines(portal, brick, brick, *numbered)
        assert (answer.status_code, len(answer.json()["results"]), "errors" in answer.json()) == (201, 3, False)
        assert len(portal("GET", f"{OBJECTS}/invoices/{id}/associations/line_items").json()["results"]) == 3
        assert len(lines(portal, brick, brick, trace=False).json()["results"]) == 1


def test_a_line_item_has_one_parent() -> None:
    """§6.3: a line item of one invoice cannot be associated with another one or with a deal, in any way."""
    with hub() as portal:
        one, two = (portal.make("invoices", **MIRROR) for _ in range(2))
        deal = portal.make("deals", dealname="D", dealstage="closedwon")
        line = lines(portal, {"properties": {"name": "Brick"}, "associations": inline(one)}).json()["results"][0]["id"]
        assert link(portal, "invoices", one, "line_items", line)
        assert portal("PUT", f"{OBJECTS}/invoices/{two}/associations/default/line_items/{line}").status_code == 400
        body = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 20}]
        assert portal("PUT", f"{OBJECTS}/line_items/{line}/associations/deals/{deal}", body).status_code == 400
        pairs = {"inputs": [{"from": {"id": two}, "to": {"id": line}}]}
        answer = portal.post(f"{ASSOCIATIONS}/invoices/line_items/batch/associate/default", pairs)
        assert (answer.status_code, answer.json()["results"], answer.json()["numErrors"]) == (207, [], 1)
        both = [*inline(one), *inline(two)]
        assert portal.post(f"{OBJECTS}/line_items", {"properties": {}, "associations": both}).status_code == 400
        made = portal.post(f"{OBJECTS}/invoices", {"properties": MIRROR, "associations": inline(line, 409)})
        assert made.status_code == 400
        portal("DELETE", f"{OBJECTS}/invoices/{one}/associations/line_items/{line}")
        assert link(portal, "invoices", two, "line_items", line)


@pytest.mark.parametrize(
    ("one", "other", "there", "back"),
    [
        ("invoices", "companies", 179, 180),
        ("invoices", "contacts", 177, 178),
        ("invoices", "deals", 175, 176),
        ("invoices", "line_items", 409, 410),
    ],
)
def test_associations_of_an_invoice(one: str, other: str, there: int, back: int) -> None:
    """§5.3: the ids of each pair, default in two rows, labelled, read from both sides; another pair's id is a 400."""
    makes: dict[str, dict[str, str]] = {
        "companies": {"name": "A"},
        "contacts": {"firstname": "A"},
        "deals": {"dealname": "A", "dealstage": "closedwon"},
        "line_items": {"name": "A"},
    }
    with hub() as portal:
        id, to = portal.make(one, **MIRROR), portal.make(other, **makes[other])
        rows = link(portal, one, id, other, to)["results"]
        assert {row["associationSpec"]["associationTypeId"] for row in rows} == {there, back}
        for a, a_id, b, b_id, type in ((one, id, other, to, there), (other, to, one, id, back)):
            held = portal("GET", f"{OBJECTS}/{a}/{a_id}/associations/{b}").json()["results"]
            wanted = {"category": "HUBSPOT_DEFINED", "typeId": type, "label": None}
            assert held == [{"toObjectId": int(b_id), "associationTypes": [wanted]}]
            listed = portal("GET", f"{OLD}/{a}/{a_id}/associations/{b}").json()["results"]
            word = {"companies": "company", "line_items": "line_item"}
            singular = [word.get(name, name.removesuffix("s")) for name in (a, b)]
            assert listed == [{"id": b_id, "type": f"{singular[0]}_to_{singular[1]}"}]
        for type, status in ((there, 201), (181, 400), (279, 400)):
            body = {"inputs": [{"from": {"id": id}, "to": {"id": to}, "types": [{"associationCategory": "X", "associationTypeId": type}]}]}
            assert portal.post(f"/crm/v4/associations/{one}/{other}/batch/create", body).status_code == status
        dump = portal.control("GET", "dump")["associations"]
        assert {pair["types"][0] for pair in dump} <= {there, back}
        assert len(dump) == 1


def test_an_invoice_by_our_own_key() -> None:
    """§6.2, §14.4: an own unique property makes upserts of invoices and of line items the same each time, on dated and old paths."""
    with hub() as portal:
        for objects, group, name in (
            ("invoices", "invoiceinformation", "acumatica_invoice_key"),
            ("line_items", "lineiteminformation", "acumatica_line_key"),
        ):
            body = {"name": name, "label": "Key", "type": "string", "fieldType": "text", "groupName": group, "hasUniqueValue": True}
            assert portal.post(f"{PROPERTIES}/{objects}", body).status_code == 201
        for path, new in ((OBJECTS, True), (OLD, False), ("/crm/objects/2026-03", False)):
            row = {"id": "demo|1", "idProperty": "acumatica_invoice_key", "properties": MIRROR}
            answer = portal.post(f"{path}/invoices/batch/upsert", {"inputs": traced([row])}).json()
            assert [result["new"] for result in answer["results"]] == [new]
            line = {"id": "demo|1|1", "idProperty": "acumatica_line_key", "properties": {"price": "1"}}
            assert [r["new"] for r in portal.post(f"{path}/0-8/batch/upsert", {"inputs": traced([line])}).json()["results"]] == [new]
        row["id"] = "demo|2"
        no_currency = {**row, "properties": {"hs_invoice_billable": "false"}}
        answer = portal.post(f"{OBJECTS}/invoices/batch/upsert", {"inputs": traced([row, {**no_currency, "id": "demo|3"}])})
        assert (answer.status_code, answer.json()["numErrors"]) == (207, 1)
        portal.clock.pass_(5)
        assert portal.search("invoices", ("acumatica_invoice_key", "IN", ["demo|1", "demo|2"]))["total"] == 2
        assert [entry["key"] for entry in portal.log() if entry["op"] == "create"] == ["demo|1", "demo|1|1", "demo|2"]


def test_what_can_be_deleted() -> None:
    """§6.2: draft and open invoices can be deleted, if the switch invoice_deletes lets them; others not, and then nothing of a batch is."""
    with hub() as portal:
        draft, paid = (portal.make("invoices", **MIRROR, hs_invoice_status=status) for status in ("draft", "paid"))
        assert portal("DELETE", f"{OBJECTS}/invoices/{paid}").status_code == 400
        both = {"inputs": [{"id": draft}, {"id": paid}]}
        assert portal.post(f"{OBJECTS}/invoices/batch/archive", both).status_code == 400
        assert portal("GET", f"{OBJECTS}/invoices/{draft}").status_code == 200
        assert portal.post("/__sandbox__/edit", {"entity": "invoice", "key": paid, "delete": True}).status_code == 400
        assert portal.edit(entity="invoice", key=paid, fields={"hs_comments": "theirs"})[0]["fields"] == ["hs_comments"]
        assert portal("DELETE", f"{OBJECTS}/invoices/{draft}").status_code == 204
        assert portal("GET", f"{OBJECTS}/invoices/{draft}").status_code == 404
    with hub(invoice_deletes=False) as portal:
        assert portal("DELETE", f"{OBJECTS}/invoices/{portal.make('invoices', **MIRROR)}").status_code == 400


def test_invoices_do_not_merge() -> None:
    """§6.1: there is no route to merge invoices; it is a 404 of the web server."""
    with hub() as portal:
        ids = [portal.make("invoices", **MIRROR) for _ in range(2)]
        answer = portal.post(f"{OBJECTS}/invoices/merge", dict(zip(("primaryObjectId", "objectIdToMerge"), ids, strict=True)))
        assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (404, "text/html")
