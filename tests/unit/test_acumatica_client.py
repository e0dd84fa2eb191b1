"""The Acumatica client against scripted answers: what goes out, what comes back plain, which error an answer becomes."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from acumatica_model import settings_of

from weighlock.clients.acumatica import Acumatica, Budget
from weighlock.clients.acumatica_session import FileTokenStore
from weighlock.clients.acumatica_values import any_of, day, encoded, instant, literal, parse, plain, wrapped
from weighlock.errors import AuthError, ConfigError, RateLimited, RejectedError, TransientError, WeighlockError

Answer = Callable[[httpx.Request], httpx.Response]
DATE = {"Date": "Sat, 21 Nov 2026 03:00:00 GMT"}
NOT_OPTIMIZED = {
    "exceptionMessage": "Optimization cannot be performed.The following fields cause the error:\r\nCreditLimit: View X has BQL delegate\r",
    "exceptionType": "PX.Api.ContractBased.OptimizedExport.CannotOptimizeException",
}


class Site:
    """Answers sign-ins by itself and data calls by `data`; remembers every request."""

    def __init__(self, data: Answer | None = None, tokens: Answer | None = None) -> None:
        self.requests: list[httpx.Request] = []
        self.grants = 0
        self._data = data or (lambda request: httpx.Response(200, json=[]))
        self._tokens = tokens

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if request.url.path == "/entity/auth/logout":
            return httpx.Response(204)
        if request.url.path != "/identity/connect/token":
            answer = self._data(request)
            answer.headers.update(DATE)
            return answer
        if self._tokens is not None:
            return self._tokens(request)
        self.grants += 1
        body = {
            "access_token": f"token-{self.grants}",
            "refresh_token": f"refresh-{self.grants}",
            "expires_in": 3600,
            "token_type": "Bearer",
        }
        return httpx.Response(200, json=body)

    def forms(self) -> list[dict[str, str]]:
        asked = [request for request in self.requests if request.url.path == "/identity/connect/token"]
        return [{name: values[0] for name, values in parse_qs(request.content.decode()).items()} for request in asked]

    def paths(self) -> list[str]:
        return [request.url.path for request in self.requests]


@pytest.fixture
def client_of(tmp_path: Path) -> Callable[..., Acumatica]:
    def make(site: Site, per_minute: int = 100, **given: Any) -> Acumatica:
        store = FileTokenStore(tmp_path / "grant.json")
        settings = settings_of(requests_per_minute=per_minute, **given).need_acumatica()
        return Acumatica(settings, store, httpx.MockTransport(site))

    return make


def failing(status: int, body: Any = None, **headers: str) -> Answer:
    content = body if isinstance(body, str) else json.dumps(body or {})
    return lambda request: httpx.Response(status, content=content, headers={"content-type": "application/json", **headers})


def test_rows_are_plain() -> None:
    """`{"value": x}` is x, `{}` is None, linked entities too, and what surrounds the fields is gone (facts §3.1)."""
    row = {
        "id": "5f0e",
        "rowNumber": 1,
        "note": {"value": ""},
        "custom": {},
        "_links": {},
        "Terms": {},
        "CustomerID": {"value": "ABC  "},
        "MainContact": {"id": "1", "rowNumber": 1, "note": None, "Email": {"value": "a@b.example"}, "Address": {"City": {}}, "custom": {}},
        "BillingContact": None,
    }
    assert plain(row) == {
        "id": "5f0e",
        "Terms": None,
        "CustomerID": "ABC  ",
        "MainContact": {"id": "1", "Email": "a@b.example", "Address": {"City": None}},
        "BillingContact": None,
    }
    assert wrapped({"id": "5f0e", "Terms": None, "MainContact": {"Email": "x"}}) == {
        "id": "5f0e",
        "Terms": {"value": None},
        "MainContact": {"Email": {"value": "x"}},
    }


def test_one_odd_value_leaves_the_page_readable() -> None:
    """Numbers of any length and control characters that nobody escaped are values like others."""
    found = parse('[{"a": {"value": ' + "9" * 5000 + '}, "b": {"value": "x\0\ty"}, "c": {"value": "\\ud83d"}}]')
    assert found == [{"a": {"value": Decimal("9" * 5000)}, "b": {"value": "x\0\ty"}, "c": {"value": "\ud83d"}}]


def test_instants_days_and_literals() -> None:
    """Instants become UTC whatever the site's zone, a day is not converted, and literals are those of OData v3."""
    assert instant("2024-12-18T17:07:45.433-08:00") == datetime(2024, 12, 19, 1, 7, 45, 433000, UTC)
    assert day("2025-01-17T00:00:00+03:00") == date(2025, 1, 17)
    with pytest.raises(ValueError, match="no offset"):
        instant("2024-12-18T17:07:45")
    assert literal("O'Brien") == "'O''Brien'"
    assert literal(datetime(2026, 1, 2, 3, 4, 5, 678900, UTC)) == "datetimeoffset'2026-01-02T03:04:05.678+00:00'"
    assert encoded({"$filter": "A eq 'x&y+z'"}) == "$filter=A+eq+'x%26y%2Bz'"


