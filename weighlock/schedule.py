"""When an entity is polled: the part of the settings that each of them has."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from croniter import croniter
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator


class Hours(BaseModel):
    """From one time of day to another, over midnight where `to` is the smaller one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    start: time = Field(alias="from")
    end: time = Field(alias="to")

    @field_validator("end")
    @classmethod
    def _minute(cls, end: time) -> time:
        if end != end.replace(second=0, microsecond=0):
            raise ValueError("give hours and minutes (HH:MM)")
        return end

    def hold(self, at: time) -> bool:
        return self.start <= at < self.end if self.start <= self.end else at >= self.start or at < self.end


class Schedule(BaseModel):
    """When an entity is polled: every so many seconds, or by a cron line; never in the hours of rest. `reread` is a cron line too:
    then everything is read once more, for what does not touch a record's own stamp."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    every: float | None = Field(default=None, gt=0, description="seconds between two polls")
    cron: str | None = None
    rest: list[Hours] = []
    reread: str | None = "17 2 * * *"
    zone: str = "UTC"

    @field_validator("cron", "reread")
    @classmethod
    def _cron(cls, line: str | None) -> str | None:
        if line is not None and not croniter.is_valid(line):
            raise ValueError(f"{line!r} is no cron line (minute hour day month weekday)")
        return line

    @field_validator("zone")
    @classmethod
    def _zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"{name!r} is no time zone (Europe/Berlin, UTC …)") from None
        return name

    @field_validator("rest")
    @classmethod
    def _some_waking(cls, rest: list[Hours]) -> list[Hours]:
        if all(any(hours.hold(time(minute // 60, minute % 60)) for hours in rest) for minute in range(24 * 60)):
            raise ValueError("the hours of rest leave no time of the day to poll")
        return rest

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.every is None) == (self.cron is None):
            raise ValueError("give either `every` (seconds) or `cron`, not both")
        return self

    def next(self, after: datetime) -> datetime:
        """When to poll next, given the last poll's start (aware); in UTC, outside the hours of rest."""
        zone = ZoneInfo(self.zone)
        if self.cron is not None:
            times = croniter(self.cron, after.astimezone(zone))
            due = times.get_next(datetime)
            while self._resting(due):
                due = times.get_next(datetime)
            return due.astimezone(UTC)
        due = datetime.fromtimestamp(after.timestamp() + (self.every or 0), zone)
        while hours := self._resting(due):
            due = croniter(f"{hours.end.minute} {hours.end.hour} * * *", due).get_next(datetime)
        return due.astimezone(UTC)

    def _resting(self, due: datetime) -> Hours | None:
        return next((hours for hours in self.rest if hours.hold(due.time())), None)

    def reread_due(self, last: datetime, at: datetime) -> bool:
        """Has the `reread` line come due between two instants?"""
        if self.reread is None:
            return False
        zone = ZoneInfo(self.zone)
        return bool(croniter(self.reread, last.astimezone(zone)).get_next(datetime) <= at.astimezone(zone))
