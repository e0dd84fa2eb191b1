"""docs/identity.md, what the sink decides: HubSpotTarget against the sandbox, without Kafka."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from sinks.contract import Resolved, Unlinked, Written
from sinks.hubspot_setup import setup
from streams.mappings import hubspot as table
from tests.integration.sink_kit import Sandbox, company, contact, definitions
from tests.integration.test_sink_hubspot_match import Bench, id_of
from weighlock.errors import ConfigError, RejectedError

numbers = itertools.count(1)
WIDE = ("burst_limit=100000", "associations_limit=100000", "search_limit=1000", "search_delay_seconds=0")


def started(folder: Path, *switches: str) -> Sandbox:
    found = Sandbox(folder, *itertools.chain.from_iterable(("--set", switch) for switch in (*WIDE, *switches)))
    with found.client() as client:
        setup(client, (table.GROUP["name"], table.GROUP["label"]), definitions())
    return found


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    found = started(tmp_path_factory.mktemp("hubspot"))
    yield found
    found.close()


@pytest.fixture
def bench(portal: Sandbox) -> Bench:
    return Bench(portal)


@pytest.mark.parametrize(
    "there",
    [
        {"domain": "{}"},
        {"domain": "www.{}"},
        {"domain": "WWW.{}"},
        {"domain": "https://www.{}/path"},
        {"domain": "WWW.{}."},
        {"domain": "//somebody@{}:8080?a=b"},
        {"domain": "shop.{}"},
        {"domain": "elsewhere-{}", "hs_additional_domains": "other.example;{}"},
        {"domain": "elsewhere-{}", "hs_additional_domains": "Shop.{}"},
    ],
)
def test_a_company_is_found_by_its_domain(bench: Bench, there: dict[str, str]) -> None:
    """`www.`, capitals, a whole URL, a dot at the end, a subdomain or an additional domain: the company that was there is adopted."""
    n = next(numbers)
    spelt = {name: value.format(f"found{n}.example") for name, value in there.items()}
    if "domain" in spelt and spelt["domain"].startswith("WWW"):
        spelt["domain"] = spelt["domain"].upper()
    was = bench.make("company", **spelt)
    answer = bench.write_one(company(n, 1, domain=f"found{n}.example"))
    assert isinstance(answer, Written)
    assert (answer.id, answer.origin) == (was, "adopted")


@pytest.mark.parametrize("there_in_punycode", [True, False])
def test_a_domain_in_punycode(bench: Bench, there_in_punycode: bool) -> None:
    """An IDN is one domain, whichever way each side writes it; the customer's own spelling is what is written."""
    n = next(numbers)
    spoken, written = f"münchen{n}.example", f"xn--{f'münchen{n}'.encode('punycode').decode()}.example"
    there, wanted = (f"XN{written[2:]}", spoken) if there_in_punycode else (f"www.{spoken.upper()}", written)
    was = bench.make("company", domain=there)
    assert id_of(bench.write_one(company(n, 1, domain=wanted))) == was
    assert bench.record("companies", was)["domain"] == wanted


def test_a_domain_that_only_ends_alike_is_another(bench: Bench) -> None:
    """`notkeystone.example` is not under `keystone.example`, and a free-mail address gives no domain to match by."""
    n = next(numbers)
    other = bench.make("company", domain=f"not-ends{n}.example", hs_additional_domains="gmail.com")
    assert id_of(bench.write_one(company(n, 1, domain=f"ends{n}.example"))) != other
    assert id_of(bench.write_one(company(next(numbers), 1))) != other


def test_an_exact_one_and_a_subdomain_are_two_candidates(bench: Bench) -> None:
    """Two unclaimed companies of one domain, under whatever spelling: a dead letter that lists both."""
    n = next(numbers)
    both = {bench.make("company", domain=f"both{n}.example"), bench.make("company", domain=f"shop.both{n}.example")}
    answer = bench.write_one(company(n, 1, domain=f"both{n}.example"))
    assert isinstance(answer, RejectedError)
    assert set(answer.candidates) == both


def test_our_key_taken_off_comes_back(bench: Bench) -> None:
    """A person empties our property: the next change puts it back onto the same record."""
    n = next(numbers)
    ours = id_of(bench.write_one(company(n, 1)))
    bench.sandbox.edit(entity="company", key=ours, fields={"acumatica_customer_key": ""})
    assert id_of(bench.write_one(Resolved(company(n, 2), written=ours))) == ours
    assert bench.record("companies", ours)["acumatica_customer_key"] == company(n, 1).key_value


def test_a_record_with_another_key_is_left_to_it(bench: Bench) -> None:
    """Somebody wrote another key over ours: that record is the other's now, ours is made anew."""
    n = next(numbers)
    ours = id_of(bench.write_one(company(n, 1)))
    bench.sandbox.edit(entity="company", key=ours, fields={"acumatica_customer_key": "other|key"})
    assert id_of(bench.write_one(Resolved(company(n, 2, phone="1"), written=ours))) != ours
    assert "phone" not in bench.record("companies", ours)


