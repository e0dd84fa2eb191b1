"""HubSpotTarget against the sandbox, without Kafka: the first match, adoption, conflicts, associations. Rules: docs/agreement.md."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sandbox.data.credentials import HUBSPOT_TOKEN
from schemas.records import Wish
from sinks.contract import Answer, Resolved, Written
from sinks.hubspot import HubSpotTarget
from sinks.hubspot_match import MERGED
from sinks.hubspot_setup import setup
from streams.mappings import hubspot as table
from tests.integration.sink_kit import Sandbox, company, contact, definitions
from weighlock import settings as config
from weighlock.clients.hubspot import HubSpot
from weighlock.errors import AuthError, ConfigError, RejectedError, TransientError

numbers = itertools.count(1)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    wide = ("burst_limit=100000", "associations_limit=100000", "search_limit=1000", "search_delay_seconds=0")
    found = Sandbox(tmp_path_factory.mktemp("hubspot"), *itertools.chain.from_iterable(("--set", switch) for switch in wide))
    with found.client() as client:
        setup(client, (table.GROUP["name"], table.GROUP["label"]), definitions())
    yield found
    found.close()


class Bench:
    """The target with a memory of what it wrote, as the ledger has one. Linked subjects are in `claimed`."""

    def __init__(self, sandbox: Sandbox, **more: Any) -> None:
        self.sandbox = sandbox
        self.target = HubSpotTarget(None, definitions(), sandbox.client(burst_per_10_seconds=10_000, search_per_second=1000, **more))  # type: ignore[arg-type]
        self.claimed: dict[tuple[str, str], str] = {}

    def write(self, *wishes: Resolved | Wish) -> dict[str, Answer]:
        wanted = [one if isinstance(one, Resolved) else Resolved(one) for one in wishes]
        return dict(self.target.write(wanted, lambda call, wishes=None: call(), lambda kind, id, system: self.claimed.get((kind, id))))

    def write_one(self, wish: Resolved | Wish) -> Answer:
        (answer,) = self.write(wish).values()
        return answer

    def make(self, kind: str, **properties: str) -> str:
        """A record that a person made before us; its id."""
        (entry, *_) = self.sandbox.edit(entity=kind, create=properties)
        return str(entry["id"])

    def record(self, kind: str, id: str) -> dict[str, Any]:
        return next(row["properties"] for row in self.sandbox.live(kind) if row["id"] == id)

    def companies_of(self, contact_id: str) -> dict[str, list[int]]:
        rows = self.sandbox.get("dump")["associations"]
        return {row["to_id"]: sorted(row["types"]) for row in rows if row["from_id"] == contact_id and row["to"] == "company"}


@pytest.fixture
def bench(sandbox: Sandbox) -> Bench:
    return Bench(sandbox)


def id_of(answer: Answer) -> str:
    assert isinstance(answer, Written), answer
    return answer.id


@pytest.mark.parametrize("spelling", ["{}", "www.{}", "WWW.{}", "Shouted-{}"])
def test_a_company_of_that_domain_is_adopted(bench: Bench, spelling: str) -> None:
    """Rule 10: an unclaimed company with the customer's domain, however spelt, gets our key; no second one is made."""
    n = next(numbers)
    spelt = spelling.format(f"adopt{n}.example")
    there = bench.make("company", name="as people wrote it", domain=spelt, description="theirs")
    answer = bench.write_one(company(n, 1, domain=spelt.lower().removeprefix("www.")))
    assert isinstance(answer, Written)
    assert (answer.id, answer.origin) == (there, "adopted")
    found = bench.record("companies", there)
    assert (found["acumatica_customer_key"], found["name"], found["description"]) == (company(n, 1).key_value, f"Customer {n}", "theirs")


def test_many_domains_fit_the_search(bench: Bench) -> None:
    """A hundred long domains go into several search calls, none above HubSpot's 3,000 characters, and each finds its company."""
    some = [next(numbers) for _ in range(100)]
    wishes = [company(n, 1, domain=f"a-rather-long-domain-name-of-a-customer-{n}.example") for n in some]
    there = {wish.subject: bench.make("company", domain=f"www.{wish.properties['domain']}") for wish in wishes[::10]}
    answers = bench.write(*wishes)
    assert {subject: id_of(answers[subject]) for subject in there} == there
    assert len({id_of(answer) for answer in answers.values()}) == 100


