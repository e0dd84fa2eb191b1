"""HubSpot's sandbox: rate limits, and what the control API shows and changes."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hubspot_kit import OBJECTS, Hub, hub
from pydantic import ValidationError

from sandbox.data import Book, load
from sandbox.hubspot.app import Switches

BOOK = Book(
    hubspot_companies=[{"properties": {"name": "A", "domain": "a.example", "city": None}}],
    hubspot_contacts=[{"properties": {"email": "Ann@a.example", "firstname": "Ann"}, "company": 0}],
)


def ids(portal: Hub) -> tuple[str, str]:
    dump = portal.control("GET", "dump")
    return dump["companies"][0]["id"], dump["contacts"][0]["id"]


def test_the_burst_limit_rolls() -> None:
    """§8: the call too many in ten seconds is a 429 with the exact words and no Retry-After; refused calls do not count."""
    with hub(burst_limit=3) as portal:
        for _ in range(3):
            assert portal("GET", f"{OBJECTS}/companies").status_code == 200
            portal.clock.pass_(1)
        answer = portal("GET", f"{OBJECTS}/companies")
        body = answer.json()
        assert (answer.status_code, "retry-after" in answer.headers) == (429, False)
        assert body["message"] == "You have reached your ten_secondly_rolling limit."
        assert (body["errorType"], body["policyName"], "category" in body) == ("RATE_LIMIT", "TEN_SECONDLY_ROLLING", False)
        assert body["groupName"].startswith("publicapi:private_app-api-calls-ten-secondly:")
        assert portal.post(f"{OBJECTS}/companies/search", {}).status_code == 200
        portal.clock.pass_(7)
        assert [portal("GET", f"{OBJECTS}/companies").status_code for _ in range(2)] == [200, 429]
        burst = portal.control("GET", "calls")["buckets"]["burst"]
        assert (burst["total"], burst["most_at_once"], burst["refused"]) == (4, 3, 2)


def test_the_daily_limit_ends_at_the_portals_midnight() -> None:
    """§8: beyond the day's limit every call is a 429 DAILY until midnight in the portal's zone; Retry-After is a switch."""
    with hub(daily_limit=2, retry_after=True) as portal:
        portal("GET", f"{OBJECTS}/companies")
        assert portal("GET", f"{OBJECTS}/companies").headers["X-HubSpot-RateLimit-Daily-Remaining"] == "0"
        answer = portal.post(f"{OBJECTS}/companies/search", {})
        assert (answer.status_code, answer.json()["policyName"]) == (429, "DAILY")
        assert answer.json()["message"] == "You have reached your daily limit."
        assert answer.headers["retry-after"] == str(14 * 3600)
        portal.clock.pass_(14 * 3600)
        assert portal("GET", f"{OBJECTS}/companies").status_code == 200


def test_a_switch_that_cannot_be() -> None:
    """Switches with bad values are refused, lists are comma-separated."""
    for wrong in ({"time_zone": "Mars/Base"}, {"archived_key": "maybe"}, {"burst_limit": 0}, {"no_such": 1}):
        with pytest.raises(ValidationError):
            Switches.model_validate(wrong)
    assert Switches.model_validate({"required_companies": "name, domain"}).required_companies == ("name", "domain")


def test_the_dump_is_the_whole_state() -> None:
    """The dump has records, pairs, definitions, and what people had put in, without empty values and computed ones."""
    with hub(BOOK) as portal:
        company, contact = ids(portal)
        made = portal.make("companies", name="B")
        portal("DELETE", f"{OBJECTS}/companies/{made}")
        dump = portal.control("GET", "dump")
        assert (dump["system"], dump["portal"]) == ("hubspot", 48290155)
        assert [(r["id"], r["archived"], r["seeded"]) for r in dump["companies"]] == [(company, False, True), (made, True, False)]
        pair = {"from": "contact", "from_id": contact, "to": "company", "to_id": company, "types": [1, 279]}
        assert dump["associations"] == [pair]
        assert dump["contacts"][0]["properties"]["associatedcompanyid"] == company
        assert [sorted(link) for link in dump["seeded"].pop("associations")] == [["from_id", "to_id"]]
        assert dump["seeded"] == {
            "companies": {company: {"name": "A", "domain": "a.example"}},
            "contacts": {contact: {"email": "ann@a.example", "firstname": "Ann"}},
            **{objects: {} for objects in ("deals", "invoices", "line_items")},
        }
        assert "domain" in [definition["name"] for definition in dump["properties"]["companies"]]


def test_what_people_change() -> None:
    """A person's edit is in the log and in `seeded`, field by field; what the API wrote stays out of it."""
    with hub(BOOK) as portal:
        company, _ = ids(portal)
        portal("PATCH", f"{OBJECTS}/companies/{company}", {"properties": {"name": "Ours", "city": "Ulm"}})
        entries = portal.edit(entity="company", key=company, fields={"description": "theirs", "domain": ""})
        assert [(e["op"], e["actor"], e["fields"]) for e in entries] == [("update", "person", ["description", "domain"])]
        seeded = portal.control("GET", "dump")["seeded"]["companies"]
        assert seeded == {company: {"name": "A", "description": "theirs"}}
        created = portal.edit(entity="contact", create={"firstname": "Bo"})[0]
        assert portal.control("GET", "dump")["seeded"]["contacts"][created["id"]] == {"firstname": "Bo"}
        assert portal.edit(entity="contact", key=created["id"], delete=True)[0]["op"] == "archive"
        assert created["id"] not in portal.control("GET", "dump")["seeded"]["contacts"]


