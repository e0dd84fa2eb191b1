"""What we say never shows a secret: values that were guarded are taken out of every message, log line and traceback.

A vendor's answer may echo what we sent, and a library's error may quote a header. So the secrets of this process are known here, in
each form in which they travel, and `scrub` is applied where text is made: in our errors, in the logs, in what a crash leaves.
"""

from __future__ import annotations

import base64
import html
import json
import sys
import threading
import traceback
from types import TracebackType
from urllib.parse import quote, quote_plus

from weighlock import failpoints

HIDDEN = "[secret]"
#: Shorter values are no secrets, and taking them out would spoil every text.
SHORTEST = 4
#: A process renews its tokens for months: the oldest are forgotten, they opened nothing any more long ago.
KEPT = 64
_known: dict[str, tuple[str, ...]] = {}
_lock = threading.Lock()


def guard(*values: str) -> None:
    """From now on, these values are taken out of what this process says."""
    with _lock:
        for value in values:
            if len(value) >= SHORTEST:
                _known[value] = _known.pop(value, ()) or forms(value)
        while len(_known) > KEPT:
            del _known[next(iter(_known))]


def scrub(text: str) -> str:
    """The text without any guarded value, in whatever form."""
    if failpoints.mutant("no-scrub"):
        return text
    for spellings in tuple(_known.values()):
        for spelling in spellings:
            if spelling in text:
                text = text.replace(spelling, HIDDEN)
    return text


def forms(value: str) -> tuple[str, ...]:
    """The value as it is and as it stands in URLs, forms, JSON, HTML, Python's reprs and inside of base64; longest first."""
    plain = {value, value.strip()}
    escaped = {quote(value, safe=""), quote(value), quote_plus(value), html.escape(value), repr(value)[1:-1]}
    escaped.add(repr(value.encode())[2:-1])
    escaped |= {json.dumps(value, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)}
    escaped |= {text.lower() for text in escaped if "%" in text}
    coded = {text.translate(table) for text in _inside_base64(value.encode()) for table in ({}, str.maketrans("+/", "-_"))}
    return tuple(sorted((form for form in plain | escaped | coded if len(form) >= SHORTEST), key=len, reverse=True))


def _inside_base64(value: bytes) -> set[str]:
    """What of the base64 of a longer text (`user:value`) is the value's alone, at each of the three positions it can have."""
    found = {base64.b64encode(value).decode(), base64.b64encode(value).decode().rstrip("=")}
    for before in range(3):
        coded = base64.b64encode(b"\0" * before + value)
        bits = 8 * (before + len(value))
        found.add(coded[-(-8 * before // 6) : bits // 6].decode())
    return found


def guard_crashes() -> None:
    """An exception that nobody caught is told as ever, without the secrets in it."""

    def told(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
        sys.stderr.write(scrub("".join(traceback.format_exception(kind, error, trace))))

    def of_thread(crash: threading.ExceptHookArgs) -> None:
        if crash.exc_type is not SystemExit:
            sys.stderr.write(f"Exception in thread {crash.thread.name if crash.thread else '?'}:\n")
            told(crash.exc_type, crash.exc_value, crash.exc_traceback)

    sys.excepthook, threading.excepthook = told, of_thread
