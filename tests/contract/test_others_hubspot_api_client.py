"""HubSpot's own Python client, `hubspot-api-client`, works with our sandbox (facts/hubspot.md §11): its models read our answers and its
exceptions our refusals. It speaks v3 and v4."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import hubspot
import pytest
from hubspot.crm import companies, contacts, properties
from hubspot.crm.associations import v4
from others_kit import Running, running
from urllib3.util.retry import Retry

from sandbox.data.credentials import HUBSPOT_TOKEN

KEY = "acumatica_customer_key"


@pytest.fixture(scope="module")
def portal() -> Iterator[Running]:
    switches = ("search_delay_seconds=0", "retry_after=true", "burst_limit=40", "search_limit=2")
    with running("hubspot", "--data", "empty", *(part for switch in switches for part in ("--set", switch))) as one:
        yield one


@pytest.fixture
def client(portal: Running) -> Any:
    portal.control("reset", data="empty")
    one: Any = hubspot.Client.create(access_token=HUBSPOT_TOKEN, host=portal.url, retry=Retry(0))
    key = {
        "name": KEY,
        "label": "Key",
        "type": "string",
        "field_type": "text",
        "group_name": "companyinformation",
        "has_unique_value": True,
    }
    one.crm.properties.core_api.create("companies", properties.PropertyCreate(**key))
    return one


def upsert(client: Any, *rows: tuple[str, dict[str, str]], by: str = KEY) -> Any:
    inputs = [
        companies.SimplePublicObjectBatchInputUpsert(id=key, id_property=by, properties=values, object_write_trace_id=f"row {number}")
        for number, (key, values) in enumerate(rows)
    ]
    body = companies.BatchInputSimplePublicObjectBatchInputUpsert(inputs=inputs)
    return client.crm.companies.batch_api.upsert(batch_input_simple_public_object_batch_input_upsert=body)


def repeat(times: int, call: Callable[[], Any]) -> None:
    for _ in range(times):
        call()


def refused(error: Any) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(error.value.body)
    return body


def test_a_batch_with_a_bad_row_is_a_207(client: Any) -> None:
    """§2.4: the good rows are written and come back as `new`, the bad one is an error with its trace id; its model is the one of a 207."""
    answer = upsert(client, ("demo|1", {"name": "Acme"}), ("demo|2", {"name": "Beta", "no_such": "x"}), ("demo|3", {"name": "Gamma"}))
    assert isinstance(answer, companies.BatchResponseSimplePublicUpsertObjectWithErrors)
    assert {(row.properties[KEY], row.new) for row in answer.results} == {("demo|1", True), ("demo|3", True)}
    assert answer.num_errors == 1
    assert answer.errors[0].context == {"objectWriteTraceId": ["row 1"]}
    again = upsert(client, ("demo|1", {"name": "Acme Ltd"}))
    assert [(row.properties["name"], row.new) for row in again.results] == [("Acme Ltd", False)]


def test_the_same_id_twice(client: Any, portal: Running) -> None:
    """§2.4: one id twice in a batch is a 400 for all of it; nothing is written."""
    with pytest.raises(companies.ApiException) as error:
        upsert(client, ("demo|1", {"name": "A"}), ("demo|1", {"name": "B"}))
    assert (error.value.status, refused(error)["category"]) == (400, "VALIDATION_ERROR")
    assert "IDs must be unique" in refused(error)["message"]
    assert portal.control("dump")["companies"] == []


def test_a_property_that_is_not_unique(client: Any) -> None:
    """§2.6: `domain` is no idProperty."""
    with pytest.raises(companies.ApiException) as error:
        upsert(client, ("acme.example", {"name": "A"}), by="domain")
    assert error.value.status == 400
    assert refused(error)["message"] == "Unable to perform update/upsert by non-unique 0-2 property domain"


def test_search_and_its_cap(client: Any) -> None:
    """§3: the found are found; past the ten thousandth result is a 400."""
    upsert(client, ("demo|1", {"name": "Acme", "domain": "acme.example"}), ("demo|2", {"name": "Beta"}))
    one = companies.FilterGroup(filters=[companies.Filter(property_name="domain", operator="IN", values=["acme.example"])])
    found = client.crm.companies.search_api.do_search(companies.PublicObjectSearchRequest(filter_groups=[one], properties=["name"]))
    assert (found.total, found.results[0].properties["name"]) == (1, "Acme")
    with pytest.raises(companies.ApiException) as error:
        client.crm.companies.search_api.do_search(companies.PublicObjectSearchRequest(limit=100, after="9950"))
    assert error.value.status == 400


def test_associations_in_batch(client: Any) -> None:
    """§5.1, §5.2, §14.7: associated by default in a batch, the company is the primary one too; a record without any makes a 207."""
    company = upsert(client, ("demo|1", {"name": "Acme"})).results[0].id
    people = [
        client.crm.contacts.basic_api.create(contacts.SimplePublicObjectInputForCreate(properties={"email": f"{name}@acme.example"})).id
        for name in ("ann", "bob")
    ]
    pair = v4.PublicDefaultAssociationMultiPost(_from=v4.PublicObjectId(id=people[0]), to=v4.PublicObjectId(id=company))
    api = client.crm.associations.v4.batch_api
    api.create_default("contacts", "companies", v4.BatchInputPublicDefaultAssociationMultiPost(inputs=[pair]))
    wanted = [v4.PublicFetchAssociationsBatchRequest(id=person) for person in people]
    read = api.get_page("contacts", "companies", v4.BatchInputPublicFetchAssociationsBatchRequest(inputs=wanted))
    assert [(row._from.id, str(row.to[0].to_object_id)) for row in read.results] == [(people[0], company)]
    assert {kind.type_id for kind in read.results[0].to[0].association_types} == {1, 279}
    assert read.errors[0].sub_category == "crm.associations.NO_ASSOCIATIONS_FOUND"


def test_a_property_that_is_there(client: Any) -> None:
    """§4: a name that is taken is a 409 with its subCategory."""
    same = properties.PropertyCreate(name=KEY, label="Key", type="string", field_type="text", group_name="companyinformation")
    with pytest.raises(properties.ApiException) as error:
        client.crm.properties.core_api.create("companies", same)
    assert (error.value.status, refused(error)["subCategory"]) == (409, "Properties.PROPERTY_WITH_NAME_EXISTS")


def test_an_email_that_is_there(client: Any) -> None:
    """§2.4: a contact whose e-mail address is taken is a 409 that names the other one."""
    ann = contacts.SimplePublicObjectInputForCreate(properties={"email": "ann@acme.example"})
    made = client.crm.contacts.basic_api.create(ann)
    with pytest.raises(contacts.ApiException) as error:
        client.crm.contacts.basic_api.create(ann)
    assert (error.value.status, refused(error)["message"]) == (409, f"Contact already exists. Existing ID: {made.id}")


def test_too_many_calls(client: Any) -> None:
    """§8: a burst is met with 429, its policy, and the headers of the limit; a search too many has a policy of its own and no headers."""
    read, search = client.crm.companies.basic_api.get_page, client.crm.companies.search_api.do_search
    with pytest.raises(companies.ApiException) as error:
        repeat(41, lambda: read(limit=1))
    assert (error.value.status, refused(error)["policyName"]) == (429, "TEN_SECONDLY_ROLLING")
    headers = {name.lower(): value for name, value in error.value.headers.items()}
    assert (headers["x-hubspot-ratelimit-max"], headers["x-hubspot-ratelimit-remaining"]) == ("40", "0")
    assert int(headers["retry-after"]) >= 1
    with pytest.raises(companies.ApiException) as error:
        repeat(50, lambda: search(companies.PublicObjectSearchRequest(limit=1)))
    assert (error.value.status, refused(error)["policyName"]) == (429, "SECONDLY")
    assert not [name for name in error.value.headers if "ratelimit" in name.lower()]


def test_a_token_that_is_not_good(portal: Running) -> None:
    """§1.3: 401 in the words of the category."""
    client: Any = hubspot.Client.create(access_token="pat-na1-other", host=portal.url, retry=Retry(0))
    with pytest.raises(companies.ApiException) as error:
        client.crm.companies.basic_api.get_page(limit=1)
    assert (error.value.status, refused(error)["category"]) == (401, "INVALID_AUTHENTICATION")
