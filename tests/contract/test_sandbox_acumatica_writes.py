"""PUT and DELETE of the Acumatica sandbox (facts/acumatica.md §3.4, §4.8, §4.9, §6.2, §13.2)."""

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from acumatica_site import BASE, Site, site

from sandbox.data import credentials


def put(one: Site, path: str, body: Any, headers: dict[str, str] | None = None, **options: str) -> httpx.Response:
    wrapped = {name: value if isinstance(value, dict | list) else {"value": value} for name, value in body.items()}
    return one.client.put(f"{BASE}/{path}", json=wrapped, headers=headers, params={f"${name}": text for name, text in options.items()})


def saved(one: Site, entity: str, key: Any) -> Any:
    return one.vendor.store.tables[entity].find(key)


def test_a_put_makes_or_changes_a_record() -> None:
    """§4.8, S11: 200 for both, found by key in any case, the key in capitals; the NoteID stays and the log tells api."""
    with site() as one:
        made = put(one, "Customer", {"CustomerID": "Cust01", "CustomerName": "Custumer 01", "CustomerClass": "DEFAULT"})
        assert (made.status_code, made.json()["CustomerID"]) == (200, {"value": "CUST01"})
        changed = put(one, "Customer", {"CustomerID": "cust01 ", "CustomerName": "Customer 1"})
        assert (changed.status_code, changed.json()["id"]) == (200, made.json()["id"])
        assert saved(one, "Customer", "CUST01")["CustomerName"] == "Customer 1"
        assert [(row["actor"], row["op"]) for row in one.vendor.log.entries] == [("api", "create"), ("api", "update")]


def test_a_record_is_found_by_id_or_filter() -> None:
    """§4.8, S11: the body's `id` comes first, then its key, then `$filter`, a linked entity's field too."""
    with site() as one:
        row = saved(one, "Customer", "O'BRIEN")
        answer = one.client.put(f"{BASE}/Customer", json={"id": row["id"], "Terms": {"value": "COD"}})
        assert (answer.status_code, row["Terms"]) == (200, "COD")
        email = row["MainContact"]["Email"].replace("'", "''")
        answer = put(one, "Customer", {"Terms": "30D"}, filter=f"MainContact/Email eq '{email}' and CustomerID eq 'O''BRIEN'")
        assert (answer.status_code, row["Terms"]) == (200, "30D")
        assert put(one, "Customer", {"Terms": "COD"}, filter="Status eq 'Active'").status_code == 500


def test_if_headers() -> None:
    """§4.8, S11: If-None-Match: * only makes, If-Match: * only changes; else 412 and nothing is saved."""
    with site() as one:
        before = len(one.vendor.log.entries)
        assert put(one, "Customer", {"CustomerID": "O'BRIEN", "Terms": "COD"}, {"If-None-Match": "*"}).status_code == 412
        assert put(one, "Customer", {"CustomerID": "NEW1", "CustomerName": "N"}, {"If-Match": "*"}).status_code == 412
        assert len(one.vendor.log.entries) == before
        assert put(one, "Customer", {"CustomerID": "NEW1", "CustomerName": "N"}, {"If-None-Match": "*"}).status_code == 200
        assert put(one, "Customer", {"CustomerID": "NEW1", "CustomerName": "M"}, {"If-Match": "*"}).status_code == 200


def test_the_answer_is_limited() -> None:
    """§3.4, S11: what was sent, what $select and $expand ask for, what changed along with it, the key; no detail without $expand."""
    frame = {"id", "rowNumber", "note", "custom", "_links"}
    with site() as one:
        contact = next(row for row in one.vendor.store.contacts if row["Active"])
        answer = put(one, "Contact", {"ContactID": contact["ContactID"], "Active": False}).json()
        assert set(answer) == frame | {"ContactID", "Active", "Status"}
        assert answer["Status"] == {"value": "Inactive"}
        body = {"CustomerID": "O'BRIEN", "MainContact": {"Phone1": {"value": "+1 555 0100"}}}
        answer = put(one, "Customer", body, select="Terms,MainContact/Email,MainContact/Phone1", expand="MainContact,Contacts").json()
        assert set(answer) == frame | {"CustomerID", "Terms", "MainContact"}
        assert set(answer["MainContact"]) == {"id", "rowNumber", "note", "custom", "Email", "Phone1"}
        contact = next(row for row in one.vendor.store.contacts if saved(one, "Customer", row["BusinessAccount"]))
        expanded = put(one, "Customer", {"CustomerID": contact["BusinessAccount"]}, expand="Contacts").json()["Contacts"]
        assert {"value": contact["ContactID"]} in [row["ContactID"] for row in expanded]


