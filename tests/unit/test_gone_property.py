"""Whatever happens in the ERP while it is read again: what is there is never deleted, and what is gone is found by a reading in peace."""

from __future__ import annotations

import pytest
from acumatica_model import Scenario, Site, scenarios, settings_of
from hypothesis import Phase, given, settings

from producers import acumatica_gone
from producers.acumatica import AcumaticaSource
from producers.acumatica_gone import Gone
from producers.base import Page

#: A mutant is seen at the first example that shows it, which takes some hundreds.
EXAMPLES, MANY = 500, 5000


class Readings:
    """Readings of everything, one after the other, by a producer that is killed and started again. `live` is what consumers hold."""

    def __init__(self, scenario: Scenario) -> None:
        self.site, self.ends = Site(scenario), list(scenario.ends)
        self.live: set[str] = set()
        self.wrong: list[str] = []
        self.poller = self.start()

    def start(self) -> AcumaticaSource:
        return AcumaticaSource(settings_of(page_size=self.site.scenario.size), self.site, lambda entity: set(self.live))

    def there(self) -> set[str]:
        return {f"acumatica:customer:{note}" for note in self.site.table}

    def read(self) -> None:
        position, more = None, True
        while more:
            page = self.poller.poll("customer", position)
            end = self.ends.pop(0) if self.ends else "published"
            if end in ("published", "killed after"):
                position, more = page.position, page.more
                self.publish(page)
            if end == "published":
                page.committed()
            elif end.startswith("killed"):
                self.poller = self.start()

    def publish(self, page: Page) -> None:
        for change in page.changes:
            if change.record.change == "delete":  # type: ignore[attr-defined]
                self.live.discard(change.key)
                self.wrong += {change.key} & self.there()
            else:
                self.live.add(change.key)


def deletes_are_right(examples: int, *phases: Phase) -> None:
    """`phases`: of a mutant, which gets the same examples each time."""

    @settings(max_examples=examples, deadline=None, database=None, phases=phases or tuple(Phase), derandomize=bool(phases))
    @given(scenarios())
    def only_what_is_gone_is_deleted(scenario: Scenario) -> None:
        readings = Readings(scenario)
        for _ in range(100):
            readings.read()
            readings.site.advance(5.0)
            if readings.site.quiet and not readings.ends:
                break
        readings.read()
        assert readings.wrong == []
        assert readings.live == readings.there() or not readings.there()

    only_what_is_gone_is_deleted()


@pytest.fixture(autouse=True)
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here more rows may go at once than would be believed."""
    monkeypatch.setattr(acumatica_gone, "FEW", 1000)


def test_only_what_is_gone_is_deleted() -> None:
    """Renames past the reading, inserts, open transactions, pages that are lost, kills: no `delete` for a row that is there."""
    deletes_are_right(EXAMPLES)


def test_what_was_not_met_alone_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same test fails for a source that does not ask by the id, so it can tell."""
    monkeypatch.setattr(Gone, "_there", lambda self, table, ref: ref in self._met[table.entity])
    with pytest.raises(AssertionError, match=r"assert \['acumatica"):
        deletes_are_right(MANY, Phase.generate)


def test_a_walk_that_was_cut_short_would_delete(monkeypatch: pytest.MonkeyPatch) -> None:
    """And for one that neither asks nor knows that its walk began in another process."""
    monkeypatch.setattr(Gone, "_there", lambda self, table, ref: ref in self._met[table.entity])
    began = Gone.met
    monkeypatch.setattr(
        Gone, "met", lambda self, table, rows, first, last: began(self, table, rows, first or table.entity not in self._met, last)
    )
    with pytest.raises(AssertionError, match=r"assert \['acumatica"):
        deletes_are_right(MANY, Phase.generate)
