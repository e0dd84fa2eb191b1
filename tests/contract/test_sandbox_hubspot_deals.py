"""HubSpot's deals and their pipelines in the sandbox."""

from __future__ import annotations

from typing import Any

import pytest
from hubspot_kit import ASSOCIATIONS, OBJECTS, OLD, Hub, codes, hub, patch

from sandbox.data import load

CUSTOM, WON, OFFER = "75421903", "3f0c9a1e-6d3b-4f7a-9f55-0b7c1f2d8e41", "167482214"
FLAGS = ("hs_is_closed", "hs_is_closed_won", "hs_is_closed_lost", "hs_deal_stage_probability", "hs_closed_won_date")


def make(portal: Hub, **properties: str) -> str:
    return portal.make("deals", **{"dealname": "Roof", "dealstage": "appointmentscheduled", **properties})


def linked(portal: Hub, deal: str, objects: str = "companies") -> dict[str, set[int]]:
    rows = portal("GET", f"{OBJECTS}/deals/{deal}/associations/{objects}").json()["results"]
    return {str(row["toObjectId"]): {type["typeId"] for type in row["associationTypes"]} for row in rows}


def test_pipelines() -> None:
    """§7, §14.5, §14.8: HubSpot's own pipeline and one of people's, stages with words, numbers and GUIDs as ids, metadata as texts."""
    with hub() as portal:
        for base in ("/crm/v3/pipelines", "/crm/pipelines/2026-03", "/crm/pipelines/2026-09"):
            found = {row["id"]: row for row in portal("GET", f"{base}/deals?limit=1").json()["results"]}
            assert set(found) == {"default", CUSTOM}
            stages = {stage["id"]: stage["metadata"] for row in found.values() for stage in row["stages"]}
            assert stages["closedwon"] == stages[WON] == {"probability": "1.0", "isClosed": "true"}
            assert (stages["closedlost"]["isClosed"], stages[OFFER]) == ("true", {"probability": "0.5", "isClosed": "false"})
            assert portal("GET", f"{base}/0-3/{CUSTOM}").json() == found[CUSTOM]
            assert portal("GET", f"{base}/deal/{CUSTOM}/stages").json() == {"results": found[CUSTOM]["stages"]}
            assert portal("GET", f"{base}/deals/{CUSTOM}/stages/{WON}").json()["label"] == "Order signed"
        for path in ("gone", "gone/stages", f"{CUSTOM}/stages/gone"):
            answer = portal("GET", f"/crm/pipelines/2026-09/deals/{path}")
            assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (404, "text/html")
        assert portal.control("GET", "calls")["routes"]["GET /crm/pipelines/2026-09/deals/{id}"] == {"200": 1, "404": 1}


def test_pipelines_need_a_scope_of_deals() -> None:
    """§1.2: any scope of deals or of their definitions is enough for the pipelines; none is a 403."""
    for scope, status in (("crm.schemas.deals.read", 200), ("crm.objects.deals.write", 200), ("crm.objects.companies.read", 403)):
        with hub(scopes=scope) as portal:
            assert portal("GET", "/crm/v3/pipelines/deals").status_code == status


def test_a_deal_and_its_defaults() -> None:
    """§2.2, §2.3, §7: a name and a stage are required; the pipeline is the default one, the currency the company's."""
    with hub() as portal:
        missing = {"dealname": "MISSING_REQUIRED_PROPERTY", "dealstage": "MISSING_REQUIRED_PROPERTY"}
        for path in (OBJECTS, OLD):
            assert codes(portal.post(f"{path}/deals", {"properties": {}})) == missing
        found = portal.properties("deals", make(portal, amount="1200.50", closedate="2026-12-24"))
        wanted = {"dealname", "amount", "closedate", "pipeline", "dealstage", "createdate", "hs_lastmodifieddate", "hs_object_id"}
        assert set(found) == wanted
        assert (found["pipeline"], found["closedate"], found["amount"]) == ("default", "2026-12-24T00:00:00Z", "1200.50")
        assert portal.properties("deals", make(portal), "deal_currency_code")["deal_currency_code"] == "USD"