def test_what_is_ignored() -> None:
    """§4.8, S11: unknown names, read-only fields, `{}` and details are a 200 that leaves things as they are; an empty value clears."""
    with site() as one:
        row = saved(one, "Customer", "O'BRIEN")
        before = {**row, "MainContact": {**row["MainContact"]}}
        body = {"CustomerID": "O'BRIEN", "CustomrName": "typo", "NoteID": "x", "Terms": {}, "Contacts": [{"ContactID": {"value": 1}}]}
        answer = put(one, "Customer", body)
        assert (answer.status_code, answer.json()["NoteID"]) == (200, {"value": row["id"]})
        assert row == before
        assert not one.vendor.log.entries
        assert put(one, "Customer", {"CustomerID": "O'BRIEN", "Terms": "", "CreditLimit": {"value": None}}).status_code == 200
        assert (row["Terms"], row["CreditLimit"]) == (None, None)


def test_numbers_are_exact() -> None:
    """S20: a number in a body is saved digit by digit."""
    with site() as one:
        raw = '{"CustomerID":{"value":"O\'BRIEN"},"CreditLimit":{"value":12345678901234567.89}}'
        answer = one.client.put(f"{BASE}/Customer", content=raw)
        assert '"CreditLimit":{"value":12345678901234567.89}' in answer.text


@pytest.mark.parametrize("raw", ["", "[]", "{", '{"CustomerID":"A"}', '{"CustomerID":{"value":"O\'BRIEN"},"CreditLimit":{"value":"many"}}'])
def test_what_cannot_be_read(raw: str) -> None:
    """§6.1: no JSON, another shape, or a value of another type is a 400; nothing is saved."""
    with site() as one:
        assert one.client.put(f"{BASE}/Customer", content=raw).status_code == 400
        assert not one.vendor.log.entries


def test_field_errors() -> None:
    """S12, §6.2, §13.2: a 422 is the entity itself with an error on it and on each bad field, nested ones too; nothing is saved."""
    with site() as one:
        answer = put(one, "Contact", {"FirstName": "Ann", "BusinessAccount": "NOBODY", "Address": {"Country": {"value": "USA"}}})
        body = answer.json()
        assert answer.status_code == 422
        assert "raised at least one error" in body["error"]
        assert body["BusinessAccount"] == {"value": "NOBODY", "error": "'Business Account' cannot be found in the system."}
        assert "error" in body["LastName"]
        assert "error" in body["Address"]["Country"]
        assert put(one, "Customer", {"CustomerName": "No number"}).json()["CustomerID"]["error"]
        assert put(one, "Customer", {"CustomerID": "O'BRIEN", "CustomerName": ""}).status_code == 422
        prospect = next(row for row in one.vendor.store.accounts if row["id"] not in one.vendor.store.customers.by_id)
        assert put(one, "Customer", {"CustomerID": prospect["BusinessAccountID"], "CustomerName": "x"}).status_code == 422
        assert not one.vendor.log.entries


def test_switches_of_writing() -> None:
    """§6.2, §8, §13.2: by switch a long text is cut, field errors are a 500, and customer numbers are given by the site."""
    with site(too_long="cut", validation_shape="500", customer_numbering="auto") as one:
        made = put(one, "Customer", {"CustomerName": "N" * 300})
        number = made.json()["CustomerID"]["value"]
        assert len(saved(one, "Customer", number)["CustomerName"]) == 255
        refused = put(one, "Contact", {"FirstName": "Ann"})
        assert (refused.status_code, "OutcomeEntityHasErrors" in refused.json()["exceptionType"]) == (500, True)


def test_unknowns() -> None:
    """§4.8, §4.9, §13.5, §12: by switch an unknown name is refused, a missing record's DELETE is a 404, and a 404 has no body."""
    with site(unknown_fields="refused", missing_delete="404", not_found_body="empty") as one:
        assert put(one, "Customer", {"CustomerID": "O'BRIEN", "CustomrName": "typo"}).status_code == 400
        assert put(one, "Customer", {"CustomerID": "O'BRIEN", "Contacts": []}).status_code == 200
        assert one.client.delete(f"{BASE}/Contact/1").status_code == 404
        assert (one.get("Nothing").status_code, one.get("Nothing").text) == (404, "")


def test_delete() -> None:
    """§4.9: 204 and the record is gone; one that is not there is the 500 of §4.4."""
    with site() as one:
        contact = next(iter(one.vendor.store.contacts))
        assert one.client.delete(f"{BASE}/Contact/{contact['ContactID']}").status_code == 204
        assert "NoEntitySatisfies" in one.client.delete(f"{BASE}/Contact/{contact['id']}").json()["exceptionType"]


def test_other_methods_are_refused() -> None:
    """§4.8: no PATCH in 24.200.001, no PUT to a record, no DELETE of a list."""
    with site() as one:
        calls = [("PATCH", "Customer"), ("PUT", "Customer/O'BRIEN"), ("DELETE", "Customer"), ("PUT", "BusinessAccount")]
        assert [one.client.request(method, f"{BASE}/{path}", json={}).status_code for method, path in calls] == [405] * 4


