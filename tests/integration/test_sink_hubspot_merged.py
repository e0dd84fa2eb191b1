"""docs/identity.md, what people merge in HubSpot: HubSpotTarget against the sandbox, without Kafka.

A merged record has a new id, to which both old ones lead; the loser's key is gone (facts/hubspot.md §14.3). That is not verified
there, so a survivor that kept neither key is tried too.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from sinks.contract import Resolved, Written
from tests.integration.sink_kit import Sandbox, company, contact
from tests.integration.test_sink_hubspot_identity import started
from tests.integration.test_sink_hubspot_match import Bench, id_of
from weighlock.errors import RejectedError

numbers = itertools.count(1)


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    found = started(tmp_path_factory.mktemp("hubspot"))
    yield found
    found.close()


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A portal that does otherwise what nobody could tell us (docs/sandboxes.md)."""
    found = started(tmp_path_factory.mktemp("hubspot"), "merged_ends=refused", "archived_key=conflict")
    yield Bench(found)
    found.close()


@pytest.fixture
def bench(portal: Sandbox) -> Bench:
    return Bench(portal)


def survivor_of(bench: Bench, merged: str) -> str:
    """The record of today into which that one was merged."""
    (found,) = (row["id"] for row in bench.sandbox.live("companies") if merged in row["properties"].get("hs_merged_object_ids", ""))
    return str(found)


def test_a_merged_company_goes_on_in_the_survivor(bench: Bench) -> None:
    """A person merges ours into a company without a key, which takes the key: the survivor gets it back, no second one is made."""
    n = next(numbers)
    ours, other = id_of(bench.write_one(company(n, 1))), bench.make("company", name="the one that stays")
    bench.sandbox.edit(entity="company", key=other, merge=ours)
    answer = bench.write_one(Resolved(company(n, 2, phone="2"), written=ours))
    assert isinstance(answer, Written)
    held = bench.sandbox.held("companies", "acumatica_customer_key")[company(n, 1).key_value]
    assert held["id"] == answer.id not in (ours, other)
    assert held["phone"] == "2"


def test_two_of_ours_merged_into_one(bench: Bench) -> None:
    """A person merges the companies of two customers: it stays the one's whose key it carries, the other's change is a dead letter."""
    a, b = next(numbers), next(numbers)
    one, two = id_of(bench.write_one(company(a, 1))), id_of(bench.write_one(company(b, 1)))
    bench.sandbox.edit(entity="company", key=one, merge=two)
    answers = bench.write(Resolved(company(a, 2, phone="a"), written=one), Resolved(company(b, 2, phone="b"), written=two))
    survivor = id_of(answers[company(a, 1).subject])
    refused = answers[company(b, 1).subject]
    assert isinstance(refused, RejectedError)
    assert refused.candidates == (survivor,)
    assert company(a, 1).key_value in refused.reason
    assert bench.record("companies", survivor)["phone"] == "a"


def test_two_of_our_contacts_merged_into_one(bench: Bench) -> None:
    """The same for contacts; the other's address is an additional one of the survivor then, and stays so."""
    a, b = next(numbers), next(numbers)
    first, second = (contact(n, 1, None, email=f"person{n}@x.example") for n in (a, b))
    one, two = id_of(bench.write_one(first)), id_of(bench.write_one(second))
    bench.sandbox.edit(entity="contact", key=two, merge=one)
    answers = bench.write(Resolved(first, written=one), Resolved(second, written=two))
    survivor, refused = id_of(answers[second.subject]), answers[first.subject]
    assert isinstance(refused, RejectedError)
    assert refused.candidates == (survivor,)
    found = bench.record("contacts", survivor)
    assert (found["email"], found["hs_additional_emails"]) == (f"person{b}@x.example", f"person{a}@x.example")


@pytest.mark.parametrize("together", [True, False])
def test_two_of_ours_merged_and_no_key_left(bench: Bench, together: bool) -> None:
    """Should the merge lose both keys: the survivor is the one's who changes first, the other's change is a dead letter."""
    a, b = next(numbers), next(numbers)
    one, two = id_of(bench.write_one(company(a, 1))), id_of(bench.write_one(company(b, 1)))
    bench.sandbox.edit(entity="company", key=one, merge=two)
    survivor = survivor_of(bench, two)
    bench.sandbox.edit(entity="company", key=survivor, fields={"acumatica_customer_key": ""})
    wishes = [Resolved(company(b, 2), written=two), Resolved(company(a, 2), written=one)]
    answers = bench.write(*wishes) if together else {**bench.write(wishes[0]), **bench.write(wishes[1])}
    assert id_of(answers[company(b, 1).subject]) == survivor
    refused = answers[company(a, 1).subject]
    assert isinstance(refused, RejectedError)
    assert refused.candidates == (survivor,)


