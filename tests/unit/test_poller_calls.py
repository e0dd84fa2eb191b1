"""What the Acumatica poller asks for: no codes in a first sync, keys and stamps alone at rest; and nobody ends at a wrong customer."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sandbox.data import load
from schemas.sources import SourceAcumaticaContact
from tests.contract.source_kit import Bench, bench, with_contacts

DEMO = load("demo", customers=40, contacts=100)
NARROW = {"customer": "CustomerID,LastModifiedDateTime", "contact": "ContactID,LastModifiedDateTime"}


def test_a_first_sync_is_its_pages(tmp_path: Path) -> None:
    """Sign-in, the endpoints, the pages of customers and of contacts: the codes are known from the customers, foreign ones too."""
    with bench(tmp_path, given={"page_size": 30}) as made:
        made.walk("customer")
        records, _ = made.walk("contact")
        assert [request.url.path.rpartition("/")[2] for request in made.requests] == [
            "token",
            "entity",
            *["Customer"] * 2,
            *["Contact"] * 4,
        ]
        customers = {row["id"]: row["CustomerID"] for row in DEMO.customers}
        parties = {record.ref: record.party for record in records}
        accounts = {row["id"]: row["BusinessAccount"] for row in DEMO.contacts}
        told = {ref.rpartition(":")[2]: customers.get((party or "").rpartition(":")[2]) for ref, party in parties.items()}
        assert told == {note: code if code in customers.values() else None for note, code in accounts.items()}


@pytest.mark.parametrize("first", ["after the customers", "within the customers", "within the contacts"])
def test_who_comes_back_asks_again(tmp_path: Path, first: str) -> None:
    """A process that has not seen every customer itself looks the codes up, and comes to the same."""
    with bench(tmp_path, given={"page_size": 30}) as made:
        customer = next(made.pages("customer"))
        if first == "within the customers":
            made.source.close()
        made.walk("customer", customer.position if first == "within the customers" else None)
        if first == "after the customers":
            made.source.close()
        contact = None
        if first == "within the contacts":
            page = next(made.pages("contact"))
            page.committed()
            contact = page.position
            made.source.close()
        made.calls("Customer")
        records, _ = made.walk("contact", contact)
        assert any("CustomerID eq" in one.get("$filter", "") for one in made.calls("Customer"))
        known = {row["CustomerID"]: f"acumatica:customer:{row['id']}" for row in DEMO.customers}
        wrong = [record.ref for record in records if record.party != known.get(record.BusinessAccount)]
        assert wrong == []


def test_two_walks_side_by_side_know_only_what_they_saw(tmp_path: Path) -> None:
    """A re-reading that begins while another walk runs begins anew: the end of the other one proves nothing."""
    with bench(tmp_path, given={"page_size": 30}) as made:
        ours = next(made.pages("customer"))
        ours.committed()
        again = made.source.poll("customer", None)
        made.walk("customer", ours.position)
        assert not made.source._codes.whole
        again.committed()
        made.walk("customer", again.position)
        assert made.source._codes.whole


def _parties(records: list[Any]) -> dict[str, str | None]:
    """By contact, whose it was published to be last."""
    return {one.ref.rpartition(":")[2]: one.party for one in records if isinstance(one, SourceAcumaticaContact)}


@pytest.mark.parametrize("known", [False, True], ids=["nobody had looked", "read along before"])
def test_codes_that_change_hands_meanwhile(tmp_path: Path, known: bool) -> None:
    """Between the two walks a code goes to another customer, one gets a new code, one is new: all contacts end where they belong."""
    one, other = DEMO.customers[5], DEMO.customers[9]
    book = with_contacts(DEMO, {"BusinessAccount": one["CustomerID"]}, {"BusinessAccount": other["CustomerID"]}, {"BusinessAccount": "NEW"})
    with bench(tmp_path, book) as made:
        records, position = made.walk("customer")
        if known:
            made.edit(entity="customer", key=other["id"], fields={"CustomerName": "Read along"})
            more, position = made.walk("customer", position)
            records += more
        made.edit(entity="customer", key=one["id"], fields={"CustomerID": "ELSE"})
        made.edit(entity="customer", key=other["id"], fields={"CustomerID": one["CustomerID"]})
        new = made.edit(entity="customer", create={"CustomerID": "NEW", "CustomerName": "New"})[0]["id"]
        more, _ = made.walk("contact")
        told = _parties(more)
        last = _parties([*more, *made.walk("customer", position)[0]])
        notes = [row["id"] for row in book.contacts]
        owners = dict(zip(notes, (one["id"], other["id"], new), strict=True))
        assert last == {contact: f"acumatica:customer:{owner}" for contact, owner in owners.items()}
        assert told != last, "it was never wrong, so nothing is proven"


def _shapes(made: Bench, entity: str) -> list[str]:
    """narrow or whole, for each list of that entity since the last question."""
    asked = made.calls("Contact" if entity == "contact" else "Customer")
    return ["narrow" if one["$select"] == NARROW[entity] and "$expand" not in one else "whole" for one in asked]


@pytest.mark.parametrize("entity", ["customer", "contact"])
def test_whole_rows_only_where_there_is_news(tmp_path: Path, entity: str) -> None:
    """A poll asks for keys and stamps; then for whole rows where one is new, and once more when it is about to leave the overlap."""
    with bench(tmp_path, given={"overlap_seconds": 60}) as made:
        _, position = made.walk(entity)
        _, position = made.walk(entity, position)
        made.requests.clear()
        now, later = made.source._client.now, timedelta()
        made.source._client.now = lambda: now() + later  # type: ignore[method-assign]
        found: list[list[str]] = []
        for seconds in (0, 0, 30, 58, 70, 200):
            if not found:
                row = DEMO.customers[3] if entity == "customer" else DEMO.contacts[3]
                field = "CustomerName" if entity == "customer" else "JobTitle"
                made.edit(entity=entity, key=row["id"], fields={field: "Changed"})
            later = timedelta(seconds=seconds)
            records, position = made.walk(entity, position)
            found.append([f"{len(records)} new", *_shapes(made, entity)])
        assert found[0][1:] == ["narrow", "whole"]
        assert found[0][0] != "0 new"
        assert found[1:] == [
            ["0 new", "narrow"],
            ["0 new", "narrow"],
            ["0 new", "narrow"],
            ["0 new", "whole"],
            ["0 new", "narrow"],
        ]


def test_a_row_that_does_not_fit_is_refused_once(tmp_path: Path) -> None:
    """Shown again by the overlap it is no second dead letter, and costs no whole rows; changed again it is."""
    with bench(tmp_path) as made:
        _, position = made.walk("customer")
        row = next(iter(made.vendor.store.customers))

        def refused() -> int:
            nonlocal position
            pages = list(made.pages("customer", position))
            for page in pages:
                page.committed()
            position = pages[-1].position
            return sum(len(page.refused) for page in pages)

        made.edit(entity="customer", key=row["id"], fields={"CustomerName": "Changed"})
        row["BAccountID"] = "none"
        assert refused() == 1
        made.requests.clear()
        assert refused() == 0
        assert _shapes(made, "customer") == ["narrow"]
        made.edit(entity="customer", key=row["id"], fields={"CustomerName": "Again"})
        assert refused() == 1
