"""HubSpot's own automatic companies, through the whole path (docs/identity.md, *Automatic companies*)."""

from __future__ import annotations

from pathlib import Path

from tests.harness.system import Broker, eventually, running

AUTO = ("auto_company=true", "auto_company_seconds=0.2", "search_delay_seconds=0")


def test_companies_that_hubspot_makes_by_itself(stack: Broker, tmp_path: Path) -> None:
    """A nameless one and an association by the e-mail's domain are left alone; ours is the primary one; a later customer adopts it."""
    arguments = tuple(part for switch in AUTO for part in ("--set", switch))
    with running(stack, tmp_path, "--data", "empty", hubspot=arguments) as system:
        system.start()
        for code in ("ONE", "TWO"):
            site = f"{code.lower()}.example"
            system.erp.edit(entity="customer", create={"CustomerID": code, "CustomerName": code, "MainContact": {"WebSite": site}})
        system.agree()
        for name, email in (("Lonely", "a@lonely.example"), ("Guest", "b@two.example")):
            system.erp.edit(entity="contact", create={"BusinessAccount": "ONE", "LastName": name, "Email": email})
        made = eventually("HubSpot made a company and two pairs", lambda: _made(system.crm.get("/dump")["automatic"]))
        system.agree()
        dump = system.crm.get("/dump")
        primary = {row["from_id"]: row["to_id"] for row in dump["associations"] if row["from"] == "contact" and 1 in row["types"]}
        one = next(row["id"] for row in dump["companies"] if row["properties"].get("name") == "ONE")
        assert set(primary.values()) == {one}
        late = {"CustomerID": "LATE", "CustomerName": "LATE", "MainContact": {"WebSite": "lonely.example"}}
        system.erp.edit(entity="customer", create=late)
        system.agree()
        names = {row["id"]: row["properties"].get("name") for row in system.crm.get("/dump")["companies"]}
        assert names[made["companies"][0]] == "LATE"
        assert len(names) == 3


def _made(automatic: dict[str, list[str]]) -> dict[str, list[str]] | None:
    return automatic if len(automatic["companies"]) == 1 and len(automatic["associations"]) == 2 else None
