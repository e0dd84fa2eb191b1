"""The Acumatica poller: rows as records, whose a contact is, what costs a call, sites that filter otherwise."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from producers.acumatica import FILTER_ROOM
from producers.acumatica_tables import CONTACT, CUSTOMER, as_text
from sandbox.data import load
from schemas.sources import SourceAcumaticaContact, SourceAcumaticaCustomer
from streams.mappings.table import plain
from tests.contract.source_kit import bench, with_contacts
from weighlock.clients.acumatica_values import encoded
from weighlock.errors import AuthError, ConfigError, RejectedError, TransientError

NOW = datetime(2026, 11, 21, 4, tzinfo=UTC)
DEMO = load("demo", customers=40, contacts=100)


def test_a_row_becomes_a_record() -> None:
    """Fields as the vendor names them, money as Decimal, the NoteID as ref, what we do not know as JSON in `extra`."""
    row = {
        "id": "5F0E",
        "CustomerID": "ABC",
        "CustomerName": "A & B",
        "CreditLimit": 160,
        "LastModifiedDateTime": "2026-11-21T03:04:05.5-08:00",
        "MainContact": {"id": "x", "Email": "a@b.example", "Fax": None, "Address": {"id": "y", "City": "Bonn"}},
        "NoteID": "5F0E",
        "Surprise": {"Amount": Decimal("1.50")},
    }
    record = CUSTOMER.record_of(row, "upsert", NOW)
    assert isinstance(record, SourceAcumaticaCustomer)
    assert (record.ref, record.modified_at) == ("acumatica:customer:5f0e", datetime(2026, 11, 21, 11, 4, 5, 500000, UTC))
    assert record.CreditLimit == Decimal(160)
    assert record.MainContact is not None
    assert record.MainContact.Address is not None
    assert (record.MainContact.Email, record.MainContact.Address.City) == ("a@b.example", "Bonn")
    assert record.extra == {"Surprise": '{"Amount": "1.50"}'}


def test_what_is_asked_for_are_the_fields_of_the_records() -> None:
    """One table: every field of the Avro record is selected, and each linked entity on the way is expanded, level by level."""
    assert set(CUSTOMER.select) >= {"LastModifiedDateTime", "CustomerName", "MainContact/Email", "MainContact/Address/City"}
    assert CUSTOMER.expand == ["MainContact", "MainContact/Address"]
    assert set(CONTACT.select) >= {"BusinessAccount", "Type", "Phone3Type", "Address/PostalCode"}
    assert not {"ref", "party", "scope", "extra"} & set(CONTACT.select)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"LastModifiedDateTime": None}, "no LastModifiedDateTime"),
        ({"LastModifiedDateTime": "soon"}, "soon"),
        ({"LastModifiedDateTime": "0001-01-01T00:00:00+14:00"}, "LastModifiedDateTime"),  # in UTC it is before all time
        ({"LastModifiedDateTime": 5}, "LastModifiedDateTime"),
        ({"BAccountID": "x"}, "BAccountID"),
        ({"BAccountID": 12345678901234567890}, "BAccountID"),
        ({"CustomerID": None}, "CustomerID"),
        ({"CustomerName": "\ud83d and no more"}, r"CustomerName: Value error, half of a character, '\\ud83d', at place 1"),
        ({"MainContact": {"Address": {"City": ["Bonn"]}}}, r"MainContact\.Address\.City"),
        ({"CreditLimit": Decimal("1e999999999")}, "CreditLimit: Value error, more than 30 digits before the point"),
        ({"CreditLimit": Decimal("0.000000001")}, "CreditLimit: Value error, more than 8 digits after the point"),
    ],
)
def test_a_row_that_cannot_be_a_record_is_refused(change: dict[str, Any], words: str) -> None:
    """It is named with what is wrong in it; the loop makes it a dead letter."""
    with pytest.raises(RejectedError, match=words):
        CUSTOMER.record_of({"id": "1", "CustomerID": "A", "LastModifiedDateTime": "2026-11-21T03:04:05+00:00"} | change, "upsert", NOW)


@pytest.mark.parametrize(
    ("given", "held"),
    [
        ("123456789012345678901234567890.12345678", "123456789012345678901234567890.12345678"),
        ("1.500000000000", "1.5"),
        ("-0.00", "0"),
        ("0E+50", "0"),
        ("1E+29", "1" + "0" * 29),
    ],
)
def test_an_amount_goes_through_with_all_of_its_digits(given: str, held: str) -> None:
    """38 digits, eight of them after the point: through Avro and out as text, none is rounded and none invented."""
    row = {"id": "1", "CustomerID": "A", "LastModifiedDateTime": "2026-11-21T03:04:05+00:00", "CreditLimit": Decimal(given)}
    amount = CUSTOMER.record_of(row, "upsert", NOW).model_dump()["CreditLimit"]
    assert plain(amount) == held


def test_a_row_that_says_anything_can_be_told_of() -> None:
    """A row is JSON that UTF-8 can hold, whatever characters are in it."""
    assert json.loads(as_text({"a": "\ud83d😀\0"}).encode()) == {"a": "\ud83d😀\0"}


@pytest.mark.parametrize("key", ["{}", "5", "[]", '{"value": "\\ud83d"}', f'{{"value": "{"x" * 2000}"}}'])
def test_a_row_whose_key_is_none_stops_nobody(key: str, tmp_path: Path) -> None:
    """Paging goes on behind the last key that a filter can name, even where such a row ends its page; all other rows are changes."""
    with bench(tmp_path, given={"page_size": 10}) as made:
        ids = [row["id"] for row in made.vendor.store.customers]
        odd = ids[9:30:9]
        made.site.control("faults", kind="garbled", times=1000, args={"rows": {id: {"CustomerID": key} for id in odd}})
        pages = list(made.pages("customer"))
        changes = {one.key for page in pages for one in page.changes}
        refused = {one.key for page in pages for one in page.refused}
        assert changes | refused == {f"acumatica:customer:{id}" for id in ids}
        assert refused == (set() if "xx" in key else {f"acumatica:customer:{id}" for id in odd})


@pytest.mark.parametrize("stamp", ['{"value": "0001-01-01T00:00:00+00:00"}', '{"value": "soon"}', "{}"])
def test_a_first_row_without_a_usable_stamp(stamp: str, tmp_path: Path) -> None:
    """Whether a site filters by stamp and key is asked of its first row; where that one cannot tell, the walk by time goes on."""
    with bench(tmp_path) as made:
        _, position = made.walk("customer")
        first = next(iter(made.vendor.store.customers))
        made.site.control("faults", kind="garbled", times=1000, args={"rows": {first["id"]: {"LastModifiedDateTime": stamp}}})
        made.edit(entity="customer", key="O'BRIEN", fields={"CustomerName": "New"})
        records, _ = made.walk("customer", position)
        assert "New" in [record.CustomerName for record in records]


def test_its_neighbours_go_on(tmp_path: Path) -> None:
    """One row without its stamp is refused with the whole row; all others of the page are changes."""
    with bench(tmp_path) as made:
        broken = made.vendor.store.customers.find("O'BRIEN")
        assert broken is not None
        broken["LastModifiedDateTime"] = None
        pages = list(made.pages("customer"))
        refused = [one for page in pages for one in page.refused]
        assert [one.key for one in refused] == [f"acumatica:customer:{broken['id']}"]
        assert '"CustomerID": "O\'BRIEN"' in refused[0].row
        assert sum(len(page.changes) for page in pages) == 39


def test_a_contact_has_the_ref_of_its_customer_or_a_reason(tmp_path: Path) -> None:
    """The code becomes the NoteID; without a customer, or of another type, the record says why it is out of scope."""
    code, note = DEMO.customers[5]["CustomerID"], DEMO.customers[5]["id"]
    book = with_contacts(
        DEMO,
        {"BusinessAccount": code},
        {"BusinessAccount": None},
        {"BusinessAccount": "PROSPECT01"},
        {"BusinessAccount": code, "Type": "Lead"},
    )
    with bench(tmp_path, book) as made:
        records, _ = made.walk("contact")
        assert [(record.party, record.scope) for record in records] == [
            (f"acumatica:customer:{note}", None),
            (None, "no business account"),
            (None, "business account PROSPECT01 is no customer"),
            (None, "type Lead, not Contact"),
        ]


def test_codes_are_asked_for_together(tmp_path: Path) -> None:
    """One narrow list call has as many codes as a query takes; no contact costs a call of its own."""
    with bench(tmp_path) as made:
        list(made.pages("contact"))
        asked = made.calls("Customer")
        assert len(asked) <= 3
        assert {one["$select"] for one in asked} == {"CustomerID"}
        assert all(len(encoded(one)) < FILTER_ROOM + 100 for one in asked)


def test_a_rename_between_the_two_calls(tmp_path: Path) -> None:
    """The code of a contact is gone when it is looked up: contact and code are read once more, and the customer is found."""
    customer = DEMO.customers[5]
    with bench(tmp_path, with_contacts(DEMO, {"BusinessAccount": customer["CustomerID"]})) as made:
        ask, renamed = made.source._client.list, []

        def listing(entity: str, *given: Any, **more: Any) -> Any:
            if entity == "Customer" and not renamed:
                renamed.append(made.edit(entity="customer", key=customer["id"], fields={"CustomerID": "RENAMED"}))
            return ask(entity, *given, **more)

        made.source._client.list = listing  # type: ignore[method-assign]
        records, _ = made.walk("contact")
        assert [(record.party, record.scope) for record in records] == [(f"acumatica:customer:{customer['id']}", None)]
        assert [record.BusinessAccount for record in records] == ["RENAMED"]


def test_a_prospect_that_becomes_a_customer_brings_its_contacts(tmp_path: Path) -> None:
    """The contact's own stamp does not move, so it is read along with the new customer; once, not at each of its changes."""
    with bench(tmp_path, with_contacts(DEMO, {"BusinessAccount": "PROSPECT01"})) as made:
        _, position = made.walk("customer")
        (before,), _ = made.walk("contact")
        store = made.vendor.store
        prospect = store.accounts.find("PROSPECT01")
        assert prospect is not None
        store.accounts.remove(prospect)
        store.create(store.customers, {**DEMO.customers[0], "id": prospect["id"], "CustomerID": "PROSPECT01"}, "person")
        records, position = made.walk("customer", position)
        after = next(record for record in records if isinstance(record, SourceAcumaticaContact))
        assert (before.party, after.party) == (None, f"acumatica:customer:{prospect['id']}")
        made.calls("Contact")
        made.edit(entity="customer", key="PROSPECT01", fields={"CustomerName": "Again"})
        assert [type(record) for record in made.walk("customer", position)[0]] == [SourceAcumaticaCustomer]
        assert made.calls("Contact") == []


