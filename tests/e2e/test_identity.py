"""docs/identity.md through the whole path: Acumatica's sandbox, Kafka, all workers, HubSpot's sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from schemas.records import Audit, DeadLetter, Link
from schemas.refs import link_key
from schemas.topics import AUDIT, DEAD_LETTERS, LINKS
from tests.harness.accounting import account
from tests.harness.flight import Tower
from tests.harness.system import Broker, System, eventually, running

KEYS = {"companies": "acumatica_customer_key", "contacts": "acumatica_contact_key"}


@pytest.fixture(scope="module")
def system(stack: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with running(stack, tmp_path_factory.mktemp("identity"), "--data", "empty", hubspot=("--set", "search_delay_seconds=0")) as one:
        one.start()
        yield one


def customer(system: System, code: str, **fields: Any) -> str:
    """A new customer's NoteID."""
    main = {"MainContact": {"WebSite": fields.pop("website", None)}}
    row = {"CustomerID": code, "CustomerName": f"Firm {code}", **main, **fields}
    system.erp.edit(entity="customer", create=row)
    return next(str(one["id"]) for one in system.erp.get("/dump")["customers"] if one["CustomerID"] == code)


def contact(system: System, account: str, name: str, **fields: Any) -> tuple[int, str]:
    """A new contact's number and NoteID."""
    system.erp.edit(entity="contact", create={"BusinessAccount": account, "LastName": name, **fields})
    row = next(one for one in system.erp.get("/dump")["contacts"] if one["LastName"] == name)
    return row["ContactID"], str(row["id"])


def held(system: System, kind: str, note: str) -> dict[str, Any] | None:
    """The live record of HubSpot with the key of that NoteID: its properties and `id`."""
    rows = [row for row in system.crm.get("/dump")[kind] if not row["archived"]]
    found = [row for row in rows if row["properties"].get(KEYS[kind]) == f"demo|{note}".lower()]
    assert len(found) < 2, f"doubled: {found}"
    return {**found[0]["properties"], "id": found[0]["id"]} if found else None


def until(system: System, kind: str, note: str, **properties: str | None) -> dict[str, Any]:
    """That record, as soon as it is there with these properties."""

    def there() -> dict[str, Any] | None:
        found = held(system, kind, note)
        return found if found and all(found.get(name) == value for name, value in properties.items()) else None

    return dict(eventually(f"{kind} {note} with {properties}", there))


def companies_of(system: System, contact_id: str) -> set[str]:
    rows = system.crm.get("/dump")["associations"]
    return {row["to_id"] for row in rows if row["from_id"] == contact_id and row["to"] == "company"}


def belongs(system: System, contact_id: str, company: str) -> None:
    """To that company alone: a contact is made first, and associated then."""
    eventually(f"contact {contact_id} is with company {company}", lambda: companies_of(system, contact_id) == {company})


def letter(system: System, ref: str) -> DeadLetter:
    """The newest dead letter of that record, as soon as there is one."""

    def there() -> DeadLetter | None:
        letters = (system.wire.decode(DeadLetter, message) for message in system.wire.read(DEAD_LETTERS))
        return next((one for one in reversed(list(letters)) if one is not None and one.ref == ref), None)

    return eventually(f"a dead letter of {ref}", there, every=0.5)  # type: ignore[no-any-return]


def test_a_customer_renamed_and_its_number_given_away(system: System) -> None:
    """Change ID: the company stays and shows the new number; who gets the old number is another company; contacts go with their owner."""
    old = customer(system, "RENAMED", website="renamed.example")
    number, person = contact(system, "RENAMED", "Ofrenamed", Email="a@renamed.example")
    first = until(system, "companies", old)
    until(system, "contacts", person)
    system.erp.edit(entity="customer", key="RENAMED", fields={"CustomerID": "NEWNAME"})
    new = customer(system, "RENAMED", website="heir.example")
    _, other = contact(system, "RENAMED", "Ofheir")
    assert until(system, "companies", old, acumatica_customer_id="NEWNAME")["id"] == first["id"]
    heir = until(system, "companies", new, acumatica_customer_id="RENAMED")
    assert heir["id"] != first["id"]
    system.erp.edit(entity="contact", key=number, fields={"JobTitle": "still there"})
    belongs(system, until(system, "contacts", person, jobtitle="still there")["id"], first["id"])
    belongs(system, until(system, "contacts", other)["id"], heir["id"])
    for code, ref in (("NEWNAME", old), ("RENAMED", new)):
        assert f"acumatica:customer:{ref}".lower() in system.command("links", "show", code).stdout


