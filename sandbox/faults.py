"""Faults on purpose: rules that spoil chosen calls. Shared by both sandboxes; docs/sandboxes.md lists the kinds for readers.

A rule fires for the calls whose method and path match, after `skip` of them, `times` times. The shared kinds are done here, around
the vendor's app. Any other kind must be one of the vendor's own (`Vendor.fault_kinds`); when it fires, the vendor's app finds
`Fired(kind, args)` in `request.scope["sandbox.fault"]` (see `fired`) and does the rest. `silent` is done that way as well.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.server import drop

SHARED_KINDS = {
    "status": "answers args.status with args.body (text or JSON), args.headers, args.content_type; nothing happens before",
    "html": "answers args.status (502) with a styled HTML error page",
    "reset": "drops the connection without an answer, before anything happens",
    "reset-after": "does the work, then drops the connection without an answer",
    "timeout-after": "does the work, hangs for args.seconds (60), then drops the connection",
    "late": "hangs for args.seconds (5), then does the work and drops the connection",
    "slow": "waits args.seconds (1), then all is normal",
    "silent": "says 200 but saves nothing, where the sandbox can (else nothing changes)",
}


class Rule(BaseModel):
    """One fault rule as the control API takes and shows it."""

    model_config = ConfigDict(extra="forbid")

    id: str = ""
    method: str | None = None
    path: str | None = None
    kind: str
    times: int = Field(default=1, ge=1)
    skip: int = Field(default=0, ge=0)
    args: dict[str, Any] = {}
    fired: int = 0
    passed: int = 0

    def takes(self, method: str, path: str) -> bool:
        """True if this call is spoilt by the rule; counts the calls that pass, so ask once per call."""
        if self.fired >= self.times or (self.method and self.method.upper() != method):
            return False
        if self.path and not re.search(self.path, path):
            return False
        if self.passed < self.skip:
            self.passed += 1
            return False
        self.fired += 1
        return True


@dataclass(frozen=True)
class Fired:
    kind: str
    args: Mapping[str, Any]


def fired(scope: Mapping[str, Any], kind: str) -> Fired | None:
    """The fault of this kind that hit this call, or None. `scope` is the request's (Starlette: `request.scope`)."""
    fault = scope.get("sandbox.fault")
    return fault if isinstance(fault, Fired) and fault.kind == kind else None


class Faults:
    """The rules in force, oldest first; the first one that takes a call wins."""

    def __init__(self, vendor_kinds: Collection[str] = ()) -> None:
        self.rules: list[Rule] = []
        self._kinds = set(SHARED_KINDS) | set(vendor_kinds)
        self._count = 0

    def add(self, raw: dict[str, Any]) -> Rule:
        """Adds a rule; ValueError says what is wrong with it."""
        try:
            rule = Rule.model_validate(raw)
            re.compile(rule.path or "")
        except (ValidationError, re.error) as error:
            raise ValueError(f"bad fault rule: {error}") from error
        if rule.kind not in self._kinds:
            raise ValueError(f"unknown fault kind {rule.kind!r}; there are {', '.join(sorted(self._kinds))}")
        self._count += 1
        rule.id = rule.id or f"fault-{self._count}"
        self.rules = [*(r for r in self.rules if r.id != rule.id), rule]
        return rule

    def remove(self, rule_id: str | None = None) -> None:
        """Removes one rule, or all of them."""
        self.rules = [r for r in self.rules if rule_id is not None and r.id != rule_id]

    def take(self, method: str, path: str) -> Rule | None:
        return next((rule for rule in self.rules if rule.takes(method, path)), None)


async def suffer(rule: Rule, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Runs the call under the rule. Raises ConnectionResetError only where there is no socket to cut (in-process tests)."""
    seconds = rule.args.get("seconds")
    if rule.kind in ("status", "html"):
        answer = _status(rule.args) if rule.kind == "status" else _html(int(rule.args.get("status", 502)))
        await answer(scope, receive, send)
    elif rule.kind == "slow":
        await asyncio.sleep(1 if seconds is None else seconds)
        await app(scope, receive, send)
    elif rule.kind == "reset":
        await drop(scope, receive)
    elif rule.kind in ("reset-after", "timeout-after", "late"):
        if rule.kind == "late":
            receive = await _body_first(receive)
            await asyncio.sleep(5 if seconds is None else seconds)
        await app(scope, receive, _nowhere)
        if rule.kind == "timeout-after":
            await asyncio.sleep(60 if seconds is None else seconds)
        await drop(scope, receive)
    else:
        scope["sandbox.fault"] = Fired(rule.kind, rule.args)
        await app(scope, receive, send)


async def _nowhere(message: Message) -> None:
    """The answer that no client sees."""


async def _body_first(receive: Receive) -> Receive:
    """Reads the whole body now, so that the work is done even if the client has given up by then."""
    messages: list[Message] = []
    while True:
        messages.append(await receive())
        if messages[-1]["type"] != "http.request" or not messages[-1].get("more_body"):
            break
    left = iter(messages)

    async def replay() -> Message:
        message = next(left, None)
        return message if message is not None else await receive()

    return replay


def _status(args: Mapping[str, Any]) -> Response:
    body = args.get("body", "")
    text = body if isinstance(body, str) else json.dumps(body)
    content_type = args.get("content_type", "text/plain" if isinstance(body, str) else "application/json;charset=utf-8")
    return Response(text, int(args.get("status", 500)), {"Content-Type": content_type, **args.get("headers", {})})


def _html(status: int) -> Response:
    return HTMLResponse(
        "<!DOCTYPE html><html><head><title>Something went wrong</title><style>body{font-family:sans-serif;margin:4em}"
        f"h1{{color:#c33}}</style></head><body><h1>Error {status}</h1><p>The server could not complete your request.</p></body></html>",
        status,
    )
