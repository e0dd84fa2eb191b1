"""What the token and the portal tell about themselves (§1.1, §14.4)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.hubspot.api import Answer, Call
from sandbox.hubspot.errors import bad_request, correlation_id, unauthenticated
from sandbox.hubspot.limits import APP_ID
from sandbox.hubspot.switches import Switches

Endpoint = Callable[[Request], Awaitable[Response]]


def token_info(switches: Switches, good: Callable[[], str], scopes: Callable[[], Iterable[str]]) -> Endpoint:
    """`POST {"tokenKey": ...}` without any other sign-in; how an unknown token answers is not known: 401."""

    async def serve(request: Request) -> Response:
        try:
            token = (await request.json())["tokenKey"]
        except (ValueError, KeyError, TypeError):
            return JSONResponse(bad_request("Invalid input JSON on line 1, column 1: tokenKey").body(correlation_id()), 400)
        if token != good():
            return JSONResponse(unauthenticated().body(correlation_id()), 401)
        known = {"userId": 9586504, "hubId": switches.portal_id, "appId": APP_ID, "scopes": list(scopes())}
        return JSONResponse(known, media_type="application/json;charset=utf-8")

    return serve


def details(call: Call) -> Answer:
    switches = call.portal.switches
    return Answer(
        {
            "portalId": switches.portal_id,
            "accountType": "STANDARD",
            "timeZone": switches.time_zone,
            "companyCurrency": switches.currency,
            "additionalCurrencies": call.portal.currencies[1:],
            "uiDomain": "app.hubspot.com",
            "dataHostingLocation": "na1",
        }
    )