def test_several_candidates_are_listed(bench: Bench) -> None:
    """Rule 12: between several unclaimed companies nobody chooses; the dead letter lists them and all stay as they were."""
    n = next(numbers)
    there = {bench.make("company", name="one", domain=f"two{n}.example"), bench.make("company", name="other", domain=f"www.two{n}.example")}
    answer = bench.write_one(company(n, 1, domain=f"two{n}.example"))
    assert isinstance(answer, RejectedError)
    assert set(answer.candidates) == there
    assert all("acumatica_customer_key" not in bench.record("companies", id) for id in there)


def test_two_customers_share_a_domain(bench: Bench) -> None:
    """Rule 11: one adopts the company that was there, the other one gets its own, in one batch and later."""
    a, b, c = next(numbers), next(numbers), next(numbers)
    there = bench.make("company", domain=f"shared{a}.example")
    answers = bench.write(*(company(n, 1, domain=f"shared{a}.example") for n in (a, b)))
    later = bench.write_one(company(c, 1, domain=f"shared{a}.example"))
    ids = [id_of(answer) for answer in (*answers.values(), later)]
    assert len(set(ids)) == 3
    assert [isinstance(answer, Written) and answer.origin for answer in answers.values()] == ["adopted", "created"]
    assert ids[0] == there


def test_a_linked_candidate_is_somebody_elses(bench: Bench) -> None:
    """A company that a link or a ledger entry holds is not adopted, even where our key is empty on it."""
    n = next(numbers)
    there = bench.make("company", domain=f"linked{n}.example")
    bench.claimed["company", there] = "acumatica:customer:another"
    assert id_of(bench.write_one(company(n, 1, domain=f"linked{n}.example"))) != there


def test_a_lost_ledger_finds_its_own(bench: Bench) -> None:
    """What we wrote before its result was kept is found by our key: written again, not doubled."""
    n = next(numbers)
    first = id_of(bench.write_one(company(n, 1, domain=f"own{n}.example")))
    again = bench.write_one(company(n, 2, domain=f"own{n}.example", phone="1"))
    assert isinstance(again, Written)
    assert (again.id, again.origin) == (first, "known")


def test_a_link_names_the_record(bench: Bench) -> None:
    """A link set by a person comes before any match: that record is adopted, whatever its domain."""
    n = next(numbers)
    there, other = bench.make("company", domain=f"x{n}.example"), bench.make("company", domain=f"y{n}.example")
    assert id_of(bench.write_one(Resolved(company(n, 1, domain=f"y{n}.example"), linked=there))) == there
    assert "acumatica_customer_key" not in bench.record("companies", other)


def test_a_contact_with_that_address_is_adopted(bench: Bench) -> None:
    """Rule 13: found by e-mail in any case, or as an additional e-mail; what we do not own stays."""
    n, m = next(numbers), next(numbers)
    there = bench.make("contact", email=f"Ann{n}@X.example", firstname="Ann", website="kept.example")
    more = bench.make("contact", email=f"main{m}@x.example", hs_additional_emails=f"second{m}@x.example")
    answers = bench.write(contact(n, 1, None, email=f"ann{n}@x.example"), contact(m, 1, None, email=f"second{m}@x.example"))
    assert [id_of(answer) for answer in answers.values()] == [there, more]
    assert bench.record("contacts", there)["website"] == "kept.example"
    assert bench.record("contacts", more)["email"] == f"second{m}@x.example"


def test_one_address_is_one_contacts(bench: Bench) -> None:
    """Rule 7: of several contacts with one e-mail, in one batch or later, one is there, the others' dead letters name the holder."""
    a, b, c = next(numbers), next(numbers), next(numbers)
    answers = bench.write(contact(a, 1, None, email=f"one{a}@x.example"), contact(b, 1, None, email=f"ONE{a}@x.example"))
    later = bench.write_one(contact(c, 1, None, email=f"one{a}@x.example"))
    holder = id_of(answers[contact(a, 1, None).subject])
    for refused in (answers[contact(b, 1, None).subject], later):
        assert isinstance(refused, RejectedError)
        assert refused.candidates == (holder,)
        assert contact(a, 1, None).key_value in refused.reason


