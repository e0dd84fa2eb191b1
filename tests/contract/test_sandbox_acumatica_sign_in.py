"""Signing in to the Acumatica sandbox, its sessions and seats (facts/acumatica.md §1)."""

import asyncio
import time

import httpx
import pytest
from acumatica_site import BASE, CLIENT, LOGIN, USER, Site, sandbox, site

from sandbox.acumatica.sessions import Seats
from sandbox.data import load


def test_discovery_names_the_token_endpoint() -> None:
    """S2, §1.1: the discovery document names the endpoints of this very host."""
    with site(signed_in=False) as one:
        document = one.client.get("/identity/.well-known/openid-configuration").json()
        assert document["token_endpoint"] == f"{one.client.base_url}/identity/connect/token"
        assert "client_credentials" not in document["grant_types_supported"]


def test_a_token_is_opaque_and_lives_an_hour() -> None:
    """S2, §1.4: an opaque token of about 43 characters for 3600 s; a refresh token comes only with offline_access."""
    with site(signed_in=False) as one:
        whole, bare = one.token().json(), one.token("api").json()
        assert whole["expires_in"] == 3600
        assert whole["token_type"] == "Bearer"
        assert len(whole["access_token"]) == 43
        assert whole["scope"] == "api offline_access"
        assert "refresh_token" in whole
        assert "refresh_token" not in bare


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"client_secret": "wrong"}, "invalid_client"),
        ({"client_id": "6E2B1B60-6F3C-4B43-9D4C-0B1F5B7F2A11@Other"}, "invalid_client"),
        ({"password": "wrong"}, "invalid_grant"),
        ({"grant_type": "client_credentials"}, "unauthorized_client"),
        ({"grant_type": "refresh_token"}, "invalid_request"),
        ({"scope": "everything"}, "invalid_scope"),
    ],
)
def test_what_the_token_endpoint_refuses(changes: dict[str, str], error: str) -> None:
    """S2, §1.6: each refusal is a 400 with its error code; client credentials are never allowed, the tenant is in the client id."""
    with site(signed_in=False) as one:
        response = one.token(**changes)
        assert response.status_code == 400
        assert response.json()["error"] == error


def test_a_code_is_good_once() -> None:
    """S2, §1.2: the authorization_code grant: a redirect with a code and the state, then tokens for it, once and for the same address."""
    with site(signed_in=False) as one:
        asked = {"response_type": "code", "client_id": CLIENT["client_id"], "redirect_uri": "http://app/back", "state": "x y"}
        where = one.client.get("/identity/connect/authorize", params={**asked, "scope": "api offline_access"}).headers["location"]
        answer = httpx.URL(where)
        assert (answer.host, answer.params["state"]) == ("app", "x y")
        form = {"grant_type": "authorization_code", "code": answer.params["code"], "redirect_uri": "http://app/back", **CLIENT}
        token = one.client.post("/identity/connect/token", data=form)
        assert set(token.json()) == {"access_token", "expires_in", "token_type", "refresh_token", "scope"}
        assert one.client.post("/identity/connect/token", data=form).json() == {"error": "invalid_grant"}
        assert one.client.get("/identity/connect/authorize", params={**asked, "client_id": "other"}).status_code == 400


def test_a_refresh_token_is_good_once() -> None:
    """S2, §1.5: each refresh gives a new refresh token and the old one is dead; the access token of before lives on."""
    with site() as one:
        first = one.token().json()
        second = one.refresh(first["refresh_token"]).json()
        again = one.refresh(first["refresh_token"])
        assert again.status_code == 400
        assert again.json() == {"error": "invalid_grant"}
        assert second["refresh_token"] != first["refresh_token"]
        assert one.refresh(second["refresh_token"]).status_code == 200
        assert one.get("Customer/O'BRIEN").status_code == 200


def test_a_lost_race_of_refreshes_can_end_the_chain() -> None:
    """S2, §1.5: with the switch, a refresh token shown twice kills the grant with all its tokens."""
    with site(refresh_reuse_ends_grant=True) as one:
        first = one.token().json()
        second = one.refresh(first["refresh_token"]).json()
        one.refresh(first["refresh_token"])
        assert one.refresh(second["refresh_token"]).status_code == 400
        headers = {"Authorization": f"Bearer {second['access_token']}"}
        assert one.client.get(f"{BASE}/Customer", headers=headers).status_code == 401


def test_nobody_gets_a_401_before_any_404() -> None:
    """S6, §2.3: who is not known gets 401 on every path, whether it exists or not; the body is empty, or by switch a message."""
    with site(signed_in=False) as one:
        for path in (f"{BASE}/Customer", f"{BASE}/Nothing", "/entity/Default/1.0/Customer", "/entity/Nothing/x"):
            response = one.client.get(path)
            assert (response.status_code, response.content) == (401, b"")
        assert one.client.get(f"{BASE}/Customer", headers={"Authorization": "Bearer made-up"}).status_code == 401
    with site(signed_in=False, unauthorized_body="message") as one:
        assert "denied" in one.client.get(f"{BASE}/Customer").json()["message"]


