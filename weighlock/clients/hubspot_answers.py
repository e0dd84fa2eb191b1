"""What HubSpot's answers mean: one function sorts every refusal into our error classes, another gives each row its own answer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx

from weighlock.errors import AuthError, ConfigError, RateLimited, RejectedError, TransientError, WeighlockError, brief

Json = dict[str, Any]
#: Seconds until a limit lets us in again; HubSpot does not promise a Retry-After (facts/hubspot.md §8).
POLICY_SECONDS = {"SECONDLY": 1.0, "TEN_SECONDLY_ROLLING": 10.0}
LOCKED_SECONDS = 2.0
MIGRATION_SECONDS = 60.0
#: Cloudflare and gateways that gave up before HubSpot got the request; of any other 5xx we cannot know (facts/hubspot.md §8).
NOT_REACHED = frozenset({503, 521, 522, 523, 525, 526, 530})
#: Where the id of the record that holds a value is written, besides context.existingId (facts/hubspot.md §2.4, §14.3).
HOLDER = re.compile(r"Existing ID: (\d+)|(\d+) already has that value")
TAKEN = re.compile(r"CONFLICTING_UNIQUE_VALUE|UNIQUE_VALUE_CONFLICT|already has that value")
INVALID = "Property values were not valid: "
NO_OBJECT = "Unable to infer object type"
OURS_MISSING = re.compile(r'Property \\*"(acumatica_\w+)\\*" does not exist|non-unique \S+ property (acumatica_\w+)')


class Conflict(RejectedError):
    """A unique value is held by another record: `existing` is that record's id, where HubSpot says it."""

    def __init__(self, reason: str, existing: str | None, request: str | None = None, response: str | None = None) -> None:
        super().__init__(reason, candidates=(existing,) if existing else (), request=request, response=response)
        self.existing = existing