def test_a_quiet_poll_is_one_call(tmp_path: Path) -> None:
    """When nothing changed, or only what the overlap shows again, an entity costs one call."""
    with bench(tmp_path) as made:
        _, position = made.walk("contact")
        made.edit(entity="contact", key=str(DEMO.contacts[0]["id"]), fields={"JobTitle": "Changed"})
        _, position = made.walk("contact", position)
        made.requests.clear()
        records, position = made.walk("contact", position)
        assert (records, len(made.requests)) == ([], 1)


def test_windows_are_frozen_and_walked_by_key(tmp_path: Path) -> None:
    """Deltas ask for `ge A and lt B` and the key after the last one; B is the server's second, the next A is B less the overlap."""
    with bench(tmp_path, given={"page_size": 3, "overlap_seconds": 60}) as made:
        _, position = made.walk("contact")
        for row in DEMO.contacts[:5]:
            made.edit(entity="contact", key=row["id"], fields={"JobTitle": "Changed"})
        made.walk("contact", position)
        made.calls("Contact")
        _, position = made.walk("contact", position)
        first, second = made.calls("Contact")
        window = first["$filter"]
        assert window.startswith("LastModifiedDateTime ge datetimeoffset'")
        assert second["$filter"].startswith(f"{window} and ContactID gt ")
        assert "$skip" not in first | second
        until = datetime.fromisoformat(window.split("'")[3])
        assert timedelta(seconds=59) < until - datetime.fromisoformat(position["since"]) <= timedelta(seconds=61)


