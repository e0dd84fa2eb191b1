"""HubSpot's sandbox: batches, and who pays for a bad row."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hubspot_kit import OBJECTS, OLD, Hub, hub, traced


@pytest.fixture
def portal() -> Iterator[Hub]:
    with hub() as portal:
        for objects in ("companies", "contacts"):
            assert portal.unique(objects).status_code == 201
        yield portal


def names(answer: Any) -> set[str]:
    return {row["properties"]["name"] for row in answer.json()["results"]}


@pytest.mark.parametrize("base", [OBJECTS, OLD])
def test_upsert_makes_and_changes_and_says_which(portal: Hub, base: str) -> None:
    """§2.4: 200; each result has `new` and the trace id; the key is set on a new record; `errors` is absent."""
    rows = [{"id": f"demo|{n}", "idProperty": "acumatica_customer_key", "properties": {"name": f"C{n}"}} for n in range(3)]
    assert portal.post(f"{base}/companies/batch/upsert", {"inputs": traced(rows[:1])}).status_code == 200
    answer = portal.post(f"{base}/companies/batch/upsert", {"inputs": traced(rows)})
    assert answer.status_code == 200
    body = answer.json()
    assert body["status"] == "COMPLETE"
    assert body.keys() == {"status", "results", "startedAt", "completedAt"}
    told = {row["properties"]["acumatica_customer_key"]: (row["new"], row["objectWriteTraceId"]) for row in body["results"]}
    assert told == {"demo|0": (False, "t0"), "demo|1": (True, "t1"), "demo|2": (True, "t2")}


def test_results_are_not_in_the_order_of_the_inputs(portal: Hub) -> None:
    """§2.5: the results come in another order than the inputs."""
    answer = portal.upsert("companies", [(f"demo|{n}", {"name": f"{n:03}"}) for n in range(100)])
    order = [row["properties"]["name"] for row in answer.json()["results"]]
    assert sorted(order) == [f"{n:03}" for n in range(100)]
    assert order != sorted(order)


def test_more_than_a_hundred_inputs_are_refused(portal: Hub) -> None:
    """§2.4: 101 inputs are a 400 in the known words."""
    answer = portal.upsert("companies", [(f"demo|{n}", {}) for n in range(101)])
    assert answer.status_code == 400
    assert answer.json()["message"].startswith("The maximum number of inputs supported in a batch is 100.")
    body = {"inputs": [{"id": str(n)} for n in range(51)], "propertiesWithHistory": ["name"]}
    assert "histories is 50" in portal.post(f"{OBJECTS}/companies/batch/read", body).json()["message"]


@pytest.mark.parametrize("call", ["create", "upsert"])
@pytest.mark.parametrize("traces", ["unique", "none", "some", "twice"])
def test_an_invalid_row(portal: Hub, call: str, traces: str) -> None:
    """§2.4: with a trace id of its own on every input the good rows are written (207); else nothing is (400)."""
    rows: list[dict[str, Any]] = [{"properties": {"name": "good"}}, {"properties": {"name": "bad", "missing": "1"}}]
    if call == "upsert":
        rows = [{**row, "id": f"demo|{n}", "idProperty": "acumatica_customer_key"} for n, row in enumerate(rows)]
    marks = {"unique": ["a", "b"], "none": [], "some": ["a"], "twice": ["a", "a"]}[traces]
    for row, mark in zip(rows, marks, strict=False):
        row["objectWriteTraceId"] = mark
    answer = portal.post(f"{OBJECTS}/companies/batch/{call}", {"inputs": rows})
    there = {row["properties"]["name"] for row in portal("GET", f"{OBJECTS}/companies").json()["results"]}
    if traces != "unique":
        assert (answer.status_code, answer.json()["category"], there) == (400, "VALIDATION_ERROR", set())
        return
    assert (answer.status_code, there, names(answer)) == (207, {"good"}, {"good"})
    body = answer.json()
    assert (body["status"], body["numErrors"]) == ("COMPLETE", 1)
    error = body["errors"][0]
    assert (error["category"], error["context"]) == ("VALIDATION_ERROR", {"objectWriteTraceId": ["b"]})
    found = json.loads(error["message"].removeprefix("Property values were not valid: "))
    assert [(each["name"], each["error"], each["isValid"]) for each in found] == [("missing", "PROPERTY_DOESNT_EXIST", False)]


def test_a_taken_email(portal: Hub) -> None:
    """§2.4: a row with a taken e-mail is CONFLICT with the existing id, or without trace ids a 409 that does not tell it."""
    id = portal.make("contacts", email="a@b.example")
    rows = [{"properties": {"email": "A@b.example"}}, {"properties": {"email": "c@b.example"}}]
    answer = portal.post(f"{OBJECTS}/contacts/batch/create", {"inputs": rows})
    assert (answer.status_code, answer.json()["message"], answer.json()["category"]) == (409, "Contact already exists", "CONFLICT")
    answer = portal.post(f"{OBJECTS}/contacts/batch/create", {"inputs": traced(rows)})
    assert answer.status_code == 207
    assert answer.json()["errors"] == [
        {
            "status": "error",
            "category": "CONFLICT",
            "message": f"Contact already exists. Existing ID: {id}",
            "context": {"objectWriteTraceId": ["t0"], "existingId": [id]},
        }
    ]
    assert len(answer.json()["results"]) == 1
    upsert = portal.upsert("contacts", [("demo|1", {"email": "a@b.example"}), ("demo|2", {"email": "d@b.example"})])
    assert upsert.json()["errors"][0]["context"] == {"objectWriteTraceId": ["t0"], "existingId": [id]}


def test_two_rows_of_one_batch_that_want_one_email(portal: Hub) -> None:
    """§2.4, §2.5: the second row of a batch with the same e-mail meets the first one."""
    answer = portal.upsert("contacts", [("demo|1", {"email": "a@b.example"}), ("demo|2", {"email": "A@B.example"})])
    assert answer.status_code == 207
    made = answer.json()["results"][0]
    assert made["properties"]["acumatica_contact_key"] == "demo|1"
    assert answer.json()["errors"][0]["context"] == {"objectWriteTraceId": ["t1"], "existingId": [made["id"]]}


def test_a_value_that_is_given_up_can_be_taken_in_the_same_batch(portal: Hub) -> None:
    """The rows of a batch are done in order, and all of them or none: a row's e-mail is free for the rows after it."""
    portal.upsert("contacts", [("demo|1", {"email": "a@b.example"})])
    rows = [("demo|1", {"email": "new@b.example"}), ("demo|2", {"email": "a@b.example"})]
    assert portal.upsert("contacts", [*rows, ("demo|3", {"nope": "1"})], trace=False).status_code == 400
    assert portal.upsert("contacts", [("demo|4", {"email": "new@b.example"})]).status_code == 200
    rows[0] = ("demo|1", {"email": "newer@b.example"})
    assert portal.upsert("contacts", rows).status_code == 200