def test_a_stage_or_currency_that_is_not_there() -> None:
    """§7, §14.4, §14.5: a stage must be one of the deal's pipeline, a currency one of the portal; the definitions do not list them."""
    with hub() as portal:
        for wrong, name in (
            ({"dealstage": "signed"}, "dealstage"),
            ({"dealstage": WON}, "dealstage"),
            ({"pipeline": CUSTOM, "dealstage": "closedwon"}, "dealstage"),
            ({"pipeline": "gone", "dealstage": "closedwon"}, "pipeline"),
            ({"dealstage": "closedwon", "deal_currency_code": "CHF"}, "deal_currency_code"),
        ):
            assert codes(portal.post(f"{OBJECTS}/deals", {"properties": {"dealname": "D", **wrong}})) == {name: "INVALID_OPTION"}
        deal = make(portal)
        assert codes(patch(portal, "deals", deal, dealstage="gone")) == {"dealstage": "INVALID_OPTION"}
        assert patch(portal, "deals", deal, pipeline=CUSTOM, dealstage=WON).status_code == 200
        definition = portal("GET", "/crm/properties/2026-09/deals/dealstage").json()
        assert (definition["externalOptions"], definition["options"]) == (True, [])
        assert (definition["groupName"], definition["fieldType"]) == ("deal_activity", "radio")


def test_what_a_stage_makes_of_a_deal() -> None:
    """§7, §14.5: closed, won and lost are computed from the stage, with the time of winning; none of them can be written."""
    with hub() as portal:
        deal = make(portal)
        rows = [
            ({"dealstage": "contractsent"}, ["false", "false", "false", "0.9", None]),
            ({"dealstage": "closedwon"}, ["true", "true", "false", "1.0", "2026-11-20T10:00:20.123Z"]),
            ({"pipeline": CUSTOM, "dealstage": WON}, ["true", "true", "false", "1.0", "2026-11-20T10:00:20.123Z"]),
            ({"dealname": "Roofs"}, ["true", "true", "false", "1.0", "2026-11-20T10:00:20.123Z"]),
            ({"dealstage": "167482216"}, ["true", "false", "true", "0.0", None]),
            ({"dealstage": WON}, ["true", "true", "false", "1.0", "2026-11-20T10:01:00.123Z"]),
        ]
        for change, wanted in rows:
            portal.clock.pass_(10)
            assert patch(portal, "deals", deal, **change).status_code == 200
            found = portal.properties("deals", deal, *FLAGS)
            assert [found[name] for name in FLAGS] == wanted
        for name in (*FLAGS, "hs_primary_associated_company"):
            assert codes(patch(portal, "deals", deal, **{name: "1"})) == {name: "READ_ONLY_VALUE"}


def test_the_companies_of_a_deal() -> None:
    """§5.3, §14.5, §14.7: the first company gets 341 and 5; [5, 341] moves the primary label, 341 alone does not; the deal names it."""
    with hub() as portal:
        deal, one, two = make(portal), portal.make("companies", name="A"), portal.make("companies", name="B")
        for company in (one, two):
            pair = {"inputs": [{"from": {"id": deal}, "to": {"id": company}}]}
            assert portal.post(f"{ASSOCIATIONS}/deals/companies/batch/associate/default", pair).status_code == 200
        assert linked(portal, deal) == {one: {5, 341}, two: {341}}
        named = "hs_primary_associated_company"
        assert portal.properties("deals", deal, named)[named] == one
        body = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": type} for type in (5, 341)]
        assert portal("PUT", f"{OBJECTS}/deals/{deal}/associations/companies/{two}", body).status_code == 201
        assert linked(portal, deal) == {one: {341}, two: {5, 341}}
        assert portal.properties("deals", deal, named)[named] == two
        sides = portal("GET", f"{OBJECTS}/companies/{two}/associations/deals").json()["results"][0]["associationTypes"]
        assert {(type["typeId"], type["label"]) for type in sides} == {(342, None), (6, "Primary")}
        listed = portal("GET", f"{OLD}/deals/{deal}/associations/companies").json()["results"]
        assert {row["type"] for row in listed if row["id"] == two} == {"deal_to_company", "deal_to_company_unlabeled"}
        survivor = portal.post(f"{OBJECTS}/companies/merge", {"primaryObjectId": one, "objectIdToMerge": two}).json()["id"]
        assert portal.properties("deals", deal, named)[named] == survivor
        portal("DELETE", f"{OBJECTS}/companies/{survivor}")
        assert portal.properties("deals", deal, named)[named] is None