def seats_of(one: Site) -> dict[str, int]:
    counts: dict[str, int] = one.client.get("/__sandbox__/calls").json()["sessions"]
    return counts


def test_with_offline_access_a_grant_is_one_session() -> None:
    """S3, §1.7: a session opens at the first call, not at sign-in, and one grant keeps it across refreshes."""
    with site(signed_in=False) as one:
        tokens = one.token().json()
        assert seats_of(one)["open"] == 0
        for _ in range(3):
            one.client.headers["Authorization"] = f"Bearer {tokens['access_token']}"
            assert one.get("Customer", top=1).status_code == 200
            tokens = one.refresh(tokens["refresh_token"]).json()
        assert seats_of(one) == {"open": 1, "most": 1, "seats": 2}


def test_with_api_alone_each_token_is_a_session() -> None:
    """S3, §1.7, §1.9: each token takes a seat of its own at its first call; the third finds none and hears API Login Limit."""
    with site(signed_in=False) as one:
        for _ in range(2):
            one.sign_in("api")
            assert one.get("Customer", top=1).status_code == 200
        one.sign_in("api")
        assert "API Login Limit" in one.fails("Customer", top=1)


def test_with_concurrent_access_each_call_without_a_cookie_is_a_session() -> None:
    """S3, §1.7: with api:concurrent_access the session is a cookie: with it a call stays in one, without it a call takes another seat."""
    with site(seats=3, signed_in=False) as one:
        one.sign_in("api api:concurrent_access")
        for _ in range(3):
            assert one.get("Customer", top=1).status_code == 200
        assert one.vendor.seats.open == 1
        one.client.cookies.clear()
        one.get("Customer", top=1)
        assert one.vendor.seats.open == 2
        assert one.client.post("/entity/auth/logout", content=b"").status_code == 204
        assert one.vendor.seats.open == 1


def test_logging_out_frees_the_seat_and_not_the_token() -> None:
    """S3, §1.7: 204 and the seat is free; the same token opens a new session with its next call."""
    with site() as one:
        one.get("Customer", top=1)
        assert one.client.post("/entity/auth/logout").status_code == 204
        assert seats_of(one)["open"] == 0
        assert one.get("Customer", top=1).status_code == 200
        assert seats_of(one)["open"] == 1


def test_logging_out_without_content_length_is_a_411() -> None:
    """S3, §1.8: IIS refuses a POST without Content-Length with an HTML page, and the seat stays taken."""
    with site() as one:
        one.get("Customer", top=1)
        request = one.client.build_request("POST", "/entity/auth/logout")
        del request.headers["Content-Length"]
        response = one.client.send(request)
        assert response.status_code == 411
        assert response.headers["Content-Type"].startswith("text/html")
        assert seats_of(one)["open"] == 1


def test_revocation_kills_the_token_and_keeps_the_seat() -> None:
    """S2, §1.7: a revoked token is a 401, yet its session still takes a seat."""
    with site() as one:
        token = one.sign_in()
        one.get("Customer", top=1)
        assert one.client.post("/identity/connect/revocation", data={"token": token, **CLIENT}).status_code == 200
        assert one.get("Customer", top=1).status_code == 401
        assert seats_of(one)["open"] == 1


@pytest.mark.parametrize(
    ("shape", "status", "content_type", "text"),
    [
        ("json", 500, "application/json", "CheckApiUsersLimits"),
        ("iis", 429, "text/plain", "The custom error module does not recognize this error."),
        ("html", 500, "text/html", "<title>API Login Limit</title>"),
        ("per-user", 500, "application/json", "concurrent API logins"),
    ],
)
def test_the_login_limit_has_four_shapes(shape: str, status: int, content_type: str, text: str) -> None:
    """S3, §1.9: what is answered where no seat is left, as JSON, as IIS's text, as a styled page, and for the per-user limit."""
    with site(seats=1, login_limit_shape=shape) as one:
        one.get("Customer", top=1)
        one.sign_in()
        response = one.get("Customer", top=1)
        assert response.status_code == status
        assert response.headers["Content-Type"].startswith(content_type)
        assert text in response.text


def test_sessions_end_by_themselves() -> None:
    """S3, §1.7: a cookie session ends after ten idle minutes, one of an `api` token with the token, one of a grant after an idle hour."""
    now = 0.0
    seats = Seats(3, clock=lambda: now)
    seats.use("cookie", idle=600)
    seats.use("token", ends=3600)
    seats.use("grant")
    now = 601
    assert not seats.has("cookie")
    now = 3000
    seats.use("grant")
    now = 3601
    assert (seats.has("token"), seats.has("grant")) == (False, True)
    now = 6601
    assert seats.open == 0


