"""The rate limits of §8: a burst over ten seconds, searches by the second, association calls, and a day's sum."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sandbox.hubspot.errors import RateLimited
from sandbox.hubspot.switches import Switches

APP_ID = 1512050


class Window:
    """At most `limit` calls in any `seconds`; refused calls do not count."""

    def __init__(self, limit: int, seconds: float, monotonic: Callable[[], float]) -> None:
        self.limit, self.seconds, self._now = limit, seconds, monotonic
        self.most = self.refused = self.total = 0
        self._taken: deque[float] = deque()

    def wait(self) -> float:
        """Seconds until the next call fits, 0 if it does now."""
        now = self._now()
        while self._taken and self._taken[0] <= now - self.seconds:
            self._taken.popleft()
        return 0.0 if len(self._taken) < self.limit else self._taken[0] + self.seconds - now

    def take(self) -> None:
        self._taken.append(self._now())
        self.total += 1
        self.most = max(self.most, len(self._taken))

    @property
    def left(self) -> int:
        self.wait()
        return self.limit - len(self._taken)

    def as_json(self) -> dict[str, Any]:
        counts = {"total": self.total, "most_at_once": self.most, "refused": self.refused, "left": self.left}
        return {**counts, "limit": self.limit, "seconds": self.seconds}


class Limits:
    """Searches count in their own window only, association calls in theirs and in the general one, all of them in the day."""

    def __init__(self, switches: Switches, clock: Callable[[], datetime], monotonic: Callable[[], float] = time.monotonic) -> None:
        self.switches, self._clock, self._monotonic = switches, clock, monotonic
        self.reset()

    def reset(self) -> None:
        switches = self.switches
        self._general = Window(switches.burst_limit, 10, self._monotonic)
        self._search = Window(switches.search_limit, 1, self._monotonic)
        self._associations = Window(switches.associations_limit, 10, self._monotonic)
        self._day, self._today, self._refused_today = self._local().date(), 0, 0

    def take(self, bucket: str) -> None:
        """Counts one call; raises RateLimited where it is one too many."""
        windows = {"search": [self._search], "associations": [self._general, self._associations]}.get(bucket, [self._general])
        if self._local().date() != self._day:
            self._day, self._today = self._local().date(), 0
        if self._today >= self.switches.daily_limit:
            self._refused_today += 1
            raise RateLimited("DAILY", self._until_midnight())
        for window in windows:
            if wait := window.wait():
                window.refused += 1
                raise self._refusal(bucket, wait)
        for window in windows:
            window.take()
        self._today += 1

    def headers(self) -> dict[str, str]:
        """§8; the two by the second are deprecated and still sent."""
        return {
            "X-HubSpot-RateLimit-Daily": str(self.switches.daily_limit),
            "X-HubSpot-RateLimit-Daily-Remaining": str(max(0, self.switches.daily_limit - self._today)),
            "X-HubSpot-RateLimit-Interval-Milliseconds": "10000",
            "X-HubSpot-RateLimit-Max": str(self._general.limit),
            "X-HubSpot-RateLimit-Remaining": str(self._general.left),
            "X-HubSpot-RateLimit-Secondly": str(self._general.limit // 10),
            "X-HubSpot-RateLimit-Secondly-Remaining": str(min(self._general.limit // 10, self._general.left)),
        }

    def as_json(self) -> dict[str, Any]:
        daily = {"total": self._today, "refused": self._refused_today, "limit": self.switches.daily_limit}
        windows = {"burst": self._general, "search": self._search, "associations": self._associations}
        return {**{name: window.as_json() for name, window in windows.items()}, "daily": daily}

    def _refusal(self, bucket: str, wait: float) -> RateLimited:
        if bucket == "search":
            return RateLimited("SECONDLY", wait)
        group = f"publicapi:private_app-api-calls-ten-secondly:{APP_ID}:{self.switches.portal_id}"
        return RateLimited("TEN_SECONDLY_ROLLING", wait, group)

    def _local(self) -> datetime:
        zone = self.switches.time_zone
        return self._clock().astimezone(UTC if zone == "UTC" else ZoneInfo(zone))  # UTC needs no zone files

    def _until_midnight(self) -> float:
        now = self._local()
        midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        return (midnight - now).total_seconds()
