"""HubSpot's sandbox: sign-in, refusals, and records one at a time."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hubspot_kit import KEYS, OBJECTS, OLD, PROPERTIES, hub

from sandbox.data import Book
from sandbox.data.credentials import HUBSPOT_TOKEN


def problems(answer: Any) -> list[tuple[str, str]]:
    assert answer.status_code == 400, answer.text
    assert answer.json()["message"].startswith("Property values were not valid: [{")
    return [(error["context"]["propertyName"][0], error["code"]) for error in answer.json()["errors"]]


@pytest.mark.parametrize("headers", [{"Authorization": ""}, {"Authorization": "Bearer wrong"}, {"Authorization": HUBSPOT_TOKEN}])
def test_a_call_without_the_token_is_401(headers: dict[str, str]) -> None:
    """§1.3: no or a wrong token is 401 INVALID_AUTHENTICATION in the known words."""
    with hub() as portal:
        answer = portal("GET", f"{OBJECTS}/companies", headers=headers)
        assert answer.status_code == 401
        assert answer.json()["category"] == "INVALID_AUTHENTICATION"
        assert answer.json()["message"].startswith("Authentication credentials not found. This API supports OAuth 2.0")


def test_a_missing_scope_is_403_and_names_any_of() -> None:
    """§1.3: 403 MISSING_SCOPES lists the scopes of which one is enough; other scopes still work."""
    with hub(scopes="crm.objects.companies.read") as portal:
        assert portal("GET", f"{OBJECTS}/companies").status_code == 200
        assert portal("GET", f"{PROPERTIES}/companies").status_code == 200
        answer = portal.post(f"{OBJECTS}/companies", {"properties": {}})
        assert answer.status_code == 403
        assert answer.json()["category"] == "MISSING_SCOPES"
        assert answer.json()["errors"][0]["context"] == {"requiredGranularScopes": ["crm.objects.companies.write"]}
        assert portal("GET", f"{PROPERTIES}/contacts").json()["errors"][0]["context"]["requiredGranularScopes"] == [
            "crm.schemas.contacts.read",
            "crm.objects.contacts.read",
            "crm.objects.contacts.write",
        ]
        both = portal("GET", f"{OBJECTS}/contacts/1/associations/companies")
        assert both.json()["errors"][0]["context"] == {"requiredGranularScopes": ["crm.objects.contacts.read"]}


def test_the_token_and_the_portal_tell_about_themselves() -> None:
    """§1.1, §14.4: access-token-info lists the scopes; account details need no scope and give portal and currency."""
    with hub(scopes="crm.objects.companies.read", portal_id=77, currency="EUR") as portal:
        info = portal.post("/oauth/v2/private-apps/get/access-token-info", {"tokenKey": HUBSPOT_TOKEN}).json()
        assert (info["hubId"], info["scopes"]) == (77, ["crm.objects.companies.read"])
        assert portal.post("/oauth/v2/private-apps/get/access-token-info", {"tokenKey": "x"}).status_code == 401
        for version in ("v3", "2026-03", "2026-09"):
            details = portal("GET", f"/account-info/{version}/details").json()
            assert (details["portalId"], details["companyCurrency"]) == (77, "EUR")


def test_unknown_routes_and_methods_are_html() -> None:
    """§1.3: an unknown route is a 404 and a wrong method a 405, both HTML and not JSON."""
    with hub() as portal:
        for method, path, status in (("GET", "/crm/v9/objects/companies", 404), ("PUT", f"{OBJECTS}/companies", 405)):
            answer = portal(method, path)
            assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (status, "text/html")
            assert answer.text.startswith("<html> <head>")


def test_headers_of_an_answer() -> None:
    """§1.3, §8: the content type without a blank, one correlation id three times, and the rate limit headers."""
    with hub() as portal:
        answer = portal("GET", f"{OBJECTS}/companies/12345")
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/json;charset=utf-8"
        ids = {answer.headers["x-hubspot-correlation-id"], answer.headers["x-request-id"], answer.json()["correlationId"]}
        assert len(ids) == 1
        assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", ids.pop())
        assert answer.headers["X-HubSpot-RateLimit-Interval-Milliseconds"] == "10000"
        assert (answer.headers["X-HubSpot-RateLimit-Max"], answer.headers["X-HubSpot-RateLimit-Remaining"]) == ("190", "189")


@pytest.mark.parametrize(
    ("id", "message", "category"),
    [
        ("12345", "resource not found", None),
        ("abc", "Object not found.  objectId are usually numeric.", "OBJECT_NOT_FOUND"),
        ("0", "Object not found. objectId is usually positive.", "OBJECT_NOT_FOUND"),
    ],
)
def test_three_kinds_of_not_found(id: str, message: str, category: str | None) -> None:
    """§1.3: an id that is not there has no category; one that is no number has two blanks in its message."""
    with hub() as portal:
        body = portal("GET", f"{OBJECTS}/contacts/{id}").json()
        assert (body["message"], body.get("category")) == (message, category)


@pytest.mark.parametrize("base", ["/crm/v3/objects", "/crm/v4/objects", "/crm/objects/2026-03", "/crm/objects/2026-09"])
@pytest.mark.parametrize("name", ["companies", "company", "0-2"])
def test_all_versions_and_names_lead_to_one_portal(base: str, name: str) -> None:
    """§2.1, §9: every version of the path and every name of the object type is the same."""
    with hub() as portal:
        id = portal.make("companies", name="Éclat")
        assert portal("GET", f"{base}/{name}/{id}").json()["properties"]["name"] == "Éclat"
        assert portal("GET", f"{base}/gadgets").status_code == 400


def test_create_answers_201_with_texts_and_default_properties() -> None:
    """§2.2, §2.3: 201 with Location; values are texts, empty ones null, Instants without a fraction of zero; e-mails lower case."""
    with hub() as portal:
        answer = portal.post(f"{OBJECTS}/contacts", {"properties": {"email": " Ana@Example.COM ", "firstname": "Ana", "lastname": ""}})
        assert answer.status_code == 201
        assert answer.headers["location"].endswith(f"/crm/objects/2026-09/contacts/{answer.json()['id']}")
        assert answer.json()["properties"]["email"] == "ana@example.com"
        shown = portal.properties("contacts", answer.json()["id"])
        assert list(shown) == ["firstname", "lastname", "email", "createdate", "lastmodifieddate", "hs_object_id"]
        assert (shown["lastname"], shown["createdate"], shown["hs_object_id"]) == (None, "2026-11-20T10:00:00.123Z", answer.json()["id"])
        portal.clock.pass_(0.877)
        portal("PATCH", f"{OBJECTS}/contacts/{answer.json()['id']}", {"properties": {"firstname": "Anna"}})
        assert portal.properties("contacts", answer.json()["id"])["lastmodifieddate"] == "2026-11-20T10:00:01Z"


def test_empty_company_and_unparsable_body() -> None:
    """§2.3, §1.3: an empty body makes an empty company; what is no JSON is a 400 without a category."""
    with hub() as portal:
        assert portal.post(f"{OBJECTS}/companies", {}).status_code == 201
        answer = portal("POST", f"{OBJECTS}/companies", content=b"{nope")
        assert answer.status_code == 400
        assert answer.json()["message"].startswith("Invalid input JSON on line 1, column ")
        assert "category" not in answer.json()


def test_properties_parameter_in_both_encodings() -> None:
    """§2.2: comma-separated or repeated; an unknown name is left out, a defined empty one is null, three are always there."""
    with hub() as portal:
        id = portal.make("companies", name="A", city="Ulm")
        always = {"createdate", "hs_object_id", "hs_lastmodifieddate"}
        for query in ("properties=city,phone,nope", "properties=city&properties=phone&properties=nope"):
            shown = portal("GET", f"{OLD}/companies/{id}?{query}").json()["properties"]
            assert set(shown) == {"city", "phone"} | always
            assert (shown["city"], shown["phone"]) == ("Ulm", None)


def test_id_property_on_single_calls() -> None:
    """§14.3: reading and changing by an own unique property works; a company by domain is not found."""
    with hub() as portal:
        portal.unique("companies")
        id = portal.make("companies", domain="a.example", acumatica_customer_key="demo|1")
        by_key = f"{OBJECTS}/companies/demo%7C1?idProperty=acumatica_customer_key"
        assert portal("GET", by_key).json()["id"] == id
        assert portal("PATCH", by_key, {"properties": {"city": "Ulm"}}).json()["properties"]["city"] == "Ulm"
        assert portal("GET", f"{OBJECTS}/companies/a.example?idProperty=domain").status_code == 404


def test_lists_are_paged_by_id_with_an_absolute_link() -> None:
    """§2.2: ten by default, a hundred at most; `paging` is absent on the last page; archived ones only if asked for."""
    with hub() as portal:
        ids = [portal.make("companies", name=f"C{n}") for n in range(12)]
        first = portal("GET", f"{OLD}/companies?properties=name").json()
        assert [row["id"] for row in first["results"]] == ids[:10]
        assert first["paging"]["next"]["after"] == ids[10]
        assert first["paging"]["next"]["link"] == f"http://testserver{OLD}/companies?properties=name&after={ids[10]}"
        last = portal("GET", first["paging"]["next"]["link"]).json()
        assert [row["id"] for row in last["results"]] == ids[10:]
        assert "paging" not in last
        assert portal("GET", f"{OLD}/companies?limit=101").status_code == 400
        assert portal("DELETE", f"{OLD}/companies/{ids[0]}").status_code == 204
        assert [row["id"] for row in portal("GET", f"{OLD}/companies?archived=true").json()["results"]] == ids[:1]
        assert portal("GET", f"{OLD}/companies/{ids[0]}").status_code == 404
        assert "archivedAt" in portal("GET", f"{OLD}/companies/{ids[0]}?archived=true").json()


def test_every_invalid_property_is_named_at_once() -> None:
    """§2.5: the message holds all problems of the record as JSON; nothing is written."""
    with hub() as portal:
        before = len(portal.log())
        values = {"nope": "1", "hs_object_id": "5", "numberofemployees": "1,000", "lifecyclestage": "king", "name": "x" * 65_537}
        assert problems(portal.post(f"{OBJECTS}/companies", {"properties": values})) == [
            ("nope", "PROPERTY_DOESNT_EXIST"),
            ("hs_object_id", "READ_ONLY_VALUE"),
            ("numberofemployees", "INVALID_INTEGER"),
            ("lifecyclestage", "INVALID_OPTION"),
            ("name", "INVALID_LENGTH"),
        ]
        assert len(portal.log()) == before
        assert portal.make("companies", name="x" * 65_536)


BAD_EMAILS = ["nobody", "a b@c.example", "a@b@c.example", "a@localhost", "@c.example", "a@.example", "a@c..example"]


@pytest.mark.parametrize("email", [*BAD_EMAILS, "ü@c.example", "a@ü.example", "a..b@c.example", "(a)@c.example", f"a@{'c' * 64}.example"])
def test_bad_emails_are_refused(email: str) -> None:
    """§14.1: an e-mail without @, with blanks, two @ or no dot in its domain is INVALID_EMAIL; so is what agreement.md leaves out."""
    with hub() as portal:
        answer = portal.post(f"{OBJECTS}/contacts", {"properties": {"email": email}})
        assert problems(answer) == [("email", "INVALID_EMAIL")]
        assert f"Email address {email} is invalid" in answer.json()["message"]


@pytest.mark.parametrize(
    ("type", "field", "value", "kept"),
    [
        ("number", "number", 1500, "1500"),
        ("number", "number", "-12.50", "-12.50"),
        ("number", "number", "twelve", None),
        ("bool", "booleancheckbox", True, "true"),
        ("bool", "booleancheckbox", "yes", None),
        ("date", "date", "2026-11-20", "2026-11-20"),
        ("date", "date", "1763596800000", "2025-11-20"),
        ("date", "date", "1763596800001", None),
        ("date", "date", "20.11.2026", None),
        ("datetime", "date", "2026-11-20T12:00:00+02:00", "2026-11-20T10:00:00Z"),
        ("datetime", "date", "1763596800123", "2025-11-20T00:00:00.123Z"),
        ("datetime", "date", "1763596800", None),
        ("datetime", "date", "2026-11-20T12:00:00", None),
        ("string", "textarea", "two\nlines ", "two\nlines "),
    ],
)
def test_values_by_type(type: str, field: str, value: object, kept: str | None) -> None:
    """§2.5, §4, §14.1: numbers, booleans, dates and times are kept as HubSpot writes them or refused."""
    with hub() as portal:
        options = [{"label": v, "value": v, "displayOrder": 0, "hidden": False} for v in ("true", "false")] if type == "bool" else []
        body = {"name": "p", "label": "p", "type": type, "fieldType": field, "groupName": "companyinformation", "options": options}
        assert portal.post(f"{PROPERTIES}/companies", body).status_code == 201
        answer = portal.post(f"{OBJECTS}/companies", {"properties": {"p": value}})
        if kept is None:
            assert [name for name, _ in problems(answer)] == ["p"]
        else:
            assert answer.json()["properties"]["p"] == kept


def test_lifecycle_stage_only_moves_forward() -> None:
    """§2.3: a step back is ignored without a word; cleared first, any stage can be set. An empty text clears."""
    with hub() as portal:
        id = portal.make("companies", lifecyclestage="customer")
        for value, kept in (("lead", "customer"), ("", None), ("lead", "lead")):
            portal("PATCH", f"{OBJECTS}/companies/{id}", {"properties": {"lifecyclestage": value}})
            assert portal.properties("companies", id, "lifecyclestage")["lifecyclestage"] == kept


def test_required_properties_count_on_dated_paths_only() -> None:
    """§2.3: what is 201 on v3 is 400 MISSING_REQUIRED_PROPERTY on a dated path of the same portal."""
    with hub(required_companies="domain,city") as portal:
        body = {"properties": {"name": "A", "city": "Ulm"}}
        assert portal.post(f"{OLD}/companies", body).status_code == 201
        assert problems(portal.post(f"{OBJECTS}/companies", body)) == [("domain", "MISSING_REQUIRED_PROPERTY")]


def test_emails_are_unique_and_domains_are_not() -> None:
    """§2.4, §2.7: a taken e-mail is a 409 with the id in the message, in any case; two companies may have one domain."""
    with hub() as portal:
        id = portal.make("contacts", email="a@b.example")
        answer = portal.post(f"{OBJECTS}/contacts", {"properties": {"email": "A@B.example"}})
        assert (answer.status_code, answer.json()["category"]) == (409, "CONFLICT")
        assert answer.json()["message"] == f"Contact already exists. Existing ID: {id}"
        other = portal.make("contacts", firstname="B")
        assert portal("PATCH", f"{OBJECTS}/contacts/{other}", {"properties": {"email": "a@b.example"}}).status_code == 409
        assert portal.make("companies", domain="b.example") != portal.make("companies", domain="b.example")


def test_additional_emails_hold_the_contact() -> None:
    """§14.3: an additional e-mail is taken like the first; made the first one, it changes places with it."""
    with hub() as portal:
        id = portal.make("contacts", email="first@b.example")
        portal.edit(entity="contact", key=id, fields={"hs_additional_emails": "second@b.example"})
        assert portal.post(f"{OBJECTS}/contacts", {"properties": {"email": "second@b.example"}}).status_code == 409
        portal("PATCH", f"{OBJECTS}/contacts/{id}", {"properties": {"email": "second@b.example"}})
        shown = portal.properties("contacts", id, "email", "hs_additional_emails")
        assert (shown["email"], shown["hs_additional_emails"]) == ("second@b.example", "first@b.example")


def test_a_unique_value_that_is_taken() -> None:
    """§14.3: 400 CONFLICTING_UNIQUE_VALUE; the message names the property, the value and the holder. Case makes no difference."""
    with hub() as portal:
        portal.unique("companies")
        holder = portal.make("companies", acumatica_customer_key="demo|1")
        other = portal.make("companies", name="B")
        answer = portal("PATCH", f"{OBJECTS}/companies/{other}", {"properties": {"acumatica_customer_key": "DEMO|1"}})
        assert problems(answer) == [("acumatica_customer_key", "CONFLICTING_UNIQUE_VALUE")]
        assert answer.json()["errors"][0]["message"] == (
            "Cannot set PropertyValueCoordinates{portalId=48290155, objectTypeId=ObjectTypeId{legacyObjectType=COMPANY}, "
            f"propertyName=acumatica_customer_key, value=DEMO|1}} on {other}. {holder} already has that value."
        )
    with hub(unique_key_case="sensitive") as portal:
        portal.unique("companies")
        portal.make("companies", acumatica_customer_key="demo|1")
        assert portal.make("companies", acumatica_customer_key="DEMO|1")


@pytest.mark.parametrize(("archived_key", "status"), [("new", 200), ("conflict", 207)])
def test_the_key_of_an_archived_record(archived_key: str, status: int) -> None:
    """§14.3: by the switch, an archived record's key is free for a new record or still taken; an e-mail is always free."""
    with hub(archived_key=archived_key) as portal:
        portal.unique("contacts")
        old = portal.make("contacts", acumatica_contact_key="demo|1", email="a@b.example")
        portal("DELETE", f"{OBJECTS}/contacts/{old}")
        answer = portal.upsert("contacts", [("demo|1", {"firstname": "A"})])
        assert answer.status_code == status
        assert portal.make("contacts", email="a@b.example") != old