def test_filters_stay_within_their_room() -> None:
    """However many codes, each filter fits and no code is left out."""
    codes = [f"C&{number:04}" for number in range(500)]
    parts = list(any_of("CustomerID", codes, 300))
    assert [code for chunk, _ in parts for code in chunk] == codes
    assert max(len(encoded({"f": filter})) for _, filter in parts) <= 300


def test_a_list_call(client_of: Callable[..., Acumatica]) -> None:
    """The pinned endpoint and version, the parameters that were given, decimals as Decimal, and the server's clock from its header."""
    row = '[{"id":"1","CreditLimit":{"value":1065.27725},"CustomerID":{"value":"A"}}]'
    site = Site(lambda request: httpx.Response(200, content=row))
    client = client_of(site)
    found = client.list("Customer", ["CustomerID", "MainContact/Email"], ["MainContact"], "CustomerID gt 'O''B'", 2)
    assert found == [{"id": "1", "CreditLimit": Decimal("1065.27725"), "CustomerID": "A"}]
    request = site.requests[-1]
    assert request.url.path == "/entity/Default/24.200.001/Customer"
    assert dict(request.url.params) == {
        "$select": "CustomerID,MainContact/Email",
        "$expand": "MainContact",
        "$filter": "CustomerID gt 'O''B'",
        "$top": "2",
    }
    assert request.headers["authorization"] == "Bearer token-1"
    assert 0 <= (client.now() - datetime(2026, 11, 21, 3, 0, tzinfo=UTC)).total_seconds() < 60


def test_one_sign_in_serves_all_and_is_kept(client_of: Callable[..., Acumatica], tmp_path: Path) -> None:
    """One password grant with offline access; the next process takes the stored one; the file is its owner's alone."""
    site = Site()
    first = client_of(site)
    first.list("Customer", [])
    first.list("Contact", [])
    client_of(site).list("Customer", [])
    assert [(form["grant_type"], form["scope"]) for form in site.forms()] == [("password", "api offline_access")]
    assert (tmp_path / "grant.json").stat().st_mode & 0o777 == 0o600


def test_other_credentials_do_not_use_the_stored_grant(client_of: Callable[..., Acumatica]) -> None:
    """A changed secret is tried at once: a stored token would hide that it is wrong."""
    site = Site()
    client_of(site).list("Customer", [])
    client_of(site, client_secret="another").list("Customer", [])
    assert [form["client_secret"] for form in site.forms()] == ["s", "another"]


def test_a_refused_token_is_refreshed_once(client_of: Callable[..., Acumatica], tmp_path: Path) -> None:
    """A 401 costs one refresh and one repetition, and the new tokens are on disk before they are used."""
    kept: list[str] = []

    def data(request: httpx.Request) -> httpx.Response:
        grant = FileTokenStore(tmp_path / "grant.json").load()
        kept.append(grant.access_token if grant else "none")
        return httpx.Response(401 if request.headers["authorization"] == "Bearer token-1" else 200, json=[])

    site = Site(data)
    assert client_of(site).list("Customer", []) == []
    assert [form["grant_type"] for form in site.forms()] == ["password", "refresh_token"]
    assert site.forms()[1]["refresh_token"] == "refresh-1"
    assert kept == ["token-1", "token-2"]


def test_a_dead_refresh_token_leads_to_one_sign_in(client_of: Callable[..., Acumatica]) -> None:
    """A refused refresh token, by its status alone, gives the seat back and signs in anew."""
    answers = iter(
        [httpx.Response(200, json={"access_token": "a", "refresh_token": "r", "expires_in": 3600}), httpx.Response(400, text="no")]
    )
    last = httpx.Response(200, json={"access_token": "b", "refresh_token": "r2", "expires_in": 3600})
    site = Site(
        lambda request: httpx.Response(401 if request.headers["authorization"] == "Bearer a" else 200, json=[]),
        lambda request: next(answers, last),
    )
    client_of(site).list("Customer", [])
    assert [form["grant_type"] for form in site.forms()] == ["password", "refresh_token", "password"]
    assert site.paths().count("/entity/auth/logout") == 1


