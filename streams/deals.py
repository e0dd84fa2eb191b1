"""Won deals of HubSpot: to the canonical entity, and to the wish for a customer in Acumatica (docs/deals.md). Pure.

The subject of the wish is the company, not the deal: however many deals a company wins, it is one customer.
"""

from __future__ import annotations

import re

from schemas.entities import Address, Customer, Deal, DealCompany, DealContact
from schemas.records import Match, Wish
from schemas.refs import Ref
from schemas.sources import HubspotCompany, HubspotPerson, SourceHubspotDeal
from schemas.topics import DEAL, UPSERTS_ACUMATICA
from streams.contract import Arrival, Context, Outputs
from streams.domains import domain_of
from streams.mappings import acumatica, hubspot
from streams.mappings.table import Field, text, value_at, within
from streams.normalise import STAGE, said
from weighlock.deals import Deals
from weighlock.errors import RejectedError
from weighlock.kafka.wire import Outgoing

FACET, ROUTE = "seed", "route"
_COMPANY = re.compile(r"hubspot:company:\d+")


def deal(arrival: Arrival, context: Context) -> Outputs:
    """SourceHubspotDeal to Deal, to the partition of its company. `RejectedError` for one without a company or of an unknown stage."""
    source, passage = arrival.record, arrival.passage
    if source.scope is not None:
        return [said(STAGE, "out_of_scope", source.ref, passage, source.scope)]
    if source.stage_label is None:
        where = f"pipeline {source.pipeline or '(none)'}"
        raise RejectedError(
            f"its stage {source.dealstage or '(none)'} ({where}) is in no pipeline of the portal: move the deal to one that is"
        )
    if source.company is None:
        raise RejectedError(_no_company(source))
    found = Deal(
        ref=source.ref,
        party=str(Ref(hubspot.SYSTEM, "company", source.company.id)),
        name=text(source.dealname),
        pipeline=text(source.pipeline_label),
        stage=text(source.stage_label),
        kind=text(source.dealtype),
        amount=source.amount,
        currency=text(source.deal_currency_code),
        closed=won.date() if (won := source.hs_closed_won_date or source.closedate) else None,
        company=_company(source.company, source.contact, context),
        contact=_contact(source.contact),
        modified_at=source.modified_at,
        read_at=source.read_at,
    )
    return [Outgoing(DEAL, source.ref, found, passage.headers(), found.party)]


def _no_company(source: SourceHubspotDeal) -> str:
    if not source.companies:
        return "no company is associated with the deal: associate one in HubSpot"
    if len(source.companies) == 1:
        return f"its company {source.companies[0]} is not there any more: associate another one in HubSpot"
    return (
        f"{len(source.companies)} companies are associated and none is the primary one ({', '.join(source.companies)}): make one of them it"
    )


def _company(given: HubspotCompany, person: HubspotPerson | None, context: Context) -> DealCompany:
    website = text(given.website) or text(given.domain)
    address = Address(
        line1=text(given.address),
        line2=text(given.address2),
        city=text(given.city),
        state=text(given.state),
        postal_code=text(given.zip),
        country=_country(given, context.deals),
    )
    return DealCompany(
        name=text(given.name),
        domain=domain_of(text(given.domain) or website, None if person is None else text(person.email), context.free_mail),
        website=website,
        phone=text(given.phone),
        industry=text(given.industry),
        address=address if any(value is not None for value in address.model_dump().values()) else None,
        customer=_customer(given.acumatica_customer_key, context.tenant),
    )


def _country(given: HubspotCompany, deals: Deals | None) -> str | None:
    """The two-letter code where there is one, else what people wrote."""
    code, name = text(given.hs_country_code), text(given.country)
    known = deals.countries.get(name.casefold()) if deals and name else None
    found = code or known or name
    return found.upper() if found is not None and len(found) == 2 else found


