"""Faults of the HubSpot sandbox's own, and the switches for what facts/hubspot.md could not find out (its open points)."""

from typing import Any

import pytest
from hubspot_kit import OBJECTS, OLD, Hub, hub


def fault(portal: Hub, kind: str, **rule: Any) -> None:
    portal.control("POST", "faults", {"kind": kind, **rule})


def by_email(portal: Hub, id: str, **properties: str) -> Any:
    row = {"id": id, "idProperty": "email", "properties": properties}
    return portal.post(f"{OBJECTS}/contacts/batch/upsert", {"inputs": [row]})


def test_search_minutes_late() -> None:
    """§3, fault late-search: a record is found as it was minutes ago; what is younger is not found; the next search is as ever."""
    with hub() as portal:
        old = portal.make("companies", name="Before")
        portal.clock.pass_(400)
        portal("PATCH", f"{OBJECTS}/companies/{old}", {"properties": {"name": "After"}})
        portal.make("companies", name="Young")
        portal.clock.pass_(10)
        fault(portal, "late-search")
        assert [row["properties"]["name"] for row in portal.search("companies")["results"]] == ["Before"]
        assert {row["properties"]["name"] for row in portal.search("companies")["results"]} == {"After", "Young"}
        assert portal.control("GET", "faults")[0]["fired"] == 1


def test_some_rows_refused() -> None:
    """§2.4, fault refuse-rows: with trace ids a 207 and the others are written; without, all are refused."""
    with hub() as portal:
        portal.unique("companies")
        fault(portal, "refuse-rows", times=2, args={"count": 2})
        rows = [(f"demo|{number}", {"name": str(number)}) for number in range(5)]
        answer = portal.upsert("companies", rows)
        assert (answer.status_code, answer.json()["numErrors"], len(answer.json()["results"])) == (207, 2, 3)
        assert {error["context"]["objectWriteTraceId"][0] for error in answer.json()["errors"]} == {"t0", "t1"}
        assert portal.upsert("companies", rows, trace=False).status_code == 400
        assert portal.upsert("companies", rows).status_code == 200
        assert portal.control("GET", "faults")[0]["fired"] == 2


def test_an_expired_token() -> None:
    """§1.3, fault expire-token: one call alone is a 401 EXPIRED_AUTHENTICATION."""
    with hub() as portal:
        fault(portal, "expire-token")
        answer = portal("GET", f"{OBJECTS}/companies")
        assert (answer.status_code, answer.json()["category"]) == (401, "EXPIRED_AUTHENTICATION")
        assert portal("GET", f"{OBJECTS}/companies").status_code == 200


@pytest.mark.parametrize(
    ("kind", "rule", "status"),
    [
        ("status", {"args": {"status": 429, "headers": {"Retry-After": "2"}}}, 429),
        ("status", {"args": {"status": 429}}, 429),
        *(("status", {"args": {"status": status, "body": {"status": "error"}}}, status) for status in (423, 477, 500, 502, 503, 504)),
        *(("html", {"args": {"status": status}}, status) for status in (502, 524, 530)),
    ],
)
def test_errors_of_the_front(kind: str, rule: dict[str, Any], status: int) -> None:
    """§8: 429 with and without Retry-After, locks, moved portals, server errors, HTML pages: each fires once and is counted."""
    with hub() as portal:
        fault(portal, kind, path="/companies", **rule)
        answer = portal("GET", f"{OBJECTS}/companies")
        assert answer.status_code == status
        assert answer.headers.get("retry-after") == rule["args"].get("headers", {}).get("Retry-After")
        assert ("<html>" in answer.text) is (kind == "html")
        assert portal("GET", f"{OBJECTS}/companies").status_code == 200
        assert portal.control("GET", "faults")[0]["fired"] == 1
        assert portal.control("GET", "calls")["routes"]["GET /crm/objects/2026-09/companies"] == {str(status): 1, "200": 1}


def test_a_late_commit() -> None:
    """Fault late: the call times out and the look-up finds nothing; then the work is done."""
    with hub() as portal:
        portal.unique("companies")
        fault(portal, "late", path="batch/upsert", args={"seconds": 0})
        with pytest.raises(ConnectionResetError):
            portal.upsert("companies", [("demo|1", {"name": "late"})])
        assert portal.upsert("companies", [("demo|1", {"name": "late"})]).json()["results"][0]["new"] is False


@pytest.mark.parametrize(("switch", "status", "left"), [("part", 200, "Ann"), ("blank", 200, None), ("refused", 400, "Ann")])
def test_a_partial_upsert_by_email(switch: str, status: int, left: str | None) -> None:
    """§2.6, switch email_upsert: changes the part that is sent, empties the rest, or is refused; a whole one is always fine."""
    with hub(email_upsert=switch) as portal:
        ann = portal.make("contacts", email="ann@acme.example", firstname="Ann")
        assert by_email(portal, "ann@acme.example", phone="1").status_code == status
        assert portal.properties("contacts", ann, "firstname")["firstname"] == left
        assert by_email(portal, "ann@acme.example", phone="1", firstname="Anna", email="ann@acme.example").status_code == 200


def test_the_form_of_a_domain() -> None:
    """§14.1, switch domain_form: a company's domain stays as it was sent, or loses scheme, www. and path."""
    sent = "https://www.Acme.example/about"
    for switch, kept in (("as_sent", sent), ("bare", "acme.example")):
        with hub(domain_form=switch) as portal:
            assert portal.properties("companies", portal.make("companies", domain=sent))["domain"] == kept


def test_a_text_that_is_too_long() -> None:
    """§14.1, switch too_long: a 400, or what fits."""
    body = {"properties": {"name": "x" * 70_000}}
    with hub() as portal:
        assert portal.post(f"{OBJECTS}/companies", body).status_code == 400
    with hub(too_long="cut") as portal:
        assert len(portal.post(f"{OBJECTS}/companies", body).json()["properties"]["name"]) == 65_536


def test_the_status_of_a_batch_with_failures() -> None:
    """§2.1, switch partial_status: 207 on every path, or 200 on 2026-09 as its description has it."""
    with hub(partial_status="200") as portal:
        portal.unique("companies")
        rows = [("demo|1", {"name": "A"}), ("demo|2", {"no_such": "x"})]
        assert portal.upsert("companies", rows).status_code == 200
        inputs = portal.post(f"{OLD}/companies/batch/read", {"inputs": [{"id": "1"}], "properties": []})
        assert inputs.status_code == 207