@pytest.mark.parametrize("cross_view", ["rows", "empty"])
def test_a_site_whose_filters_do_not_cross_views(tmp_path: Path, cross_view: str) -> None:
    """The start-up probe sees whether stamp and key go together; where not, the window is halved until it fits, and nothing is lost."""
    with bench(tmp_path, given={"page_size": 4}, cross_view=cross_view) as made:
        _, position = made.walk("customer")
        changed = {row["id"] for row in DEMO.customers[:11]}
        for note in changed:
            made.edit(entity="customer", key=note, fields={"CustomerName": f"Changed {note}"})
        made.calls("Customer")
        records, position = made.walk("customer", position)
        assert {record.ref.rpartition(":")[2] for record in records if isinstance(record, SourceAcumaticaCustomer)} == changed
        filters = [one.get("$filter", "") for one in made.calls("Customer") if one.get("$top") == "4"]
        assert any("CustomerID gt" in one for one in filters) is (cross_view == "rows")


def test_rows_of_one_instant_come_in_one_page(tmp_path: Path) -> None:
    """More equal stamps than a page holds, on a site that cannot filter by key: the page grows until it holds them all."""
    stamp = datetime.now(UTC).replace(microsecond=5000)
    book = replace(DEMO, customers=[{**row, "LastModifiedDateTime": stamp} for row in DEMO.customers])
    with bench(tmp_path, book, given={"page_size": 4}, cross_view="empty") as made:
        window = {"walk": "idle", "since": (stamp - timedelta(seconds=5)).isoformat()}
        records, _ = made.walk("customer", window)
        assert len({record.ref for record in records if isinstance(record, SourceAcumaticaCustomer)}) == 40