def test_a_link_to_a_merged_record(bench: Bench) -> None:
    """Where only the link is left of what we knew, it leads to the survivor: that is ours, or another's and then a dead letter."""
    a, b = next(numbers), next(numbers)
    one, two = id_of(bench.write_one(company(a, 1))), id_of(bench.write_one(company(b, 1)))
    other = bench.make("company", name="the one that stays")
    bench.sandbox.edit(entity="company", key=other, merge=one)
    survivor = survivor_of(bench, one)
    bench.sandbox.edit(entity="company", key=survivor, fields={"acumatica_customer_key": ""})
    assert id_of(bench.write_one(Resolved(company(a, 2), linked=one))) == survivor
    bench.sandbox.edit(entity="company", key=survivor, merge=two)
    refused = bench.write_one(Resolved(company(b, 2), linked=two))
    assert isinstance(refused, RejectedError)
    assert len(refused.candidates) == 1
    assert company(a, 1).key_value in refused.reason


@pytest.mark.parametrize("portal_of", ["bench", "other"])
def test_contacts_of_a_company_that_lost_its_key(portal_of: str, request: pytest.FixtureRequest) -> None:
    """Two of ours merged: the loser's contacts are with the survivor, new ones too, until it has a company of its own: they move there.
    It makes no difference if HubSpot refuses to associate with the old id."""
    bench: Bench = request.getfixturevalue(portal_of)
    a, b, x, y, z = (next(numbers) for _ in range(5))
    one, two = id_of(bench.write_one(company(a, 1))), id_of(bench.write_one(company(b, 1)))
    stays, moves = (bench.write_one(Resolved(contact(n, 1, of), {"company": id})) for n, of, id in ((x, a, one), (y, b, two)))
    assert isinstance(stays, Written)
    assert isinstance(moves, Written)
    bench.sandbox.edit(entity="company", key=one, merge=two)
    survivor = id_of(bench.write_one(Resolved(company(a, 2), written=one)))
    again = Resolved(contact(y, 2, b, jobtitle="x"), {"company": two}, written=moves.id, associations=moves.associations)
    assert id_of(bench.write_one(again)) == moves.id
    new = bench.write_one(Resolved(contact(z, 1, b), {"company": two}))
    assert isinstance(new, Written)
    assert [set(bench.companies_of(person.id)) for person in (stays, moves, new)] == [{survivor}] * 3
    own = id_of(bench.write_one(company(b, 3)))
    for n, person in ((y, moves), (z, new)):
        bench.write_one(Resolved(contact(n, 3, b), {"company": own}, written=person.id, associations=person.associations))
    assert [set(bench.companies_of(person.id)) for person in (stays, moves, new)] == [{survivor}, {own}, {own}]


def test_a_merged_company_keeps_its_contacts(bench: Bench) -> None:
    """The contact's next change knows the survivor by its new id: their association stays the one there is."""
    n = next(numbers)
    ours, other = id_of(bench.write_one(company(n, 1))), bench.make("company", name="the one that stays")
    person = bench.write_one(Resolved(contact(n, 1, n), {"company": ours}))
    assert isinstance(person, Written)
    bench.sandbox.edit(entity="company", key=ours, merge=other)
    survivor = id_of(bench.write_one(Resolved(company(n, 2), written=ours)))
    again = Resolved(contact(n, 2, n), {"company": survivor}, written=person.id, associations=person.associations)
    assert id_of(bench.write_one(again)) == person.id
    assert bench.companies_of(person.id) == {survivor: [1, 279]}


def test_a_merged_contact_goes_on_in_the_survivor(bench: Bench) -> None:
    """As for companies: ours was merged into a contact of a person's, whose address is kept as an additional one."""
    n = next(numbers)
    ours = id_of(bench.write_one(contact(n, 1, None, email=f"ours{n}@x.example")))
    other = bench.make("contact", email=f"theirs{n}@x.example")
    bench.sandbox.edit(entity="contact", key=other, merge=ours)
    answer = bench.write_one(Resolved(contact(n, 2, None, email=f"ours{n}@x.example", jobtitle="x"), written=ours))
    found = bench.record("contacts", id_of(answer))
    assert (found["email"], found["hs_additional_emails"], found["jobtitle"]) == (f"ours{n}@x.example", f"theirs{n}@x.example", "x")


def test_the_key_of_a_deleted_record_is_still_taken(other: Bench) -> None:
    """Should HubSpot not release the key of a record that a person deleted: a dead letter with HubSpot's words, and nothing is made."""
    n = next(numbers)
    first = id_of(other.write_one(company(n, 1)))
    other.sandbox.edit(entity="company", key=first, delete=True)
    refused = other.write_one(Resolved(company(n, 2), written=first))
    assert isinstance(refused, RejectedError)
    assert first in f"{refused.reason} {refused.response}"
    assert company(n, 1).key_value not in other.sandbox.held("companies", "acumatica_customer_key")
