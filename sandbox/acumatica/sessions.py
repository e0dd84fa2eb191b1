"""Sessions and seats (facts/acumatica.md §1.7, §1.9): who holds one, how long, and what the next one is told."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.responses import HTMLResponse, PlainTextResponse, Response

from sandbox.acumatica.switches import LoginLimitShape
from sandbox.acumatica.wire import failure

OAUTH_IDLE = 3600.0
COOKIE_IDLE = 600.0


@dataclass
class Session:
    """An open session: one seat. Its calls run one after another."""

    owner: str
    ends: float  # by the clock below, whether it is used or not
    idle: float
    used: float
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class Seats:
    """The open sessions, by who owns them: an access token, a grant, or a cookie."""

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit, self.clock = limit, clock
        self._open: dict[str, Session] = {}
        self.most = 0

    def use(self, owner: str, ends: float = float("inf"), idle: float = OAUTH_IDLE) -> Session | None:
        """The owner's session, opened now if there is none; None where every seat is taken."""
        self._close_ended()
        now = self.clock()
        session = self._open.get(owner)
        if session is None:
            if len(self._open) >= self.limit:
                return None
            session = self._open[owner] = Session(owner, ends, idle, now)
            self.most = max(self.most, len(self._open))
        session.used = now
        return session

    def _close_ended(self) -> None:
        now = self.clock()
        for owner, one in list(self._open.items()):
            if not one.turn.locked() and (now >= one.ends or now - one.used >= one.idle):
                del self._open[owner]

    def has(self, owner: str) -> bool:
        self._close_ended()
        return owner in self._open

    def close(self, owner: str) -> None:
        self._open.pop(owner, None)

    def taken_by_others(self, seconds: float) -> None:
        """Every session is gone, and strangers hold all the seats for so long."""
        self._open.clear()
        ends = self.clock() + seconds
        for number in range(self.limit):
            self.use(f"stranger {number}", ends)

    @property
    def open(self) -> int:
        self._close_ended()
        return len(self._open)


def login_limit(shape: LoginLimitShape) -> Response:
    """The answer to whom no seat is left, in one of the shapes that were seen."""
    trace = "PX.LicensePolicy.PXLicensePolicy.CheckApiUsersLimits(String userName)"
    if shape == "iis":
        return PlainTextResponse("The custom error module does not recognize this error.", 429)
    if shape == "html":
        style = "<style>body{font-family:Arial;margin:3em}</style>"
        return HTMLResponse(f"<!DOCTYPE html><html><head><title>API Login Limit</title>{style}</head><body></body></html>", 500)
    text = "API Login Limit"
    if shape == "per-user":
        text = "The number of concurrent API logins for the user is exceeded. See the limit on the Users (SM201010) form."
    return failure(text, "PX.Data.PXException", trace).response
