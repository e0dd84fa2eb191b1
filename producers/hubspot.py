"""HubSpot's won deals, each with its company and its main contact: everything once by the list, then what changed by search.

Search is an index that is seconds behind, sometimes minutes: so each window begins some overlap before the last one did, and what it
finds is read again by its id. What the index never shows is found by the nightly reading of everything (`reread`), which is a plain list.

Positions are plain maps of texts: `walk` is `full` or `changes` (with `after`, the last id that was read, and `clock`, when it began) or
`idle`; `since` is where the window of `changes` begins, or the next one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from pydantic import ValidationError

from producers.base import Change, Page, Position, Refused
from producers.hubspot_companions import Companions
from schemas.headers import Passage, new_trace
from schemas.refs import Ref
from schemas.sources import SourceHubspotDeal
from schemas.topics import SOURCE_DEAL
from weighlock.clients.hubspot_answers import Item
from weighlock.clients.hubspot_deals import MODIFIED, HubSpotDeals, Stage
from weighlock.errors import ConfigError, RejectedError, brief, sayable
from weighlock.schedule import Schedule
from weighlock.settings import Settings

SYSTEM, DEAL = "hubspot", "deal"
#: Read and used, but no field of the record.
PRIMARY = "hs_primary_associated_company"
TEXTS = ("dealname", "dealstage", "pipeline", "dealtype", "amount", "deal_currency_code")
MOMENTS = ("closedate", "hs_closed_won_date")
PROPERTIES = (*TEXTS, *MOMENTS, "hs_is_closed_won", MODIFIED, PRIMARY)
#: The portal's pipelines are read again after so long.
HOUR = timedelta(hours=1)


def _now() -> datetime:
    return datetime.now(UTC)


class HubSpotSource:
    """One per process. `client` and `clock` (aware, UTC) are replaced in tests."""

    name = SYSTEM

    def __init__(self, settings: Settings, client: HubSpotDeals | None = None, clock: Callable[[], datetime] = _now) -> None:
        given = settings.need_deals()
        self.entities: Mapping[str, Schedule] = {DEAL: given.deal}
        self._client = client or HubSpotDeals.of(settings)
        self._since, self._named = given.since, tuple(given.stages)
        self._overlap = timedelta(seconds=given.overlap_seconds)
        self._clock = clock
        self._log = structlog.get_logger(worker=f"source-{SYSTEM}")
        self._forget()

    def _forget(self) -> None:
        self._stages: dict[str, Stage] = {}
        self._stages_at: datetime | None = None
        #: By id, when it was changed last of what was published, as far back as the overlap reaches.
        self._seen: dict[str, datetime] = {}

    def check(self) -> None:
        """The token may read pipelines, and the stages of the settings are there; else `AuthError` or `ConfigError`."""
        self._learn_stages(self._clock())

    def close(self) -> None:
        self._forget()

    def poll(self, entity: str, position: Position | None) -> Page:
        """See `producers.base.Source`."""
        now = self._clock()
        self._learn_stages(now)
        position = _begun(position, now)
        if position["walk"] == "full":
            items, after = self._client.page(DEAL, PROPERTIES, position["after"] or None)
            more = after is not None
        else:
            hits, more = self._client.changed(sorted(self._wanted), datetime.fromisoformat(position["since"]), position["after"])
            after = hits[-1].id if hits else ""
            items = self._client.read(DEAL, [hit.id for hit in hits if self._is_news(hit)], PROPERTIES)
        changes, refused = self._changes(items, "snapshot" if position["walk"] == "full" else "upsert", now)
        following = {**position, "after": after or ""} if more else self._idle(position)
        done = {item.id: at for item in items if (at := _moment(item, MODIFIED)) is not None and self._is_wanted(item)}
        return Page(changes, following, more, refused, lambda: self._commit(done, following))

    def _idle(self, position: Position) -> Position:
        return {"walk": "idle", "since": (datetime.fromisoformat(position["clock"]) - self._overlap).isoformat()}

    def _commit(self, done: Mapping[str, datetime], position: Position) -> None:
        self._seen |= done
        if position["walk"] == "idle":
            since = datetime.fromisoformat(position["since"])
            self._seen = {id: at for id, at in self._seen.items() if at >= since}

    def _is_news(self, hit: Item) -> bool:
        """The overlap shows again what was published, and the index perhaps an older state of it."""
        at, seen = _moment(hit, MODIFIED), self._seen.get(hit.id)
        return at is None or seen is None or at > seen

    def _learn_stages(self, now: datetime) -> None:
        """`ConfigError` at the start where there is no stage to look for; later that is only said."""
        if self._stages_at is not None and now < self._stages_at + HOUR:
            return
        self._client.account()
        stages = self._client.stages()
        unknown = [name for name in self._named if name not in stages]
        there = ", ".join(f"{stage.id} ({stage.label})" for stage in stages.values()) or "none"
        problem = ""
        if unknown:
            problem = f"deals.stages: HubSpot's pipelines have no stage {', '.join(unknown)}; there are {there}"
        elif not self._named and not any(stage.won for stage in stages.values()):
            problem = f"deals: no stage of HubSpot's pipelines is won: name some in deals.stages; there are {there}"
        if problem and self._stages_at is None:
            raise ConfigError(problem)
        if problem:
            self._log.error("the stages have changed", problem=problem)
        self._stages, self._stages_at = stages, now

    @property
    def _wanted(self) -> set[str]:
        return set(self._named) or {stage.id for stage in self._stages.values() if stage.won}

    def _is_wanted(self, item: Item) -> bool:
        """In a stage that counts (or in one that nobody knows, yet won), and won on the first day of the settings or later."""
        stage = item.properties.get("dealstage") or ""
        astray = not self._named and stage not in self._stages and _flag(item) is True
        if stage not in self._wanted and not astray:
            return False
        won = _moment(item, "hs_closed_won_date") or _moment(item, "closedate")
        return won is None or won.date() >= self._since

    def _changes(self, items: Iterable[Item], change: str, read_at: datetime) -> tuple[list[Change], list[Refused]]:
        wanted = [item for item in items if self._is_wanted(item)]
        found, refused = list[Change](), list[Refused]()
        companions = Companions(self._client).of(wanted, PRIMARY)
        for item in wanted:
            ref = str(Ref(SYSTEM, DEAL, item.id))
            passage = Passage(new_trace(), SYSTEM, _moment(item, MODIFIED) or read_at)
            try:
                record = self._record(item, ref, change, read_at, companions[item.id])
            except RejectedError as error:
                refused.append(Refused(ref, json.dumps(dict(item.properties)), error, passage))
            else:
                found.append(Change(SOURCE_DEAL, ref, record, passage))
        return found, refused

    def _record(self, item: Item, ref: str, change: str, read_at: datetime, companions: Mapping[str, Any]) -> SourceHubspotDeal:
        stage = self._stages.get(item.properties.get("dealstage") or "")
        words: dict[str, Any] = {name: item.properties.get(name) or None for name in TEXTS}
        words |= {name: _moment(item, name) for name in MOMENTS}
        words |= {"hs_is_closed_won": _flag(item), "scope": self._scope(item, stage), **companions}
        words |= {"stage_label": stage.label, "pipeline_label": stage.pipeline} if stage else {}
        modified = _moment(item, MODIFIED)
        if modified is None:
            raise RejectedError(f"{ref} has no {MODIFIED}: nobody can say when it changed")
        try:
            return SourceHubspotDeal(ref=ref, change=change, modified_at=modified, read_at=read_at, **words)
        except ValidationError as error:
            faults = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
            raise RejectedError(f"{ref} does not fit {SourceHubspotDeal.schema_name}: {sayable(brief(faults, 2000))}") from None

    def _scope(self, item: Item, stage: Stage | None) -> str | None:
        """The portal's pipelines say that the stage is won, HubSpot's own calculation says that the deal is not: that one may be behind."""
        if stage is None or self._named or _flag(item) is not False:
            return None
        return f"its stage {stage.label} is a won one, but HubSpot does not count the deal as won (hs_is_closed_won is false)"


def _begun(position: Position | None, now: datetime) -> Position:
    if not position:
        return {"walk": "full", "after": "", "clock": now.isoformat()}
    if position["walk"] != "idle":
        return position
    return {"walk": "changes", "after": "", "clock": now.isoformat(), "since": position["since"]}


def _flag(item: Item) -> bool | None:
    return {"true": True, "false": False}.get((item.properties.get("hs_is_closed_won") or "").lower())


def _moment(item: Item, name: str) -> datetime | None:
    """An instant as HubSpot writes it, or its milliseconds; a bare day is midnight, UTC. None for what is none."""
    given = item.properties.get(name) or ""
    try:
        found = datetime.fromtimestamp(int(given) / 1000, UTC) if given.isdigit() else datetime.fromisoformat(given)
    except (ValueError, OverflowError, OSError):
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
