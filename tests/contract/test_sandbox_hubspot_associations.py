"""HubSpot's sandbox: associations, their labels, and companies that come by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hubspot_kit import ASSOCIATIONS, OBJECTS, OLD, Hub, hub

PAIR = f"{ASSOCIATIONS}/contacts/companies/batch"


@pytest.fixture
def portal() -> Iterator[Hub]:
    with hub() as portal:
        yield portal


def inputs(*pairs: tuple[str, str], types: list[int] | None = None) -> dict[str, Any]:
    labels = {"types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": type} for type in types]} if types else {}
    return {"inputs": [{"from": {"id": one}, "to": {"id": other}, **labels} for one, other in pairs]}


def held(portal: Hub, contact: str) -> dict[str, set[int]]:
    answer = portal("GET", f"/crm/v4/objects/contacts/{contact}/associations/companies")
    assert answer.status_code == 200
    return {str(row["toObjectId"]): {type["typeId"] for type in row["associationTypes"]} for row in answer.json()["results"]}


def people(portal: Hub, companies: int = 2) -> tuple[str, list[str]]:
    return portal.make("contacts", firstname="A"), [portal.make("companies", name=str(n)) for n in range(companies)]


def test_the_first_company_becomes_the_primary_one(portal: Hub) -> None:
    """§5.2, §14.7: the default association is 279; the first company gets Primary (1) by itself, a second one does not."""
    contact, (a, b) = people(portal)
    answer = portal.post(f"{PAIR}/associate/default", inputs((contact, a)))
    assert (answer.status_code, answer.json()["status"]) == (200, "COMPLETE")
    rows = {(row["from"]["id"], row["to"]["id"], row["associationSpec"]["associationTypeId"]) for row in answer.json()["results"]}
    assert rows == {(contact, a, 279), (a, contact, 280)}
    single = portal("PUT", f"{OBJECTS}/contacts/{contact}/associations/default/companies/{b}")
    assert single.status_code == 200
    assert held(portal, contact) == {a: {279, 1}, b: {279}}
    assert portal.properties("contacts", contact, "associatedcompanyid")["associatedcompanyid"] == a
    portal.post(f"{PAIR}/associate/default", inputs((contact, a)))
    assert held(portal, contact) == {a: {279, 1}, b: {279}}


def test_the_primary_label_moves(portal: Hub) -> None:
    """§14.7: [1, 279] on another company moves Primary there; 279 alone does not move it, and strips it from its own pair."""
    contact, (a, b) = people(portal)
    portal.post(f"{PAIR}/associate/default", inputs((contact, a), (contact, b)))
    portal.post(f"{PAIR}/create", inputs((contact, b), types=[279]))
    assert held(portal, contact) == {a: {279, 1}, b: {279}}
    labels = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": type} for type in (1, 279)]
    answer = portal("PUT", f"/crm/v4/objects/contacts/{contact}/associations/companies/{b}", labels)
    assert answer.status_code == 201
    assert answer.json()["labels"] == ["Primary"]
    assert (answer.json()["fromObjectId"], answer.json()["toObjectId"]) == (int(contact), int(b))
    assert held(portal, contact) == {a: {279}, b: {279, 1}}
    assert portal.properties("contacts", contact, "associatedcompanyid")["associatedcompanyid"] == b
    portal.post(f"{PAIR}/create", inputs((contact, b), types=[279]))
    assert held(portal, contact) == {a: {279}, b: {279}}


@pytest.mark.parametrize(("version", "status"), [("v4", 201), ("2026-03", 201), ("2026-09", 200)])
def test_batch_create_on_each_version(portal: Hub, version: str, status: int) -> None:
    """§5.1: batch/create is 201, on 2026-09 200; the ids in the answer are numbers."""
    contact, (a, _) = people(portal)
    base = f"/crm/{version}/associations" if version == "v4" else f"/crm/associations/{version}"
    answer = portal.post(f"{base}/0-1/0-2/batch/create", inputs((contact, a), types=[1, 279]))
    assert answer.status_code == status
    assert answer.json()["results"] == [
        {"fromObjectTypeId": "0-1", "fromObjectId": int(contact), "toObjectTypeId": "0-2", "toObjectId": int(a), "labels": ["Primary"]}
    ]


def test_records_that_are_not_there_and_types_of_another_pair(portal: Hub) -> None:
    """§5.2: 400 `One or more associations are invalid` names the id; in a batch the good pairs are made (207); a wrong type is a 400."""
    contact, (a, b) = people(portal)
    answer = portal("PUT", f"{OBJECTS}/contacts/{b}/associations/default/companies/{a}")
    assert (answer.status_code, answer.json()["message"]) == (400, "One or more associations are invalid")
    assert answer.json()["context"] == {"INVALID_OBJECT_IDS": [f"CONTACT={b} is not valid"], "objectId": [b], "objectType": ["CONTACT"]}
    answer = portal.post(f"{PAIR}/associate/default", inputs((contact, "777"), (contact, a)))
    assert (answer.status_code, answer.json()["numErrors"]) == (207, 1)
    assert list(held(portal, contact)) == [a]
    assert portal.post(f"{PAIR}/create", inputs((contact, b), types=[341])).status_code == 400
    answer = portal.post(f"{PAIR}/create", inputs((contact, a), (contact, b), types=[280]))
    assert (answer.status_code, answer.json()["context"]["objectType"]) == (400, ["COMPANY", "CONTACT"])
    assert list(held(portal, contact)) == [a]
    answer = portal("PUT", f"{OBJECTS}/contacts/{contact}/associations/default/contacts/{contact}")
    assert answer.json()["message"] == "No default association exists between CONTACT and CONTACT"


def test_batch_read(portal: Hub) -> None:
    """§5.2: `from` is a text and `toObjectId` a number; a record without any is an error of a 207 and in no result."""
    contact, (a, b) = people(portal)
    other = portal.make("contacts", firstname="B")
    portal.post(f"{PAIR}/associate/default", inputs((contact, a), (contact, b)))
    answer = portal.post(f"{PAIR}/read", {"inputs": [{"id": contact}]})
    assert answer.status_code == 200
    row = answer.json()["results"][0]
    assert (row["from"], [to["toObjectId"] for to in row["to"]]) == ({"id": contact}, [int(a), int(b)])
    assert {"category": "HUBSPOT_DEFINED", "typeId": 1, "label": "Primary"} in row["to"][0]["associationTypes"]
    answer = portal.post(f"{PAIR}/read", {"inputs": [{"id": contact}, {"id": other}]})
    assert (answer.status_code, answer.json()["numErrors"]) == (207, 1)
    error = answer.json()["errors"][0]
    assert (error["category"], error["subCategory"]) == ("OBJECT_NOT_FOUND", "crm.associations.NO_ASSOCIATIONS_FOUND")
    assert error["message"] == f"No company is associated with contact {other}."
    assert error["context"] == {"fromObjectId": [other], "fromObjectType": ["contact"], "toObjectType": ["company"]}


def test_archive_of_pairs_and_of_labels(portal: Hub) -> None:
    """§14.7: batch/archive and DELETE drop a pair with all labels, labels/archive only the named ones; all are 204."""
    contact, (a, b, c) = people(portal, 3)
    portal.post(f"{PAIR}/associate/default", inputs((contact, a), (contact, b), (contact, c)))
    assert portal.post(f"{PAIR}/labels/archive", inputs((contact, a), types=[1])).status_code == 204
    assert held(portal, contact)[a] == {279}
    assert portal.post(f"{PAIR}/archive", {"inputs": [{"from": {"id": contact}, "to": [{"id": a}, {"id": "777"}]}]}).status_code == 204
    assert portal("DELETE", f"{OBJECTS}/contacts/{contact}/associations/companies/{b}").status_code == 204
    assert list(held(portal, contact)) == [c]


def test_pages_and_labels(portal: Hub) -> None:
    """§5.1, §5.3: the list is paged with `limit` and `after`; `labels` tells the type ids of a pair."""
    contact, companies = people(portal, 3)
    portal.post(f"{PAIR}/associate/default", inputs(*((contact, company) for company in companies)))
    first = portal("GET", f"/crm/v4/objects/contacts/{contact}/associations/companies?limit=2").json()
    last = portal("GET", first["paging"]["next"]["link"]).json()
    assert [str(row["toObjectId"]) for row in first["results"] + last["results"]] == companies
    assert "paging" not in last
    labels = portal("GET", f"{ASSOCIATIONS}/companies/contacts/labels").json()["results"]
    assert {row["typeId"]: row["label"] for row in labels} == {280: None, 2: "Primary", 930: "Billing"}


def test_an_archived_record_loses_its_associations(portal: Hub) -> None:
    """An archived company is nobody's company: the pair and associatedcompanyid are gone, and the log says so."""
    contact, (a, _) = people(portal)
    portal.post(f"{PAIR}/associate/default", inputs((contact, a)))
    start = len(portal.log())
    portal("DELETE", f"{OBJECTS}/companies/{a}")
    assert held(portal, contact) == {}
    assert portal.properties("contacts", contact, "associatedcompanyid")["associatedcompanyid"] is None
    assert [(entry["op"], entry["entity"]) for entry in portal.log(start)] == [("archive", "company"), ("disassociate", "contact")]


