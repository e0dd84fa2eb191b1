"""Whatever happens in the ERP while it is read, the last state of every record is published: ours holds, two usual pollers do not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Protocol

import pytest
from acumatica_model import OVERLAP, Scenario, Site, scenarios, settings_of
from hypothesis import Phase, given, settings

from producers.acumatica import AcumaticaSource
from producers.acumatica_tables import CUSTOMER
from producers.acumatica_walk import STAMP, Position
from producers.base import Change, Page
from schemas.headers import Passage, new_trace
from schemas.sources import SourceAcumaticaCustomer
from weighlock.clients.acumatica_values import instant, literal

EXAMPLES = 1500


class Poller(Protocol):
    def poll(self, entity: str, position: Position | None) -> Page: ...


Make = Callable[[Site], Poller]


def ours(site: Site) -> Poller:
    return AcumaticaSource(settings_of(page_size=site.scenario.size), site)


class _Usual:
    """What the two usual pollers share: the row as a change, and the window's end by the server's clock with the same overlap."""

    def __init__(self, site: Site) -> None:
        self.site, self.size = site, site.scenario.size
        site.check()

    def page(self, rows: list[dict[str, Any]], position: Position, more: bool) -> Page:
        records = [CUSTOMER.record_of(row, "upsert", self.site.now()) for row in rows]
        changes = [Change(CUSTOMER.topic, one.ref, one, Passage(new_trace(), "acumatica", one.modified_at)) for one in records]
        return Page(changes, position, more)


class SkipPoller(_Usual):
    """Pages with $skip over the live table, in a frozen window with overlap."""

    def poll(self, entity: str, position: Position | None) -> Page:
        position = position or {"skip": "0", "filter": "", "clock": self.site.now().isoformat()}
        if position["skip"] == "":
            until = self.site.now() + timedelta(seconds=1)
            window = f"{STAMP} ge {literal(datetime.fromisoformat(position['since']))} and {STAMP} lt {literal(until)}"
            position = {"skip": "0", "filter": window, "clock": self.site.now().isoformat()}
        skip = int(position["skip"])
        rows = self.site.list("Customer", [], filter=position["filter"], top=self.size, skip=skip)
        if len(rows) == self.size:
            return self.page(rows, {**position, "skip": str(skip + self.size)}, True)
        since = datetime.fromisoformat(position["clock"]) - timedelta(seconds=OVERLAP)
        return self.page(rows, {"skip": "", "since": since.isoformat()}, False)


class LastStampPoller(_Usual):
    """Asks for what is newer than the newest stamp it has seen, all in one page."""

    def poll(self, entity: str, position: Position | None) -> Page:
        newer = f"{STAMP} gt {literal(datetime.fromisoformat(position['stamp']))}" if position and position["stamp"] else ""
        rows = self.site.list("Customer", [], filter=newer)
        stamps = [instant(row[STAMP]).isoformat() for row in rows]
        return self.page(rows, {"stamp": max([*stamps, (position or {}).get("stamp", "")])}, False)


def lost(make: Make, scenario: Scenario) -> dict[str, tuple[str | None, str]]:
    """Poll until the ERP is quiet and three walks longer. What was not published as it is now: ref -> (published, there)."""
    site = Site(scenario)
    poller, position, published, quiet = make(site), None, {}, 0
    ends = list(scenario.ends)
    for _ in range(1000):
        page = poller.poll("customer", position)
        end = ends.pop(0) if ends else "published"
        if end in ("published", "killed after"):
            position = page.position
            for change in page.changes:
                assert isinstance(change.record, SourceAcumaticaCustomer)
                published[change.key] = f"{change.record.CustomerID} {change.record.CustomerName}"
        if end == "published":
            page.committed()
        elif end.startswith("killed"):
            poller = make(site)
        if not page.more:
            quiet += site.quiet and not ends
            if quiet > 3:
                break
            site.advance(scenario.gap + (OVERLAP if site.quiet else 0.0))
    else:
        raise AssertionError("the poller does not come to an end")
    there = {f"acumatica:customer:{note}": f"{record.key} version {record.version}" for note, record in site.table.items()}
    return {ref: (published.get(ref), state) for ref, state in there.items() if published.get(ref) != state}


def property_of(make: Make, *phases: Phase) -> Callable[[], None]:
    """The one test, for any poller."""

    @settings(max_examples=EXAMPLES, deadline=None, database=None, report_multiple_bugs=False, phases=phases or tuple(Phase))
    @given(scenarios())
    def every_last_state_is_published(scenario: Scenario) -> None:
        assert lost(make, scenario) == {}

    return every_last_state_is_published


def test_ours_publishes_every_last_state() -> None:
    """Edits between request and answer, equal stamps, a skewed clock, late commits, renames, kills: nothing is lost."""
    property_of(ours)()


@pytest.mark.parametrize("usual", [SkipPoller, LastStampPoller])
def test_the_usual_pollers_lose_records(usual: Make) -> None:
    """The same test fails for a `$skip` poller and for a `> last stamp` cursor, so it can tell."""
    with pytest.raises(AssertionError, match="version"):
        property_of(usual, Phase.generate)()


def test_the_mutant_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same test fails for our own poller when the fail-point module makes it page with `$skip`."""
    monkeypatch.setenv("WEIGHLOCK_TESTING", "1")
    monkeypatch.setenv("WEIGHLOCK_MUTANT", "skip-paging")
    with pytest.raises(AssertionError, match="version"):
        property_of(ours, Phase.generate)()
