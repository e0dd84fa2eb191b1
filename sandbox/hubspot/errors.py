"""HubSpot's refusals, word for word where a live body is known (§1.3, §2.4-2.6, §8, §14.3)."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

Json = dict[str, Any]


def correlation_id() -> str:
    """A version 7 UUID, as HubSpot makes them since 2026 (Python's own uuid7 comes with 3.14)."""
    value = (int(time.time() * 1000) << 80) | secrets.randbits(80)
    value = (value & ~(0xF << 76)) | (0x7 << 76)
    return str(UUID(int=(value & ~(0x3 << 62)) | (0x2 << 62)))


class ApiError(Exception):
    """A refusal. `body` is what goes between `status` and `correlationId` and after it; `in_batch` is its form inside a 207."""

    def __init__(self, status: int, message: str, category: str | None = "VALIDATION_ERROR", **more: Any) -> None:
        super().__init__(message)
        self.status, self.message, self.category, self.more = status, message, category, more

    def body(self, correlation: str) -> Json:
        """The whole answer: status, message, correlationId, errors, context, category in this order (§1.3)."""
        body = {"status": "error", "message": self.message, "correlationId": correlation, **self.more}
        return body if self.category is None else {**body, "category": self.category}

    def in_batch(self, trace: str | None) -> Json:
        """The error as a member of `errors` in a 207 answer; the trace id goes into its context (§2.4)."""
        context = {**self.more.get("context", {}), **({"objectWriteTraceId": [trace]} if trace is not None else {})}
        extra = {name: value for name, value in self.more.items() if name == "subCategory"}
        return {"status": "error", "category": self.category, **extra, "message": self.message, "context": context}


@dataclass(frozen=True)
class Problem:
    """One invalid property of a record."""

    name: str
    code: str
    message: str
    value: str | None = None

    def as_json(self, portal_id: int) -> Json:
        head = {"isValid": False, "message": self.message, "error": self.code, "name": self.name}
        value = {} if self.value is None else {"propertyValue": self.value}
        return {**head, "localizedErrorMessage": self.message, **value, "portalId": portal_id}


class InvalidProperties(ApiError):
    """400 with all invalid properties of the record as JSON inside the message (§2.5)."""

    def __init__(self, problems: Iterable[Problem], portal_id: int) -> None:
        self.problems = list(problems)
        listed = json.dumps([problem.as_json(portal_id) for problem in self.problems], ensure_ascii=False, separators=(",", ":"))
        errors = [{"message": p.message, "code": p.code, "context": {"propertyName": [p.name]}} for p in self.problems]
        super().__init__(400, f"Property values were not valid: {listed}", errors=errors)


class ContactExists(ApiError):
    """409: another contact has this e-mail, as its own or as an additional one (§2.4)."""

    def __init__(self, existing_id: str) -> None:
        self.existing_id = existing_id
        super().__init__(409, f"Contact already exists. Existing ID: {existing_id}", "CONFLICT")

    def in_batch(self, trace: str | None) -> Json:
        error = super().in_batch(trace)
        return {**error, "context": {**error["context"], "existingId": [self.existing_id]}}


def bad_request(message: str, **more: Any) -> ApiError:
    return ApiError(400, message, **more)


def not_found() -> ApiError:
    return ApiError(404, "resource not found", None)


def not_an_id(text: str) -> ApiError:
    if text.lstrip("-").isdigit():
        return ApiError(404, "Object not found. objectId is usually positive.", "OBJECT_NOT_FOUND", context={"id": [text]})
    return ApiError(404, "Object not found.  objectId are usually numeric.", "OBJECT_NOT_FOUND", context={"id": [text]})


def some_not_found(singular: str, ids: list[str]) -> ApiError:
    message = f"Could not get some {singular.upper()} objects, they may be deleted or not exist. Check that ids are valid."
    return ApiError(404, message, "OBJECT_NOT_FOUND", context={"ids": ids})


def not_unique(type_id: str, name: str) -> ApiError:
    return bad_request(f"Unable to perform update/upsert by non-unique {type_id} property {name}")


def duplicate_ids(ids: list[str]) -> ApiError:
    return bad_request(f"Duplicate IDs found in batch input: [{', '.join(ids)}]. IDs must be unique", context={"ids": ids})


def too_many_inputs(limit: int) -> ApiError:
    return bad_request(f"The maximum number of inputs supported in a batch is {limit}. Please reduce the number of items and try again")


def unauthenticated() -> ApiError:
    return ApiError(
        401,
        "Authentication credentials not found. This API supports OAuth 2.0 authentication and you can find more details at"
        " https://developers.hubspot.com/docs/methods/auth/oauth-overview",
        "INVALID_AUTHENTICATION",
    )


def expired() -> ApiError:
    return ApiError(401, "The access token is expired or invalid.", "EXPIRED_AUTHENTICATION")


def missing_scopes(any_of: list[str]) -> ApiError:
    return ApiError(
        403,
        "This app hasn't been granted all required scopes to make this call. Read more about required scopes here:"
        " https://developers.hubspot.com/scopes.",
        "MISSING_SCOPES",
        errors=[{"message": "One or more of the following scopes are required.", "context": {"requiredGranularScopes": any_of}}],
        links={"scopes": "https://developers.hubspot.com/scopes"},
    )


_LIMIT_WORDS = {"DAILY": "daily", "TEN_SECONDLY_ROLLING": "ten_secondly_rolling", "SECONDLY": "secondly"}


class RateLimited(Exception):
    """429 by one of the three policies (§8); these bodies have an errorType and no category."""

    def __init__(self, policy: str, seconds: float, group: str | None = None) -> None:
        super().__init__(policy)
        self.policy, self.seconds, self.group = policy, seconds, group

    def body(self, correlation: str) -> Json:
        message = f"You have reached your {_LIMIT_WORDS[self.policy]} limit."
        head = {"status": "error", "message": message, "errorType": "RATE_LIMIT", "correlationId": correlation}
        tail = {"groupName": self.group} if self.group else {"requestId": correlation}
        return {**head, "policyName": self.policy, **tail}
