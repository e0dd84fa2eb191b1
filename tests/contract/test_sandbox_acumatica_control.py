"""The Acumatica sandbox behind the control API: dump, edits, log, reset."""

from datetime import datetime
from typing import Any

import pytest
from acumatica_site import Site, site

from sandbox.data import load


def dump(one: Site) -> dict[str, Any]:
    body: dict[str, Any] = one.client.get("/__sandbox__/dump").json()
    return body


def customer(one: Site, key: str) -> dict[str, Any]:
    return next(row for row in dump(one)["customers"] if row["CustomerID"] == key)


def log(one: Site, after: int = 0) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = one.client.get(f"/__sandbox__/log?after={after}").json()
    return entries


def test_the_dump_is_plain() -> None:
    """Plain values under the vendor's names, `id` the NoteID, decimals as text, times as ISO texts in UTC; nothing signed in for it."""
    with site(signed_in=False) as one:
        body = dump(one)
        assert (body["system"], body["tenant"]) == ("acumatica", "Demo")
        row = customer(one, "O'BRIEN")
        book = load("demo", customers=40, contacts=100)
        assert row["id"] == row["NoteID"] == book.customers[0]["id"]
        assert row["CreditLimit"] == str(book.customers[0]["CreditLimit"])
        assert datetime.fromisoformat(row["LastModifiedDateTime"]) == book.customers[0]["LastModifiedDateTime"]
        assert row["LastModifiedDateTime"].endswith("+00:00")
        assert row["MainContact"]["Address"]["Country"] == book.customers[0]["MainContact"]["Address"]["Country"]
        assert [len(body[name]) for name in ("customers", "contacts", "business_accounts")] == [40, 100, 4]


def test_an_edit_is_seen_and_logged() -> None:
    """An edit moves the stamp, is read at once, and its log entry names the fields that really changed."""
    with site() as one:
        before = customer(one, "O'BRIEN")
        fields = {"CustomerName": "O'Brien & Daughters", "CreditLimit": "12.30", "Status": before["Status"]}
        entries = one.control("edit", entity="customer", key="O'BRIEN", fields=fields)
        assert entries == log(one)
        assert [entries[0][name] for name in ("seq", "actor", "op", "entity", "id", "key")] == [
            1,
            "person",
            "update",
            "customer",
            before["id"],
            "O'BRIEN",
        ]
        assert set(entries[0]["fields"]) == {"CustomerName", "CreditLimit", "LastModifiedDateTime"}
        got = one.get("Customer/O'BRIEN").json()
        assert got["CustomerName"] == {"value": "O'Brien & Daughters"}
        assert got["CreditLimit"] == {"value": 12.3}
        assert got["LastModifiedDateTime"]["value"] > before["LastModifiedDateTime"]
        assert (
            abs(datetime.fromisoformat(entries[0]["at"]) - datetime.fromisoformat(got["LastModifiedDateTime"]["value"])).total_seconds()
            < 10
        )
        assert one.control("edit", entity="customer", key="O'BRIEN", fields={"CustomerName": "O'Brien & Daughters"}) == []
        assert dump(one)["seeded"]["customers"][before["id"]] == before


@pytest.mark.parametrize("bumps", [False, True])
def test_main_contact_moves_the_stamp_by_switch(bumps: bool) -> None:
    """§4.5, §13.1: MainContact and its address lie in other tables; the customer's stamp moves with them only by switch."""
    with site(main_contact_bumps_customer=bumps) as one:
        before = customer(one, "O'BRIEN")
        fields = {"MainContact": {"Phone1": "+1 1", "Address": {"City": "Cork"}}}
        entry = one.control("edit", entity="customer", key=before["id"], fields=fields)[0]
        after = customer(one, "O'BRIEN")
        assert after["MainContact"]["Address"]["City"] == "Cork"
        assert (after["LastModifiedDateTime"] > before["LastModifiedDateTime"]) is bumps
        assert ("LastModifiedDateTime" in entry["fields"]) is bumps
        assert {"MainContact.Phone1", "MainContact.Address.City"} <= set(entry["fields"])


