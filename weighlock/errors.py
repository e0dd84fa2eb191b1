"""Errors, sorted by what the worker does next (design: one class, one reaction).

Every message names what is wrong and what to do; it ends up in front of an operator as it is.
"""

from __future__ import annotations

from weighlock.redact import scrub

#: A vendor may quote the value that it refuses, and that can be a whole book.
LONGEST_MESSAGE = 10_000


def brief(text: str, longest: int = 200) -> str:
    """The text, or its beginning and how long it is."""
    return text if len(text) <= longest else f"{text[:longest]} … ({len(text):,} characters)"


def sayable(text: str) -> str:
    """Without our secrets, and in characters that logs and topics can hold: half a surrogate pair is written as its escape."""
    return scrub(text).encode(errors="backslashreplace").decode()


class WeighlockError(Exception):
    """The base of all of ours. What a vendor's answer echoes of our secrets is taken out of the message."""

    def __init__(self, message: str = "") -> None:
        super().__init__(brief(sayable(message), LONGEST_MESSAGE))


class ConfigError(WeighlockError):
    """Refuse to start. `problems` holds everything that is wrong, each with what to do."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = [scrub(problem) for problem in problems]


class AuthError(WeighlockError):
    """The credentials were refused (after one refresh): stop this connector and say so."""


class StalePosition(WeighlockError):
    """The source no longer knows this position: capture a new one, take a snapshot, stream on."""


class TransientError(WeighlockError):
    """The connection, the server or a lock: wait with jitter and repeat the same call. `ambiguous`: it may have been carried out."""

    def __init__(self, message: str, *, ambiguous: bool = False) -> None:
        super().__init__(message)
        self.ambiguous = ambiguous


class RateLimited(TransientError):
    """Not now: wait `retry_after` seconds (theirs where they say, else ours for that policy) and repeat."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class RejectedError(WeighlockError):
    """This record was refused, in the vendor's words: a dead letter; its neighbours go on.

    `request` and `response` are kept for the dead letter as text, `candidates` lists the records that an adoption hesitated between.
    """

    def __init__(self, reason: str, *, request: str | None = None, response: str | None = None, candidates: tuple[str, ...] = ()) -> None:
        super().__init__(reason)
        self.reason, self.candidates = str(self), candidates
        self.request, self.response = request and sayable(request), response and sayable(response)


class MissingReference(WeighlockError):
    """What this record refers to is not there yet: wait until the link of `ref` to that system arrives."""

    def __init__(self, ref: str) -> None:
        super().__init__(f"waits for {ref}")
        self.ref = ref
