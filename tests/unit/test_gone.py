"""What a whole walk did not meet: deleted, or hidden from us."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from producers.acumatica_gone import FEW, PART, PORTION, Gone
from producers.acumatica_tables import CONTACT, CUSTOMER, Table
from sandbox.data import load
from tests.contract.source_kit import bench
from weighlock.errors import ConfigError, RejectedError, TransientError, WeighlockError

NOW = datetime(2026, 11, 21, 4, tzinfo=UTC)


class Site:
    """Acumatica by id: what is in `there` is there. `asked` are the ids it was asked for; `fails` is how it answers one of them, once."""

    def __init__(self, *there: int) -> None:
        self.there, self.asked, self.fails = {f"n{number}" for number in there}, list[str](), dict[str, WeighlockError]()

    def get(self, entity: str, key: str, select: Any, expand: Any = ()) -> dict[str, Any] | None:
        self.asked.append(key)
        if key in self.fails:
            raise self.fails.pop(key)
        return {"id": key} if key in self.there else None


def gone(site: Site, known: int) -> Gone:
    return Gone(site, lambda entity: {f"acumatica:{entity}:n{number}" for number in range(known)})  # type: ignore[arg-type]


def rows(*numbers: int) -> list[dict[str, Any]]:
    return [{"id": f"N{number}"} for number in numbers]


def deletes(found: Gone, table: Table = CUSTOMER) -> list[str]:
    """One portion that gets into Kafka."""
    changes = found.ask(table, NOW)
    assert {(one.key, one.record.change) for one in changes} == {(one.record.ref, "delete") for one in changes}  # type: ignore[attr-defined]
    found.answered(table)
    return [one.key.rpartition(":")[2] for one in changes]


@pytest.mark.parametrize("table", [CUSTOMER, CONTACT])
def test_only_what_the_site_denies_is_deleted(table: Table) -> None:
    """Not met and denied by its id: a delete. Not met and yet there (renamed while we walked): nothing."""
    site = Site(0, 1, 3, 4, 5)
    found = gone(site, 6)
    assert not found.met(table, rows(0, 1), True, False)
    assert found.met(table, rows(4, 5), False, True)
    assert deletes(found, table) == ["n2"]
    assert site.asked == ["n0", "n2", "n3"]
    assert not found.more(table)


def test_nobody_is_asked_where_all_were_met() -> None:
    """A walk that met everybody ends there."""
    assert not gone(Site(), 2).met(CUSTOMER, rows(0, 1), True, True)


def test_a_page_that_is_read_again_finds_the_same() -> None:
    """A last page, or a portion, that did not get into Kafka is read again, and finds again what is gone."""
    site = Site(0)
    found = gone(site, 3)
    found.met(CUSTOMER, rows(0), True, False)
    assert found.met(CUSTOMER, rows(1), False, True)
    assert found.met(CUSTOMER, rows(1), False, True)
    lost = found.ask(CUSTOMER, NOW)
    assert [one.key for one in lost] == [one.key for one in found.ask(CUSTOMER, NOW)] == ["acumatica:customer:n2"]
    assert deletes(found) == ["n2"]
    assert deletes(found) == []


def test_an_error_says_nothing() -> None:
    """A question that fails is raised, and asked again; one that is refused has no answer: nobody counts as deleted by either."""
    site = Site(0)
    found = gone(site, 4)
    found.met(CUSTOMER, rows(0), True, True)
    site.fails = {"n1": TransientError("503"), "n2": ConfigError("404"), "n3": RejectedError("400")}
    with pytest.raises(TransientError):
        found.ask(CUSTOMER, NOW)
    assert deletes(found) == ["n1"]


@pytest.mark.parametrize("first", [True, False])
def test_a_walk_that_was_cut_short_proves_nothing(first: bool) -> None:
    """What another process met before us is not known, nor what we met before we lost our place: nobody is asked."""
    site = Site()
    found = gone(site, 3)
    if first:
        found.met(CUSTOMER, rows(0, 1), True, False)
        found.forget()
    assert not found.met(CUSTOMER, rows(2), False, True)
    assert deletes(found) == site.asked == []


def test_questions_of_a_process_that_went_are_dropped() -> None:
    """The one that goes on after it has nobody to ask for."""
    site = Site(0)
    found = gone(site, 2)
    assert found.met(CUSTOMER, rows(0), True, True)
    found.forget()
    assert deletes(found) == site.asked == []


@pytest.mark.parametrize(("absent", "deleted"), [(FEW, FEW), (FEW + 1, 0)])
def test_too_many_at_once_are_no_deletes(absent: int, deleted: int) -> None:
    """More than ten and than a twentieth of all: a view was taken from us, nothing is deleted and nobody is asked."""
    site = Site(*range(absent, 20))
    found = gone(site, 20)
    assert found.met(CUSTOMER, rows(*range(absent, 20)), True, True) == (deleted > 0)
    assert len(deletes(found)) == deleted
    assert len(site.asked) == (deleted + 1 if deleted else 0)


def test_an_empty_reading_proves_nothing() -> None:
    """Even where we know only a few: a site that shows nothing at all has hidden it."""
    assert not gone(Site(), 3).met(CUSTOMER, [], True, True)


def test_a_site_that_denies_what_it_lists() -> None:
    """Questions by id do not work there: nothing counts as deleted, now or in the next portion."""
    site = Site()
    found = gone(site, 3)
    assert found.met(CUSTOMER, rows(0, 1), True, True)
    assert deletes(found) == []
    assert site.asked == ["n0"]
    assert not found.more(CUSTOMER)


def test_many_are_asked_for_in_portions() -> None:
    """A page asks for twenty at the most, so that it stays within the licence's share; the walk ends after the last portion."""
    known, absent = (PORTION + 5) * PART, PORTION + 5
    site = Site(*range(absent, known))
    found = gone(site, known)
    assert found.met(CONTACT, rows(*range(absent, known)), True, True)
    assert found.more(CONTACT)
    first = deletes(found, CONTACT)
    assert (len(first), len(site.asked), found.more(CONTACT)) == (PORTION, PORTION + 1, False)
    assert len({*first, *deletes(found, CONTACT)}) == absent


