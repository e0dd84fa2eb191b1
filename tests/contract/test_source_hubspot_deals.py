"""The source of won deals against the HubSpot sandbox, without Kafka: what it reads, and what it makes of the search's ways."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from hubspot_kit import ASSOCIATIONS, OBJECTS, Hub, hub, patch

from producers.base import Page, Position, Refused
from producers.hubspot import HubSpotSource
from sandbox.data.credentials import HUBSPOT_TOKEN
from sandbox.hubspot import search
from schemas.sources import SourceHubspotDeal
from weighlock.clients.hubspot_deals import HubSpotDeals
from weighlock.errors import ConfigError
from weighlock.settings import HubSpot, Settings

ORDER_SIGNED = "3f0c9a1e-6d3b-4f7a-9f55-0b7c1f2d8e41"


class Desk:
    """A source of this portal's deals, and how far it has read."""

    def __init__(self, portal: Hub, **deals: Any) -> None:
        self.portal = portal
        given = {"since": "2026-11-01", **deals}
        settings = Settings(kafka="k:1", registry="http://r", hubspot={"url": "http://hub", "token": HUBSPOT_TOKEN}, deals=given)
        section = HubSpot(url="http://hub", token=HUBSPOT_TOKEN, burst_per_10_seconds=10_000, search_per_second=10_000)
        self.calls: list[httpx.Request] = []
        self.told: dict[str, dict[str, str]] = {}  # by id: what the answers say instead
        client = HubSpotDeals(section, httpx.MockTransport(self._carry))
        self.source = HubSpotSource(settings, client, lambda: portal.clock.now)
        self.position: Position | None = None

    def _carry(self, request: httpx.Request) -> httpx.Response:
        self.calls.append(request)
        answer = self.portal.client.request(
            request.method, str(request.url.raw_path, "ascii"), content=request.content, headers=request.headers
        )
        body = answer.json()
        for row in body.get("results") or []:
            if isinstance(row.get("properties"), dict):
                row["properties"] |= self.told.get(str(row.get("id")), {})
        return httpx.Response(answer.status_code, json=body)

    def pages(self) -> list[Page]:
        """To the end of the walk."""
        found: list[Page] = []
        while not found or found[-1].more:
            page = self.source.poll("deal", self.position)
            page.committed()
            self.position = page.position
            found.append(page)
        return found

    def read(self) -> dict[str, SourceHubspotDeal]:
        """By name."""
        found = {}
        for page in self.pages():
            assert not page.refused
            for change in page.changes:
                record = change.record
                assert isinstance(record, SourceHubspotDeal)
                assert record.dealname not in found
                found[record.dealname or ""] = record
        return found

    def refused(self) -> list[Refused]:
        return [one for page in self.pages() for one in page.refused]

    def deal(self, name: str, stage: str = "closedwon", company: str | None = None, contact: str | None = None, **fields: str) -> str:
        """As a person makes it."""
        create = {"dealname": name, "dealstage": stage, **fields}
        others = {kind: id for kind, id in (("company", company), ("contact", contact)) if id is not None}
        entries = self.portal.edit(entity="deal", create=create, **others)
        return str(next(entry["id"] for entry in entries if entry["entity"] == "deal"))


@pytest.fixture
def portal() -> Iterator[Hub]:
    with hub(search_delay_seconds=0) as found:
        yield found


@pytest.fixture
def desk(portal: Hub) -> Desk:
    return Desk(portal)


def test_all_that_was_won(desk: Desk) -> None:
    """The first reading: deals in won stages of every pipeline, since the day of the settings, with company, contact and all words."""
    company = desk.portal.make("companies", name="Acme", domain="acme.example", city="Ulm", hs_country_code="DE")
    contact = desk.portal.make("contacts", email="jane@acme.example", lastname="Doe")
    desk.deal("open", "contractsent")
    desk.deal("lost", "closedlost")
    desk.deal("old", closedate="2026-10-30T10:00:00Z", hs_closed_won_date="2026-10-31T10:00:00Z")
    desk.deal("won", company=company, contact=contact, amount="1200.50")
    desk.deal("signed", ORDER_SIGNED, pipeline="75421903")
    found = desk.read()
    assert set(found) == {"won", "signed"}
    won = found["won"]
    assert (won.change, won.stage_label, won.pipeline_label, str(won.amount)) == (
        "snapshot",
        "Closed Won",
        "Sales Pipeline",
        "1200.50000000",
    )
    assert (won.companies, won.company and won.company.name, won.contact and won.contact.email) == ([company], "Acme", "jane@acme.example")
    assert (won.hs_is_closed_won, won.scope, found["signed"].stage_label, found["signed"].company) == (True, None, "Order signed", None)
    assert desk.position is not None
    assert desk.position["walk"] == "idle"


def test_what_is_won_later(desk: Desk) -> None:
    """A deal that is moved to a won stage, read again by its id; at rest a poll is one search, and the overlap publishes nothing again."""
    deal = desk.deal("later", "contractsent")
    assert desk.read() == {}
    desk.portal.clock.pass_(60)
    desk.portal.edit(entity="deal", key=deal, fields={"dealstage": "closedwon"})
    assert {name: one.change for name, one in desk.read().items()} == {"later": "upsert"}
    for _ in range(3):
        desk.portal.clock.pass_(60)
        before = len(desk.calls)
        assert desk.read() == {}
        assert [request.url.path.rpartition("/")[2] for request in desk.calls[before:]] == ["search"]
    desk.portal.edit(entity="deal", key=deal, fields={"amount": "7"})
    assert set(desk.read()) == {"later"}