def test_states_are_values(system: System) -> None:
    """Inactive or on hold is a status of the company, inactive a flag of the contact; both records stay."""
    note = customer(system, "STATES")
    number, person = contact(system, "STATES", "Statesperson")
    for status in ("On Hold", "Credit Hold", "Inactive", "Active"):
        system.erp.edit(entity="customer", key="STATES", fields={"Status": status})
        until(system, "companies", note, acumatica_status=status)
    system.erp.edit(entity="contact", key=number, fields={"Active": False})
    until(system, "contacts", person, acumatica_active="false")


def test_addresses_change_hands(system: System) -> None:
    """An e-mail changes; one without gets along by its key; a second one with a taken address is a dead letter that names the holder."""
    customer(system, "MAILS")
    one, ann = contact(system, "MAILS", "Ann", Email="ann@mails.example")
    two, bob = contact(system, "MAILS", "Bob")
    first = until(system, "contacts", ann, email="ann@mails.example")
    assert until(system, "contacts", bob).get("email") is None
    system.erp.edit(entity="contact", key=two, fields={"Email": "ANN@mails.example"})
    refused = letter(system, f"acumatica:contact:{bob}".lower())
    assert refused.candidates == [first["id"]]
    system.erp.edit(entity="contact", key=one, fields={"Email": "new@mails.example"})
    assert until(system, "contacts", ann, email="new@mails.example")["id"] == first["id"]
    system.erp.edit(entity="contact", key=two, fields={"JobTitle": "at last"})
    until(system, "contacts", bob, email="ann@mails.example", jobtitle="at last")


def test_a_person_decides_between_candidates(system: System) -> None:
    """Two companies of the domain: a dead letter lists them; `links set` makes the newest state be written there, its contact follows."""
    ids = [system.crm.edit(entity="company", create={"name": name, "domain": "twins.example"})[0]["id"] for name in ("A", "B")]
    note = customer(system, "TWINS", website="twins.example")
    ref = f"acumatica:customer:{note}".lower()
    _, person = contact(system, "TWINS", "Twinsperson")
    assert set(letter(system, ref).candidates) == set(ids)
    shown = system.command("links", "show", ref, "--json")
    assert all(one in shown.stdout for one in ids)
    assert held(system, "companies", note) is None
    wrong = system.command("links", "set", ref, f"hubspot:contact:{ids[1]}")
    assert (wrong.returncode, "hubspot:company" in wrong.stderr) == (2, True)
    done = system.command("links", "set", ref, f"hubspot:company:{ids[1]}")
    assert done.returncode == 0, done.stderr
    assert until(system, "companies", note, name="Firm TWINS")["id"] == ids[1]
    belongs(system, until(system, "contacts", person)["id"], ids[1])
    links = {(message.key() or b"").decode(): system.wire.decode(Link, message) for message in system.wire.read(LINKS)}
    both = links[link_key(ref, "hubspot")], links[link_key(f"hubspot:company:{ids[1]}", "acumatica")]
    assert [(one.peer, one.origin) for one in both if one] == [(f"hubspot:company:{ids[1]}", "set"), (ref, "set")]
    said = [system.wire.decode(Audit, message) for message in system.wire.read(AUDIT) if message.key() == ref.encode()]
    assert [one.target for one in said if one and one.event == "linked"] == [f"hubspot:company:{ids[1]}"]


def test_a_person_moves_a_link(system: System) -> None:
    """`links set` for one that is written elsewhere: key, values, contacts move; `unset` takes the key off."""
    note = customer(system, "MOVER")
    ref = f"acumatica:customer:{note}".lower()
    _, person = contact(system, "MOVER", "Moversperson")
    before = until(system, "companies", note)["id"]
    eventually("the contact is with it", lambda: companies_of(system, until(system, "contacts", person)["id"]) == {before})
    chosen = system.crm.edit(entity="company", create={"name": "chosen"})[0]["id"]
    assert system.command("links", "set", "MOVER", f"hubspot:company:{chosen}").returncode == 0
    eventually("it is the chosen one", lambda: (held(system, "companies", note) or {}).get("id") == chosen)
    eventually("the contact moved along", lambda: companies_of(system, held(system, "contacts", person)["id"]) == {chosen})  # type: ignore[index]
    assert system.command("links", "unset", ref).returncode == 0
    eventually("our key is gone", lambda: held(system, "companies", note) is None)
    rows = {row["id"]: row for row in system.crm.get("/dump")["companies"]}
    assert not rows[before]["archived"]
    assert rows[chosen]["properties"]["name"] == "Firm MOVER"
    system.erp.edit(entity="customer", key="MOVER", fields={"CustomerName": "Mover again"})
    until(system, "companies", note, name="Mover again")