def test_refused_credentials_are_not_tried_again(client_of: Callable[..., Acumatica]) -> None:
    """A wrong password asks once, however often we are called, says what to check, and shows no secret."""
    site = Site(tokens=failing(400, {"error": "invalid_grant", "error_description": "invalid_username_or_password"}))
    client = client_of(site, password="hunter2-secret", client_secret="app-secret")
    for _ in range(3):
        with pytest.raises(AuthError, match=r"acumatica\.username and \.password") as refusal:
            client.list("Customer", [])
        assert "secret" not in str(refusal.value).replace("client_secret", "")
    assert len(site.requests) == 1


def test_a_seat_limit_at_sign_in_is_waited_for(client_of: Callable[..., Acumatica]) -> None:
    """No free seat is no wrong password: it can be tried again."""
    site = Site(tokens=failing(429, {"exceptionMessage": "API Login Limit"}))
    client = client_of(site)
    for _ in range(2):
        with pytest.raises(RateLimited, match="seat"):
            client.list("Customer", [])
    assert len(site.requests) == 2


def test_logout_has_a_length(client_of: Callable[..., Acumatica]) -> None:
    """`Content-Length: 0`, or IIS answers 411 and keeps the seat; afterwards the client works again with the grant it has."""
    site = Site()
    client = client_of(site)
    client.list("Customer", [])
    client.close()
    assert site.paths()[-1] == "/entity/auth/logout"
    assert site.requests[-1].headers["content-length"] == "0"
    client.list("Customer", [])
    assert site.grants == 1


def test_the_tokens_stay_out_of_sight(client_of: Callable[..., Acumatica], tmp_path: Path) -> None:
    """Neither token appears in a grant's repr."""
    client_of(Site()).list("Customer", [])
    grant = FileTokenStore(tmp_path / "grant.json").load()
    assert grant is not None
    assert "token-1" not in repr(grant)
    assert "refresh-1" not in repr(grant)


@pytest.mark.parametrize("shape", ["object", "array"])
def test_check_wants_the_pinned_version(client_of: Callable[..., Acumatica], shape: str) -> None:
    """The endpoint of the settings must be listed, in either form of the answer; the error names what is there."""
    listed = [{"name": "Default", "version": "23.200.001"}, {"name": "Default", "version": "24.200.001"}]
    site = Site(lambda request: httpx.Response(200, json={"version": {}, "endpoints": listed} if shape == "object" else listed))
    client_of(site).check()
    with pytest.raises(ConfigError, match=r"no endpoint Default 99\.1.*Default 23\.200\.001, Default 24\.200\.001"):
        client_of(site, version="99.1").check()


