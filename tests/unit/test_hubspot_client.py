"""HubSpot's answers, sorted: every refusal becomes one of our error classes, every row its own answer. Sources: facts/hubspot.md."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from sinks.hubspot_aliases import bare_domain
from weighlock import settings as config
from weighlock.clients.hubspot import Budget, HubSpot
from weighlock.clients.hubspot_answers import Conflict, Forbidden, Item, Unavailable, error_of
from weighlock.clients.hubspot_daily import DailyBudget
from weighlock.errors import AuthError, ConfigError, RateLimited, RejectedError, TransientError

TOKEN = "pat-na1-very-secret"
Handler = Callable[[httpx.Request], httpx.Response]


COMPANY = ("contact", "company")


def client(handler: Handler, **more: Any) -> HubSpot:
    return HubSpot(config.HubSpot(url="http://127.0.0.1:1", token=TOKEN, **more), httpx.MockTransport(handler))


def answering(status: int, body: Any = None, text: str | None = None, **headers: str) -> Handler:
    return lambda request: httpx.Response(status, headers=headers, **({"text": text} if text is not None else {"json": body}))


def error(category: str = "VALIDATION_ERROR", message: str = "no", **more: Any) -> dict[str, Any]:
    return {"status": "error", "category": category, "message": message, **more}


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, error(), RejectedError),
        (401, error("INVALID_AUTHENTICATION"), AuthError),
        (403, error("MISSING_SCOPES"), Forbidden),
        (404, error("OBJECT_NOT_FOUND"), RejectedError),
        (404, None, ConfigError),
        (405, None, ConfigError),
        (409, error("CONFLICT"), Conflict),
        (423, error(), RateLimited),
        (429, error(policyName="SECONDLY"), RateLimited),
        (477, None, RateLimited),
        (500, error(), TransientError),
        (502, None, TransientError),
        (503, None, TransientError),
        (524, None, TransientError),
    ],
)
def test_status_to_class(status: int, body: Any, kind: type[Exception]) -> None:
    """§1.3, §2.4, §8: the class says what the worker does next."""
    assert type(error_of(status, body, "POST /x")) is kind


def test_what_the_portal_has_not() -> None:
    """§6.6, §14.4: no such object, or a property that takes no values, is nobody's record's fault; a value that says so is."""
    absent = error_of(400, error(message="Unable to infer object type from: invoices"), "GET /x")
    assert isinstance(absent, Unavailable)
    said = json.dumps([{"isValid": False, "message": "no", "error": "READ_ONLY_VALUE", "name": "hs_invoice_billable"}])
    read_only = error_of(400, error(message=f"Property values were not valid: {said}"), "POST /x")
    assert isinstance(read_only, Unavailable)
    assert read_only.properties == ("hs_invoice_billable",)
    quoted = error_of(
        400, error(message=f"Property values were not valid: {said.replace('READ_ONLY_VALUE', 'X')} READ_ONLY_VALUE"), "POST /x"
    )
    assert type(quoted) is RejectedError


@pytest.mark.parametrize(
    ("status", "ambiguous"), [(500, True), (502, True), (504, True), (524, True), (503, False), (521, False), (530, False)]
)
def test_which_failures_may_have_been_carried_out(status: int, ambiguous: bool) -> None:
    """§8: of a gateway's time-out nobody knows what became; a server that was not reached did nothing."""
    found = error_of(status, None, "POST /x")
    assert isinstance(found, TransientError)
    assert found.ambiguous is ambiguous


@pytest.mark.parametrize(("policy", "seconds"), [("SECONDLY", 1), ("TEN_SECONDLY_ROLLING", 10)])
def test_limits_by_policy(policy: str, seconds: float) -> None:
    """§8: without Retry-After the policy says how long; with it, it does."""
    found = error_of(429, error(policyName=policy), "POST /x")
    assert isinstance(found, RateLimited)
    assert found.retry_after == seconds
    told = error_of(429, error(policyName=policy), "POST /x", headers=httpx.Headers({"Retry-After": "7"}))
    assert isinstance(told, RateLimited)
    assert told.retry_after == 7


def test_the_reserve_of_the_day_is_left_to_others() -> None:
    """§8: what the headers say is left is used up to our reserve, searches counted; then nothing goes out until midnight in the portal."""
    at = datetime(2026, 3, 1, 22, 0, tzinfo=UTC)
    day = DailyBudget(0.1, lambda: at)
    day.zone = "America/New_York"  # 17:00 there, five hours behind
    day.take()  # nothing is known yet
    day.learn(httpx.Headers({"X-HubSpot-RateLimit-Daily": "1000", "X-HubSpot-RateLimit-Daily-Remaining": "102"}))
    day.take()
    day.learn(httpx.Headers())  # a search's answer
    day.take()
    with pytest.raises(RateLimited, match=r"100 are left.*until 2026-03-02T00:00:00-05:00") as told:
        day.take()
    assert told.value.retry_after == 7 * 3600 + 1
    at += timedelta(hours=7)
    day.take()  # a new day: all is allowed until an answer says what is left


