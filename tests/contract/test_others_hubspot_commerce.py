"""HubSpot's own Python client, `hubspot-api-client`, writes invoices, line items and deals in our sandbox (facts/hubspot.md §11)."""

from collections.abc import Iterator
from typing import Any

import hubspot
import pytest
from hubspot.crm import companies, deals, line_items
from hubspot.crm.associations import v4
from hubspot.crm.commerce import invoices
from others_kit import Running, running
from urllib3.util.retry import Retry

from sandbox.data.credentials import HUBSPOT_TOKEN

MIRROR = {"hs_currency": "USD", "hs_invoice_billable": "false", "hs_invoice_status": "open"}


@pytest.fixture(scope="module")
def portal() -> Iterator[Running]:
    with running("hubspot", "--data", "empty", "--set", "search_delay_seconds=0") as one:
        yield one


@pytest.fixture
def client(portal: Running) -> Any:
    portal.control("reset", data="empty")
    return hubspot.Client.create(access_token=HUBSPOT_TOKEN, host=portal.url, retry=Retry(0))


def invoice(client: Any, **properties: str) -> str:
    body = invoices.SimplePublicObjectInputForCreate(properties={**MIRROR, **properties}, associations=[])
    return str(client.crm.commerce.invoices.basic_api.create(simple_public_object_input_for_create=body).id)


def test_an_invoice_with_its_lines(client: Any) -> None:
    """§6.3, §6.4: an invoice, its lines in one batch with the inline association 410, its company by default; all read back."""
    id = invoice(client, hs_number="000123", hs_amount_billed="25")
    to = [
        line_items.PublicAssociationsForObject(
            to=line_items.PublicObjectId(id=id),
            types=[line_items.AssociationSpec(association_category="HUBSPOT_DEFINED", association_type_id=410)],
        )
    ]
    rows = [
        line_items.SimplePublicObjectBatchInputForCreate(
            properties={"name": "Brick", "price": "2.5", "quantity": quantity}, associations=to, object_write_trace_id=quantity
        )
        for quantity in ("4", "6", "6")
    ]
    body = line_items.BatchInputSimplePublicObjectBatchInputForCreate(inputs=rows)
    made = client.crm.line_items.batch_api.create(batch_input_simple_public_object_batch_input_for_create=body)
    assert sorted(row.properties["amount"] for row in made.results) == ["10", "15"]
    firm = client.crm.companies.basic_api.create(companies.SimplePublicObjectInputForCreate(properties={"name": "A"})).id
    pairs = client.crm.associations.v4.basic_api.create_default("invoices", id, "companies", firm)
    assert {row.association_spec.association_type_id for row in pairs.results} == {179, 180}
    names = ["hs_number", "hs_balance_due", "hs_invoice_status"]
    read = client.crm.commerce.invoices.basic_api.get_by_id(id, properties=names, associations=["line_items", "companies"])
    assert [read.properties[name] for name in names] == ["000123", "25", "open"]
    assert {row.id for row in read.associations["line_items"].results} == {row.id for row in made.results}


def test_an_invoice_that_is_refused(client: Any, portal: Running) -> None:
    """§6.6, §14.4: a currency of nobody's is a 400; without the scopes it is a 403 with their names."""
    with pytest.raises(invoices.ApiException) as error:
        invoice(client, hs_currency="CHF")
    assert (error.value.status, "INVALID_OPTION" in error.value.body) == (400, True)
    portal.control("portal", invoices="no-scope")
    with pytest.raises(invoices.ApiException) as error:
        client.crm.commerce.invoices.basic_api.get_page(limit=1)
    assert (error.value.status, "crm.objects.invoices.read" in error.value.body) == (403, True)


def test_a_deal_is_won(client: Any) -> None:
    """§7, §14.5: the stage that the pipelines call won makes a deal won; search finds it, its primary company is that of type 5."""
    stages = [stage for row in client.crm.pipelines.pipelines_api.get_all("deals").results for stage in row.stages]
    won = {stage.id for stage in stages if stage.metadata == {"isClosed": "true", "probability": "1.0"}}
    assert len(won) == 2
    firm = client.crm.companies.basic_api.create(companies.SimplePublicObjectInputForCreate(properties={"name": "A"})).id
    body = deals.SimplePublicObjectInputForCreate(properties={"dealname": "Roof", "dealstage": "contractsent"})
    deal = client.crm.deals.basic_api.create(simple_public_object_input_for_create=body).id
    client.crm.associations.v4.basic_api.create_default("deals", deal, "companies", firm)
    change = deals.SimplePublicObjectInput(properties={"dealstage": "closedwon"})
    client.crm.deals.basic_api.update(deal, simple_public_object_input=change)
    rule = deals.FilterGroup(filters=[deals.Filter(property_name="hs_is_closed_won", operator="EQ", value="true")])
    asked = deals.PublicObjectSearchRequest(filter_groups=[rule], properties=["hs_primary_associated_company"], limit=200)
    found = client.crm.deals.search_api.do_search(public_object_search_request=asked)
    assert [(row.id, row.properties["hs_primary_associated_company"]) for row in found.results] == [(deal, firm)]
    wanted = v4.BatchInputPublicFetchAssociationsBatchRequest(inputs=[v4.PublicFetchAssociationsBatchRequest(id=deal)])
    read = client.crm.associations.v4.batch_api.get_page("deals", "companies", wanted)
    assert {kind.type_id for kind in read.results[0].to[0].association_types} == {5, 341}
