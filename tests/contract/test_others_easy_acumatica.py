"""`easy-acumatica`, whose authors never saw our sandbox, works with it (facts/acumatica.md §9.1): cookie login, and services that it
builds from the description the site gives of itself."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from easy_acumatica import AcumaticaClient
from easy_acumatica.exceptions import AcumaticaError
from easy_acumatica.odata import F, QueryOptions
from others_kit import Running, running

from sandbox.data import credentials


@pytest.fixture(scope="module")
def site() -> Iterator[Running]:
    with running("acumatica", "--customers", "40", "--contacts", "100") as one:
        yield one


@pytest.fixture
def client(site: Running, tmp_path: Path) -> Iterator[Any]:
    with AcumaticaClient(
        site.url,
        credentials.ACUMATICA_USER,
        credentials.ACUMATICA_PASSWORD,
        credentials.ACUMATICA_TENANT,
        endpoint_version=credentials.ACUMATICA_VERSION,
        rate_limit_calls_per_second=1000,
        cache_dir=tmp_path,
        auto_load_env=False,
    ) as one:
        yield one


def test_it_boots_from_our_description(client: Any) -> None:
    """§2.2, S5: login, `/entity`, swagger.json: it finds our entities, what can be done with each, and the types of the fields."""
    assert client.list_services() == ["BusinessAccount", "Contact", "Customer", "Inquiries", "Invoice", "Payment", "SalesInvoice"]
    assert hasattr(client.customer, "put_entity")
    assert not hasattr(client.business_account, "put_entity")
    types = client.models.Customer.get_schema()
    assert {name: types[name]["type"] for name in ("CustomerID", "CreditLimit", "BAccountID", "LastModifiedDateTime")} == {
        "CustomerID": "str",
        "CreditLimit": "float",
        "BAccountID": "int",
        "LastModifiedDateTime": "datetime",
    }
    assert types["MainContact"]["fields"]["Address"]["fields"]["City"]["type"] == "str"


def test_lists(client: Any, site: Running) -> None:
    """§4.1, §4.2, S7: select, filter and skip: only those fields, only those rows, and the pages are the whole list in key order."""
    rows = site.control("dump")["customers"]
    active = sorted(row["CustomerID"].casefold() for row in rows if row["Status"] == "Active")
    found: list[dict[str, Any]] = []
    while page := client.customer.get_list(
        QueryOptions(filter=F.Status == "Active", select=["CustomerID", "Status"], top=7, skip=len(found)),
    ):
        found += page
    assert [row["CustomerID"]["value"].casefold() for row in found] == active
    assert set(found[0]) == {"id", "rowNumber", "note", "CustomerID", "Status", "custom", "_links"}


def test_expansion(client: Any) -> None:
    """§4.1, S7: a linked entity is null until it is expanded, each level of it."""
    row = client.customer.get_by_id("O'BRIEN")
    assert row["MainContact"] is None
    options = QueryOptions(expand=["MainContact", "MainContact/Address"])
    assert client.customer.get_by_id("O'BRIEN", options)["MainContact"]["Address"]["Country"]["value"]


def test_a_missing_key(client: Any) -> None:
    """§4.4, S10: a record that is not there is a 500 of its own kind, never a 404."""
    with pytest.raises(AcumaticaError, match="No entity satisfies the condition") as caught:
        client.customer.get_by_id("NOBODY")
    assert caught.value.status_code == 500


def test_a_bare_date_in_a_filter(client: Any) -> None:
    """§9.1, S8: the dates that this client writes into filters are plain texts, which the real server refuses with a 500: so do we."""
    with pytest.raises(AcumaticaError) as caught:
        client.customer.get_list(QueryOptions(filter=F.LastModifiedDateTime > "2024-01-01"))
    assert caught.value.status_code == 500


def test_create_update_delete(client: Any, site: Running) -> None:
    """§4.8, §4.9, S11: a PUT makes the record, the next one changes it, DELETE takes it away; the key comes back in capitals."""
    made = client.customer.put_entity({"CustomerID": {"value": "Cust01"}, "CustomerName": {"value": "Custumer 01"}})
    assert made["CustomerID"]["value"] == "CUST01"
    body = {"CustomerID": {"value": "cust01"}, "MainContact": {"Address": {"City": {"value": "Bergen"}}}}
    options = QueryOptions(expand=["MainContact", "MainContact/Address"])
    changed = client.customer.put_entity(body, options)
    assert (changed["id"], changed["MainContact"]["Address"]["City"]["value"]) == (made["id"], "Bergen")
    person = client.models.Contact(LastName="Edds", FirstName="Brent", Email="brent@new.example", BusinessAccount="CUST01", Active=True)
    contact = client.contact.put_entity(person)
    held = {row["id"]: row for row in site.control("dump")["contacts"]}
    assert held[contact["id"]]["DisplayName"] == "Brent Edds"
    assert held[contact["id"]]["BusinessAccount"] == "CUST01"
    client.contact.delete_by_id(contact["id"])
    client.customer.delete_by_id("CUST01")
    with pytest.raises(AcumaticaError, match="No entity"):
        client.customer.get_by_id(made["id"])


def test_a_field_that_is_wrong(client: Any, site: Running) -> None:
    """§6.2: a record that the form refuses is a 422, and nothing is saved."""
    before = site.control("dump")["contacts"]
    with pytest.raises(AcumaticaError) as caught:
        client.contact.put_entity({"LastName": {"value": "Doe"}, "BusinessAccount": {"value": "NOBODY"}})
    assert caught.value.status_code == 422
    assert site.control("dump")["contacts"] == before


def test_signing_out_frees_the_seat(client: Any, site: Running) -> None:
    """§1.7, S3: the session takes a seat while the client is open and none after it is closed."""
    client.customer.get_by_id("O'BRIEN")
    assert site.control("calls")["sessions"]["open"] == 1
    client.close()
    assert site.control("calls")["sessions"]["open"] == 0