class Forbidden(AuthError):
    """The token is good, and may not do this: it has none of these `scopes`."""

    def __init__(self, message: str, scopes: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.scopes = tuple(scopes)


class Unavailable(RejectedError):
    """It is nobody's record that HubSpot refuses: there is no such object, or these `properties` take no values from the API."""

    def __init__(self, reason: str, properties: tuple[str, ...] = (), request: str | None = None, response: str | None = None) -> None:
        super().__init__(reason, request=request, response=response)
        self.properties = properties


class InvalidOption(RejectedError):
    """A value that is none of those that one of these `properties` may have."""

    def __init__(self, reason: str, properties: tuple[str, ...], request: str | None = None, response: str | None = None) -> None:
        super().__init__(reason, request=request, response=response)
        self.properties = properties


@dataclass(frozen=True)
class Item:
    """One record as HubSpot gave it back. `new` says whether an upsert made it."""

    id: str
    properties: Mapping[str, str | None]
    new: bool = False
    trace: str | None = None

    @classmethod
    def of(cls, row: Json) -> Item:
        return cls(str(row["id"]), row.get("properties") or {}, bool(row.get("new")), row.get("objectWriteTraceId"))

    def ids(self) -> list[str]:
        """Its id, and those of the records that were merged into it, where `hs_merged_object_ids` was asked for."""
        return [self.id, *(self.properties.get("hs_merged_object_ids") or "").split(";")]


@dataclass(frozen=True)
class Problem:
    """One property of a record that HubSpot refuses: `code` is what machines go by."""

    name: str
    code: str
    message: str


@dataclass(frozen=True)
class Input:
    """One row of a batch: the key that it is asked by, its trace id and what was sent."""

    key: str
    trace: str
    body: Json = field(repr=False)


def transport_error(error: httpx.TransportError, what: str) -> TransientError:
    """No answer. Only where no connection came about are we sure that nothing was carried out."""
    sure = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
    return TransientError(f"HubSpot did not answer {what}: {type(error).__name__}: {error}", ambiguous=not sure)


def error_of(
    status: int, body: Json | None, what: str, *, headers: Mapping[str, str] | None = None, zone: str = "UTC", request: str | None = None
) -> WeighlockError:
    """The one place where HTTP status and HubSpot's words become our error classes (facts/hubspot.md §1.3, §2.4, §8).

    `body` is the JSON answer, or the error of one row of a batch (then `status` is 400), None for HTML; `zone` is the portal's, whose
    midnight ends the daily limit.
    """
    said = _words(body)
    retry_after = _seconds(headers or {})
    category = str((body or {}).get("category", ""))
    message = f"HubSpot answered {status} to {what}: {said}"
    if status == 429 or category == "RATE_LIMITS":
        policy = str((body or {}).get("policyName", ""))
        default = _until_midnight(zone) if policy == "DAILY" else POLICY_SECONDS.get(policy, 10.0)
        return RateLimited(f"{message} ({policy or 'no policy named'})", default if retry_after is None else retry_after)
    if status == 423:
        return RateLimited(message, LOCKED_SECONDS if retry_after is None else retry_after)
    if status == 477:
        return RateLimited(f"{message} (the portal is being moved)", MIGRATION_SECONDS if retry_after is None else retry_after)
    if status >= 500 or category in ("INTERNAL_ERROR", "SERVER_ERROR"):
        return TransientError(message, ambiguous=status not in NOT_REACHED)
    if status == 401:
        return AuthError(f"{message}. Check hubspot.token: it may have been rotated, or the app removed.")
    if status == 403 and body is None:
        return TransientError(message)
    if status == 403:
        scopes = _scopes(body or {})
        what_to_do = f"Grant one of these scopes: {', '.join(scopes)}" if scopes else "Check what the token may do."
        return Forbidden(f"{message} {what_to_do}", scopes)
    if status == 405 or (status == 404 and body is None):
        return ConfigError(f"{message}. HubSpot does not know this path: check hubspot.version and hubspot.url.")
    if status < 400:
        return TransientError(f"{message}: neither an answer nor an error", ambiguous=True)
    return _refusal(status, body or {}, said, request)


def _refusal(status: int, body: Json, said: str, request: str | None) -> WeighlockError:
    if missing := _missing(body, said):
        return ConfigError(f"HubSpot has no (unique) property {missing}: run `weighlock setup hubspot`, then start again.")
    response = json.dumps(body) if body else None
    read_only, invalid = (tuple(one.name for one in _problems(body) if one.code == code) for code in ("READ_ONLY_VALUE", "INVALID_OPTION"))
    if read_only or str(body.get("message")).startswith(NO_OBJECT):
        return Unavailable(f"HubSpot: {said}", read_only, request, response)
    if invalid:
        return InvalidOption(f"HubSpot: {said}", invalid, request, response)
    taken = _taken(body, said)
    if status == 409 or body.get("category") == "CONFLICT" or taken is not None:
        return Conflict(f"HubSpot: {said}", _existing(body, said if taken is None else taken), request, response)
    return RejectedError(f"HubSpot: {said}", request=request, response=response)


def rows(body: Json, inputs: Sequence[Input], key_property: str | None, what: str) -> dict[str, Item | RejectedError]:
    """Each input's own answer, by its key. Matched by unique property (or record id) first, by trace id second, never by position.

    `key_property` None: the keys are record ids. `TransientError` where an input is neither among the results nor among the errors;
    a row's error that says something of the connector (`AuthError`, `ConfigError`) or passes by itself is raised.
    """
    by_key = {one.key.lower(): one for one in inputs}
    by_trace = {one.trace: one for one in inputs}
    answers: dict[str, Item | RejectedError] = {}
    for row in body.get("results") or []:
        item = Item.of(row)
        own = item.id if key_property is None else item.properties.get(key_property) or ""
        asked = by_key.get(own.lower()) or by_trace.get(item.trace or "")
        if asked is not None:
            answers[asked.key] = item
    for error in body.get("errors") or []:
        for asked in _blamed(error, by_key, by_trace):
            found = error_of(400, error, what, request=json.dumps(asked.body))
            if not isinstance(found, RejectedError):
                raise found
            answers[asked.key] = found
    silent = [one.key for one in inputs if one.key not in answers]
    if silent:
        raise TransientError(
            f"HubSpot answered {what} with success and said nothing of {len(silent)} of {len(inputs)} records, such as {silent[0]}",
            ambiguous=True,
        )
    return answers


def _blamed(error: Json, by_key: Mapping[str, Input], by_trace: Mapping[str, Input]) -> Iterable[Input]:
    context = error.get("context") or {}
    traced = [by_trace[str(trace)] for trace in context.get("objectWriteTraceId") or [] if str(trace) in by_trace]
    return traced or [by_key[str(key).lower()] for key in context.get("ids") or [] if str(key).lower() in by_key]


def _words(body: Json | None) -> str:
    if body is None:
        return "a page that is no JSON"
    if problems := _problems(body):
        said = [f"{one.name}: {brief(one.message)} ({one.code})" for one in problems]
        return _with_correlation("; ".join(said), body)
    said = [str(body.get("message") or "no message")]
    for error in body.get("errors") or []:
        if isinstance(error, dict) and error.get("message") and str(error["message"]) not in said[0]:
            said.append(str(error["message"]) + (f" ({error['code']})" if error.get("code") else ""))
    return _with_correlation("; ".join(said), body)


def _with_correlation(text: str, body: Json) -> str:
    return f"{text} [correlation {body['correlationId']}]" if body.get("correlationId") else text


def _problems(body: Json) -> list[Problem]:
    """What is wrong with which property, as JSON inside of the message (facts/hubspot.md §2.5). HubSpot's messages quote the value that it
    refuses, and that may say anything: only its codes and names tell what it means."""
    head, found, listed = str(body.get("message") or "").partition(INVALID)
    if head or not found:
        return []
    try:
        rows = json.loads(listed)
    except ValueError:
        return []
    return [Problem(str(row.get("name")), str(row.get("error")), str(row.get("message"))) for row in rows if isinstance(row, dict)]


def _missing(body: Json, said: str) -> str | None:
    """Our property that HubSpot does not have."""
    for one in _problems(body):
        if one.code == "PROPERTY_DOESNT_EXIST" and (found := OURS_MISSING.match(one.message)):
            return found[1]
    found = None if _problems(body) else OURS_MISSING.search(said)
    return None if found is None else found[1] or found[2]


def _taken(body: Json, said: str) -> str | None:
    """The words that say that another record holds the value; its id stands at their end."""
    if problems := _problems(body):
        return next((one.message[-100:] for one in problems if TAKEN.search(one.code)), None)
    return said if TAKEN.search(said) else None


def _existing(body: Json, said: str) -> str | None:
    told = (body.get("context") or {}).get("existingId") or [(body.get("errorTokens") or {}).get("existingObjectId")]
    first = told[0] if isinstance(told, list) else told
    if isinstance(first, list):
        first = first[0] if first else None
    if first:
        return str(first)
    found = HOLDER.findall(said)  # the last one: what stands before may be a quoted value
    return (found[-1][0] or found[-1][1]) if found else None


def _scopes(body: Json) -> list[str]:
    found: list[str] = []
    for error in body.get("errors") or []:
        found += (error.get("context") or {}).get("requiredGranularScopes") or (error.get("context") or {}).get("requiredScopes") or []
    return found


def _seconds(headers: Mapping[str, str]) -> float | None:
    try:
        return max(0.0, float(headers["retry-after"]))
    except (KeyError, ValueError):
        return None


def _until_midnight(zone: str) -> float:
    now = datetime.now(ZoneInfo(zone))
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return (midnight.astimezone(UTC) - now.astimezone(UTC)).total_seconds() + 1