def test_a_merged_record_answers_under_a_new_id() -> None:
    """§14.3: merging makes a new id; both old ids lead to it, the primary's values win, the loser's key is gone, its e-mail stays."""
    with hub() as portal:
        portal.unique("contacts")
        one = portal.make("contacts", email="1@b.example", firstname="One", acumatica_contact_key="demo|1")
        two = portal.make("contacts", email="2@b.example", firstname="Two", jobtitle="Buyer", acumatica_contact_key="demo|2")
        answer = portal.post(f"{OBJECTS}/contacts/merge", {"primaryObjectId": one, "objectIdToMerge": two})
        new = answer.json()["id"]
        assert (answer.status_code, new not in (one, two)) == (200, True)
        names = ("firstname", "jobtitle", "hs_merged_object_ids", "hs_additional_emails", KEYS["contacts"])
        for old in (one, two):
            body = portal("GET", f"{OBJECTS}/contacts/{old}?properties={','.join(names)}").json()
            assert body["id"] == new
            assert [body["properties"][name] for name in names] == ["One", "Buyer", f"{one};{two}", "2@b.example", "demo|1"]
        assert [row["id"] for row in portal("GET", f"{OBJECTS}/contacts").json()["results"]] == [new]
        found = portal.post(f"{OBJECTS}/contacts/batch/read", {"inputs": [{"id": two}]}).json()
        assert [row["id"] for row in found["results"]] == [new]
        assert portal.upsert("contacts", [("demo|2", {})]).json()["results"][0]["new"] is True
        dump = portal.control("GET", "dump")
        assert dump["merged"] == {one: new, two: new}
        assert {one, two}.isdisjoint(row["id"] for row in dump["contacts"])


def test_reading_with_associations() -> None:
    """§2.2: `associations=` lists the associated records' ids and type names."""
    book = Book(
        hubspot_companies=[{"properties": {"name": "A"}}], hubspot_contacts=[{"properties": {"email": "X@a.example"}, "company": 0}]
    )
    with hub(book) as portal:
        row = portal("GET", f"{OBJECTS}/contacts?associations=companies").json()["results"][0]
        company = portal("GET", f"{OBJECTS}/companies").json()["results"][0]["id"]
        assert row["properties"]["email"] == "x@a.example"
        types = {each["type"]: each["id"] for each in row["associations"]["companies"]["results"]}
        assert types == {"contact_to_company": company, "contact_to_company_unlabeled": company}