@pytest.mark.parametrize("twice", [("demo|1", "demo|1"), ("demo|1", "DEMO|1 ")])
def test_an_id_that_comes_twice(portal: Hub, twice: tuple[str, str]) -> None:
    """§2.4, §2.5: one id twice, also after trimming and lower case, is a 400 for the whole batch even with trace ids."""
    answer = portal.upsert("companies", [*((id, {"name": id}) for id in twice), ("demo|2", {})])
    assert (answer.status_code, answer.json()["message"]) == (400, "Duplicate IDs found in batch input: [demo|1]. IDs must be unique")
    assert answer.json()["context"] == {"ids": ["demo|1"]}
    assert portal("GET", f"{OBJECTS}/companies").json()["results"] == []


@pytest.mark.parametrize(
    ("objects", "type", "name"), [("companies", "0-2", "domain"), ("companies", "0-2", "hs_object_id"), ("contacts", "0-1", "phone")]
)
def test_a_property_that_is_not_unique_is_no_key(portal: Hub, objects: str, type: str, name: str) -> None:
    """§2.6: an upsert by `domain` is a 400 for all of the batch, in the known words."""
    rows = traced([{"id": "a.example", "idProperty": name, "properties": {}}])
    answer = portal.post(f"{OBJECTS}/{objects}/batch/upsert", {"inputs": rows})
    assert answer.status_code == 400
    assert answer.json()["message"] == f"Unable to perform update/upsert by non-unique {type} property {name}"
    body = {"inputs": [{"id": "a.example"}], "idProperty": name}
    assert portal.post(f"{OBJECTS}/{objects}/batch/read", body).status_code == 400