def test_people_find_records_by_our_key_and_merge_them() -> None:
    """An edit's key may be the record's Acumatica key; a merge by hand answers under the new id."""
    with hub(BOOK) as portal:
        portal.unique("companies")
        company, contact = ids(portal)
        portal.upsert("companies", [("demo|1", {"name": "B"})])
        assert portal.edit(entity="company", key="demo|1", fields={"city": "Ulm"})[0]["key"] == "demo|1"
        merged = portal.edit(entity="company", key=company, merge="demo|1")[-1]
        assert (merged["op"], merged["key"]) == ("merge", None)
        assert portal("GET", f"{OBJECTS}/companies/{company}").json()["id"] == merged["id"]
        dump = portal.control("GET", "dump")
        assert dump["seeded"]["companies"] == {merged["id"]: {"name": "A", "domain": "a.example"}}
        assert [(pair["from_id"], pair["to_id"]) for pair in dump["associations"]] == [(contact, merged["id"])]
        other = portal.make("companies", name="C")
        assert portal.edit(entity="contact", key=contact, associate=other)[-1]["to"]["id"] == other


@pytest.mark.parametrize(
    "wrong",
    [
        {"entity": "deal", "create": {}},
        {"entity": "company", "key": "777", "fields": {}},
        {"entity": "contact", "create": {"email": "nobody"}},
        {"entity": "contact", "create": {"email": "ann@a.example"}},
        {"entity": "company", "create": {"nope": "1"}},
        {"entity": "contact", "key": "first"},
    ],
)
def test_edits_that_cannot_be(wrong: dict[str, Any]) -> None:
    """A wrong edit is a 400 that says why, and changes nothing."""
    with hub(BOOK) as portal:
        if wrong.get("key") == "first":
            wrong = {**wrong, "key": ids(portal)[1]}
        before = portal.control("GET", "dump")
        answer = portal.post("/__sandbox__/edit", wrong)
        assert answer.status_code == 400
        assert answer.json()["error"]
        assert (portal.log(), portal.control("GET", "dump")) == ([], before)


def test_random_edits_leave_our_values_alone() -> None:
    """Random edits are repeatable, touch no owned property of a record that was there, and bring newcomers of nobody's domain."""
    told = []
    for _ in range(2):
        with hub(load("demo", customers=20, seed=3)) as portal:
            told.append([(e["op"], e["entity"], e["fields"]) for e in portal.edit(random=40, seed=5)])
            changed = {name for op, _, fields in told[-1] if op == "update" for name in fields}
            assert changed <= {"description", "hs_lead_status", "numberofemployees", "company"}
            assert len(told[-1]) == 40
    assert told[0] == told[1]


def test_reset_starts_over_with_the_same_ids() -> None:
    """After a reset nothing is left: records, definitions, limits, log; the same data has the same ids."""
    with hub(burst_limit=2) as portal:
        portal.unique("companies")
        first = portal.make("companies", name="A", acumatica_customer_key="1")
        assert portal("GET", f"{OBJECTS}/companies").status_code == 429
        portal.control("POST", "reset", {})
        assert (portal.log(), portal.control("GET", "dump")["companies"]) == ([], [])
        assert portal.make("companies", name="A") == first
        assert "acumatica_customer_key" not in str(portal.control("GET", "dump")["properties"])


def test_routes_are_counted_without_their_ids() -> None:
    """`calls` counts by method, path pattern and status; names and ids of the object type are one."""
    with hub() as portal:
        id = portal.make("companies", name="A")
        portal("GET", f"{OBJECTS}/companies/{id}")
        portal("GET", f"{OBJECTS}/0-2/{id}")
        portal("GET", f"{OBJECTS}/contacts/777")
        routes = portal.control("GET", "calls")["routes"]
        assert routes[f"GET {OBJECTS}/companies/{{id}}"] == {"200": 2}
        assert routes[f"GET {OBJECTS}/contacts/{{id}}"] == {"404": 1}


def test_log_times_are_when_it_happened() -> None:
    """The log's time is real UTC time with microseconds, in order."""
    with hub() as portal:
        for _ in range(3):
            portal.make("companies", name="A")
        times = [datetime.fromisoformat(entry["at"]) for entry in portal.log()]
        assert times == sorted(times)
        assert all(at.utcoffset() == timedelta(0) for at in times)
        assert all(len(entry["at"]) == len("2026-11-20T10:00:00.000000Z") for entry in portal.log())


def test_another_token_is_good_from_now_on() -> None:
    """`POST credentials`: the old token is refused at once, everywhere; a reset brings it back."""
    with hub() as one:
        details = "/account-info/2026-09/details"
        assert one.post("/__sandbox__/credentials", {"key": "x"}).json() == {"error": "there is token; not key"}
        one.post("/__sandbox__/credentials", {"token": "other"})
        assert one("GET", details).status_code == 401
        assert one("GET", details, headers={"Authorization": "Bearer other"}).status_code == 200
        assert one.post("/oauth/v2/private-apps/get/access-token-info", {"tokenKey": "other"}).status_code == 200
        one.post("/__sandbox__/reset", {})
        assert one("GET", details).status_code == 200
