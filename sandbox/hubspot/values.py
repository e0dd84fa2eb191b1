"""What HubSpot makes of a property value that is written: the text it keeps, or why it refuses it (§2.5, §14.1)."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from sandbox.hubspot.errors import Json, Problem

LONGEST_TEXT = 65_536
#: docs/agreement.md, "E-mail addresses": what of HubSpot's rule is not documented is read cautiously
_ATOM, _LABEL = r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+", r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_EMAIL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})+")
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")
_CODE = re.compile(r"https?://|www\.|<\s*script", re.IGNORECASE)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Refused(Exception):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def instant(at: datetime) -> str:
    """As Java writes an Instant: milliseconds, and no fraction at all where they are zero (§2.5)."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds" if at.microsecond // 1000 else "seconds").replace("+00:00", "Z")


def moment(text: str) -> datetime | None:
    """A time from epoch milliseconds, a date (midnight UTC) or ISO-8601 with a zone; None for anything else."""
    if re.fullmatch(r"-?\d+", text):
        try:
            return _EPOCH + timedelta(milliseconds=int(text))
        except OverflowError:
            return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    if at.tzinfo is None:
        return at.replace(tzinfo=UTC) if len(text) == 10 else None
    return at


def decimal(text: str) -> Decimal | None:
    """A number without grouping; None for anything else."""
    try:
        return Decimal(text) if _NUMBER.fullmatch(text) else None
    except InvalidOperation:
        return None


def stored(definition: Json, raw: Any) -> tuple[str | None, Problem | None]:
    """The text that is kept for `raw` (None: the property is emptied), or the problem that HubSpot names."""
    name = definition["name"]
    text = _text(raw)
    if text == "":
        return None, None
    try:
        return _checked(definition, text), None
    except Refused as refusal:
        return None, Problem(name, refusal.code, refusal.message, text)


def _text(raw: Any) -> str:
    if raw is None:
        return ""
    if isinstance(raw, bool):
        return "true" if raw else "false"
    return raw if isinstance(raw, str) else str(raw)


def _checked(definition: Json, text: str) -> str:
    name, kind = definition["name"], definition["type"]
    if kind == "number":
        if decimal(text.strip()) is None:
            raise Refused("INVALID_INTEGER", f"{text} was not a valid number.")
        return text.strip()
    if kind in ("date", "datetime"):
        return _time(kind, text)
    if kind in ("bool", "enumeration"):
        return text if definition["externalOptions"] else _option(definition, text)
    if len(text) > LONGEST_TEXT:  # no live answer is known: the code is ours
        raise Refused("INVALID_LENGTH", f'Property "{name}" was too long. The maximum length is {LONGEST_TEXT} characters.')
    if name == "email":
        if not _EMAIL.fullmatch(text.strip().lower()):
            raise Refused("INVALID_EMAIL", f"Email address {text} is invalid")
        return text.strip().lower()
    if name in ("firstname", "lastname") and _CODE.search(text):  # again, the code is ours
        raise Refused("INVALID_NAME", f"{text} is not allowed: names must not have links or code in them")
    return text


def _time(kind: str, text: str) -> str:
    at = moment(text)
    if at is None or (text.isdigit() and 0 < int(text) < 100_000_000_000 and kind == "datetime"):  # epoch seconds, §2.5
        raise Refused("INVALID_DATE", f"{text} was not a valid date.")
    if kind == "datetime":
        return instant(at)
    if at.astimezone(UTC).time() != datetime.min.time():
        raise Refused("INVALID_DATE", f"{text} is at {at.astimezone(UTC).time()} UTC, not midnight!")
    return date.isoformat(at.astimezone(UTC).date())


def _option(definition: Json, text: str) -> str:
    options = definition["options"]
    allowed = {option["value"] for option in options}
    if definition["type"] == "bool":
        allowed |= {"true", "false"}
    several = text.split(";") if definition["fieldType"] == "checkbox" else [text]
    if set(several) <= allowed:
        return text
    listed = ", ".join(
        f'label: "{o["label"]}"\nvalue: "{o["value"]}"\ndisplay_order: {o["displayOrder"]}\nhidden: {str(o["hidden"]).lower()}\n'
        "read_only: false\n"
        for o in options
    )
    raise Refused("INVALID_OPTION", f"{text} was not one of the allowed options: [{listed}]")
