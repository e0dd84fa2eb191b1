"""Signing in to Acumatica: one grant and one session per process, refreshed in single flight, kept on disk before it is used.

With the scopes `api offline_access` the whole grant is one session and one seat, through all its refreshes (facts/acumatica.md §1.7):
a process that comes back with the stored grant takes no second seat.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Protocol

import httpx
import structlog

from weighlock import settings as config
from weighlock.clients.acumatica_answers import error_of
from weighlock.errors import AuthError, RateLimited, TransientError

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

    def fresh(self) -> bool:
        return time.time() < self.ends - MARGIN


class TokenStore(Protocol):
    """Keeps the newest grant. `exclusive` holds off every other process that shares the store."""

    def load(self) -> Grant | None: ...
    def save(self, grant: Grant) -> None: ...
    def exclusive(self) -> contextlib.AbstractContextManager[None]: ...


class FileTokenStore:
    """One file that only its owner may read, replaced as a whole."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> Grant | None:
        try:
            return Grant(**json.loads(self.path.read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None  # none yet, or one that nobody can use: sign in

    def save(self, grant: Grant) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        new = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(asdict(grant), file)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.path)

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.with_name(f"{self.path.name}.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # ends with the file, and with the process
            yield


def owner_of(settings: config.Acumatica) -> str:
    """A stored grant serves only the same site, application and user; a changed secret or password is tried at once."""
    secrets = (settings.client_secret.get_secret_value(), settings.password.get_secret_value())
    return hashlib.sha256("\n".join((settings.url, settings.client_id, settings.username, *secrets)).encode()).hexdigest()


class Session:
    """Gives bearer tokens. `called` is told of every request, for the budget."""

    def __init__(self, settings: config.Acumatica, http: httpx.Client, tokens: TokenStore, called: Callable[[], None]) -> None:
        self._settings, self._http, self._tokens, self._called = settings, http, tokens, called
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
        answer = self._ask(grant_type="password", username=given.username, password=given.password.get_secret_value(), scope=SCOPE)
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
        """An answer that says yes or no; what is neither is raised."""
        self._called()
        form |= {"client_id": self._settings.client_id, "client_secret": self._settings.client_secret.get_secret_value()}
        try:
            answer = self._http.post(f"{self._settings.url}/identity/connect/token", data=form)
        except httpx.TransportError as error:
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
        return str(answer.json()["error"])
    except (ValueError, KeyError, TypeError):
        return ""