def test_a_refused_list_is_narrowed_and_completed(client_of: Callable[..., Acumatica]) -> None:
    """CannotOptimize: without the fields it names, once, and these by keyed reads (facts §4.3)."""

    def data(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/Customer/n1"):
            return httpx.Response(200, json={"id": "n1", "CreditLimit": {"value": 7}})
        if "CreditLimit" in request.url.params["$select"]:
            return httpx.Response(500, json=NOT_OPTIMIZED)
        return httpx.Response(200, json=[{"id": "n1", "CustomerID": {"value": "A"}}])

    site = Site(data)
    assert client_of(site).list("Customer", ["CustomerID", "CreditLimit"]) == [{"id": "n1", "CustomerID": "A", "CreditLimit": 7}]
    assert [path.rpartition("/")[2] for path in site.paths()[1:]] == ["Customer", "Customer", "n1"]


def test_a_missing_record_is_none(client_of: Callable[..., Acumatica]) -> None:
    """A keyed read of what is not there answers 500 with that exception (facts §4.4)."""
    body = {"exceptionMessage": "No entity satisfies the condition.", "exceptionType": "…NoEntitySatisfiesTheConditionException"}
    assert client_of(Site(failing(500, body))).get("Customer", "X", []) is None


ERRORS: list[tuple[str, Answer, type[WeighlockError], str]] = [
    ("401 twice", failing(401), AuthError, "connected application"),
    (
        "no rights",
        failing(403, {"message": "You have insufficient rights to access the Customers (AR303000) form."}),
        AuthError,
        "AR303000",
    ),
    ("unknown version", failing(404), ConfigError, r"acumatica\.url, \.endpoint and \.version"),
    ("seat, JSON", failing(500, {"exceptionMessage": "API Login Limit", "stackTrace": "x"}), RateLimited, "seat"),
    ("seat, page", failing(200, "<html><title>API Login Limit</title></html>", **{"content-type": "text/html"}), RateLimited, "seat"),
    ("seat, per user", failing(500, {"message": "the number of concurrent API logins … Users (SM201010)"}), RateLimited, "seat"),
    ("declined", failing(429, "The custom error module does not recognize this error."), RateLimited, "declines"),
    ("business rule", failing(500, {"exceptionType": "PX.Data.PXSetPropertyException", "exceptionMessage": "Nope"}), RejectedError, "Nope"),
    ("bad filter", failing(500, {"exceptionMessage": "incompatible types Edm.String"}), RejectedError, "incompatible"),
    ("any other 500", failing(500, {"exceptionMessage": "deadlock"}), TransientError, "deadlock"),
    ("a page", failing(200, "<html><title>Site is being updated</title></html>"), TransientError, "being updated"),
    ("a redirect", failing(302, "", location="/ui/error"), TransientError, "302"),
    ("bad gateway", failing(502, "<html></html>"), TransientError, "page"),
    ("locked", failing(500, {"exceptionMessage": "Your account is locked out"}), AuthError, "unlock"),
]


@pytest.mark.parametrize(("answer", "error", "words"), [case[1:] for case in ERRORS], ids=[case[0] for case in ERRORS])
def test_answers_become_our_errors(client_of: Callable[..., Acumatica], answer: Answer, error: type[WeighlockError], words: str) -> None:
    """Each kind of refusal is the error that says what the worker does next, with the vendor's words and no stack trace (facts §6)."""
    with pytest.raises(error, match=words) as raised:
        client_of(Site(answer)).list("Customer", [])
    assert type(raised.value) is error
    assert "stackTrace" not in str(raised.value)


def test_field_errors_are_found_wherever_they_are(client_of: Callable[..., Acumatica]) -> None:
    """A 422 is the entity itself: errors of fields, details and linked entities all reach the message (facts §6.2)."""
    body = {"error": "record raised at least one error", "Details": [{"Project": {"value": "T", "error": "not in the system"}}]}
    with pytest.raises(RejectedError, match=r"at least one error; Details\[0\]\.Project: not in the system"):
        client_of(Site(failing(422, body))).list("Customer", [])


@pytest.mark.parametrize(
    ("fault", "ambiguous"), [(httpx.ConnectError, False), (httpx.ReadTimeout, True), (httpx.RemoteProtocolError, True)]
)
def test_no_answer_is_transient(client_of: Callable[..., Acumatica], fault: type[httpx.TransportError], ambiguous: bool) -> None:
    """A connection that fails is waited for; only one that never stood is certain to have done nothing."""

    def data(request: httpx.Request) -> httpx.Response:
        raise fault("gone")

    with pytest.raises(TransientError, match="does not answer") as raised:
        client_of(Site(data)).list("Customer", [])
    assert raised.value.ambiguous is ambiguous


def test_the_budget_is_asked_before_sending(client_of: Callable[..., Acumatica]) -> None:
    """A used-up minute raises RateLimited and sends nothing; a page that has begun is not broken off."""
    site = Site()
    client = client_of(site, per_minute=3)
    with client.page():
        for _ in range(4):  # and the sign-in: five in all
            client.list("Customer", [])
    with pytest.raises(RateLimited, match="3 requests a minute") as limited, client.page():
        pass
    with pytest.raises(RateLimited):
        client.list("Customer", [])
    assert len(site.requests) == 5
    assert 0 < limited.value.retry_after <= 60


def test_the_budget_holds_in_any_minute() -> None:
    """However fast one asks, no minute has more calls than allowed, and each wait that is named is enough."""
    clock = [0.0]
    budget, sent = Budget(7, lambda: clock[0]), []
    while len(sent) < 40:
        try:
            budget.admit()
        except RateLimited as limited:
            clock[0] += limited.retry_after
        else:
            budget.note()
            sent.append(clock[0])
            clock[0] += 1.5
    assert all(later - sooner >= 60 for sooner, later in zip(sent, sent[7:], strict=False))