@pytest.mark.parametrize("zone", ["America/Los_Angeles", "+05:30"])
def test_the_zone_of_the_site_does_not_matter(tmp_path: Path, zone: str) -> None:
    """Stamps come with the site's offset; windows and records are the same instants."""
    with bench(tmp_path, time_zone=zone) as made:
        _, position = made.walk("customer")
        made.edit(entity="customer", key="O'BRIEN", fields={"CustomerName": "Changed"})
        records, _ = made.walk("customer", position)
        assert records[0].CustomerName == "Changed"
        assert abs(records[0].modified_at - datetime.now(UTC)) < timedelta(seconds=30)


def test_a_token_that_ends_costs_nothing(tmp_path: Path) -> None:
    """An access token that ends in the middle is refreshed; the walk is whole and one session was enough."""
    with bench(tmp_path, given={"page_size": 7}) as made:
        made.site.control("faults", kind="expire-token", path="/Customer", skip=2)
        records, _ = made.walk("customer")
        assert len(records) == 40
        assert sum(request.url.path == "/identity/connect/token" for request in made.requests) == 2
        assert made.site.client.get("/__sandbox__/calls").json()["sessions"]["most"] == 1


def test_another_version_and_no_rights_stop_it(tmp_path: Path) -> None:
    """A version that is not there is a ConfigError that names those that are; a form without rights an AuthError that names it."""
    with bench(tmp_path, given={"version": "17.200.001"}) as made, pytest.raises(ConfigError, match=r"17\.200\.001.*24\.200\.001"):
        made.source.poll("customer", None)
    with bench(tmp_path, forbidden="Contact") as made, pytest.raises(AuthError, match="Contact"):
        made.source.poll("contact", None)


def test_a_page_that_takes_too_long_is_halved(tmp_path: Path) -> None:
    """After a call without an answer the page is half as long, down to a limit; other troubles change nothing."""
    with bench(tmp_path, given={"page_size": 80}) as made:
        made.site.control("faults", kind="status", path="/Customer", times=1, args={"status": 503})
        with pytest.raises(TransientError):
            made.source.poll("customer", None)
        for path in ("/Customer", "/Customer", "/Customer"):
            made.site.control("faults", kind="reset", path=path)
            with pytest.raises(TransientError):
                made.source.poll("customer", None)
        records, _ = made.walk("customer")
        assert [one["$top"] for one in made.calls("Customer")] == ["80", "80", "40", "25", "25", "25"]
        assert len(records) == 40