def test_an_index_that_is_behind() -> None:
    """What search shows some minutes late is found by the windows' overlap."""
    with hub(search_delay_seconds=200) as portal:
        desk = Desk(portal)
        desk.read()
        portal.clock.pass_(60)
        desk.deal("slow")
        seen = []
        for _ in range(6):
            portal.clock.pass_(60)
            seen += list(desk.read())
        assert seen == ["slow"]


def test_what_the_index_never_shows(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reading of everything is a list: it has what search has not."""
    desk.read()
    desk.portal.clock.pass_(60)
    desk.deal("hidden")
    monkeypatch.setattr(HubSpotDeals, "changed", lambda *_: ([], False))
    assert desk.read() == {}
    desk.position = None
    assert set(desk.read()) == {"hidden"}


def test_more_than_a_query_shows(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deals of one instant, more than search shows of one query: read by their ids, each once."""
    desk.read()
    desk.portal.clock.pass_(60)
    names = {f"deal {number}" for number in range(450)}
    for name in names:
        desk.deal(name)
    monkeypatch.setattr(search, "MOST_RESULTS", 200)
    assert set(desk.read()) == names


def test_which_company(desk: Desk) -> None:
    """The primary one, else the one that the deal names, else the only one; of several none, and all are told; a deleted one is none."""
    first, second = (desk.portal.make("companies", name=name) for name in ("First", "Second"))
    both = desk.deal("both", company=first)
    desk.portal.edit(entity="deal", key=both, associate=second)
    neither, alone, gone = (
        desk.deal("neither"),
        desk.deal("alone"),
        desk.deal("gone", company=(dead := desk.portal.make("companies", name="Dead"))),
    )
    named = desk.deal("named")
    desk.told = {named: {"hs_primary_associated_company": second}}
    for deal, company in ((neither, first), (neither, second), (alone, second), (named, first), (named, second)):
        for type, verb in ((341, "create"), (5, "labels/archive")):
            spec = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": type}]
            inputs = [{"from": {"id": deal}, "to": {"id": company}, "types": spec}]
            desk.portal.post(f"{ASSOCIATIONS}/deals/companies/batch/{verb}", {"inputs": inputs})
    desk.portal("DELETE", f"{OBJECTS}/companies/{dead}")
    found = desk.read()
    assert {name: one.company and one.company.name for name, one in found.items()} == {
        "both": "Second",
        "neither": None,
        "alone": "Second",
        "named": "Second",
        "gone": None,
    }
    assert (found["both"].companies, found["neither"].companies, gone) == ([first, second], [first, second], gone)


def test_which_contact(desk: Desk) -> None:
    """The deal's own; else the company's, the oldest of several; else none."""
    company, bare = desk.portal.make("companies", name="Acme"), desk.portal.make("companies", name="Bare")
    oldest, other, own = (desk.portal.make("contacts", email=f"{name}@acme.example") for name in ("oldest", "other", "own"))
    for contact in (other, oldest):
        desk.portal.edit(entity="contact", key=contact, associate=company)
    desk.deal("own", company=company, contact=own)
    desk.deal("firm", company=company)
    desk.deal("none", company=bare)
    found = {name: one.contact and one.contact.email for name, one in desk.read().items()}
    assert found == {"own": "own@acme.example", "firm": "oldest@acme.example", "none": None}


def test_stages_of_the_settings(portal: Hub) -> None:
    """They count instead of the won ones, open or not; one that does not exist stops the start, with those that do."""
    desk = Desk(portal, stages=["contractsent"])
    desk.deal("sent", "contractsent")
    desk.deal("won")
    assert set(desk.read()) == {"sent"}
    with pytest.raises(ConfigError, match=r"no stage nowhere; there are .*closedwon \(Closed Won\)"):
        Desk(portal, stages=["closedwon", "nowhere"]).read()


def test_what_hubspot_calculates_is_checked(desk: Desk) -> None:
    """A won stage, but not counted as won: out of scope until it is. A stage that no pipeline has, but counted as won: told as it is."""
    late, astray = desk.deal("late"), desk.deal("astray")
    desk.told = {late: {"hs_is_closed_won": "false"}, astray: {"dealstage": "gone"}}
    found = desk.read()
    assert "does not count the deal as won" in (found["late"].scope or "")
    assert (found["astray"].dealstage, found["astray"].stage_label, found["astray"].scope) == ("gone", None, None)


def test_what_fits_no_record(desk: Desk) -> None:
    """An amount that no decimal holds is refused with its field; its neighbours go on."""
    bad = desk.deal("bad")
    desk.deal("good")
    patch(desk.portal, "deals", bad, amount="1" + "0" * 40)
    (page,) = desk.pages()
    assert [change.record.dealname for change in page.changes if isinstance(change.record, SourceHubspotDeal)] == ["good"]
    (refused,) = page.refused
    assert (refused.key, "amount: " in refused.error.reason) == (f"hubspot:deal:{bad}", True)


def test_it_goes_on_where_it_was(desk: Desk) -> None:
    """The position is all that a new process needs: what was won while nobody ran is found."""
    desk.read()
    desk.portal.clock.pass_(7200)
    desk.deal("meanwhile")
    desk.portal.clock.pass_(timedelta(days=2).total_seconds())
    successor = Desk(desk.portal)
    successor.position = desk.position
    assert set(successor.read()) == {"meanwhile"}
