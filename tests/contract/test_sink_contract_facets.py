"""What every sink inherits: several facets of one record, each with a history of its own, and references that may come later."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from schemas.records import Reference, Wish
from sinks.again import AGAIN
from tests.contract.sink_memory import Bench, Memory, numbers
from tests.integration.sink_kit import Desk, company, contact, receivables, sink_running

LATER = 1_763_700_000_000


@pytest.fixture(scope="module")
def running(stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:  # type: ignore[no-untyped-def]
    desk, memory = Desk(stack.kafka, stack.registry, f"f{time.time_ns()}.", None, tmp_path_factory.mktemp("sink")), Memory()
    with sink_running(desk, memory) as complain:
        yield Bench(desk, memory, complain)


@pytest.fixture
def bench(running: Bench) -> Iterator[Bench]:
    yield running
    running.target.ids = {}


def with_friend(number: int, version: int, of: int, friend: int, **properties: str | None) -> Wish:
    """A contact of one customer that may know another one."""
    wish = contact(number, version, of, **properties)
    return wish.model_copy(
        update={"references": [*wish.references, Reference(name="friend", ref=company(friend, 0).subject, optional=True)]}
    )


def test_facets_have_a_history_each(bench: Bench) -> None:
    """The second facet waits for the record without a call; its versions are no measure for the first's, and neither is written for the
    other's sake."""
    n = next(numbers)
    bench.desk.send(receivables(n, LATER, balance="10"))
    bench.until_events(company(n, 0), waiting=1)
    assert bench.target.calls_for(company(n, 0)) == 0
    bench.desk.send(company(n, 5, phone="5"))
    bench.until_events(company(n, 0), waiting=1, released=1, written=2)
    bench.desk.send(
        receivables(n, LATER + 1, balance="20"), company(n, 4, phone="4"), company(n, 6, phone="5"), receivables(n, LATER, balance="9")
    )
    bench.until_events(company(n, 0), waiting=1, released=1, written=3, superseded=2, unchanged=1)
    assert bench.target.calls_for(company(n, 0)) == 3
    subject, id = company(n, 0).subject, bench.target.id_of(company(n, 0))
    assert bench.target.facets[subject, "profile"].wish.properties["phone"] == "5"
    assert bench.target.facets[subject, "receivables"].wish.properties == {"balance": "20"}
    result = bench.desk.results()[subject]
    assert {name: (state.version, state.outcome) for name, state in result.facets.items()} == {
        "profile": (6, "written"),
        "receivables": (LATER + 1, "written"),
    }
    assert result.associations == {"company": id}


def test_a_facet_is_repeated_alone(bench: Bench) -> None:
    """What is written once more is the facet in question, with what was written last for that one."""
    n = next(numbers)
    bench.desk.send(company(n, 1), receivables(n, LATER, balance="1"))
    bench.until(lambda: bench.events(company(n, 0)).get("written") == 2, "both")
    bench.desk.send(receivables(n, LATER + 1, balance="2"))
    bench.until(lambda: bench.events(company(n, 0)).get("written") == 3, "the newer one")
    bench.desk.send(receivables(n, LATER, balance="1"), headers=((AGAIN, b"1"),))
    bench.until(lambda: bench.events(company(n, 0)).get("rewritten") == 1, "the repeat")
    assert bench.target.held[company(n, 0).subject].wish == receivables(n, LATER + 1, balance="2").model_copy(
        update={name: getattr(bench.target.held[company(n, 0).subject].wish, name) for name in ("trace", "source_at")}
    )


def test_a_record_made_anew_gets_all_its_facets(bench: Bench) -> None:
    """Where the first facet goes to another record, the second one follows by itself."""
    n = next(numbers)
    bench.desk.send(company(n, 1), receivables(n, LATER, balance="1"))
    bench.until(lambda: bench.events(company(n, 0)).get("written") == 2, "both")
    subject = company(n, 0).subject
    bench.target.ids[subject] = "made-anew"
    bench.desk.send(company(n, 2, phone="2"))
    bench.until(lambda: bench.events(company(n, 0)).get("rewritten") == 1, "the second facet")
    assert bench.target.facets[subject, "receivables"].references == {"company": "made-anew"}
    assert bench.desk.results()[subject].associations == {"company": "made-anew"}


def test_what_its_record_is_gone_for_has_it_made_again(bench: Bench) -> None:
    """A further facet of a record that is not there any more makes none: the facet that does is written once more, then it."""
    n = next(numbers)
    bench.desk.send(company(n, 1, phone="1"))
    bench.until_events(company(n, 0), written=1)
    subject = company(n, 0).subject
    bench.target.ids[subject] = "another"
    bench.desk.send(receivables(n, LATER, balance="1"))
    bench.until_events(company(n, 0), waiting=1, released=1, written=2, rewritten=1)
    held = bench.target.facets[subject, "receivables"]
    assert (held.wish.properties, held.written) == ({"balance": "1"}, "another")
    assert bench.desk.links()[subject] == "hubspot:company:another"


def test_an_optional_reference_is_not_waited_for(bench: Bench) -> None:
    """The wish is written without it; when its link comes, the target is told that only this one is new, and once."""
    m, firm, friend = next(numbers), next(numbers), next(numbers)
    wish = with_friend(m, 1, firm, friend)
    bench.desk.send(company(firm, 1), wish)
    bench.until(lambda: bench.events(wish).get("written") == 1, "without the friend")
    assert bench.desk.results()[wish.subject].missing == [company(friend, 0).subject]
    bench.desk.send(with_friend(m, 2, firm, friend))
    bench.until(lambda: bench.events(wish).get("unchanged") == 1, "nothing new")
    bench.desk.send(company(friend, 1))
    bench.until(lambda: bench.events(wish).get("rewritten") == 1, "with the friend")
    held = bench.target.held[wish.subject]
    assert (held.references, held.arrived) == (
        {name: bench.target.id_of(company(n, 0)) for name, n in (("company", firm), ("friend", friend))},
        {"friend"},
    )
    assert bench.desk.results()[wish.subject].missing == []
    bench.desk.send(with_friend(m, 3, firm, friend, jobtitle="new"))
    bench.until(lambda: bench.events(wish).get("written") == 2, "a change")
    assert bench.target.held[wish.subject].arrived == frozenset()