def test_an_archived_contact_and_company_are_made_again(bench: Bench) -> None:
    """Deleted by a person: the next change makes the record again, and a contact is with its company again."""
    n = next(numbers)
    firm = id_of(bench.write_one(company(n, 1)))
    person = bench.write_one(Resolved(contact(n, 1, n, email=f"back{n}@x.example"), {"company": firm}))
    assert isinstance(person, Written)
    bench.sandbox.edit(entity="contact", key=person.id, delete=True)
    again = Resolved(contact(n, 2, n, email=f"back{n}@x.example"), {"company": firm}, written=person.id, associations=person.associations)
    new = id_of(bench.write_one(again))
    assert new != person.id
    assert bench.companies_of(new) == {firm: [1, 279]}


def test_an_address_changes_to_ones_own_additional_one(bench: Bench) -> None:
    """The contact's new address is one that HubSpot has as its additional one: the two change places."""
    n = next(numbers)
    was = bench.make("contact", email=f"first{n}@x.example", hs_additional_emails=f"second{n}@x.example")
    assert id_of(bench.write_one(contact(n, 1, None, email=f"first{n}@x.example"))) == was
    assert id_of(bench.write_one(Resolved(contact(n, 2, None, email=f"second{n}@x.example"), written=was))) == was
    found = bench.record("contacts", was)
    assert (found["email"], found["hs_additional_emails"]) == (f"second{n}@x.example", f"first{n}@x.example")


def test_a_link_to_a_claimed_record_is_refused(bench: Bench) -> None:
    """A link names a company that carries another customer's key: a dead letter that lists it, nothing is made."""
    a, b = next(numbers), next(numbers)
    taken = id_of(bench.write_one(company(a, 1)))
    for wanted in (Resolved(company(b, 1), linked=taken), Resolved(company(b, 1), decided=taken)):
        answer = bench.write_one(wanted)
        assert isinstance(answer, RejectedError)
        assert answer.candidates == (taken,)
    assert company(b, 1).key_value not in bench.sandbox.held("companies", "acumatica_customer_key")


def test_a_decision_moves_our_key(bench: Bench) -> None:
    """`links set`: the chosen company gets key and values, the one before gives the key back and keeps the rest; again changes nothing."""
    n = next(numbers)
    before, chosen = id_of(bench.write_one(company(n, 1, phone="1"))), bench.make("company", name="chosen", description="theirs")
    for _ in range(2):
        answer = bench.write_one(Resolved(company(n, 2, phone="2"), written=before, decided=chosen))
        assert id_of(answer) == chosen
        old, new = bench.record("companies", before), bench.record("companies", chosen)
        assert ("acumatica_customer_key" in old, old["phone"]) == (False, "1")
        assert (new["acumatica_customer_key"], new["phone"], new["description"]) == (company(n, 1).key_value, "2", "theirs")


def test_a_decision_for_what_is_not_there(bench: Bench) -> None:
    """`links set` to an id that HubSpot does not have: a dead letter that names it, and the key stays where it is."""
    n = next(numbers)
    before = id_of(bench.write_one(company(n, 1)))
    answer = bench.write_one(Resolved(company(n, 2), written=before, decided="999"))
    assert isinstance(answer, RejectedError)
    assert "999" in answer.reason
    assert bench.record("companies", before)["acumatica_customer_key"] == company(n, 1).key_value


def test_a_decision_for_nobody(bench: Bench) -> None:
    """`links unset`: our key goes, everything else on the record stays; doing it again is fine."""
    n = next(numbers)
    before = id_of(bench.write_one(company(n, 1, phone="1")))
    for _ in range(2):
        assert isinstance(bench.write_one(Resolved(company(n, 1), written=before, decided="")), Unlinked)
        assert ("acumatica_customer_key" in bench.record("companies", before), bench.record("companies", before)["phone"]) == (False, "1")


def test_who_comes_after_a_deleted_contact(bench: Bench) -> None:
    """Deleted in Acumatica and entered anew with the same address: a dead letter names the record; `links unset` frees it."""
    old, new = next(numbers), next(numbers)
    address = f"anew{old}@x.example"
    ours = id_of(bench.write_one(contact(old, 1, None, email=address)))
    refused = bench.write_one(contact(new, 1, None, email=address))
    assert isinstance(refused, RejectedError)
    assert ours in refused.reason
    assert isinstance(bench.write_one(Resolved(contact(old, 1, None, email=address), written=ours, decided="")), Unlinked)
    assert id_of(bench.write_one(contact(new, 2, None, email=address))) == ours
    assert bench.record("contacts", ours)["acumatica_contact_key"] == contact(new, 1, None).key_value


@pytest.mark.parametrize("known", [False, True])
def test_the_unique_property_is_removed(tmp_path: Path, known: bool) -> None:
    """An administrator archives our key: the connector stops and names the command that brings it back; nothing is doubled."""
    portal = started(tmp_path)
    try:
        bench = Bench(portal)
        first = id_of(bench.write_one(company(1, 1)))
        with portal.client() as client:
            client._call("DELETE", "/crm/properties/2026-09/companies/acumatica_customer_key")
        with pytest.raises(ConfigError, match="weighlock setup hubspot"):
            bench.write_one(Resolved(company(1, 2), written=first) if known else company(2, 1))
        with pytest.raises(ConfigError, match="acumatica_customer_key"):
            bench.target.check()
        with portal.client() as client:
            setup(client, (table.GROUP["name"], table.GROUP["label"]), definitions())
        assert id_of(bench.write_one(Resolved(company(1, 2), written=first))) == first
        assert len(portal.live("companies")) == 1
    finally:
        portal.close()
