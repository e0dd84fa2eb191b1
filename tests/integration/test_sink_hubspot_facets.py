"""HubSpotTarget against the sandbox, without Kafka: further facets of a company."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

import pytest

from sinks.contract import Gone, Resolved, Written
from tests.integration.sink_kit import Sandbox, company, receivables
from tests.integration.test_sink_hubspot_identity import started
from tests.integration.test_sink_hubspot_match import Bench, id_of

numbers = itertools.count(1)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    portal: Sandbox = started(tmp_path_factory.mktemp("hubspot"))
    yield Bench(portal)
    portal.close()


def further(number: int, id: str, **properties: str | None) -> Resolved:
    return Resolved(receivables(number, 1, **properties), {"company": id}, written=id)


def test_a_further_facet_costs_no_search(bench: Bench) -> None:
    """Of a hundred companies that were written before: read once and changed once, by their ids; what others own stays."""
    some = [next(numbers) for _ in range(100)]
    ids = [id_of(answer) for answer in bench.write(*(company(n, 1, phone=str(n), domain=f"f{n}.example") for n in some)).values()]
    before = bench.sandbox.get("calls")["total"]
    answers = bench.write(*(further(n, id, acumatica_terms="30D") for n, id in zip(some, ids, strict=True)))
    assert bench.sandbox.get("calls")["total"] == before + 2
    assert list(answers.values()) == [Written(id, "known") for id in ids]
    held = bench.record("companies", ids[0])
    assert (held["phone"], held["acumatica_terms"], held["domain"]) == (str(some[0]), "30D", f"f{some[0]}.example")


def test_a_further_facet_makes_no_company(bench: Bench) -> None:
    """A company that people deleted, or gave another key, is not made for a further facet's sake; one that they merged has it."""
    deleted, taken, merged = (next(numbers) for _ in range(3))
    ids = [id_of(bench.write_one(company(n, 1))) for n in (deleted, taken, merged)]
    bench.sandbox.edit(entity="company", key=ids[0], delete=True)
    bench.sandbox.edit(entity="company", key=ids[1], fields={"acumatica_customer_key": "t|another"})
    people = bench.make("company", name="a person's")
    bench.sandbox.edit(entity="company", key=people, merge=ids[2])
    count = len(bench.sandbox.live("companies"))
    wishes = [further(n, id, acumatica_terms="30D") for n, id in zip((deleted, taken, merged), ids, strict=True)]
    found = bench.write(*wishes)
    answers = [found[one.wish.subject] for one in wishes]
    assert [*answers[:2], bench.write_one(replace(wishes[0], written=None))] == [Gone(), Gone(), Gone()]
    held = bench.record("companies", id_of(answers[2]))
    assert (held["acumatica_terms"], held["acumatica_customer_key"]) == ("30D", wishes[2].wish.key_value)
    assert len(bench.sandbox.live("companies")) == count
