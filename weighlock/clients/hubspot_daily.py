"""HubSpot's limit of calls a day, which all apps of an account share: the headers say what is left, and a part of it is kept for others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from weighlock.errors import RateLimited


def _now() -> datetime:
    return datetime.now(UTC)


class DailyBudget:
    """`reserve` is the share of the day's calls (0 to 1) that is not ours. `zone` is the portal's, whose midnight begins a new day
    (facts/hubspot.md §8); set it when it is known. Until the first answer, and again after midnight, all is allowed."""

    def __init__(self, reserve: float, clock: Callable[[], datetime] = _now) -> None:
        self.zone = "UTC"
        self._reserve, self._clock = reserve, clock
        self._limit, self._left = 0, 0
        self._ends = datetime.min.replace(tzinfo=UTC)

    def take(self) -> None:
        """Counts a call, for a search's answer tells nothing. `RateLimited` with the time until midnight where only the reserve is left."""
        now = self._clock()
        if now >= self._ends:
            return
        if self._left <= self._limit * self._reserve:
            until = self._ends.astimezone(ZoneInfo(self.zone))
            said = f"of HubSpot's {self._limit} calls a day {self._left} are left, which is the reserve for others"
            raise RateLimited(f"{said}: nothing more until {until.isoformat()}", (self._ends - now).total_seconds() + 1)
        self._left -= 1

    def spent(self) -> tuple[int, int]:
        """Calls of this day, by all apps of the account, and how many they have; (0, 0) while nobody said. For another thread."""
        return (self._limit - self._left, self._limit) if self._clock() < self._ends else (0, 0)

    def learn(self, headers: Mapping[str, str]) -> None:
        """What an answer says. Some have no such headers (search, OAuth apps)."""
        try:
            limit, left = int(headers["x-hubspot-ratelimit-daily"]), int(headers["x-hubspot-ratelimit-daily-remaining"])
        except (KeyError, ValueError):
            return
        self._limit, self._left = limit, left
        local = self._clock().astimezone(ZoneInfo(self.zone))
        midnight = (local + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        self._ends = midnight.astimezone(UTC)