def test_a_company_is_deleted_or_merged_by_a_person(system: System) -> None:
    """Deleted: the next change makes it again and its contact comes along. Merged: both go on in the survivor."""
    note = customer(system, "GONE")
    _, person = contact(system, "GONE", "Goneperson")
    before, who = until(system, "companies", note)["id"], until(system, "contacts", person)["id"]
    eventually("associated", lambda: companies_of(system, who) == {before})
    system.crm.edit(entity="company", key=before, delete=True)
    system.erp.edit(entity="customer", key="GONE", fields={"CustomerName": "Made again"})
    again = until(system, "companies", note, name="Made again")["id"]
    assert again != before
    eventually("the contact came along", lambda: companies_of(system, who) == {again})
    other = system.crm.edit(entity="company", create={"name": "survivor"})[0]["id"]
    system.crm.edit(entity="company", key=other, merge=again)
    system.erp.edit(entity="customer", key="GONE", fields={"CustomerName": "Merged"})
    survivor = until(system, "companies", note, name="Merged")["id"]
    assert survivor not in (again, other)
    eventually("the contact is there", lambda: companies_of(system, who) == {survivor})


def test_two_of_ours_are_merged_by_a_person(system: System) -> None:
    """The loser's change is a dead letter, its contacts stay with the survivor; after `links unset` its next change makes it a company of
    its own, and they move there."""
    one, two = customer(system, "WINNER"), customer(system, "LOSER")
    ref = f"acumatica:customer:{two}".lower()
    _, person = contact(system, "LOSER", "Losersperson")
    who = until(system, "contacts", person)["id"]
    ids = [until(system, "companies", note)["id"] for note in (one, two)]
    eventually("associated", lambda: companies_of(system, who) == {ids[1]})
    system.crm.edit(entity="company", key=ids[0], merge=ids[1])
    for code in ("WINNER", "LOSER"):
        system.erp.edit(entity="customer", key=code, fields={"CustomerName": f"{code} changed"})
    survivor = until(system, "companies", one, name="WINNER changed")["id"]
    assert letter(system, ref).candidates == [survivor]
    _, late = contact(system, "LOSER", "Lateperson")
    both = [who, until(system, "contacts", late)["id"]]
    eventually("both are with the survivor", lambda: [companies_of(system, id) for id in both] == [{survivor}] * 2)
    assert system.command("links", "unset", ref).returncode == 0
    system.erp.edit(entity="customer", key="LOSER", fields={"CustomerName": "On its own"})
    own = until(system, "companies", two, name="On its own")["id"]
    eventually("both moved there", lambda: [companies_of(system, id) for id in both] == [{own}] * 2)
    assert own != survivor


def test_deleted_in_acumatica(system: System) -> None:
    """The next reading of everything finds that they are gone: the audit says so, HubSpot's records keep what they hold, a contact that
    was left without its customer too."""
    note = customer(system, "DELETED")
    customer(system, "STAYS")
    number, person = contact(system, "STAYS", "Deletedperson")
    _, left = contact(system, "DELETED", "Leftperson")
    until(system, "companies", note)
    for one in (person, left):
        eventually("it is with its company", lambda: "associatedcompanyid" in (held(system, "contacts", one) or {}))  # noqa: B023
    eventually("nothing more comes", Tower(system).idle)
    before = [held(system, "companies", note), *(held(system, "contacts", one) for one in (person, left))]
    system.source.stop()
    system.erp.edit(entity="customer", key="DELETED", delete=True)
    system.erp.edit(entity="contact", key=number, delete=True)
    often = "* * * * * */3"
    system.source.start(WEIGHLOCK_ACUMATICA__CUSTOMER__REREAD=often, WEIGHLOCK_ACUMATICA__CONTACT__REREAD=often)
    refs = {ref.lower() for ref in (f"acumatica:customer:{note}", f"acumatica:contact:{person}")}

    def gone() -> bool:
        said = [system.wire.decode(Audit, message) for message in system.wire.read(AUDIT)]
        out = {one.ref: one.detail or "" for one in said if one and one.event == "out_of_scope"}
        return {ref for ref in out if "deleted" in out[ref]} == refs and f"acumatica:contact:{left}".lower() in out

    eventually("both are said to be gone, and nobody else", gone, every=0.5)
    assert [held(system, "companies", note), *(held(system, "contacts", one) for one in (person, left))] == before
    doubled = system.compare()["doubled"]
    assert not [one for one in doubled if any(id.lower() in one for id in (note, person, left))]


def test_everything_is_accounted_for(system: System) -> None:
    """After all of the above each change that was read still ends in exactly one way."""
    system.source.stop()  # it was told to read everything again every three seconds: there may always be something left
    eventually("nothing is left to read", Tower(system).idle)
    assert account(system.wire).problems == []
