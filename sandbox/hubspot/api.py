"""What every call has in common: the token, the scopes, the limits, the correlation id and the headers (§1, §8)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.data.credentials import HUBSPOT_TOKEN
from sandbox.faults import fired
from sandbox.hubspot.errors import (
    ApiError,
    Json,
    RateLimited,
    bad_request,
    correlation_id,
    expired,
    missing_scopes,
    too_many_inputs,
    unauthenticated,
)
from sandbox.hubspot.kinds import COMPANIES, CONTACTS, LINE_ITEMS, Kind
from sandbox.hubspot.limits import Limits
from sandbox.hubspot.portal import Portal

DATED = ("2026-09", "2026-03")


@dataclass(frozen=True)
class Call:
    """One request, read and authorised."""

    portal: Portal
    version: str  # v3, v4, 2026-03 or 2026-09
    path: Mapping[str, str]
    query: list[tuple[str, str]]
    body: Any
    base_url: str
    scope: Mapping[str, Any] = field(repr=False)

    @property
    def kind(self) -> Kind:
        return self.portal.kind(self.path["type"])

    @property
    def silent(self) -> bool:
        return fired(self.scope, "silent") is not None

    @property
    def required(self) -> tuple[str, ...]:
        """The properties that the portal demands; only dated paths enforce them (§2.3)."""
        if self.version not in DATED:
            return ()
        switches = self.portal.switches
        return {COMPANIES: switches.required_companies, CONTACTS: switches.required_contacts}.get(self.kind, ())

    def allow(self, kind: Kind, right: str) -> None:
        """403 if the token may not read or write (`right`) that object type."""
        granted = self.portal.access.granted(self.portal.switches.scopes)
        if not set(any_of := object_scopes(kind, right)) & set(granted):
            raise missing_scopes(any_of)

    def names(self, parameter: str) -> list[str]:
        """A list parameter, comma-separated or repeated (§2.2)."""
        return [part for name, value in self.query if name == parameter for part in value.split(",") if part]

    def one(self, parameter: str, default: str | None = None) -> str | None:
        return next((value for name, value in self.query if name == parameter), default)

    def inputs(self, limit: int) -> list[Json]:
        """The `inputs` of a batch; 400 for none, for too many (§2.4), for what are no objects."""
        inputs = self.body.get("inputs")
        if not isinstance(inputs, list) or not all(isinstance(row, dict) for row in inputs):
            raise bad_request("Invalid input JSON on line 1, column 1: inputs must be a list of objects")
        if len(inputs) > limit:
            raise too_many_inputs(limit)
        return inputs


@dataclass(frozen=True)
class Answer:
    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Call], Answer]
Needs = Callable[[Call], list[list[str]]]


def object_scopes(kind: Kind, right: str) -> list[str]:
    """Of these one is enough (§1.2)."""
    return [f"crm.objects.{kind.name}.{right}", *(("e-commerce",) if kind is LINE_ITEMS else ())]


class Api:
    """Makes Starlette endpoints of handlers."""

    def __init__(self, portal: Portal, limits: Limits) -> None:
        self.portal, self.limits, self.token = portal, limits, HUBSPOT_TOKEN

    def endpoint(self, handler: Handler, needs: Needs, version: str, bucket: str) -> Callable[[Request], Any]:
        """`needs` lists any-of lists of scopes, all of which must be met; `bucket` is general, search or associations."""

        async def serve(request: Request) -> Response:
            raw = await request.body()  # the only wait: from here on the call sees and leaves one state
            correlation = correlation_id()
            try:
                self._authenticate(request)
                self.limits.take(bucket)
                answer = self._answer(request, raw, handler, needs, version)
            except ApiError as error:
                answer = Answer(error.body(correlation), error.status)
            except RateLimited as error:
                wait = {"Retry-After": str(max(1, round(error.seconds)))} if self.portal.switches.retry_after else {}
                answer = Answer(error.body(correlation), 429, wait)
            return self._response(answer, correlation, bucket)

        return serve

    def _authenticate(self, request: Request) -> None:
        if request.headers.get("authorization") != f"Bearer {self.token}":
            raise unauthenticated()
        if fired(request.scope, "expire-token"):
            raise expired()

    def _answer(self, request: Request, raw: bytes, handler: Handler, needs: Needs, version: str) -> Answer:
        request.scope["sandbox.body_length"] = len(raw.decode(errors="replace"))
        base = f"{request.url.scheme}://{request.url.netloc}"
        call = Call(self.portal, version, request.path_params, request.query_params.multi_items(), {}, base, request.scope)
        granted = set(self.portal.access.granted(self.portal.switches.scopes))
        for any_of in needs(call):
            if not granted & set(any_of):
                raise missing_scopes(any_of)
        return handler(_with_body(call, raw))

    def _response(self, answer: Answer, correlation: str, bucket: str) -> Response:
        headers = {"x-hubspot-correlation-id": correlation, "x-request-id": correlation, **answer.headers}
        if bucket != "search":  # §3: none on search
            headers |= self.limits.headers()
        if answer.body is None:
            return Response(None, answer.status, headers)
        return JSONResponse(answer.body, answer.status, headers, media_type="application/json;charset=utf-8")


def _with_body(call: Call, raw: bytes) -> Call:
    if not raw:
        return call
    try:
        body = json.loads(raw)
    except ValueError as error:
        line, column = getattr(error, "lineno", 1), getattr(error, "colno", 1)
        raise ApiError(400, f"Invalid input JSON on line {line}, column {column}: {error}", None) from error
    if not isinstance(body, dict | list):
        raise ApiError(400, "Invalid input JSON on line 1, column 1: an object is expected", None)
    return replace(call, body=body)
