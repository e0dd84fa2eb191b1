"""Whatever happens in the books while they are read, every document is published in its last state, with all that is applied to it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from acumatica_model import OVERLAP, settings_of
from documents_model import Beat, Edit, Receivables, Scenario, scenarios, state_of
from hypothesis import Phase, given, settings

from producers.acumatica import AcumaticaSource
from producers.acumatica_dac import Dac
from producers.base import Position
from schemas.sources import AcumaticaDocument

EXAMPLES = 200
Walks = tuple[str, ...]
OURS: Walks = ("application", "invoice", "payment")


def lost(scenario: Scenario, walks: Walks) -> dict[str, tuple[str | None, str]]:
    """Poll until the ERP is quiet and three rounds longer. What was not published as it is now: NoteID -> (published, there)."""
    reading, quiet = Reading(Receivables(scenario), walks, list(scenario.ends)), 0
    for _ in range(400):
        reading.round()
        quiet += reading.site.quiet and not reading.ends
        if quiet > 3:
            return reading.lost()
        reading.site.advance(scenario.gap + (OVERLAP if reading.site.quiet else 0.0))
    raise AssertionError("the poller does not come to an end")


class Reading:
    """The loop around a source: each page is published, aborted or cut off by a kill, as `ends` says."""

    def __init__(self, site: Receivables, walks: Walks, ends: list[str]) -> None:
        self.site, self.ends = site, ends
        self.positions: dict[str, Position | None] = dict.fromkeys(walks)
        self.published: dict[str, str] = {}
        self._start()

    def _start(self) -> None:
        made = settings_of(page_size=self.site.scenario.size, feed="odata")
        self.source = AcumaticaSource(made, self.site)  # type: ignore[arg-type]

    def round(self) -> None:
        for walk in self.positions:
            more = True
            while more:
                more = self._page(walk)

    def _page(self, walk: str) -> bool:
        page = self.source.poll(walk, self.positions[walk])
        end = self.ends.pop(0) if self.ends else "published"
        assert not [one.error.reason for one in page.refused]
        if end in ("published", "killed after"):
            self.positions[walk] = page.position
            for change in page.changes:
                record = change.record
                assert isinstance(record, AcumaticaDocument)
                rows = [one.model_dump() for one in record.Applications]
                self.published[change.key.rpartition(":")[2]] = state_of(record.DocDesc or "", record.CuryDocBal, rows)
        if end == "published":
            page.committed()
        elif end.startswith("killed"):
            self._start()
        return page.more or end != "published"

    def lost(self) -> dict[str, tuple[str | None, str]]:
        return {note: (self.published.get(note), there) for note, there in self.site.states().items() if self.published.get(note) != there}


def property_of(walks: Walks, *phases: Phase) -> Callable[[], None]:
    @settings(max_examples=EXAMPLES, deadline=None, database=None, report_multiple_bugs=False, phases=phases or tuple(Phase))
    @given(scenarios())
    def every_last_state_is_published(scenario: Scenario) -> None:
        assert lost(scenario, walks) == {}

    return every_last_state_is_published


def test_every_last_state_is_published() -> None:
    """Edits, applications and reversals between any two calls, a server that cuts its answers, late commits, a skewed clock, kills."""
    property_of(OURS)()


def test_without_the_walk_of_applications_some_are_lost() -> None:
    """The same test fails for who looks at the documents' own stamps alone, so it can tell."""
    with pytest.raises(AssertionError, match=r"== \{\}"):
        property_of(("invoice", "payment"), Phase.generate)()


CALM = Scenario(size=10, cap=0, bumps=False, skew=0.0, beats=[], ends=[], gap=0.0)


def between_any_two_calls() -> list[dict[str, tuple[str | None, str]]]:
    """A document is edited; while that is read, a payment is applied to it before or after the first call, the second one and so on."""
    found = []
    for place in range(20):
        site = Receivables(CALM)
        reading = Reading(site, OURS, [])
        reading.round()
        site._edit(Edit("edit", 0, 0, 0.0))
        beat = [[], [Edit("apply", 0, 0, 0.0)]]
        site.beats = [Beat([], [], 0.05)] * (place // 2) + [Beat(beat[place % 2], beat[1 - place % 2], 0.05)]
        for _ in range(4):
            reading.round()
        assert site.quiet
        found.append(reading.lost())
    return found


def test_applied_between_any_two_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Applications are read before their documents: what is applied in between is seen later. The other way round it is lost."""
    assert not any(between_any_two_calls())
    ours = Dac.whole

    def after(self: Dac, table, keys, window=None):  # type: ignore[no-untyped-def]
        keys = list(keys)
        first = ours(self, table, keys, window)
        then = {row["id"]: row["Applications"] for row in ours(self, table, keys, window)}
        return [{**row, "Applications": then.get(row["id"], [])} for row in first]

    monkeypatch.setattr(Dac, "whole", after)
    assert any(between_any_two_calls())


def test_two_edits_of_one_instant() -> None:
    """What comes with the stamp of a state that was published already is seen before that stamp leaves the overlap."""
    site = Receivables(CALM)
    reading = Reading(site, OURS, [])
    reading.round()
    site._edit(Edit("edit", 0, 0, 0.0))
    reading.round()
    for key, row in list(site.tables["ARInvoice"].items()):
        site.tables["ARInvoice"][key] = {**row, "DocDesc": row["DocDesc"] + "!"} if row["DocDesc"] != "v" else row
    for _ in range(10):
        site.advance(OVERLAP / 4)
        reading.round()
    assert reading.lost() == {}
