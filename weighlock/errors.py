"""Errors, sorted by what the worker does next (design: one class, one reaction).

Every message names what is wrong and what to do; it ends up in front of an operator as it is.
"""

from __future__ import annotations

from weighlock.redact import scrub


class WeighlockError(Exception):
    """The base of all of ours. What a vendor's answer echoes of our secrets is taken out of the message."""

    def __init__(self, message: str = "") -> None:
        super().__init__(scrub(message))


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
        self.reason, self.candidates = scrub(reason), candidates
        self.request, self.response = request and scrub(request), response and scrub(response)


class MissingReference(WeighlockError):
    """What this record refers to is not there yet: wait until the link of `ref` to that system arrives."""

    def __init__(self, ref: str) -> None:
        super().__init__(f"waits for {ref}")
        self.ref = ref