def test_cookie_login() -> None:
    """S4, §1.8: 204 with five cookies; the cookie alone is good for calls, one login is one seat, and logout ends it."""
    with site(signed_in=False) as one:
        response = one.client.post("/entity/auth/login", json=LOGIN)
        assert (response.status_code, response.content) == (204, b"")
        names = {line.split("=")[0] for line in response.headers.get_list("Set-Cookie")}
        assert names == {"ASP.NET_SessionId", ".ASPXAUTH", "UserBranch", "Locale", "CompanyID"}
        assert one.get("Customer/O'BRIEN").status_code == 200
        assert seats_of(one)["open"] == 1
        assert one.client.post("/entity/auth/logout").status_code == 204
        assert one.get("Customer/O'BRIEN").status_code == 401


def test_cookie_login_that_fails() -> None:
    """S4, §1.8: bad credentials and an unknown tenant are 500s with their exception types, an unreadable body a 400, no seat the limit."""
    with site(signed_in=False, seats=1) as one:
        bad = one.client.post("/entity/auth/login", json={**LOGIN, "password": "wrong"})
        assert (bad.status_code, bad.json()["exceptionType"]) == (500, "PX.Data.PXException")
        assert "Invalid credentials" in bad.json()["exceptionMessage"]
        lost = one.client.post("/entity/auth/login", json={**LOGIN, "tenant": "Nowhere"})
        assert (lost.status_code, lost.json()["exceptionType"]) == (500, "PX.Data.PXUndefinedCompanyException")
        assert one.client.post("/entity/auth/login", content=b"[1").status_code == 400
        assert one.client.post("/entity/auth/login", json=LOGIN).status_code == 204
        full = one.client.post("/entity/auth/login", json=LOGIN)
        assert (full.status_code, full.json()["exceptionMessage"]) == (500, "API Login Limit")


def test_one_tenant_in_the_database_takes_any_name() -> None:
    """S4, §1.8: on a single-tenant database any tenant name signs in."""
    with site(signed_in=False, multi_tenant=False) as one:
        assert one.client.post("/entity/auth/login", json={**LOGIN, "tenant": "Nowhere"}).status_code == 204


def test_calls_of_one_session_run_one_after_another() -> None:
    """S3, §1.7: six calls at once take six times as long as one; those of two sessions run beside each other."""

    async def timed(sessions: int, calls: int) -> float:
        app, _ = sandbox(load("demo", customers=5, contacts=5), latency_seconds=0.15)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://site") as client:
            form = {"grant_type": "password", "scope": "api", **CLIENT, **USER}
            tokens = [(await client.post("/identity/connect/token", data=form)).json()["access_token"] for _ in range(sessions)]
            started = asyncio.get_running_loop().time()
            asked = [client.get(f"{BASE}/Customer", headers={"Authorization": f"Bearer {token}"}) for token in tokens for _ in range(calls)]
            answers = await asyncio.gather(*asked)
            assert {answer.status_code for answer in answers} == {200}
            return asyncio.get_running_loop().time() - started

    one_session = asyncio.run(timed(1, 6))
    assert one_session >= 6 * 0.15
    assert any(asyncio.run(timed(2, 3)) < one_session for _ in range(5))  # on a busy machine not always


def test_a_token_can_be_made_to_expire() -> None:
    """S19, fault expire-token: the call gets a 401 and so do later ones with this token; a refresh of the same grant helps."""
    with site(signed_in=False) as one:
        tokens = one.token().json()
        one.client.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        one.control("faults", kind="expire-token", path="/Customer", skip=1)
        assert [one.get("Customer", top=1).status_code for _ in range(3)] == [200, 401, 401]
        one.client.headers["Authorization"] = f"Bearer {one.refresh(tokens['refresh_token']).json()['access_token']}"
        assert one.get("Customer", top=1).status_code == 200


def test_a_seat_can_be_lost() -> None:
    """S3, fault lost-seat: strangers take every seat, and give them back after a while."""
    with site() as one:
        one.get("Customer", top=1)
        one.control("faults", kind="lost-seat", args={"seconds": 60})
        assert "API Login Limit" in one.fails("Customer", top=1)
        assert seats_of(one)["open"] == 2
        one.vendor.seats.clock = lambda: time.monotonic() + 60
        assert seats_of(one)["open"] == 0
        assert one.get("Customer", top=1).status_code == 200


def test_a_call_can_be_told_of_the_login_limit() -> None:
    """S3, fault login-limit: one call alone is answered so, in the shape asked for."""
    with site() as one:
        one.control("faults", kind="login-limit", args={"shape": "iis"})
        assert [one.get("Customer", top=1).status_code for _ in range(2)] == [429, 200]


def test_another_secret_is_good_from_now_on() -> None:
    """`POST credentials`: the old secret and password are refused at the next sign-in or refresh; tokens live on; a reset ends it."""
    with site(signed_in=False) as one:
        tokens = one.token().json()
        assert one.control("credentials", secret="x") == {"error": "there are client_secret, password; not secret"}
        one.control("credentials", client_secret="other", password="word")
        assert one.refresh(tokens["refresh_token"]).json() == {"error": "invalid_client"}
        assert one.token(client_secret="other").json()["error"] == "invalid_grant"
        assert one.token(client_secret="other", password="word").status_code == 200
        one.client.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        assert one.get("Customer", top=1).status_code == 200
        one.control("reset")
        assert one.token().status_code == 200