def _customer(key: str | None, tenant: str) -> str | None:
    """The customer whose key the company carries; another tenant's is none of ours."""
    own, _, note = (key or "").strip().lower().partition("|")
    return str(Ref(acumatica.SYSTEM, "customer", note)) if own == tenant and note else None


def _contact(given: HubspotPerson | None) -> DealContact | None:
    if given is None:
        return None
    return DealContact(
        ref=str(Ref(hubspot.SYSTEM, "contact", given.id)),
        first_name=text(given.firstname),
        last_name=text(given.lastname),
        job_title=text(given.jobtitle),
        email=text(given.email),
        phone=text(given.phone) or text(given.mobilephone),
    )


def seed(arrival: Arrival, context: Context) -> Outputs:
    """A won deal whose company is no customer yet: a wish for one. `RejectedError` where it cannot be one, with what to put right."""
    found, passage = arrival.record, arrival.passage
    if found is None:
        return []
    linked = context.links.get(found.party, acumatica.SYSTEM)
    customer = linked.peer if linked is not None else found.company.customer
    if customer is not None:
        return [said(ROUTE, "unchanged", found.ref, passage, f"its company {found.party} is a customer already: {customer}")]
    if context.deals is None:
        return [said(ROUTE, "out_of_scope", found.ref, passage, "the settings of this worker have no section [deals]")]
    if found.company.name is None:
        raise RejectedError(f"its company {found.party} has no name: give it one in HubSpot")
    wish = Wish(
        subject=found.party,
        object="customer",
        facet=FACET,
        # deals of one company come from several partitions, and its own data changes without any deal: so the time of reading counts
        version=int(found.read_at.timestamp() * 1000),
        key_property=context.deals.reference_field,
        key_value=found.party,
        properties=_properties(found, context.deals),
        matches=_matches(found),
        source_system=passage.system,
        source_at=passage.source_at,
        trace=passage.trace,
    )
    noted = said(ROUTE, "noted", found.ref, passage, f"asks that its company {found.party} become a customer: see there")
    return [Outgoing(UPSERTS_ACUMATICA, found.party, wish, passage.headers()), noted]


def _properties(found: Deal, deals: Deals) -> dict[str, str | None]:
    """What the company says, and what the rules give over it."""
    address = found.company.address
    country = address.country if address else None
    if country is not None and len(country) != 2:
        how = "fill in its country code in HubSpot (hs_country_code), or name it in deals.countries"
        raise RejectedError(f"the country {country!r} of company {found.party} has no two-letter code: {how}")
    asked = {
        "country": country,
        "state": address.state if address else None,
        "industry": found.company.industry,
        "pipeline": found.pipeline,
        "stage": found.stage,
        "kind": found.kind,
        "currency": found.currency,
    }
    own = {field.vendor: within(field, _value(found, field)) for field in acumatica.SEED}
    code = deals.code(Ref.parse(found.party).id)
    return own | deals.given(asked) | ({} if code is None else {"CustomerID": code})


def _value(found: Deal, field: Field) -> str | None:
    """The first that is filled; `name` joins the parts of a person's."""
    values = [text(value_at(found, path)) for path in field.canonical.split(" + ")]
    if field.kind == "name":
        return " ".join(value for value in values if value) or None
    return next((value for value in values if value), None)


def _matches(found: Deal) -> list[Match]:
    email = found.contact.email if found.contact else None
    asked = (("CustomerName", found.company.name), ("Email", email), ("Domain", found.company.domain))
    return [Match(property=name, value=value) for name, value in asked if value is not None]


def company_of(customer: Customer) -> str | None:
    """The company that a customer was made of, by what stands in it; None where it names none, or several."""
    named = set(_COMPANY.findall(customer.external_ref or "")) if customer.external_ref else set()
    parts = {part.strip() for part in (customer.external_ref or "").split(";")}
    found = sorted(named & parts)
    return found[0] if len(found) == 1 else None