def test_if_the_first_is_refused_the_second_has_its_turn(bench: Bench) -> None:
    """Two want one e-mail and HubSpot refuses the first for something else: the second one holds it."""
    a, b = next(numbers), next(numbers)
    answers = bench.write(
        contact(a, 1, None, email=f"turn{a}@x.example", acumatica_active="perhaps"), contact(b, 1, None, email=f"turn{a}@x.example")
    )
    assert isinstance(answers[contact(a, 1, None).subject], RejectedError)
    assert bench.record("contacts", id_of(answers[contact(b, 1, None).subject]))["email"] == f"turn{a}@x.example"


def test_an_address_taken_by_another_is_told(bench: Bench) -> None:
    """A known contact whose new e-mail another record holds is refused, with the holder named; nothing of it is written."""
    a, b = next(numbers), next(numbers)
    first = bench.write_one(contact(a, 1, None, email=f"old{a}@x.example"))
    holder = bench.make("contact", email=f"new{b}@x.example")
    changed = Resolved(contact(a, 2, None, email=f"new{b}@x.example", jobtitle="x"), written=id_of(first))
    refused = bench.write_one(changed)
    assert isinstance(refused, RejectedError)
    assert refused.candidates == (holder,)
    assert "jobtitle" not in bench.record("contacts", id_of(first))


def test_neighbours_of_a_refused_record_are_written(bench: Bench) -> None:
    """Rules 8 and 9: an e-mail that HubSpot refuses is a dead letter with HubSpot's words; one without an e-mail arrives."""
    a, b, c = next(numbers), next(numbers), next(numbers)
    answers = bench.write(contact(a, 1, None, email="no address"), contact(b, 1, None), contact(c, 1, None, email=f"good{c}@x.example"))
    refused = answers[contact(a, 1, None).subject]
    assert isinstance(refused, RejectedError)
    assert "INVALID_EMAIL" in refused.reason
    assert refused.request is not None
    assert "no address" in refused.request
    assert id_of(answers[contact(b, 1, None).subject])
    assert id_of(answers[contact(c, 1, None).subject])


def test_a_value_too_long(bench: Bench) -> None:
    """A value that HubSpot cannot hold is a dead letter that names the property; nothing is cut."""
    a, b = next(numbers), next(numbers)
    answers = bench.write(company(a, 1, address="x" * 70_000), company(b, 1))
    refused = answers[company(a, 1).subject]
    assert isinstance(refused, RejectedError)
    assert "address" in refused.reason
    assert id_of(answers[company(b, 1).subject])


def test_a_wrong_token_or_version(sandbox: Sandbox) -> None:
    """A token that HubSpot does not know and a version that it does not serve are told apart, each with what to check."""
    with pytest.raises(AuthError, match=r"hubspot\.token"):
        HubSpot(config.HubSpot(url=sandbox.url, token="pat-na1-wrong")).account()
    with pytest.raises(ConfigError, match=r"hubspot\.version"):
        HubSpot(config.HubSpot(url=sandbox.url, token=HUBSPOT_TOKEN, version="2031-03")).account()


def test_both_versions_of_the_api(sandbox: Sandbox) -> None:
    """The same walk under v3 and v4 paths as under dated ones."""
    n, m = next(numbers), next(numbers)
    old = Bench(sandbox, version="v3")
    there = old.make("company", domain=f"old{n}.example")
    firm = old.write_one(company(n, 1, domain=f"old{n}.example"))
    person = old.write_one(Resolved(contact(m, 1, n, email=f"old{m}@x.example"), {"company": id_of(firm)}))
    assert id_of(firm) == there
    assert old.companies_of(id_of(person)) == {there: [1, 279]}


def test_what_people_associated_stays(bench: Bench) -> None:
    """Rule 6: an adopted contact that moves keeps the company that people had associated it with, wherever it moves later."""
    n, a, b, c = (next(numbers) for _ in range(4))
    one, two, three = (id_of(bench.write_one(company(number, 1))) for number in (a, b, c))
    there = bench.make("contact", email=f"kept{n}@x.example")
    bench.sandbox.edit(entity="contact", key=there, associate=one)
    answer = bench.write_one(Resolved(contact(n, 1, a, email=f"kept{n}@x.example"), {"company": one}))
    for version, (firm, id) in enumerate(((b, two), (a, one), (c, three)), start=2):
        assert isinstance(answer, Written)
        known: Any = {"written": answer.id, "associations": answer.associations}
        answer = bench.write_one(Resolved(contact(n, version, firm, email=f"kept{n}@x.example"), {"company": id}, **known))
    assert (id_of(answer), set(bench.companies_of(there))) == (there, {one, three})


