"""Won deals on their way through normalise and route: which become wishes for customers, and what stops the others."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from schemas.entities import Customer, Deal
from schemas.headers import Passage
from schemas.records import Audit, DeadLetter, Link, Wish
from schemas.sources import SourceHubspotDeal
from schemas.topics import DEAL, UPSERTS_ACUMATICA, UPSERTS_HUBSPOT
from streams.deals import company_of
from streams.memory import Memory
from tests.unit.streams_kit import ALICE, AT, a_customer, feed, memory, read
from weighlock.deals import Deals

REF, COMPANY = "hubspot:deal:9", "hubspot:company:515690208449"
PAPERS = Passage("d" * 32, "hubspot", AT).headers()
FIRM = {
    "id": "515690208449",
    "name": "Acme & Co",
    "domain": "acme.example",
    "phone": "+49 731 1",
    "address": "Long Street 1",
    "city": "Ulm",
    "zip": "89073",
    "country": "Germany",
    "hs_country_code": "DE",
    "industry": "RETAIL",
}
PERSON = {"id": "7", "email": "jane@acme.example", "firstname": "Jane", "lastname": "Doe", "mobilephone": "+49 170 1"}


def a_deal(**words: Any) -> SourceHubspotDeal:
    given = {
        "ref": REF,
        "change": "upsert",
        "modified_at": AT,
        "read_at": AT,
        "dealname": "First order",
        "dealstage": "closedwon",
        "pipeline": "default",
        "stage_label": "Closed Won",
        "pipeline_label": "Sales",
        "amount": "1200.50",
        "deal_currency_code": "EUR",
        "hs_is_closed_won": True,
        "hs_closed_won_date": AT,
        "companies": ["515690208449"],
        "company": FIRM,
        "contact": PERSON,
    }
    return SourceHubspotDeal.model_validate(given | words)


def stages(**deals: Any) -> Memory:
    found = memory()
    found.context = replace(found.context, deals=Deals(since=date(2026, 1, 1), **deals))
    return found


def wish_of(found: Memory, deal: SourceHubspotDeal) -> Wish:
    (wish,) = read(found, Wish, feed(found, "source.hubspot.deal", deal, deal.ref, PAPERS), UPSERTS_ACUMATICA.name)
    return wish


def letter_of(found: Memory, deal: SourceHubspotDeal) -> str:
    outputs = feed(found, "source.hubspot.deal", deal, deal.ref, PAPERS)
    assert not read(found, Wish, outputs, UPSERTS_ACUMATICA.name)
    (letter,) = read(found, DeadLetter, outputs, "dead-letters")
    return letter.reason


def audits(found: Memory, deal: SourceHubspotDeal) -> list[tuple[str, str | None]]:
    outputs = feed(found, "source.hubspot.deal", deal, deal.ref, PAPERS)
    assert not read(found, Wish, outputs, UPSERTS_ACUMATICA.name)
    return [(one.event, one.detail) for one in read(found, Audit, outputs, "audit")]


def test_a_won_deal_asks_for_a_customer() -> None:
    """The subject is the company; name, address, main contact and the HubSpot ref, in Acumatica's words; what people may know it by."""
    wish = wish_of(stages(), a_deal())
    assert (wish.subject, wish.object, wish.facet, wish.key_property, wish.key_value) == (
        COMPANY,
        "customer",
        "seed",
        "AccountRef",
        COMPANY,
    )
    assert {name: value for name, value in wish.properties.items() if value is not None} == {
        "CustomerName": "Acme & Co",
        "MainContact.Email": "jane@acme.example",
        "MainContact.Attention": "Jane Doe",
        "MainContact.Phone1": "+49 731 1",
        "MainContact.WebSite": "acme.example",
        "MainContact.Address.AddressLine1": "Long Street 1",
        "MainContact.Address.City": "Ulm",
        "MainContact.Address.PostalCode": "89073",
        "MainContact.Address.Country": "DE",
    }
    assert {match.property: match.value for match in wish.matches} == {
        "CustomerName": "Acme & Co",
        "Email": "jane@acme.example",
        "Domain": "acme.example",
    }


def test_the_normalized_deal() -> None:
    """It goes to its company's partition, with exact amounts and the day on which it was won."""
    found = stages()
    outputs = feed(found, "source.hubspot.deal", a_deal(), REF, PAPERS)
    (deal,) = read(found, Deal, outputs, DEAL.name)
    assert (deal.party, deal.amount, deal.currency, deal.closed) == (COMPANY, Decimal("1200.50"), "EUR", AT.date())
    assert {out.partition for out in outputs if out.topic == DEAL.name} == {DEAL.partition(COMPANY, found.partitions)}


def test_the_audit_says_where_a_deal_goes_on() -> None:
    """What follows is told of the company: the deal's own way names it, and is no end."""
    found = stages()
    (said,) = read(found, Audit, feed(found, "source.hubspot.deal", a_deal(), REF, PAPERS), "audit")
    assert (said.ref, said.event, said.detail) == (REF, "noted", f"asks that its company {COMPANY} become a customer: see there")


def test_two_deals_of_one_company_are_one_customer() -> None:
    """Both wishes have one subject and one partition; the later reading is the newer version, whichever partition its deal came from."""
    found = stages()
    first, second = wish_of(found, a_deal()), wish_of(found, a_deal(ref="hubspot:deal:10", read_at=AT.replace(hour=AT.hour + 1)))
    assert first.subject == second.subject
    assert second.version - first.version == 3_600_000