def test_fields_that_follow_others() -> None:
    """The e-mail of a customer is that of its main contact; a contact's status follows Active, its display name its names."""
    with site() as one:
        one.control("edit", entity="customer", key="O'BRIEN", fields={"MainContact": {"Email": "new@desk.example"}})
        assert customer(one, "O'BRIEN")["Email"] == "new@desk.example"
        key = dump(one)["contacts"][0]["ContactID"]
        one.control("edit", entity="contact", key=key, fields={"Active": False, "FirstName": "Ada", "LastName": "Lovelace"})
        row = dump(one)["contacts"][0]
        assert (row["Status"], row["DisplayName"]) == ("Inactive", "Ada Lovelace")


def test_creations_and_deletions() -> None:
    """A person makes and deletes records; keys are given where they are not named, and each is logged and in its list."""
    with site() as one:
        made = one.control(
            "edit", entity="customer", create={"CustomerID": "new one", "CustomerName": "New", "MainContact": {"WebSite": "new.example"}}
        )
        person = one.control("edit", entity="contact", create={"LastName": "Doe", "BusinessAccount": "new one"})
        assert (made[0]["op"], made[0]["key"]) == ("create", "NEW ONE")
        assert one.get("Customer/NEW ONE", expand="MainContact").json()["MainContact"]["WebSite"] == {"value": "new.example"}
        assert one.get("BusinessAccount/NEW ONE").json()["Type"] == {"value": "Customer"}
        row = one.get(f"Contact/{person[0]['key']}").json()
        assert row["BusinessAccount"] == {"value": "NEW ONE"}
        assert row["Type"] == {"value": "Contact"}
        assert one.control("edit", entity="contact", key=person[0]["key"], delete=True)[0]["op"] == "delete"
        assert "NoEntity" in one.fails(f"Contact/{person[0]['key']}")


def test_a_customer_can_be_renamed() -> None:
    """S19, §8: Change ID keeps the NoteID; the old key is gone, and contacts show the new code with their stamps unmoved."""
    with site() as one:
        old = dump(one)["contacts"][0]["BusinessAccount"]
        before = [row for row in dump(one)["contacts"] if row["BusinessAccount"] == old]
        note_id = customer(one, old)["id"]
        one.control("edit", entity="customer", key=old, fields={"CustomerID": "zulu"})
        assert one.get("Customer/ZULU").json()["id"] == note_id
        assert "NoEntity" in one.fails(f"Customer/{old}")
        assert one.rows("Customer")[-1]["CustomerID"] == {"value": "ZULU"}
        after = [row for row in dump(one)["contacts"] if row["BusinessAccount"] == "ZULU"]
        assert after == [{**row, "BusinessAccount": "ZULU"} for row in before]


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"entity": "order", "key": "x", "fields": {}},
        {"entity": "customer", "key": "NOBODY", "fields": {"Terms": "COD"}},
        {"entity": "customer", "key": "O'BRIEN", "fields": {"Nothing": 1}},
        {"entity": "customer", "key": "O'BRIEN", "fields": {"NoteID": "x"}},
        {"entity": "customer", "key": "O'BRIEN", "fields": {"CreditLimit": "much"}},
        {"entity": "customer", "key": "O'BRIEN", "fields": {"CustomerID": "YAMADA"}},
        {"entity": "customer", "create": {"CustomerID": "VENDOR01"}},
        {"entity": "contact", "create": {"BusinessAccount": "NOBODY"}},
        {"entity": "customer", "key": "O'BRIEN"},
    ],
)
def test_an_edit_that_makes_no_sense_is_refused(request_: dict[str, Any]) -> None:
    """A wrong edit is a 400 with a text, and changes nothing."""
    with site() as one:
        before = dump(one)
        response = one.client.post("/__sandbox__/edit", json=request_)
        assert response.status_code == 400
        assert response.json()["error"]
        assert dump(one) == before


