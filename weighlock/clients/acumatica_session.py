"""Signing in to Acumatica: one grant and one session per process, refreshed in single flight, kept on disk before it is used.

With the scopes `api offline_access` the whole grant is one session and one seat, through all its refreshes (facts/acumatica.md §1.7):
a process that comes back with the stored grant takes no second seat.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Protocol

import httpx
import structlog
from cryptography.fernet import InvalidToken

from weighlock import metrics
from weighlock import settings as config
from weighlock.clients.acumatica_answers import error_of
from weighlock.errors import AuthError, RateLimited, TransientError
from weighlock.redact import guard, scrub
from weighlock.secrets import SealedFile, locked

SCOPE = "api offline_access"
#: A token is renewed this long before its end, in seconds.
MARGIN = 60
log = structlog.get_logger(worker="source-acumatica")


@dataclass(frozen=True)
class Grant:
    """What one sign-in or refresh gave. `ends` is a Unix time; `owner` says whose it is (see `owner_of`)."""

    owner: str
    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    ends: float

    def __post_init__(self) -> None:
        guard(self.access_token, self.refresh_token or "")

    def fresh(self) -> bool:
        return time.time() < self.ends - MARGIN


class TokenStore(Protocol):
    """Keeps the newest grant. `exclusive` holds off every other process that shares the store."""

    def load(self) -> Grant | None: ...
    def save(self, grant: Grant) -> None: ...
    def exclusive(self) -> contextlib.AbstractContextManager[None]: ...


class FileTokenStore:
    """One encrypted file, replaced as a whole; the keys are those of its folder (weighlock.secrets)."""

    def __init__(self, path: Path) -> None:
        self.path, self._file = path, SealedFile(path)

    def load(self) -> Grant | None:
        try:
            held = self._file.read()
            return Grant(**json.loads(held)) if held is not None else None
        except (InvalidToken, ValueError, TypeError):
            return None  # one that nobody can use: sign in

    def save(self, grant: Grant) -> None:
        self._file.write(json.dumps(asdict(grant)))

    def exclusive(self) -> contextlib.AbstractContextManager[None]:
        return locked(self.path)


def owner_of(settings: config.Acumatica) -> str:
    """A stored grant serves only the same site, application and user; a changed secret or password is tried at once."""
    secrets = (settings.client_secret.get_secret_value(), settings.password.get_secret_value())
    return hashlib.sha256("\n".join((settings.url, settings.client_id, settings.username, *secrets)).encode()).hexdigest()


class Session:
    """Gives bearer tokens. `called` is told of every request, for the budget; `again` reads the settings anew when ours are refused."""

    def __init__(
        self,
        settings: config.Acumatica,
        http: httpx.Client,
        tokens: TokenStore,
        called: Callable[[], None],
        again: Callable[[], config.Acumatica | None] = lambda: None,
    ) -> None:
        self._settings, self._http, self._tokens, self._called, self._again = settings, http, tokens, called, again
        self._owner = owner_of(settings)
        self._lock = threading.Lock()
        self._grant: Grant | None = None
        self._refused: AuthError | None = None

    def token(self) -> str:
        """A token that is good for now. AuthError when the credentials are refused (not asked again: a user gets locked out)."""
        with self._lock:
            if self._grant is None or not self._grant.fresh():
                self._grant = self._renewed()
            return self._grant.access_token

    def renew(self, refused: str) -> str:
        """The successor of a token that was answered with 401. One refresh, however many ask."""
        with self._lock:
            if self._grant is None or self._grant.access_token == refused:
                self._grant = self._renewed()
            return self._grant.access_token

    def close(self) -> None:
        """Log out, so that the seat is free at once. The grant stays good for the next start (§1.7)."""
        with self._lock:
            if self._grant is not None:
                self._log_out(self._grant)
            self._grant = None

    def _renewed(self) -> Grant:
        if self._refused is not None:
            raise self._refused
        with self._tokens.exclusive():
            stored = self._tokens.load()
            if stored is not None and stored.owner != self._owner:
                stored = None
            if stored is not None and stored.fresh() and stored != self._grant:
                return stored  # kept from the last run, or a neighbour was quicker
            old = stored or self._grant
            grant = self._refreshed(old) if old is not None and old.refresh_token else None
            if grant is None:
                if old is not None:
                    self._log_out(old)  # a new grant is a new session: give the old one's seat back first
                grant = self._signed_in()
            self._tokens.save(grant)  # before its first use: the token before it is dead already
            return grant

    def _refreshed(self, old: Grant) -> Grant | None:
        """None when the refresh token is refused: by its status, for the body cannot be relied on (§1.6)."""
        answer = self._ask(grant_type="refresh_token", refresh_token=old.refresh_token or "")
        if answer.is_client_error:
            log.warning("Acumatica refuses the refresh token, signing in anew", status=answer.status_code)
            return None
        return self._read(answer, old.refresh_token)

    def _signed_in(self) -> Grant:
        given = self._settings
        answer = self._ask(grant_type="password", username=given.username, scope=SCOPE)
        if answer.is_client_error:
            reason = _oauth_error(answer)
            self._refused = AuthError(
                f"Acumatica refuses to sign {given.username!r} in ({answer.status_code} {reason}): {_ADVICE.get(reason, _ADVICE[''])}. "
                "Not tried again, so that the user is not locked out"
            )
            raise self._refused
        log.info("signed in to Acumatica", user=given.username)
        return self._read(answer, None)

    def _ask(self, **form: str) -> httpx.Response:
        """An answer that says yes or no; what is neither is raised. A no is asked once more if the credentials were changed meanwhile."""
        answer = self._post(form)
        return self._post(form) if answer.is_client_error and self._changed() else answer

    def _changed(self) -> bool:
        now, ours = self._again(), self._settings
        if now is None or (now.url, now.client_id, now.username) != (ours.url, ours.client_id, ours.username):
            return False
        if (now.client_secret, now.password) == (ours.client_secret, ours.password):
            return False
        self._settings = ours.model_copy(update={"client_secret": now.client_secret, "password": now.password})
        self._owner = owner_of(self._settings)
        log.info("Acumatica refused our credentials; they were changed meanwhile, trying the new ones once")
        return True

    def _post(self, form: Mapping[str, str]) -> httpx.Response:
        self._called()
        given = {"client_id": self._settings.client_id, "client_secret": self._settings.client_secret.get_secret_value()}
        if form["grant_type"] == "password":
            given["password"] = self._settings.password.get_secret_value()
        try:
            answer = self._http.post(f"{self._settings.url}/identity/connect/token", data={**form, **given})
        except httpx.TransportError as error:
            metrics.unanswered("acumatica")
            raise error_of(error) from error
        if answer.is_success:
            return answer
        problem = error_of(answer)
        if answer.is_client_error and answer.status_code != 404 and not isinstance(problem, RateLimited):
            return answer
        raise problem

    def _read(self, answer: httpx.Response, refresh_token: str | None) -> Grant:
        try:
            body = answer.json()
            ends = time.time() + float(body["expires_in"])
            return Grant(self._owner, body["access_token"], body.get("refresh_token", refresh_token), ends)
        except (ValueError, KeyError, TypeError):
            raise TransientError("Acumatica's sign-in answers without a token: is acumatica.url the address of an instance?") from None

    def _log_out(self, grant: Grant) -> None:
        self._called()
        # without the length IIS answers 411 and keeps the seat (§1.8)
        headers = {"Authorization": f"Bearer {grant.access_token}", "Content-Length": "0"}
        try:
            answer = self._http.post(f"{self._settings.url}/entity/auth/logout", headers=headers, timeout=10)
            log.info("logged out of Acumatica", status=answer.status_code)
        except httpx.TransportError as error:
            log.warning("could not log out of Acumatica: the seat is taken until its session ends", error=str(error))


_ADVICE = {
    "invalid_client": "check acumatica.client_id (GUID@Tenant) and .client_secret against the Connected Applications form (SM303010)",
    "invalid_grant": "check acumatica.username and .password, and that the user is neither locked nor asked for a new password",
    "unauthorized_client": "set the flow of the connected application (SM303010) to Resource Owner Password Credentials",
    "invalid_scope": "let the connected application (SM303010) issue refresh tokens",
    "": "check acumatica.client_id, .client_secret, .username and .password",
}


def _oauth_error(answer: httpx.Response) -> str:
    try:
        return scrub(str(answer.json()["error"]))
    except (ValueError, KeyError, TypeError):
        return ""