def test_no_call_goes_out_when_the_day_is_used_up() -> None:
    """§8: the client learns the day's state from every answer and refuses the next call by itself."""
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        headers = {"X-HubSpot-RateLimit-Daily": "625000", "X-HubSpot-RateLimit-Daily-Remaining": "62500"}
        return httpx.Response(200, json={"portalId": 1, "timeZone": "America/New_York"}, headers=headers)

    hubspot = client(answer)
    hubspot.account()
    with pytest.raises(RateLimited, match="62500 are left"):
        hubspot.read("company", ["1"], ["name"])
    assert len(asked) == 1


def test_the_daily_limit_lasts_until_the_portals_midnight() -> None:
    """§8: a day ends in the portal's zone."""
    found = error_of(429, error(policyName="DAILY"), "POST /x", zone="Asia/Tokyo")
    other = error_of(429, error(policyName="DAILY"), "POST /x", zone="America/New_York")
    assert isinstance(found, RateLimited)
    assert isinstance(other, RateLimited)
    assert 0 < found.retry_after <= 25 * 3600
    assert abs(found.retry_after - other.retry_after) > 3000


def test_missing_scopes_are_named() -> None:
    """§1.3: any one of them would do, and the message names them."""
    body = error("MISSING_SCOPES", errors=[{"message": "one or more", "context": {"requiredGranularScopes": ["crm.a.read", "crm.b.read"]}}])
    assert "one of these scopes: crm.a.read, crm.b.read" in str(error_of(403, body, "GET /x"))


@pytest.mark.parametrize(
    ("body", "holder"),
    [
        (error("CONFLICT", "Contact already exists. Existing ID: 171", context={"existingId": ["172"]}), "172"),
        (error("CONFLICT", "Contact already exists. Existing ID: 171"), "171"),
        (error(message="Cannot set PropertyValueCoordinates{x} on 5. 173 already has that value."), "173"),
        (error(message="UNIQUE_VALUE_CONFLICT", errorTokens={"existingObjectId": ["174"]}), "174"),
        (error("CONFLICT", "Contact already exists"), None),
    ],
)
def test_who_holds_a_value(body: Any, holder: str | None) -> None:
    """§2.4, §14.3: the holder's id is in the context, in the tokens or only in the words."""
    found = error_of(400, body, "POST /x")
    assert isinstance(found, Conflict)
    assert found.existing == holder


def test_a_missing_property_of_ours_is_a_matter_of_setup() -> None:
    """A property that we make ourselves and that is gone concerns all records; another one only this record."""
    words = 'Property values were not valid: [{"message":"Property \\"acumatica_class\\" does not exist","error":"PROPERTY_DOESNT_EXIST"}]'
    found = error_of(400, error(message=words), "POST /x")
    assert isinstance(found, ConfigError)
    assert "weighlock setup hubspot" in str(found)
    assert type(error_of(400, error(message=words.replace("acumatica_class", "fax")), "POST /x")) is RejectedError


QUOTED = [
    'Property "acumatica_class" does not exist',
    "non-unique 0-1 property acumatica_contact_key",
    "CONFLICTING_UNIQUE_VALUE: 7 already has that value. Existing ID: 7",
]


@pytest.mark.parametrize("value", QUOTED)
def test_what_a_refused_value_says_means_nothing(value: str) -> None:
    """§2.5: a message quotes the value that is refused. It is that record's fault whatever the value says, and the property is named."""
    problem = {"message": f"Email address {value} is invalid", "error": "INVALID_EMAIL", "name": "email", "propertyValue": value}
    found = error_of(400, error(message=f"Property values were not valid: {json.dumps([problem])}"), "POST /x")
    assert type(found) is RejectedError
    assert str(found).startswith("HubSpot: email: Email address ")
    taken = {
        "message": f"value={value}}} on 5. 173 already has that value.",
        "error": "CONFLICTING_UNIQUE_VALUE",
        "name": "acumatica_contact_key",
    }
    conflict = error_of(400, error(message=f"Property values were not valid: {json.dumps([taken])}"), "POST /x")
    assert isinstance(conflict, Conflict)
    assert conflict.existing == "173"


def test_what_is_said_of_a_long_value_is_short() -> None:
    """A refused value of 60,000 characters, even with half a character in it, is no reason that topics and logs cannot hold."""
    problem = {"message": f"Email address {'x' * 60_000} is invalid", "error": "INVALID_EMAIL", "name": "email"}
    found = error_of(400, error(message=f"Property values were not valid: {json.dumps([problem])}"), "POST /x")
    assert len(str(found)) < 500
    assert "INVALID_EMAIL" in str(found)
    other = error_of(400, error(message="\ud83d" * 60_000), "POST /x")
    assert len(str(other).encode()) < 11_000


