"""HubSpot's sandbox: search, its caps and its delay."""

from __future__ import annotations

from typing import Any

import pytest
from hubspot_kit import OBJECTS, clause, hub

from sandbox.data import Book


def found(answer: Any) -> list[str]:
    return [row["properties"]["name"] for row in answer["results"]]


COMPANIES = [
    {"name": "Müller & Söhne", "domain": "WWW.Mueller.example", "numberofemployees": "9", "lifecyclestage": "lead"},
    {"name": "keystone roofing", "domain": "keystone.example", "numberofemployees": "10", "city": "Ulm"},
    {"name": "Keystone Doors", "domain": "doors.example", "numberofemployees": "100", "lifecyclestage": "customer"},
]


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        (("name", "EQ", "KEYSTONE Roofing"), [1]),
        (("name", "NEQ", "keystone roofing"), [0, 2]),
        (("domain", "IN", ["www.mueller.example", "doors.example"]), [0, 2]),
        (("domain", "IN", ["WWW.Mueller.example"]), []),
        (("domain", "NOT_IN", ["doors.example"]), [0, 1]),
        (("lifecyclestage", "EQ", "lead"), [0]),
        (("lifecyclestage", "EQ", "LEAD"), []),
        (("numberofemployees", "GT", "9"), [1, 2]),
        (("numberofemployees", "GTE", "9.0"), [0, 1, 2]),
        (("numberofemployees", "LT", "10"), [0]),
        (("numberofemployees", "LTE", "10"), [0, 1]),
        (("numberofemployees", "BETWEEN", "9", "10"), [0, 1]),
        (("city", "HAS_PROPERTY"), [1]),
        (("city", "NOT_HAS_PROPERTY"), [0, 2]),
        (("city", "NEQ", "Ulm"), []),
        (("name", "CONTAINS_TOKEN", "keystone"), [1, 2]),
        (("name", "CONTAINS_TOKEN", "key*"), [1, 2]),
        (("name", "CONTAINS_TOKEN", "key"), []),
        (("name", "NOT_CONTAINS_TOKEN", "keystone"), [0]),
        (("domain", "CONTAINS_TOKEN", "mueller"), [0]),
        (("createdate", "LTE", "2026-11-20T10:00:00Z"), [0, 1, 2]),
        (("createdate", "GT", 1795168800000), []),
    ],
)
def test_operators(filter: tuple[Any, ...], expected: list[int]) -> None:
    """§3: the operators; texts without regard to case, IN values must be lower case, enumerations as they are, numbers as numbers."""
    with hub(Book(hubspot_companies=[{"properties": row} for row in COMPANIES])) as portal:
        assert found(portal.search("companies", filter)) == [COMPANIES[place]["name"] for place in expected]


def test_groups_are_or_and_filters_are_and() -> None:
    """§3: the filters of a group must all hold, of the groups one; `query` looks into the default texts."""
    with hub(Book(hubspot_companies=[{"properties": row} for row in COMPANIES])) as portal:
        keystone = clause("name", "CONTAINS_TOKEN", "keystone")
        groups = [{"filters": [keystone, clause("city", "HAS_PROPERTY")]}, {"filters": [clause("domain", "EQ", "doors.example")]}]
        answer = portal.post(f"{OBJECTS}/companies/search", {"filterGroups": groups, "properties": ["name"]}).json()
        assert (answer["total"], found(answer)) == (2, ["keystone roofing", "Keystone Doors"])
        assert found(portal.post(f"{OBJECTS}/companies/search", {"query": "SÖHNE"}).json()) == ["Müller & Söhne"]


def test_search_finds_a_record_as_it_was_some_seconds_ago() -> None:
    """§3: made, changed and archived records show in search only after the delay; a read by id sees them at once."""
    with hub() as portal:
        id = portal.make("companies", name="old")
        assert portal.search("companies")["total"] == 0
        portal.clock.pass_(3)
        assert found(portal.search("companies")) == ["old"]
        portal("PATCH", f"{OBJECTS}/companies/{id}", {"properties": {"name": "new"}})
        assert portal.properties("companies", id)["name"] == "new"
        portal.clock.pass_(2.9)
        assert found(portal.search("companies", ("name", "EQ", "old"))) == ["old"]
        assert found(portal.search("companies", ("name", "EQ", "new"))) == []
        portal.clock.pass_(0.1)
        assert found(portal.search("companies", ("name", "EQ", "new"))) == ["new"]
        portal("DELETE", f"{OBJECTS}/companies/{id}")
        assert portal.search("companies")["total"] == 1
        portal.clock.pass_(3)
        assert portal.search("companies")["total"] == 0