@pytest.mark.parametrize(("other", "there", "back"), [("contacts", 3, 4), ("line_items", 19, 20), ("invoices", 176, 175)])
def test_other_associations_of_a_deal(other: str, there: int, back: int) -> None:
    """§5.3, §7: contacts, line items and invoices of a deal, from both sides and in a batch read; none is a 207."""
    makes: dict[str, dict[str, str]] = {"contacts": {"firstname": "A"}, "line_items": {"name": "A"}, "invoices": {"hs_currency": "USD"}}
    with hub() as portal:
        deal, bare, to = make(portal), make(portal), portal.make(other, **makes[other])
        assert portal("PUT", f"/crm/v4/objects/deals/{deal}/associations/default/{other}/{to}").status_code == 200
        assert linked(portal, deal, other) == {to: {there}}
        held = portal("GET", f"{OBJECTS}/{other}/{to}/associations/deals").json()["results"][0]
        assert (held["toObjectId"], held["associationTypes"][0]["typeId"]) == (int(deal), back)
        answer = portal.post(f"{ASSOCIATIONS}/deals/{other}/batch/read", {"inputs": [{"id": deal}, {"id": bare}]})
        assert (answer.status_code, [row["from"]["id"] for row in answer.json()["results"]]) == (207, [deal])
        assert answer.json()["errors"][0]["subCategory"] == "crm.associations.NO_ASSOCIATIONS_FOUND"


def test_deals_can_be_merged() -> None:
    """§14.3, §14.8: the survivor has a new id, the primary's values, the time of winning, and what both were associated with."""
    with hub() as portal:
        company, ann = portal.make("companies", name="A"), portal.make("contacts", firstname="Ann")
        won = portal.edit(entity="deal", create={"dealname": "Won", "dealstage": "closedwon"}, company=company)[0]["id"]
        since = portal.properties("deals", won, "hs_closed_won_date")["hs_closed_won_date"]
        other = portal.edit(entity="deal", create={"dealname": "Open", "dealstage": "contractsent"}, contact=ann)[0]["id"]
        portal.clock.pass_(60)
        merged = portal.edit(entity="deal", key=won, merge=other)[-1]["id"]
        found = portal.properties("deals", merged, "dealname", "hs_is_closed_won", "hs_closed_won_date", "hs_primary_associated_company")
        assert [found[name] for name in found][:4] == ["Won", "true", since, company]
        assert (linked(portal, merged), linked(portal, merged, "contacts")) == ({company: {5, 341}}, {ann: {3}})
        assert portal("GET", f"{OBJECTS}/deals/{other}").json()["id"] == merged


def test_won_deals_are_found() -> None:
    """§3, §7: search finds deals by the computed flag and the modified date, as they were some seconds ago; ten thousand is the end."""
    with hub() as portal:
        deals = [make(portal, dealname=f"D{number}") for number in range(3)]
        portal.clock.pass_(10)
        since = str(int(portal.clock.now.timestamp() * 1000))
        patch(portal, "deals", deals[1], dealstage="closedwon")
        rules = ("hs_is_closed_won", "EQ", "true"), ("hs_lastmodifieddate", "GTE", since)
        assert portal.search("deals", *rules)["total"] == 0
        portal.clock.pass_(3)
        assert [row["id"] for row in portal.search("deals", *rules)["results"]] == [deals[1]]
        assert portal.post(f"{OBJECTS}/deals/search", {"limit": 100, "after": 9950}).status_code == 400
        assert portal.search("0-3", ("dealname", "EQ", "d2"), sorts=["-hs_lastmodifieddate"])["total"] == 1