def test_the_first_rule_that_fits() -> None:
    """By country, pipeline and so on, in any case; one of a list; without conditions always; none that fits gives nothing."""
    rules = [
        {"when": {"country": ["AT", "de"], "pipeline": "Other"}, "give": {"CustomerClass": "NO"}},
        {"when": {"country": ["AT", "de"], "pipeline": "SALES"}, "give": {"CustomerClass": "EU", "Terms": "30D", "CurrencyID": "EUR"}},
        {"give": {"CustomerClass": "DEFAULT"}},
    ]
    wish = wish_of(stages(rules=rules), a_deal())
    assert (wish.properties["CustomerClass"], wish.properties["Terms"], wish.properties["CurrencyID"]) == ("EU", "30D", "EUR")
    other = wish_of(stages(rules=rules), a_deal(company=FIRM | {"hs_country_code": "US"}))
    assert (other.properties["CustomerClass"], "Terms" in other.properties) == ("DEFAULT", False)
    assert "CustomerClass" not in wish_of(stages(rules=rules[:1]), a_deal()).properties


@pytest.mark.parametrize(("template", "code"), [("HS{id}", "HS515690208449"), ("h{id36}", "H6KWKMVGH"), ("auto", None)])
def test_numbers(template: str, code: str | None) -> None:
    """A template makes the number of the company's id, always the same; `auto` leaves it to the site."""
    wish = wish_of(stages(customer_id=template), a_deal())
    assert wish.properties.get("CustomerID") == code


def test_countries() -> None:
    """The code that HubSpot has, a code that people wrote, a name that the settings know; another name is refused with what to do."""
    named = FIRM | {"hs_country_code": None}
    assert wish_of(stages(countries={"Germany": "DE"}), a_deal(company=named)).properties["MainContact.Address.Country"] == "DE"
    assert wish_of(stages(), a_deal(company=named | {"country": "de"})).properties["MainContact.Address.Country"] == "DE"
    assert "'Germany' of company" in letter_of(stages(), a_deal(company=named))


def test_who_is_a_customer_already() -> None:
    """By a link, or by our key on the company: nothing but a sentence in the audit. Another tenant's key is none."""
    found = stages()
    link = Link(ref=COMPANY, peer=ALICE, origin="created", at=AT, trace="t")
    feed(found, "links", link, f"{COMPANY}|acumatica", [])
    said = ("unchanged", f"its company {COMPANY} is a customer already: {ALICE}")
    assert audits(found, a_deal()) == [said]
    keyed = a_deal(company=FIRM | {"acumatica_customer_key": "demo|A1"})
    assert audits(stages(), keyed) == [said]
    assert wish_of(stages(), a_deal(company=FIRM | {"acumatica_customer_key": "other|a1"}))


def test_what_stays_out() -> None:
    """What the source says is out of scope, and deals for a worker whose settings know of none."""
    assert audits(stages(), a_deal(scope="not won yet")) == [("out_of_scope", "not won yet")]
    assert audits(memory(), a_deal()) == [("out_of_scope", "the settings of this worker have no section [deals]")]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ({"company": None, "companies": []}, "no company is associated with the deal"),
        ({"company": None, "companies": ["1", "2"]}, "2 companies are associated and none is the primary one (1, 2)"),
        ({"company": None, "companies": ["1"]}, "its company 1 is not there any more"),
        ({"company": FIRM | {"name": " "}}, "has no name: give it one in HubSpot"),
        ({"stage_label": None}, "its stage closedwon (pipeline default) is in no pipeline of the portal"),
        ({"company": FIRM | {"name": "x" * 256}}, "company.name is too long for CustomerName: 256 characters, 255 at the most"),
        ({"company": FIRM | {"address": "x" * 51}}, "company.address.line1 is too long for MainContact.Address.AddressLine1"),
    ],
)
def test_what_cannot_be_a_customer(words: dict[str, Any], reason: str) -> None:
    """A dead letter with a sentence that says what to put right, and where."""
    assert reason in letter_of(stages(), a_deal(**words))


def test_no_contact() -> None:
    """A company without one has no e-mail and no attention; its domain still names it."""
    wish = wish_of(stages(), a_deal(contact=None))
    assert wish.properties["MainContact.Email"] is None
    assert [match.property for match in wish.matches] == ["CustomerName", "Domain"]


@pytest.mark.parametrize(
    ("held", "company"),
    [
        ("hubspot:company:5", "hubspot:company:5"),
        ("SHOP-1; hubspot:company:5 ;x", "hubspot:company:5"),
        ("hubspot:company:5;hubspot:company:6", None),
        ("hubspot:company:5x", None),
        ("see hubspot:company:5", None),
        ("hubspot:contact:5", None),
        (None, None),
    ],
)
def test_a_customer_says_whose_it_is(held: str | None, company: str | None) -> None:
    """The one company whose ref is a part of its AccountRef, whole."""
    assert company_of(Customer(ref=ALICE, name="A", external_ref=held, modified_at=AT)) == company


def test_polled_back_it_names_its_company() -> None:
    """The wish for a customer that carries a company's ref is aimed at that company; a link, once there is one, goes before."""
    found = stages()
    (wish,) = read(found, Wish, feed(found, "source.acumatica.customer", a_customer(AccountRef=COMPANY), ALICE), UPSERTS_HUBSPOT.name)
    assert wish.target == COMPANY
    link = Link(ref=ALICE, peer="hubspot:company:1", origin="set", at=AT, trace="t")
    feed(found, "links", link, f"{ALICE}|hubspot", [])
    (wish,) = read(found, Wish, feed(found, "source.acumatica.customer", a_customer(AccountRef=COMPANY), ALICE), UPSERTS_HUBSPOT.name)
    assert wish.target == "hubspot:company:1"