def test_a_write_that_saves_nothing() -> None:
    """S19: the fault `silent` is a 200 with the old values, and nothing is saved."""
    with site() as one:
        row = saved(one, "Customer", "O'BRIEN")
        terms = row["Terms"]
        one.control("faults", kind="silent", times=3)
        assert put(one, "Customer", {"CustomerID": "O'BRIEN", "Terms": "XYZ"}).json()["Terms"] == {"value": terms}
        assert put(one, "Customer", {"CustomerID": "NEW1", "CustomerName": "N"}).status_code == 200
        assert one.client.delete(f"{BASE}/Customer/O'BRIEN").status_code == 204
        assert (saved(one, "Customer", "O'BRIEN"), saved(one, "Customer", "NEW1")) == (row, None)
        assert not one.vendor.log.entries


def test_rows_can_be_hidden() -> None:
    """S19: the fault `hidden-rows` takes rows out of a list, and a hidden record is one that is not there."""
    with site() as one:
        one.control("faults", kind="hidden-rows", times=2, args={"keys": ["O'BRIEN"]})
        hidden = {row["CustomerID"]["value"] for row in one.rows("Customer", select="CustomerID")}
        assert "NoEntitySatisfies" in one.fails("Customer/O'BRIEN")
        assert {row["CustomerID"]["value"] for row in one.rows("Customer", select="CustomerID")} - hidden == {"O'BRIEN"}


def test_fields_can_be_garbled() -> None:
    """S19: the fault `garbled` puts other JSON where fields of chosen rows are, in lists and keyed reads; the table stays as it is."""
    with site() as one:
        row = one.rows("Customer", filter="CustomerID eq 'O''BRIEN'")[0]
        fields = {"CustomerName": "[1]", "MainContact/Email": '{"value": 5}', "Nothing/Here": "1"}
        one.control("faults", kind="garbled", times=2, args={"rows": {row["id"]: fields}})
        found = {one["id"]: one for one in one.rows("Customer", expand="MainContact")}[row["id"]]
        assert (found["CustomerName"], found["MainContact"]["Email"]) == ([1], {"value": 5})
        assert one.get("Customer/O'BRIEN").json()["CustomerName"] == [1]
        assert one.get("Customer/O'BRIEN").json()["CustomerName"] == row["CustomerName"]


def test_a_stamp_of_the_first_year() -> None:
    """§3.1: years have four digits, the first ones too."""
    with site() as one:
        row = one.vendor.store.customers.find("O'BRIEN")
        assert row is not None
        row["LastModifiedDateTime"] = datetime(1, 2, 3, 4, 5, 6, tzinfo=UTC)
        assert one.get("Customer/O'BRIEN").json()["LastModifiedDateTime"] == {"value": "0001-02-03T04:05:06+00:00"}


@pytest.mark.parametrize(("status", "headers"), [(200, {}), (302, {"Location": "/ui/error"}), (503, {})])
def test_a_site_that_is_published(status: int, headers: dict[str, str]) -> None:
    """S19, §6.1: while a customization is published, answers are pages: 200, 302 or 503, each fired once and counted."""
    with site() as one:
        kind = "status" if headers else "html"
        one.control("faults", kind=kind, args={"status": status, "headers": headers, "content_type": "text/html"})
        answer = one.get("Customer")
        assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (status, "text/html")
        assert one.get("Customer", top=1).status_code == 200
        assert one.client.get("/__sandbox__/faults").json()[0]["fired"] == 1


def test_a_write_whose_answer_is_lost() -> None:
    """S19: time-out after the commit: the record is there, and the same PUT once more changes nothing."""
    with site() as one:
        one.control("faults", kind="timeout-after", method="PUT", args={"seconds": 0})
        with pytest.raises(ConnectionResetError):
            put(one, "Customer", {"CustomerID": "NEW1", "CustomerName": "N"})
        assert put(one, "Customer", {"CustomerID": "NEW1", "CustomerName": "N"}, {"If-Match": "*"}).status_code == 200
        assert [row["op"] for row in one.vendor.log.entries] == ["create"]


def test_a_merged_contact_stays() -> None:
    """S19, §8: a merge leaves the duplicate as a record that says so, without a pointer to the survivor."""
    with site() as one:
        contact = next(iter(one.vendor.store.contacts))
        one.control("edit", entity="contact", key=contact["ContactID"], fields={"Duplicate": "Duplicated"})
        assert one.get(f"Contact/{contact['ContactID']}").json()["Duplicate"] == {"value": "Duplicated"}


def test_the_description() -> None:
    """S5, §2.2: swagger.json describes what is served, with this site's own address; who is not signed in gets a 401."""
    with site() as one:
        document = one.get("swagger.json").json()
        assert document["servers"] == [{"url": f"http://site{BASE}"}]
        assert set(document["paths"]) == {
            f"/{name}{key}"
            for name in ("Customer", "Contact", "BusinessAccount", "SalesInvoice", "Invoice", "Payment")
            for key in ("", "/{id}", "/{ids}")
        } | {"/SalesInvoice/ReleaseSalesInvoice", "/Invoice/ReleaseInvoice", "/Payment/ReleasePayment", "/Payment/VoidPayment"}
        assert document["info"]["title"] == f"Default/{credentials.ACUMATICA_VERSION}"
        del one.client.headers["Authorization"]
        assert one.get("swagger.json").status_code == 401