def test_the_delay_keeps_every_step_of_a_record() -> None:
    """§3: a record that is changed each second is found as it was exactly the delay ago."""
    with hub(search_delay_seconds=3) as portal:
        id = portal.make("companies", name="0")
        for second in range(1, 9):
            portal.clock.pass_(1)
            portal("PATCH", f"{OBJECTS}/companies/{id}", {"properties": {"name": str(second)}})
            portal.vendor.limits.reset()
            assert found(portal.search("companies")) == ([str(second - 3)] if second >= 3 else [])


@pytest.mark.parametrize(
    "body",
    [
        {"limit": 201},
        {"after": "9900", "limit": 101},
        {"filterGroups": [{"filters": []}] * 6},
        {"filterGroups": [{"filters": [clause("name", "HAS_PROPERTY")] * 7}]},
        {"filterGroups": [{"filters": [clause("name", "HAS_PROPERTY")] * 5}] * 4},
        {"filterGroups": [{"filters": [clause("domain", "IN", ["x" * 200 for _ in range(15)])]}]},
        {"filterGroups": [{"filters": [clause("nope", "EQ", "1")]}]},
        {"filterGroups": [{"filters": [clause("name", "LIKE", "1")]}]},
        {"filterGroups": [{"filters": [clause("name", "IN", "1")]}]},
        {"sorts": ["name", "domain"]},
    ],
)
def test_what_is_too_much_or_wrong(body: dict[str, Any]) -> None:
    """§3: 200 a page, 10,000 in all, 5 groups, 6 filters in each, 18 in all, 3,000 characters of body; wrong filters: 400."""
    with hub() as portal:
        answer = portal.post(f"{OBJECTS}/companies/search", body)
        assert (answer.status_code, answer.json()["category"]) == (400, "VALIDATION_ERROR")


@pytest.mark.parametrize("sorts", [["-numberofemployees"], [{"propertyName": "numberofemployees", "direction": "DESCENDING"}]])
def test_pages_and_sorts(sorts: list[Any]) -> None:
    """§3: one sort, as a text or an object; `after` is an offset and there is no link; no paging on the last page."""
    with hub(Book(hubspot_companies=[{"properties": row} for row in COMPANIES])) as portal:
        first = portal.search("companies", sorts=sorts, limit=2)
        assert (first["total"], found(first)) == (3, ["Keystone Doors", "keystone roofing"])
        assert first["paging"] == {"next": {"after": "2"}}
        last = portal.search("companies", sorts=sorts, limit=2, after="2")
        assert found(last) == ["Müller & Söhne"]
        assert "paging" not in last


def test_search_by_association() -> None:
    """§3: the pseudo property `associations.company` finds a company's contacts."""
    contacts = [{"properties": {"email": f"{n}@a.example"}, "company": 0 if n else None} for n in range(3)]
    with hub(Book(hubspot_companies=[{"properties": {"name": "A"}}], hubspot_contacts=contacts)) as portal:
        company = portal("GET", f"{OBJECTS}/companies").json()["results"][0]["id"]
        answer = portal.search("contacts", ("associations.company", "EQ", company))
        assert [row["properties"]["email"] for row in answer["results"]] == ["1@a.example", "2@a.example"]


def test_five_a_second_and_no_headers() -> None:
    """§3, §8: the sixth search in a second is a 429 SECONDLY; searches have no rate limit headers."""
    with hub() as portal:
        answers = [portal.post(f"{OBJECTS}/{kind}/search", {}) for kind in ("companies", "contacts") * 3]
        assert [answer.status_code for answer in answers] == [200] * 5 + [429]
        body = answers[-1].json()
        assert (body["message"], body["policyName"]) == ("You have reached your secondly limit.", "SECONDLY")
        assert (body["errorType"], "category" in body) == ("RATE_LIMIT", False)
        assert not [name for answer in answers for name in answer.headers if "ratelimit" in name or name == "retry-after"]
        portal.clock.pass_(1)
        assert portal.post(f"{OBJECTS}/companies/search", {}).status_code == 200


def test_a_stale_index_counts_without_showing() -> None:
    """§3: `total` 1 and no results, as seen live."""
    with hub() as portal:
        portal.control("POST", "faults", {"kind": "stale-search"})
        assert portal.search("companies") == {"total": 1, "results": []}
