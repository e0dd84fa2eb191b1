"""Writes of AR documents in the Acumatica sandbox (facts/acumatica.md §3.4, §4.8, §4.9, §6.2: S11, S12)."""

from typing import Any

import httpx
from acumatica_site import BASE, Site, site

from sandbox.data import load

BOOK = load("demo", customers=20, contacts=30, invoices=0)


def wrapped(fields: dict[str, Any]) -> dict[str, Any]:
    """`{"value": ...}` around every plain value; lists are details."""
    out: dict[str, Any] = {}
    for name, value in fields.items():
        bare = name in ("id", "delete")
        out[name] = [wrapped(row) for row in value] if isinstance(value, list) else value if bare else {"value": value}
    return out


def put(one: Site, entity: str, headers: dict[str, str] | None = None, options: str = "", **fields: Any) -> httpx.Response:
    return one.client.put(f"{BASE}/{entity}{options}", json=wrapped(fields), headers=headers)


def test_a_document_is_put_and_taken_off_hold() -> None:
    """S11, §4.8: an insert and an update are both 200; the number is given; the answer has what was sent and asked for; details only with
    $expand. On Hold becomes Balanced; who is released keeps what it has."""
    with site(BOOK) as one:
        answer = put(one, "SalesInvoice", CustomerID="YAMADA", Type="Invoice", Hold=True, Details=[{"InventoryID": "NAIL16D", "Qty": 2}])
        assert answer.status_code == 200
        body = answer.json()
        assert set(body) - {"id", "rowNumber", "note", "custom", "_links"} == {"CustomerID", "Type", "ReferenceNbr", "Hold"}
        number = body["ReferenceNbr"]["value"]
        row = one.get(f"SalesInvoice/Invoice/{number}", expand="Details").json()
        assert (row["Status"]["value"], row["Amount"]["value"], row["Details"][0]["UnitPrice"]["value"]) == ("On Hold", 144, 72)
        body = put(one, "SalesInvoice", options="?$select=Status", Type="INV", ReferenceNbr=number, Hold=False).json()
        assert body["Status"]["value"] == "Balanced"
        one.control("edit", ar="release", document=f"INV/{number}")
        assert put(one, "SalesInvoice", id=row["id"], Description="late").status_code == 200
        assert one.get(f"Invoice/{row['id']}").json()["Description"] == {}
        assert {entry["actor"] for entry in one.client.get("/__sandbox__/log").json()} == {"api", "person"}


def test_lines_are_added_changed_and_deleted() -> None:
    """S11, §3.4: a row with an id or number is changed, without one added, with `delete` gone; rows that are not sent stay."""
    with site(BOOK) as one:
        lines = [{"TransactionDescription": text, "Qty": 1, "UnitPrice": price} for text, price in (("a", 10), ("b", 20), ("c", 30))]
        row = put(one, "Invoice", options="?$expand=Details", Customer="YAMADA", Details=lines).json()
        first, second, _ = row["Details"]
        gone = {"LineNbr": second["LineNbr"]["value"], "delete": True}
        changes = [{"id": first["id"], "Qty": 3}, gone, {"UnitPrice": 5, "InventoryID": None}]
        put(one, "Invoice", id=row["id"], Details=changes)
        after = one.get(f"Invoice/{row['id']}", expand="Details").json()
        lines = [{name: field.get("value") for name, field in line.items() if isinstance(field, dict)} for line in after["Details"]]
        found = [(line["LineNbr"], line["TransactionDescription"], line["Amount"]) for line in lines]
        assert found == [(1, "a", 30), (3, "c", 30), (4, None, 5)]
        assert (after["Amount"]["value"], after["Balance"]["value"]) == (65, 65)


def test_a_payment_and_what_it_is_for() -> None:
    """§4.8: a payment with its documents: what it is for waits for the release; without amounts the whole balance is meant."""
    with site(BOOK) as one:
        one.control("edit", ar="enter", customer="YAMADA", amount="40", currency="EUR", release=True)
        documents = [{"DocType": "INV", "ReferenceNbr": "000001"}]
        body = put(one, "Payment", CustomerID="YAMADA", CurrencyID="EUR", PaymentRef="77", DocumentsToApply=documents).json()
        row = one.get(f"Payment/{body['id']}", expand="DocumentsToApply").json()
        assert (row["PaymentAmount"]["value"], row["AppliedToDocuments"]["value"], row["Status"]["value"]) == (40, 40, "Balanced")
        assert one.get("Invoice/Invoice/000001").json()["Balance"]["value"] == 40
        one.client.post(f"{BASE}/Payment/ReleasePayment", json={"entity": {"id": body["id"]}})
        assert one.get("Invoice/Invoice/000001").json()["Status"]["value"] == "Closed"