def test_the_source_reads_by_id_what_its_lists_did_not_show(tmp_path: Path) -> None:
    """The whole source against the sandbox: of two that a reading did not meet one is deleted and one only hidden from the list; a 503, a
    page of HTML and a reset on the way conclude nothing; the walk comes to rest where it would have rested."""
    book = load("demo", customers=40, contacts=100)
    refs = {f"acumatica:customer:{row['id']}".lower(): row["CustomerID"] for row in book.customers}
    (away, hidden, *_) = sorted(refs)[3:]
    with bench(tmp_path, book, {"page_size": 25}, lambda entity: set(refs)) as made:
        made.edit(entity="customer", key=refs[away], delete=True)
        made.site.control("faults", kind="hidden-rows", path="/Customer$", times=3, args={"keys": [refs[hidden]]})
        troubles: tuple[tuple[str, dict[str, Any]], ...] = (("status", {"status": 503}), ("html", {"status": 200}), ("reset", {}))
        for kind, args in troubles:
            made.site.control("faults", kind=kind, path="/Customer/", args=args)
        position, records, raised = None, [], 0
        while position is None or position["walk"] != "idle":
            try:
                page = made.source.poll("customer", position)
            except TransientError:
                raised += 1
                assert position is not None
                assert position["walk"] == "gone"
                continue
            page.committed()
            records += [change.record for change in page.changes]
            position = page.position
        assert raised == len(troubles)
        assert [one.ref for one in records if one.change == "delete"] == [away]
        assert {one.ref for one in records if one.change == "snapshot"} == refs.keys() - {away, hidden}
        assert set(position) == {"walk", "since"}
        assert made.walk("customer", position)[0] == []