def test_what_people_associated_stays_after_a_crash(bench: Bench) -> None:
    """Rule 6: a sink that dies between adopting a contact and recording it leaves in HubSpot which company people had given it."""
    n, a, b = (next(numbers) for _ in range(3))
    one, two = (id_of(bench.write_one(company(number, 1))) for number in (a, b))
    there = bench.make("contact", email=f"crash{n}@x.example")
    bench.sandbox.edit(entity="contact", key=there, associate=one)
    bench.write_one(Resolved(contact(n, 1, a, email=f"crash{n}@x.example"), {"company": one}))  # and nobody records it
    answer = bench.write_one(Resolved(contact(n, 1, a, email=f"crash{n}@x.example"), {"company": one}))
    moved = bench.write_one(_known(contact(n, 2, b, email=f"crash{n}@x.example"), answer, {"company": two}))
    assert (id_of(moved), set(bench.companies_of(there))) == (there, {one, two})


def test_a_contact_moves_to_another_company(bench: Bench) -> None:
    """The new company becomes the primary one, the one that we made before goes, one that a person made stays; no call is repeated."""
    a, b, other, n = (next(numbers) for _ in range(4))
    one, two = id_of(bench.write_one(company(a, 1))), id_of(bench.write_one(company(b, 1)))
    persons = bench.make("company", name=f"a person's {other}")
    first = bench.write_one(Resolved(contact(n, 1, a, email=f"moves{n}@x.example"), {"company": one}))
    assert isinstance(first, Written)
    assert bench.companies_of(first.id) == {one: [1, 279]}
    bench.sandbox.edit(entity="contact", key=first.id, associate=persons)
    calls = bench.sandbox.calls("associations")
    known: Any = {"written": first.id, "associations": first.associations}
    same = bench.write_one(Resolved(contact(n, 2, a, email=f"moves{n}@x.example"), {"company": one}, **known))
    assert isinstance(same, Written)
    assert bench.sandbox.calls("associations") == calls
    moved = bench.write_one(Resolved(contact(n, 3, b, email=f"moves{n}@x.example"), {"company": two}, **known))
    assert isinstance(moved, Written)
    assert moved.associations == {"company": two}
    assert bench.companies_of(first.id) == {two: [1, 279], persons: [279]}


def test_an_association_that_was_only_answered_is_made(bench: Bench) -> None:
    """A batch of associations, made or taken apart, that HubSpot answers and does not save is seen and done again; one read for each."""
    a, b, some = next(numbers), next(numbers), [next(numbers) for _ in range(3)]
    one, two = id_of(bench.write_one(company(a, 1))), id_of(bench.write_one(company(b, 1)))
    reads = bench.sandbox.calls("/{from}/{to}/batch/read")
    bench.sandbox.fault(path="/associations/.*/batch/create", kind="silent")
    first = bench.write(*(Resolved(contact(n, 1, a), {"company": one}) for n in some))
    assert [bench.companies_of(id_of(answer)) for answer in first.values()] == [{one: [1, 279]}] * 3
    assert bench.sandbox.calls("/{from}/{to}/batch/read") == reads + 2
    bench.sandbox.fault(path="/associations/.*/batch/archive", kind="silent")
    bench.write(*(_known(contact(n, 2, b), answer, {"company": two}) for n, answer in zip(some, first.values(), strict=True)))
    assert [bench.companies_of(id_of(answer)) for answer in first.values()] == [{two: [1, 279]}] * 3
    for path in ("create", "archive"):
        bench.sandbox.fault(path=f"/associations/.*/batch/{path}", kind="silent", times=2)
        with pytest.raises(TransientError, match="has not"):
            bench.write(*(_known(contact(n, 3, a), answer, {"company": one}, two) for n, answer in zip(some, first.values(), strict=True)))
    assert all(rule["fired"] == rule["times"] for rule in bench.sandbox.get("faults"))


def _known(wish: Wish, answer: Answer, references: dict[str, str], company: str | None = None) -> Resolved:
    """A wish for what was written before, and is associated with `company` now."""
    assert isinstance(answer, Written)
    return Resolved(wish, references, written=answer.id, associations={"company": company} if company else answer.associations or {})


