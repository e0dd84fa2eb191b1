"""Acumatica's contract-based REST API as far as we read it: lists, keyed reads, the versions there are (facts/acumatica.md); and the
calls for its feeds (acumatica_odata).

Plain calls: nothing here waits or repeats, but for one renewal of the token. Rows come without value objects (see acumatica_values).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Protocol

import httpx
import structlog

from weighlock import metrics
from weighlock import settings as config
from weighlock.clients.acumatica_answers import CannotOptimize, MissingRecord, error_of
from weighlock.clients.acumatica_odata import Part, address, options, part
from weighlock.clients.acumatica_session import FileTokenStore, Session, TokenStore
from weighlock.clients.acumatica_values import Row, encoded, parse, plain
from weighlock.errors import ConfigError, RateLimited, TransientError

Rows = list[Row]
log = structlog.get_logger(worker="source-acumatica")


class Reads(Protocol):
    """What a producer asks of Acumatica: `Acumatica` below, or a model of it in a test."""

    def check(self) -> None: ...
    def page(self) -> Any: ...
    def now(self) -> datetime: ...
    def list(
        self,
        entity: str,
        select: Sequence[str],
        expand: Sequence[str] = (),
        filter: str = "",
        top: int | None = None,
        skip: int = 0,
        custom: Sequence[str] = (),
    ) -> Rows: ...
    def get(self, entity: str, key: str, select: Sequence[str], expand: Sequence[str] = (), custom: Sequence[str] = ()) -> Row | None: ...
    def feed(
        self,
        name: str,
        select: Sequence[str],
        expand: Sequence[str] = (),
        filter: str = "",
        order: Sequence[str] = (),
        top: int | None = None,
    ) -> Part: ...
    def close(self) -> None: ...


class Budget:
    """At most `calls` in any minute. `admit` raises RateLimited before a call goes out; `note` counts one that must go out anyway."""

    def __init__(self, calls: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.calls, self._clock = calls, clock
        self._made: deque[float] = deque()

    def admit(self) -> None:
        now = self._clock()
        while self._made and self._made[0] <= now - 60:
            self._made.popleft()
        if (over := len(self._made) - self.calls) >= 0:
            wait = self._made[over] + 60 - now
            raise RateLimited(f"our own budget for Acumatica ({self.calls} requests a minute) is used up", wait)

    def note(self) -> None:
        self._made.append(self._clock())

    def spent(self) -> tuple[int, int]:
        """Calls of the last minute, and how many it allows. For another thread."""
        begin = self._clock() - 60
        return sum(at > begin for at in self._made.copy()), self.calls


class Acumatica:
    """One per process: one grant, one session, one budget. Every call raises what `acumatica_answers.error_of` makes of its answer."""

    def __init__(
        self,
        settings: config.Acumatica,
        tokens: TokenStore,
        transport: httpx.BaseTransport | None = None,
        budget: Budget | None = None,
        again: Callable[[], config.Acumatica | None] = lambda: None,
    ) -> None:
        """`again` reads the settings anew when the credentials are refused: they may have been changed since."""
        self._settings = settings
        loopback = httpx.URL(settings.url).host in ("127.0.0.1", "localhost", "::1")
        self._http = httpx.Client(
            headers={"Accept": "application/json"},
            timeout=httpx.Timeout(settings.timeout_seconds, connect=10),
            transport=transport,
            trust_env=not loopback,  # no proxy on the way to ourselves
            event_hooks={"response": [metrics.answered("acumatica")]},
        )
        self._budget = budget or Budget(settings.requests_per_minute)
        metrics.budget("acumatica", "minute", self._budget.spent)
        self._session = Session(settings, self._http, tokens, self._budget.note, again)
        self._root = f"{settings.url}/entity/{settings.endpoint}/{settings.version}"
        self._clock: tuple[datetime, float] | None = None
        self._in_page = False

    @classmethod
    def of(cls, settings: config.Settings) -> Acumatica:
        """The client of these settings, its tokens under `settings.state`."""
        (settings.state / "acumatica-grant.json").unlink(missing_ok=True)  # where it was kept before it was encrypted
        tokens = FileTokenStore(settings.state / "acumatica-grant.sealed")
        return cls(settings.need_acumatica(), tokens, again=lambda: settings.reread().acumatica)

    def close(self) -> None:
        """Log out. The client can be used again: it signs in again."""
        self._session.close()

    @contextmanager
    def page(self) -> Iterator[None]:
        """The calls that make one page: the budget is asked before the first one only, so that a page is never broken off half made."""
        self._budget.admit()
        self._in_page = True
        try:
            yield
        finally:
            self._in_page = False

    def now(self) -> datetime:
        """The server's clock by its latest `Date` header: never ahead of it, at most a second (and the way here) behind."""
        if self._clock is None:
            raise ConfigError("Acumatica's answers carry no Date header (does a proxy remove it?): without the server's clock, no deltas")
        date, at = self._clock
        return date + timedelta(seconds=time.monotonic() - at)

    def check(self) -> None:
        """Sign in and see that the endpoint of the settings is there (§2.1). ConfigError names what is there instead."""
        answer = self._get(f"{self._settings.url}/entity", {})
        # older builds answer with the bare list
        listed = answer.get("endpoints", []) if isinstance(answer, dict) else answer
        there = [(str(one.get("name")), str(one.get("version"))) for one in listed]
        wanted = (self._settings.endpoint, self._settings.version)
        if wanted not in there:
            raise ConfigError(
                f"acumatica: no endpoint {wanted[0]} {wanted[1]} at {self._settings.url}; there are "
                f"{', '.join(f'{name} {version}' for name, version in there) or 'none'}: set acumatica.endpoint and .version"
            )

    def list(
        self,
        entity: str,
        select: Sequence[str],
        expand: Sequence[str] = (),
        filter: str = "",
        top: int | None = None,
        skip: int = 0,
        custom: Sequence[str] = (),
    ) -> Rows:
        """Rows in ascending order of the key. `select` has paths (`MainContact/Email`), and what they pass through must be in `expand`.
        `custom`: fields that the entity does not have, by view (`Document.CuryID`); they come under `custom` (§3.3).

        Fields that lists cannot give are read record by record instead (§4.3).
        """
        try:
            return self._list(entity, _params(select, expand, custom), filter, top, skip)
        except CannotOptimize as refusal:
            kept = [path for path in select if not _named(path, refusal.fields)]
            dropped = [path for path in select if path not in kept]
            if not dropped:
                raise
            log.warning("read one by one what Acumatica's lists cannot give", entity=entity, fields=dropped)
            left = _params(kept, [path for path in expand if not _named(path, refusal.fields)], custom)
            rows = self._list(entity, left, filter, top, skip)
            return [_merged(row, self.get(entity, str(row["id"]), dropped, expand) or {}) for row in rows]

    def get(self, entity: str, key: str, select: Sequence[str], expand: Sequence[str] = (), custom: Sequence[str] = ()) -> Row | None:
        """One record by its `id` or key; None when there is none."""
        try:
            return plain(self._get(f"{self._root}/{entity}/{key}", _params(select, expand, custom)))
        except MissingRecord:
            return None

    def feed(
        self,
        name: str,
        select: Sequence[str],
        expand: Sequence[str] = (),
        filter: str = "",
        order: Sequence[str] = (),
        top: int | None = None,
    ) -> Part:
        """A DAC's rows: plain values under the names of its fields. `expand` has ways with options: `CustomerByCustomerID($select=NoteID)`.

        RejectedError: the feed does not know a name. AuthError, ConfigError: our user may not read feeds, the site has none.
        """
        given = self._settings
        return part(self._get(address(given.url, given.tenant, name), options(select, expand, filter, order, top)), top)

    def _list(self, entity: str, params: dict[str, str], filter: str, top: int | None, skip: int) -> Rows:
        if filter:
            params["$filter"] = filter
        if top is not None:
            params["$top"] = str(top)
        if skip:
            params["$skip"] = str(skip)
        answer = self._get(f"{self._root}/{entity}", params)
        if not isinstance(answer, list):
            raise TransientError(f"Acumatica answers a list of {entity} with something else")
        return [plain(row) for row in answer]

    def _get(self, url: str, params: dict[str, str]) -> Any:
        if not self._in_page:
            self._budget.admit()
        if params:
            url = f"{url}?{encoded(params)}"
        token = self._session.token()
        answer = self._send(url, token)
        if answer.status_code == 401:
            answer = self._send(url, self._session.renew(token))
        if not answer.is_success:
            raise error_of(answer)
        try:
            return parse(answer.content)
        except ValueError:
            raise error_of(answer) from None

    def _send(self, url: str, token: str) -> httpx.Response:
        self._budget.note()
        try:
            answer = self._http.get(url, headers={"Authorization": f"Bearer {token}"})
        except httpx.TransportError as error:
            metrics.unanswered("acumatica")
            raise error_of(error) from error
        if date := answer.headers.get("date"):
            self._clock = parsedate_to_datetime(date).astimezone(UTC), time.monotonic()
        return answer


def _params(select: Sequence[str], expand: Sequence[str], custom: Sequence[str]) -> dict[str, str]:
    return {name: ",".join(paths) for name, paths in (("$select", select), ("$expand", expand), ("$custom", custom)) if paths}


def _named(path: str, fields: Sequence[str]) -> bool:
    """The refusal names a field by its last word, or the view that it is under."""
    words = {word for field in fields for word in (field, field.replace(".", "/"), field.replace(".", "/").rpartition("/")[2])}
    return path in words or bool(words & set(path.split("/")))


def _merged(row: Row, more: Row) -> Row:
    return row | {
        name: _merged(row[name], value) if isinstance(row.get(name), dict) and isinstance(value, dict) else value
        for name, value in more.items()
    }