def test_people_win_a_deal() -> None:
    """A person makes a deal with its company and contact, moves it, gives it another company, deletes it; the dump and the log show all."""
    with hub() as portal:
        company, other = portal.make("companies", name="A"), portal.make("companies", name="B")
        ann, bob = (portal.make("contacts", firstname=name) for name in ("Ann", "Bob"))
        made = portal.edit(entity="deal", create={"dealname": "Roof", "dealstage": "closedwon"}, company=company, contact=ann)
        assert [(entry["op"], entry["entity"], entry["actor"]) for entry in made] == [
            ("create", "deal", "person"),
            ("associate", "deal", "person"),
            ("associate", "deal", "person"),
        ]
        assert (made[1]["to"]["id"], made[1]["to"]["types"], made[1]["fields"]) == (company, [5, 341], ["hs_primary_associated_company"])
        deal = made[0]["id"]
        assert (linked(portal, deal), linked(portal, deal, "contacts")) == ({company: {5, 341}}, {ann: {3}})
        assert portal.edit(entity="deal", key=deal, associate=other)
        assert portal.edit(entity="deal", key=deal, associate=bob, **{"with": "contact"})
        assert linked(portal, deal) == {company: {341}, other: {5, 341}}
        portal.edit(entity="deal", key=deal, fields={"dealstage": "closedlost"})
        dump = portal.control("GET", "dump")
        row = dump["deals"][0]
        assert (row["id"], row["archived"], row["properties"]["hs_is_closed_won"]) == (deal, False, "false")
        assert dump["seeded"]["deals"][deal] == {
            "dealname": "Roof",
            "dealstage": "closedlost",
            "pipeline": "default",
            "deal_currency_code": "USD",
        }
        pairs = {(pair["from"], pair["from_id"], pair["to"], pair["to_id"]) for pair in dump["associations"]}
        assert {("deal", deal, "company", other), ("deal", deal, "contact", bob)} <= pairs
        assert portal.edit(entity="deal", key=deal, delete=True)[0]["op"] == "archive"
        assert portal("GET", f"{OBJECTS}/deals/{deal}").status_code == 404


@pytest.mark.parametrize(
    "wrong",
    [
        {"entity": "deal", "create": {"dealname": "D", "dealstage": "gone"}},
        {"entity": "deal", "create": {"dealname": "D", "dealstage": "closedwon"}, "company": "777"},
        {"entity": "line_item", "create": {"name": "L"}, "company": "first"},
    ],
)
def test_deals_that_people_cannot_make(wrong: dict[str, Any]) -> None:
    """A wrong edit is a 400 that says why, and nothing has changed."""
    with hub() as portal:
        company = portal.make("companies", name="A")
        wrong = {**wrong, "company": company} if wrong.get("company") == "first" else wrong
        before = portal.log()
        answer = portal.post("/__sandbox__/edit", wrong)
        assert (answer.status_code, bool(answer.json()["error"]), portal.log()) == (400, True, before)


def test_the_demo_has_deals() -> None:
    """§14.5: open, lost and won ones in both pipelines; a won one is of a firm that is a customer; other data stays what it was."""
    with hub(load("demo", customers=50, seed=1)) as portal:
        dump = portal.control("GET", "dump")
        deals = {row["id"]: row["properties"] for row in dump["deals"]}
        assert {row["hs_is_closed"] for row in deals.values()} == {"true", "false"}
        assert {row["pipeline"] for row in deals.values() if row["hs_is_closed_won"] == "true"} == {"default", CUSTOM}
        assert any(row["hs_is_closed_lost"] == "true" for row in deals.values())
        names = {row["id"]: row["properties"]["name"] for row in dump["companies"]}
        others = ("Bright Idea Advertising", "Harbor Coffee Roasters")
        for row in deals.values():
            assert (names[row["hs_primary_associated_company"]] in others) <= (row["hs_is_closed_won"] == "false")
        assert min(int(id) for id in deals) > max(int(row["id"]) for row in (*dump["companies"], *dump["contacts"]))
        assert set(dump["seeded"]["deals"]) == set(deals)
    for size in (0, 3):
        assert {row["properties"]["dealname"] for row in load("demo", customers=size).hubspot_deals} == {
            "New signs",
            "Café refit",
            "Coffee bar",
        }
    assert any(row["contact"] is not None for row in load("demo").hubspot_deals)