def test_a_company_that_was_merged_is_associated(bench: Bench) -> None:
    """The reference names a company that people merged into another: the contact is the survivor's, and nothing is missed."""
    a, b, n = next(numbers), next(numbers), next(numbers)
    one, two = id_of(bench.write_one(company(a, 1))), bench.make("company", name=f"survivor {b}")
    bench.sandbox.edit(entity="company", key=two, merge=one)
    answer = bench.write_one(Resolved(contact(n, 1, a), {"company": one}))
    (survivor,) = [row["id"] for row in bench.sandbox.live("companies") if one in (row["properties"].get(MERGED) or "")]
    assert bench.companies_of(id_of(answer)) == {survivor: [1, 279]}


def test_a_move_between_two_companies_that_were_merged(bench: Bench) -> None:
    """A contact goes from one company to another, both of which people merged into one: it stays with that one."""
    a, b, n = next(numbers), next(numbers), next(numbers)
    one, two = id_of(bench.write_one(company(a, 1))), id_of(bench.write_one(company(b, 1)))
    answer = bench.write_one(Resolved(contact(n, 1, a), {"company": one}))
    bench.sandbox.edit(entity="company", key=two, merge=one)
    (survivor,) = [row["id"] for row in bench.sandbox.live("companies") if one in (row["properties"].get(MERGED) or "")]
    bench.write_one(_known(contact(n, 2, b), answer, {"company": two}))
    assert bench.companies_of(id_of(answer)) == {survivor: [1, 279]}


def test_what_a_late_call_associated_goes(bench: Bench) -> None:
    """Written again after a late call, a contact has its company as the primary one, and of the others only what people made."""
    a, b, n = next(numbers), next(numbers), next(numbers)
    one, two = id_of(bench.write_one(company(a, 1))), id_of(bench.write_one(company(b, 1)))
    persons = bench.make("company", name="a person's")
    answer = bench.write_one(Resolved(contact(n, 2, b), {"company": two}))
    bench.sandbox.edit(entity="contact", key=id_of(answer), associate=persons)
    with bench.sandbox.client() as client:
        client.associations.make(("contact", "company"), [(id_of(answer), one)])
        client.associations.part(("contact", "company"), [(id_of(answer), two)])
    wish = replace(
        _known(contact(n, 2, b), answer, {"company": two}),
        again=True,
        strays=frozenset({f"hubspot:company:{one}", f"hubspot:company:{two}"}),
    )
    assert bench.write_one(wish) == Written(id_of(answer), "known", {"company": two})
    assert bench.companies_of(id_of(answer)) == {two: [1, 279], persons: [279]}


def test_a_record_that_was_deleted_is_made_again(bench: Bench) -> None:
    """A record that a person archived comes back under a new id, and the answer says so."""
    n = next(numbers)
    first = id_of(bench.write_one(company(n, 1)))
    bench.sandbox.edit(entity="company", key=first, delete=True)
    again = bench.write_one(Resolved(company(n, 2, phone="1"), written=first))
    assert isinstance(again, Written)
    assert again.id != first
    assert again.note is not None


def test_check_names_what_is_missing(sandbox: Sandbox, bench: Bench, tmp_path: Path) -> None:
    """Without our properties the sink refuses to start and names the command that makes them; with them it starts."""
    bench.target.check()
    bare = Sandbox(tmp_path)
    try:
        with pytest.raises(ConfigError) as caught:
            Bench(bare).target.check()
        assert "acumatica_customer_key" in str(caught.value)
        assert "weighlock setup hubspot" in str(caught.value)
    finally:
        bare.close()


def test_setup_is_idempotent(tmp_path: Path) -> None:
    """A dry run makes nothing and says what it would; setup makes it once; the next one finds it; a key that is not unique is fatal."""
    bare = Sandbox(tmp_path, "--set", "property_lag_seconds=0.6")
    group = (table.GROUP["name"], table.GROUP["label"])
    try:
        with bare.client() as client:
            assert {step.state for step in setup(client, group, definitions(), dry_run=True)} == {"missing"}
            assert {step.state for step in setup(client, group, definitions(), dry_run=True)} == {"missing"}
            assert {step.state for step in setup(client, group, definitions())} == {"created"}
            assert {step.state for step in setup(client, group, definitions())} == {"ok"}
            changed = {"company": [{**table.definitions(table.COMPANY)[1], "type": "number", "fieldType": "number"}]}
            assert [step.state for step in setup(client, group, changed)] == ["ok", "differs"]
            fatal = {"company": [{**table.definitions(table.COMPANY)[1], "hasUniqueValue": True}]}
            with pytest.raises(ConfigError, match="unique"):
                setup(client, group, fatal)
    finally:
        bare.close()