def test_a_merge_takes_the_associations_along(portal: Hub) -> None:
    """§14.3: the survivor of two companies has both their contacts, whose primary company it is now."""
    contact, (a, b) = people(portal)
    other = portal.make("contacts", firstname="B")
    portal.post(f"{PAIR}/associate/default", inputs((contact, a), (other, b), (contact, b)))
    new = portal.post(f"{OBJECTS}/companies/merge", {"primaryObjectId": a, "objectIdToMerge": b}).json()["id"]
    for person in (contact, other):
        assert held(portal, person) == {new: {279, 1}}
        assert portal.properties("contacts", person, "associatedcompanyid")["associatedcompanyid"] == new


@pytest.mark.parametrize(("switch", "status"), [("forwarded", 200), ("refused", 207)])
def test_the_old_id_of_a_merged_company(switch: str, status: int) -> None:
    """§14.3, switch merged_ends: an association with the old id is one with the record of today, or an error of a 207."""
    with hub(merged_ends=switch) as portal:
        contact, (a, b) = people(portal)
        new = portal.post(f"{OBJECTS}/companies/merge", {"primaryObjectId": a, "objectIdToMerge": b}).json()["id"]
        for company, expected in ((b, status), (new, 200)):
            assert portal.post(f"{PAIR}/associate/default", inputs((contact, company))).status_code == expected
            assert set(held(portal, contact)) == ({new} if expected == 200 else set())