def test_rows_are_matched_by_key_in_any_order() -> None:
    """§2.5: results come in any order, errors by trace id; each input has its own answer."""

    def handler(request: httpx.Request) -> httpx.Response:
        inputs = json.loads(request.content)["inputs"]
        assert len({one["objectWriteTraceId"] for one in inputs}) == len(inputs)
        bad = [one for one in inputs if one["id"] == "t|3"]
        good = [one for one in inputs if one["id"] != "t|3"]
        random.Random(1).shuffle(good)
        results = [{"id": "1" + one["id"][2:], "properties": one["properties"], "new": True} for one in good]
        errors = [error(message="INVALID_EMAIL", context={"objectWriteTraceId": [one["objectWriteTraceId"]]}) for one in bad]
        return httpx.Response(207, json={"status": "COMPLETE", "results": results, "numErrors": 1, "errors": errors})

    answers = client(handler).upsert("contact", "k", {f"t|{n}": {"k": f"t|{n}", "name": None} for n in range(10)})
    refused = answers.pop("t|3")
    assert isinstance(refused, RejectedError)
    assert '"name": ""' in (refused.request or "")
    assert {key: item.id for key, item in answers.items() if isinstance(item, Item)} == {f"t|{n}": f"1{n}" for n in range(10) if n != 3}


def test_rows_are_matched_by_trace_where_the_key_is_not_shown() -> None:
    """§2.4: the trace id is the second way to know whose answer it is."""

    def handler(request: httpx.Request) -> httpx.Response:
        inputs = json.loads(request.content)["inputs"]
        results = [{"id": one["id"][2:], "properties": {}, "objectWriteTraceId": one["objectWriteTraceId"]} for one in reversed(inputs)]
        return httpx.Response(200, json={"status": "COMPLETE", "results": results})

    answers = client(handler).upsert("contact", "k", {"t|1": {}, "t|2": {}})
    assert [answers[key].id for key in ("t|1", "t|2")] == ["1", "2"]  # type: ignore[union-attr]


def test_a_row_that_is_passed_over_is_no_success() -> None:
    """§2.5: a 2xx that says nothing of a record raises, for it may not have been written."""
    silent = client(answering(200, {"status": "COMPLETE", "results": []}))
    with pytest.raises(TransientError, match="nothing of 2 of 2") as caught:
        silent.upsert("contact", "k", {"t|1": {}, "t|2": {}})
    assert caught.value.ambiguous
    with pytest.raises(TransientError):
        silent.read("company", ["1"], [])


def test_what_is_not_there_is_just_not_there() -> None:
    """§2.4: a batch read tells missing records in a 207's error, which is an answer."""
    body = {"status": "COMPLETE", "results": [{"id": "1", "properties": {}}], "errors": [error("OBJECT_NOT_FOUND", context={"ids": ["2"]})]}
    assert [item.id for item in client(answering(207, body)).read("company", ["1", "2"], [])] == ["1"]


def test_hits_that_are_not_shown() -> None:
    """§3: a count without results means not indexed yet, not none."""
    with pytest.raises(TransientError):
        client(answering(200, {"total": 1, "results": []})).search("company", [], [])
    assert client(answering(200, {"total": 0, "results": []})).search("company", [], []) == ([], None)


def test_a_refused_pair_has_its_own_error() -> None:
    """§5.2: ids come as numbers, one pair may be answered by two rows; of the errors each names the pair that was refused."""
    body = {
        "results": [{"fromObjectId": 1, "toObjectId": 2}, {"from": {"id": "2"}, "to": {"id": "1"}}, {"fromObjectId": 1, "toObjectId": 4}],
        "errors": [error(context={"fromObjectId": ["3"], "toObjectId": ["4"]})],
    }
    answers = client(answering(207, body)).associations.make(COMPANY, [("1", "2"), ("3", "4"), ("1", "4")])
    assert answers.keys() == {("3", "4")}
    assert isinstance(answers["3", "4"], RejectedError)


@pytest.mark.parametrize(
    ("version", "paths"),
    [
        ("2026-09", ["/crm/objects/2026-09/contacts/batch/read", "/crm/associations/2026-09/contacts/companies/batch/create"]),
        ("v3", ["/crm/v3/objects/contacts/batch/read", "/crm/v4/associations/contacts/companies/batch/create"]),
    ],
)
def test_paths_by_version(version: str, paths: list[str]) -> None:
    """§9: dated paths by the setting, v3 and v4 where it says v3."""
    seen: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.path)
        return httpx.Response(200, json={"results": [{"id": "1", "properties": {}, "fromObjectId": 1, "toObjectId": 2}]})

    one = client(handler, version=version)
    one.read("contact", ["1"], [])
    one.associations.make(COMPANY, [("1", "2")])
    assert seen == paths