def shared(one: Site) -> set[str]:
    mails = [(row["Email"] or "").strip().lower() for row in dump(one)["contacts"]]
    return {mail for mail in mails if mail and mails.count(mail) > 1}


def test_random_edits_stay_unambiguous() -> None:
    """Random edits are logged, move a stamp each, and make no e-mail address shared nor touch a contact that shares one."""
    with site() as one:
        held = {row["id"]: row for row in dump(one)["contacts"]}
        mails = shared(one)
        entries = one.control("edit", random=300, seed=3)
        assert [entry["seq"] for entry in entries] == list(range(1, len(entries) + 1))
        assert 290 <= len(entries) <= 300
        assert all("LastModifiedDateTime" in entry["fields"] for entry in entries)
        assert {(entry["entity"], entry["op"]) for entry in entries} == {
            (e, o) for e in ("customer", "contact") for o in ("create", "update")
        }
        assert shared(one) == mails
        now = {row["id"]: row for row in dump(one)["contacts"]}
        assert [now[key] for key, row in held.items() if (row["Email"] or "").lower() in mails] == [
            row for row in held.values() if (row["Email"] or "").lower() in mails
        ]
        one.control("edit", random=50, seed=3)
        ids = [row["id"] for name in ("customers", "contacts") for row in dump(one)[name]]
        assert len(set(ids)) == len(ids)


def test_reset_starts_over() -> None:
    """After a reset the tables are new, the log and the sessions empty, the tokens unknown."""
    with site() as one:
        one.get("Customer", top=1)
        one.control("edit", random=3)
        one.control("reset", data="demo", customers=7, contacts=9)
        body = dump(one)
        assert (len(body["customers"]), len(body["contacts"])) == (7, 9)
        assert log(one) == []
        assert one.get("Customer").status_code == 401
        assert one.client.get("/__sandbox__/calls").json()["sessions"]["open"] == 0


def test_lists_are_counted_by_what_they_ask() -> None:
    """Fields, the filter without its values, calls and rows: what a test of few and narrow calls reads."""
    with site() as one:
        for code in ("A''S", "B"):
            terms = f"LastModifiedDateTime ge datetimeoffset'2020-01-01T00:00:00Z' and CustomerID gt '{code}'"
            one.get("Customer", select="Status,CustomerID", filter=terms, top=1)
        one.get("Customer", select="CustomerID", filter="CustomerID eq 'X' or CustomerID eq 'Y' or CustomerID eq 'Z'")
        one.get("Contact", filter="ContactID gt 100001", top=2)
        found = {
            (each["select"], each["filter"]): (each["calls"], each["rows"]) for each in one.client.get("/__sandbox__/calls").json()["lists"]
        }
        assert found == {
            ("CustomerID,Status", "LastModifiedDateTime ge ? and CustomerID gt ?"): (2, 2),
            ("CustomerID", "CustomerID eq ? or ..."): (1, 0),
            ("", "ContactID gt ?"): (1, 2),
        }


def test_calls_are_counted_by_route() -> None:
    """Calls are counted with endpoint, version and key taken out of the path."""
    with site() as one:
        one.get("Customer/O'BRIEN")
        one.get("Customer/NULL")
        one.get("Contact", top=1)
        routes = one.client.get("/__sandbox__/calls").json()["routes"]
        assert routes == {
            "POST /identity/connect/token": {"200": 1},
            "GET /entity/{endpoint}/{version}/Customer/{key}": {"200": 2},
            "GET /entity/{endpoint}/{version}/Contact": {"200": 1},
        }


def test_acumatica_has_no_portal() -> None:
    """What only HubSpot has to arrange is a 400 here that says so."""
    with site() as one:
        answer = one.client.post("/__sandbox__/portal", json={"invoices": "absent"})
        assert (answer.status_code, answer.json()) == (400, {"error": "acumatica has nothing to arrange"})
