"""What Acumatica's answers mean: `error_of` is the one place where a status or a vendor's text becomes one of our errors."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import httpx

from weighlock.errors import AuthError, ConfigError, RateLimited, RejectedError, TransientError, WeighlockError
from weighlock.redact import scrub

#: How long to wait for a seat of the licence, and after a refusal by its queue (facts/acumatica.md §6.2; the server names no time).
SEAT_WAIT = 15.0
THROTTLE_WAIT = 2.0
_SEAT = re.compile(r"API Login Limit|CheckApiUsersLimits|concurrent API login", re.IGNORECASE)
_LOCKED = re.compile(r"locked out|account is disabled|Invalid credentials|need to change your password", re.IGNORECASE)
#: Exceptions that the same request meets again whenever it is repeated (§6.2); anything else in a 500 may pass.
_PERMANENT = re.compile(
    r"OutcomeEntityHasErrors|PXSetPropertyException|PXOuterException|PXSetupNotEntered|CannotOptimize|NotSupportedException"
    r"|ODataException|\bEdm\.|incompatible types"
)


class MissingRecord(RejectedError):
    """No such record: the API says so with a 500 (§4.4)."""


class CannotOptimize(RejectedError):
    """A list cannot give these fields; a keyed read can (§4.3)."""

    def __init__(self, reason: str, fields: tuple[str, ...]) -> None:
        super().__init__(reason)
        self.fields = fields


def error_of(outcome: httpx.Response | httpx.TransportError) -> WeighlockError:
    """The error of an answer that is no good (not 2xx, or no JSON where JSON was due) or of a call without an answer (§1.9, §6)."""
    if isinstance(outcome, httpx.TransportError):
        never_sent = isinstance(outcome, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
        return TransientError(f"Acumatica does not answer: {type(outcome).__name__}: {outcome}", ambiguous=not never_sent)
    status, body = outcome.status_code, outcome.text
    words = _words(outcome)
    if _SEAT.search(body):
        return RateLimited(
            f"Acumatica has no free seat for us ({status}: {words}): end other API sessions, or raise the licence", SEAT_WAIT
        )
    if status == 401:
        return AuthError(f"Acumatica takes our token no longer, nor its successor ({words}): check the connected application")
    if status == 403:
        return AuthError(
            f"Acumatica refuses {_call(outcome)} ({words}): give the user of this integration a role that has that form "
            "(for a feed: OData4 User)"
        )
    if status == 404:
        return ConfigError(
            f"Acumatica knows no {outcome.request.url.path} (404): check acumatica.url, .endpoint and .version; "
            "`weighlock check` lists what is there"
        )
    if status == 429:
        return RateLimited(f"Acumatica declines for now (429: {words})", _retry_after(outcome))
    if status < 400 or _is_html(outcome):
        return TransientError(f"Acumatica sends a page where data was due ({status}: {words}): the site restarts or is being published")
    if status in (400, 406, 411, 412, 422) or status == 500:
        return _refusal(outcome, words)
    return TransientError(f"Acumatica fails with {status} ({words})", ambiguous=status in (502, 504))


def _refusal(answer: httpx.Response, words: str) -> WeighlockError:
    body = answer.text
    if "NoEntitySatisfiesTheCondition" in body or "No entity satisfies the condition" in body:
        return MissingRecord("Acumatica has no such record")
    if "CannotOptimize" in body:
        return CannotOptimize(f"Acumatica's lists cannot give these fields: {words}", _unoptimized(answer))
    if _LOCKED.search(body):
        return AuthError(f"Acumatica refuses the user ({words}): unlock it, or set its password, in Acumatica")
    if answer.status_code != 500 or _PERMANENT.search(body):
        return RejectedError(f"Acumatica refuses it ({answer.status_code}): {words}", request=_call(answer), response=words)
    return TransientError(f"Acumatica fails with {answer.status_code} ({words})")


def _call(answer: httpx.Response) -> str:
    return f"{answer.request.method} {answer.request.url.raw_path.decode('ascii', 'replace')}"


def _is_html(answer: httpx.Response) -> bool:
    return "html" in answer.headers.get("content-type", "").lower() or answer.text.lstrip()[:1] == "<"


def _retry_after(answer: httpx.Response) -> float:
    given = answer.headers.get("retry-after", "")
    return float(given) if given.isdigit() else THROTTLE_WAIT


def _words(answer: httpx.Response) -> str:
    """What the vendor says, short and without its stack trace. It may echo what we sent: scrubbed before it is cut, not after."""
    text = scrub(answer.text)
    if _is_html(answer):
        title = re.search(r"<title[^>]*>(.*?)</title>", text, re.IGNORECASE | re.DOTALL)
        return " ".join(title.group(1).split())[:200] if title else "a page without a title"
    body = _json(text)
    if not isinstance(body, Mapping):
        return " ".join(text.split())[:200] or answer.reason_phrase
    said = [*_causes(body), *field_errors(body)]
    return " ".join("; ".join(dict.fromkeys(said)).split())[:1000] or answer.reason_phrase


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _causes(body: Mapping[str, Any]) -> Iterator[str]:
    """`exceptionMessage` before the general `message`, then the causes inside."""
    said = body.get("exceptionMessage") or body.get("message") or body.get("error_description")
    if isinstance(said, str):
        yield said
    if isinstance(error := body.get("error"), Mapping):  # of a feed (§13.4)
        yield from _causes(error)
    inner = body.get("innerException")
    if isinstance(inner, Mapping):
        yield from _causes(inner)


def field_errors(body: Any, path: str = "") -> Iterator[str]:
    """Every `error` in an entity, with the path of its field: they hide in details and linked entities too (§6.2)."""
    if isinstance(body, list):
        for index, item in enumerate(body):
            yield from field_errors(item, f"{path}[{index}]")
    elif isinstance(body, Mapping):
        if isinstance(said := body.get("error"), str) and said:
            yield f"{path}: {said}" if path else said
        for name, value in body.items():
            yield from field_errors(value, f"{path}.{name}" if path else name)


def _unoptimized(answer: httpx.Response) -> tuple[str, ...]:
    """The message has one line for each field: `Name: View X has BQL delegate`."""
    body = _json(answer.text)
    text = str(body.get("exceptionMessage", "")) if isinstance(body, Mapping) else answer.text
    return tuple(line.partition(":")[0].strip() for line in text.splitlines() if " delegate" in line and ":" in line)