def test_half_a_character_breaks_nothing() -> None:
    """Words of HubSpot's that are no proper text still fit into a dead letter."""
    found = error_of(400, error(message="bad \ud83d emoji"), "POST /x")
    assert isinstance(found, RejectedError)
    assert found.reason.encode()
    assert (found.response or "").encode()


def test_one_refusal_of_the_token_is_not_believed() -> None:
    """§8: a 401 is tried once more, also where there is no other token; two of them end it."""
    for refusals, ends in ((1, False), (2, True)):
        statuses = iter([401] * refusals + [200] * 2)
        one = client(lambda request: httpx.Response(next(statuses), json={"results": []}))  # noqa: B023
        with pytest.raises(AuthError) if ends else nullcontext():
            one.property_definitions("company")


def test_the_token_is_in_no_message() -> None:
    """A secret is in no error, no text form, whatever goes wrong."""

    def fails(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadError("broken", request=request)

    said = [repr(client(fails)), repr(config.HubSpot(url="http://127.0.0.1:1", token=TOKEN))]
    for handler in (fails, answering(401, error()), answering(404, text="<html>"), answering(500, text="<html>")):
        with pytest.raises(Exception) as caught:  # noqa: PT011
            client(handler).account()
        said += [str(caught.value), repr(caught.value)]
    assert not any(TOKEN in text for text in said)


def test_a_budget_refuses_before_anything_is_sent() -> None:
    """Our own limits raise with the time until the next call is free; searches have their own."""
    now = [0.0]
    budget = Budget(2, 10.0, "burst", lambda: now[0])
    budget.take()
    now[0] = 4.0
    budget.take()
    with pytest.raises(RateLimited) as caught:
        budget.take()
    assert caught.value.retry_after == 6.0
    now[0] = 10.0
    budget.take()
    calls: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        calls.append(request.url.path)
        return httpx.Response(200, json={"results": [], "total": 0})

    one = client(handler, burst_per_10_seconds=1, search_per_second=1)
    one.property_definitions("company")
    one.search("company", [], [])
    with pytest.raises(RateLimited):
        one.property_definitions("company")
    with pytest.raises(RateLimited):
        one.search("company", [], [])
    assert len(calls) == 2


@pytest.mark.parametrize(
    "spelt",
    [
        *("acme.example", "WWW.Acme.example", " https://www.acme.example/de/ ", "http://acme.example:8080", "acme.example."),
        *("//acme.example", "acme.example?from=http://other.example", "http://me:pw@acme.example#top", "ACME.EXAMPLE./x"),
    ],
)
def test_domains_compared(spelt: str) -> None:
    """§14.1: what people write is compared without scheme, www., port, path and case."""
    assert bare_domain(spelt) == "acme.example"
    assert bare_domain(None) == ""


def test_the_companies_of_contacts() -> None:
    """§5.2: numbers for ids, a 207 where a contact has no company, further pages of one that has many; anything else is an error."""
    primary, plain = {"category": "HUBSPOT_DEFINED", "typeId": 1, "label": "Primary"}, {"category": "HUBSPOT_DEFINED", "typeId": 279}
    none = error("OBJECT_NOT_FOUND", subCategory="crm.associations.NO_ASSOCIATIONS_FOUND", context={"fromObjectId": ["2"]})
    asked: list[Any] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(json.loads(request.content)["inputs"])
        if "after" in asked[-1][0]:
            return httpx.Response(200, json={"results": [{"from": {"id": "1"}, "to": [{"toObjectId": 9, "associationTypes": [plain]}]}]})
        row = {"from": {"id": "1"}, "to": [{"toObjectId": 8, "associationTypes": [plain, primary]}], "paging": {"next": {"after": "x"}}}
        return httpx.Response(207, json={"results": [row], "errors": [none]})

    assert client(answer).associations.held(COMPANY, ["1", "2"]) == {"1": {"8": True, "9": False}, "2": {}}
    assert asked == [[{"id": "1"}, {"id": "2"}], [{"id": "1", "after": "x"}]]
    with pytest.raises(RejectedError):
        client(answering(207, {"results": [], "errors": [error()]})).associations.held(COMPANY, ["1"])


def test_domains_in_punycode() -> None:
    """A label in punycode is compared as the letters that it stands for; what is no punycode stays as it is."""
    assert bare_domain("www.XN--Mnchen-3ya.example") == bare_domain("München.example") == "münchen.example"
    assert bare_domain("xn--strae-oqa.xn--0.example") == "straße.xn--0.example"