def test_what_is_wrong_with_a_document() -> None:
    """S12, §6.2, §13.6: a 422 is the entity itself with each error where it belongs: at the record, a field, a row of a detail; nothing is
    saved. By switch it is one text in a 500."""
    bad = {"Customer": "YAMADA", "Description": "x" * 600, "Details": [{"InventoryID": "NAIL16D"}, {"InventoryID": "NOPE", "Qty": 2}]}
    with site(BOOK) as one:
        answer = put(one, "Invoice", **bad)
        body = answer.json()
        assert answer.status_code == 422
        assert body["error"] == "Inserting  'Invoice' record raised at least one error. Please review the errors."
        assert body["ReferenceNbr"] == {"value": "<NEW>"}
        assert "exceeds" in body["Description"]["error"]
        assert "error" not in body["Details"][0]["InventoryID"]
        assert body["Details"][1]["InventoryID"] == {"value": "NOPE", "error": "'Inventory ID' cannot be found in the system."}
        assert body["Details"][1]["rowNumber"] == 2
        assert "cannot be found" in put(one, "SalesInvoice", CustomerID="NOBODY").json()["CustomerID"]["error"]
        assert "allowed values" in put(one, "Payment", CustomerID="YAMADA", Type="Invoice").json()["Type"]["error"]
        apply = [{"DocType": "INV", "ReferenceNbr": "9"}]
        error = put(one, "Payment", CustomerID="YAMADA", DocumentsToApply=apply).json()["DocumentsToApply"][0]["ReferenceNbr"]["error"]
        assert "cannot be found" in error
        for status in ("Credit Hold", "Inactive"):
            one.control("edit", entity="customer", key="YAMADA", fields={"Status": status})
            assert put(one, "Invoice", Customer="YAMADA").json()["error"] == f"The customer status is '{status}'."
        assert one.client.get("/__sandbox__/books").json()["documents"] == []
        assert one.client.put(f"{BASE}/Invoice", json={"Details": {"a": 1}, "Customer": {"value": "YAMADA"}}).status_code == 400
    with site(BOOK, validation_shape="500", too_long="cut") as one:
        answer = put(one, "Invoice", **bad)
        assert (answer.status_code, "OutcomeEntityHasErrors" in answer.json()["exceptionType"]) == (500, True)
        assert "InventoryID: 'Inventory ID' cannot be found" in answer.json()["exceptionMessage"]
        assert "Description" not in answer.json()["exceptionMessage"]


def test_if_headers_filters_and_silence() -> None:
    """S11, §4.8, S19: `If-Match` and `If-None-Match` as with customers; a document is found by filter; a silent write saves nothing."""
    with site(BOOK) as one:
        assert put(one, "Invoice", {"If-Match": "*"}, Customer="YAMADA").status_code == 412
        assert put(one, "Invoice", {"If-None-Match": "*"}, Customer="YAMADA", CustomerOrder="PO 1").status_code == 200
        assert put(one, "Invoice", {"If-None-Match": "*"}, Type="Invoice", ReferenceNbr="000001").status_code == 412
        assert put(one, "Invoice", options="?$filter=CustomerOrder eq 'PO 1'", Description="found").status_code == 200
        assert one.get("Invoice/Invoice/000001").json()["Description"]["value"] == "found"
        one.control("faults", method="PUT", kind="silent", times=2)
        assert put(one, "Invoice", Type="Invoice", ReferenceNbr="000001", Description="lost").json()["Description"]["value"] == "found"
        assert put(one, "Invoice", options="?$expand=Details", Customer="YAMADA").json()["ReferenceNbr"]["value"] == "<NEW>"
        assert len(one.client.get("/__sandbox__/books").json()["documents"]) == 1


def test_deleting_documents() -> None:
    """§4.9: what is not released is deleted by key or NoteID with a 204; what is released is refused with a 500."""
    with site(BOOK) as one:
        for _ in range(2):
            put(one, "Invoice", Customer="YAMADA")
        assert one.client.delete(f"{BASE}/Invoice/Invoice/000001").status_code == 204
        one.fails("Invoice/Invoice/000001")
        one.control("edit", ar="release", document="INV/000002")
        refused = one.client.delete(f"{BASE}/Invoice/Invoice/000002")
        assert (refused.status_code, refused.json()["exceptionType"]) == (500, "PX.Data.PXException")
        assert one.client.delete(f"{BASE}/Invoice/Invoice/000009").status_code == 500