def test_associations_in_the_form_of_v3(portal: Hub) -> None:
    """§5.1, §5.2: v3 names its labels, adds them one by one, and lists each as a row of its own; ids are texts."""
    contact, (company, other) = people(portal)
    pair, label = f"/crm/v3/objects/contacts/{contact}/associations/companies", "contact_to_company"
    assert portal("PUT", f"{pair}/{company}/{label}_unlabeled").json()["id"] == contact
    assert portal("PUT", f"{pair}/{other}/1").status_code == 200
    assert held(portal, contact) == {company: {279}, other: {1, 279}}
    rows = [(company, f"{label}_unlabeled"), (other, label), (other, f"{label}_unlabeled")]
    assert [(row["id"], row["type"]) for row in portal("GET", pair).json()["results"]] == rows
    read = portal.post("/crm/v3/associations/contacts/companies/batch/read", {"inputs": [{"id": contact}, {"id": "1"}]})
    assert (read.status_code, len(read.json()["results"][0]["to"])) == (207, 3)
    assert portal("DELETE", f"{pair}/{company}/{label}_unlabeled").status_code == 204
    assert portal("PUT", f"{pair}/{company}/deal_to_company").status_code == 400
    named = [{"from": {"id": contact}, "to": {"id": id}, "type": label} for id in (company, "77")]
    made = portal.post("/crm/v3/associations/contacts/companies/batch/create", {"inputs": named})
    assert (made.status_code, made.json()["numErrors"], held(portal, contact)[company]) == (207, 1, {1, 279})
    gone = {"inputs": [{**named[0], "type": f"{label}_unlabeled"}]}
    assert portal.post("/crm/v3/associations/contacts/companies/batch/archive", gone).status_code == 204
    assert set(held(portal, contact)) == {other}


def test_association_calls_have_a_limit_of_their_own() -> None:
    """§5.4, §8: association calls count in their own window and in the general one."""
    with hub(associations_limit=2) as portal:
        calls = [portal("GET", f"{ASSOCIATIONS}/contacts/companies/labels").status_code for _ in range(3)]
        assert calls == [200, 200, 429]
        assert portal("GET", f"{OBJECTS}/companies").headers["X-HubSpot-RateLimit-Remaining"] == "187"


def test_a_company_comes_by_itself_some_seconds_later() -> None:
    """§2.7, §14.2: with auto_company a new contact gets a nameless company of its domain as the primary one; free mail gets none."""
    with hub(auto_company=True, auto_company_seconds=0) as portal:
        known = portal.make("companies", domain="www.known.example")
        made = [portal.make("contacts", email=f"a@{domain}") for domain in ("new.example", "known.example", "gmail.com")]
        portal.control("GET", f"log?after={len(portal.log())}&wait=0.05")
        new = next(row for row in portal("GET", f"{OLD}/companies?properties=name,domain").json()["results"] if row["id"] != known)
        assert (new["properties"]["domain"], new["properties"]["name"]) == ("new.example", None)
        assert [held(portal, contact) for contact in made] == [{new["id"]: {279, 1}}, {known: {279, 1}}, {}]
        assert {entry["actor"] for entry in portal.log() if entry["op"] == "associate"} == {"portal"}


def test_no_company_comes_by_itself_by_default(portal: Hub) -> None:
    """The switch auto_company is off by default."""
    portal.make("contacts", email="a@new.example")
    assert portal.control("GET", "log?after=1&wait=0.05") == []
    assert portal("GET", f"{OBJECTS}/companies").json()["results"] == []


def test_merged_contacts_have_one_primary_company_and_all_old_ids_lead_on(portal: Hub) -> None:
    """§14.3: the other contact's primary label drops; after a second merge the oldest ids lead to the last survivor."""
    one, (a, b) = people(portal)
    two, three = portal.make("contacts", firstname="B"), portal.make("contacts", firstname="C")
    portal.post(f"{PAIR}/associate/default", inputs((one, a), (two, b)))
    first = portal.post(f"{OBJECTS}/contacts/merge", {"primaryObjectId": one, "objectIdToMerge": two}).json()["id"]
    assert held(portal, first) == {a: {279, 1}, b: {279}}
    last = portal.post(f"{OBJECTS}/contacts/merge", {"primaryObjectId": three, "objectIdToMerge": two}).json()["id"]
    for old in (one, two, three, first):
        assert portal("GET", f"{OBJECTS}/contacts/{old}").json()["id"] == last
    assert held(portal, last) == {a: {279, 1}, b: {279}}