def test_email_is_a_key_for_upsert_but_not_for_update(portal: Hub) -> None:
    """§2.6: upsert takes `email`, also an additional one, and answers the first one; update refuses it."""
    id = portal.make("contacts", email="first@b.example")
    portal.edit(entity="contact", key=id, fields={"hs_additional_emails": "Second@b.example"})
    row = {"id": "SECOND@b.example", "idProperty": "email", "properties": {"email": "second@b.example", "jobtitle": "Buyer"}}
    result = portal.post(f"{OBJECTS}/contacts/batch/upsert", {"inputs": traced([row])}).json()["results"][0]
    assert (result["id"], result["new"], result["properties"]["email"]) == (id, False, "first@b.example")
    assert portal.properties("contacts", id, "jobtitle")["jobtitle"] == "Buyer"
    answer = portal.post(f"{OBJECTS}/contacts/batch/update", {"inputs": traced([row])})
    assert answer.json()["message"] == "Unable to perform update/upsert by non-unique 0-1 property email"
    found = portal.post(f"{OBJECTS}/contacts/batch/read", {"inputs": [{"id": "second@b.example"}], "idProperty": "email"})
    assert [row["properties"]["email"] for row in found.json()["results"]] == ["first@b.example"]


@pytest.mark.parametrize("trace", [True, False])
def test_update_of_a_record_that_is_not_there(portal: Hub, trace: bool) -> None:
    """§2.4: 207 OBJECT_NOT_FOUND with the ids, and the trace ids if there were some; the others are written."""
    id = portal.make("contacts", firstname="A")
    rows = [{"id": i, "properties": {"firstname": "B"}} for i in (id, "777")]
    answer = portal.post(f"{OBJECTS}/contacts/batch/update", {"inputs": traced(rows) if trace else rows})
    assert answer.status_code == 207
    error = answer.json()["errors"][0]
    assert error["message"] == "Could not get some CONTACT objects, they may be deleted or not exist. Check that ids are valid."
    assert error["context"] == {"ids": ["777"], **({"objectWriteTraceId": ["t1"]} if trace else {})}
    assert portal.properties("contacts", id)["firstname"] == "B"


def test_update_by_an_unknown_key_rejects_all(portal: Hub) -> None:
    """§14.3: batch/update by a unique property with one unknown value is a 400 that lists it; nothing is written."""
    portal.upsert("companies", [("demo|1", {"name": "old"})])
    rows = [{"id": f"demo|{n}", "idProperty": "acumatica_customer_key", "properties": {"name": "new"}} for n in (1, 2)]
    answer = portal.post(f"{OBJECTS}/companies/batch/update", {"inputs": traced(rows)})
    assert answer.status_code == 400
    assert answer.json()["context"]["missingObjectPropertyValueCoordinates"][0].endswith("acumatica_customer_key:demo|2")
    assert portal("GET", f"{OBJECTS}/companies").json()["results"][0]["properties"]["name"] == "old"


def test_read_gives_what_is_there_and_names_the_rest(portal: Hub) -> None:
    """§2.4: batch/read by key is 200, or 207 with one error that lists what is missing."""
    portal.upsert("companies", [("demo|1", {"name": "A"})])
    body = {"inputs": [{"id": "demo|1"}], "idProperty": "acumatica_customer_key", "properties": ["name", "phone", "nope"]}
    answer = portal.post(f"{OBJECTS}/companies/batch/read", body)
    assert answer.status_code == 200
    shown = answer.json()["results"][0]["properties"]
    assert shown.keys() == {"name", "phone", "createdate", "hs_object_id", "hs_lastmodifieddate"}
    answer = portal.post(f"{OBJECTS}/companies/batch/read", {**body, "inputs": [{"id": "demo|1"}, {"id": "demo|2"}, {"id": "demo|3"}]})
    assert answer.status_code == 207
    assert (len(answer.json()["results"]), answer.json()["numErrors"]) == (1, 1)
    assert answer.json()["errors"][0]["context"] == {"ids": ["demo|2", "demo|3"]}


def test_archive(portal: Hub) -> None:
    """§2.1: batch/archive is 204, also for ids that are not there."""
    id = portal.make("companies", name="A")
    assert portal.post(f"{OBJECTS}/companies/batch/archive", {"inputs": [{"id": id}, {"id": "777"}]}).status_code == 204
    assert portal("GET", f"{OBJECTS}/companies").json()["results"] == []


def test_inline_associations_on_create(portal: Hub) -> None:
    """§5.2: create takes associations with their types; a type of another object is a 400."""
    company = portal.make("companies", name="A")
    row = {"properties": {"firstname": "A"}, "associations": [{"to": {"id": company}, "types": [{"associationTypeId": 279}]}]}
    contact = portal.post(f"{OBJECTS}/contacts/batch/create", {"inputs": [row]}).json()["results"][0]["id"]
    assert portal.properties("contacts", contact, "associatedcompanyid")["associatedcompanyid"] == company
    row["associations"] = [{"to": {"id": company}, "types": [{"associationTypeId": 341}]}]
    assert portal.post(f"{OBJECTS}/contacts/batch/create", {"inputs": [row]}).status_code == 400


def test_every_write_is_in_the_log_at_once(portal: Hub) -> None:
    """The log has each write with the names that changed, also a write that changed nothing but the modified date."""
    start = len(portal.log())
    for _ in range(2):
        portal.upsert("companies", [("demo|1", {"name": "A", "city": "Ulm"})])
        portal.clock.pass_(1)
    portal.upsert("companies", [("demo|1", {"city": ""})])
    told = [(e["op"], e["entity"], e["key"], e["actor"], e["fields"]) for e in portal.log(start)]
    assert told == [
        ("create", "company", "demo|1", "api", ["acumatica_customer_key", "city", "name"]),
        ("update", "company", "demo|1", "api", []),
        ("update", "company", "demo|1", "api", ["city"]),
    ]


def test_a_silent_batch_saves_nothing(portal: Hub) -> None:
    """§2.5: a batch can be answered 2xx with neither results nor errors."""
    portal.control("POST", "faults", {"kind": "silent", "path": "batch/upsert"})
    answer = portal.upsert("companies", [("demo|1", {"name": "A"})])
    assert (answer.status_code, answer.json()["results"], "errors" in answer.json()) == (200, [], False)
    assert portal("GET", f"{OBJECTS}/companies").json()["results"] == []


def test_a_write_is_done_though_its_answer_is_lost(portal: Hub) -> None:
    """A time-out after the commit: the record is there, and the repeated upsert says that it is not new."""
    portal.control("POST", "faults", {"kind": "timeout-after", "path": "batch/upsert", "args": {"seconds": 0}})
    with pytest.raises(ConnectionResetError):
        portal.upsert("companies", [("demo|1", {"name": "A"})])
    answer = portal.upsert("companies", [("demo|1", {"name": "A"})])
    assert [row["new"] for row in answer.json()["results"]] == [False]
