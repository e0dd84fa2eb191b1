"""The data sets of the sandboxes."""

import csv
import json
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sandbox.compare import owned
from sandbox.data import BadData, Book, load


@pytest.fixture(scope="module")
def book() -> Book:
    return load("demo")


def test_the_demo_has_the_counts_asked_for(book: Book) -> None:
    """250 customers and 600 contacts by default; any number by argument, 2.4 contacts a customer."""
    assert (len(book.customers), len(book.contacts)) == (250, 600)
    other = load("demo", customers=311, seed=7)
    assert (len(other.customers), len(other.contacts)) == (311, 746)
    assert len(load("demo", customers=3, contacts=0).contacts) == 0


def test_a_seed_makes_one_book(book: Book) -> None:
    """The same seed gives the same Book, NoteIDs too; another seed another one."""
    assert load("demo", seed=1) == book
    assert load("demo", seed=2) != book


def test_keys_and_note_ids_are_unique(book: Book) -> None:
    """No two rows share a key or a NoteID, and codes are what Acumatica's mask allows: upper case, at most 10 characters."""
    codes = [row["CustomerID"] for row in book.customers] + [row["BusinessAccountID"] for row in book.business_accounts]
    ids = [row["id"] for row in book.customers + book.contacts + book.business_accounts]
    assert len(set(codes)) == len(codes)
    assert len(set(ids)) == len(ids)
    assert all(code == code.upper() and len(code) <= 10 for code in codes)
    assert all(0 < len(row["CustomerName"].strip()) <= len(row["CustomerName"]) <= 255 for row in book.customers)


def test_the_demo_holds_every_odd_case(book: Book) -> None:
    """Each case of docs/agreement.md that the demo promises is in it, and the contacts that can arrive are 587."""
    names = [row["CustomerName"] for row in book.customers]
    assert any("'" in name for name in names)
    assert any("&" in name for name in names)
    assert any(name != name.strip() for name in names)
    assert any("   " in name for name in names)
    assert any(len(name) > 240 for name in names)
    assert any(ord(c) > 0xFFFF for name in names for c in name)
    assert any("\u4e00" <= c <= "\u9fff" for name in names for c in name)
    codes = {row["CustomerID"] for row in book.customers}
    within = [row for row in book.contacts if row["BusinessAccount"] in codes]
    outside = [row for row in book.contacts if row["BusinessAccount"] not in codes]
    assert {row["BusinessAccount"] for row in outside} == {None, "PROSPECT01", "PROSPECT02", "VENDOR01", "VENDOR02"}
    mails = Counter(row["Email"].lower() for row in within if row["Email"])
    shared = [mail for mail, count in mails.items() if count > 1]
    assert all(count <= 2 for count in mails.values())
    assert len(shared) == 4
    refused = [mail for mail in mails if mail.count("@") != 1]
    assert len(refused) == 2
    assert any(row["Email"] is None for row in within)
    assert len(within) - len(shared) - len(refused) == 587
    assert any(row["CreditLimit"] and row["CreditLimit"] % 1 for row in book.customers)
    assert {row["Status"] for row in book.customers} == {"Active", "On Hold", "Credit Hold", "Inactive", "One-Time"}


def test_many_rows_share_one_stamp(book: Book) -> None:
    """An import leaves more rows with one and the same LastModifiedDateTime than a small page holds."""
    stamps = Counter(row["LastModifiedDateTime"] for row in book.customers)
    assert stamps.most_common(1)[0][1] > 20


@pytest.mark.parametrize(("customers", "contacts", "seed"), [(250, 600, 1), (311, 746, 7), (1000, 2000, 3), (120, 100, 4), (7, 5, 5)])
def test_the_demo_is_never_ambiguous(customers: int, contacts: int, seed: int) -> None:
    """At any size: no two companies of the portal have one domain, no two of its contacts one address, and what a customer's domain
    or a contact's address matches there is one record; addresses are shared by two at the most."""
    book = load("demo", customers, contacts, seed)
    domains = [owned.domain(row["properties"].get("domain")) for row in book.hubspot_companies]
    assert all(count == 1 for domain, count in Counter(domains).items() if domain)
    firms = Counter(owned.customer_domain(row["MainContact"]) for row in book.customers)
    assert all(count <= 3 for domain, count in firms.items() if domain)
    held = [row["properties"]["email"].lower() for row in book.hubspot_contacts]
    assert len(set(held)) == len(held)
    mails = Counter((row["Email"] or "").lower() for row in book.contacts)
    assert all(mails[mail] <= 1 for mail in held)
    assert all(count <= 2 for mail, count in mails.items() if mail)
    refused = [mail for mail in mails if mail and not owned.valid_email(mail)]
    assert len(refused) == (2 if contacts >= 100 else 0)
    assert all(row["company"] is None or row["company"] < len(book.hubspot_companies) for row in book.hubspot_contacts)


def test_the_portal_holds_some_of_the_firms(book: Book) -> None:
    """About a fifth of the customers are there, some in another spelling, with others that are none; one has no domain."""
    firms = {owned.customer_domain(row["MainContact"]) for row in book.customers} - {""}
    domains = [row["properties"].get("domain", "") for row in book.hubspot_companies]
    there = [domain for domain in domains if owned.domain(domain) in firms]
    assert 40 <= len(there) <= 65
    assert any(domain.startswith("www.") for domain in there)
    assert any(domain.isupper() for domain in there)
    assert "" in domains
    assert any(owned.domain(domain) and owned.domain(domain) not in firms for domain in domains)
    spelt = [row["properties"]["email"] for row in book.hubspot_contacts]
    assert any(mail != mail.lower() for mail in spelt)


def test_the_empty_set_and_an_unknown_one() -> None:
    """`empty` holds nothing; what is neither a set nor a folder is refused by name."""
    assert load("empty") == Book()
    with pytest.raises(BadData, match="nowhere"):
        load("nowhere")


def write(folder: Path, name: str, rows: list[dict[str, Any]]) -> None:
    with (folder / name).open("w", encoding="utf-8", newline="") as file:
        sheet = csv.DictWriter(file, sorted({column for row in rows for column in row}))
        sheet.writeheader()
        sheet.writerows(rows)


def test_a_folder_of_csv(tmp_path: Path) -> None:
    """Columns are Acumatica's fields, nested ones dotted; what is left out gets a default, and the same folder the same NoteIDs."""
    row = {"CustomerID": "acme", "CustomerName": "Acme  & Søn ", "CreditLimit": "12.50", "MainContact.Address.City": "Århus", "Terms": ""}
    write(tmp_path, "customers.csv", [row])
    write(tmp_path, "contacts.csv", [{"LastName": "Doe", "BusinessAccount": "acme", "Active": "false"}])
    book = load(str(tmp_path))
    firm = book.customers[0]
    assert (firm["CustomerID"], firm["CustomerName"], firm["CreditLimit"], firm["Terms"]) == (
        "ACME",
        "Acme  & Søn ",
        Decimal("12.50"),
        None,
    )
    assert firm["MainContact"]["Address"]["City"] == "Århus"
    assert firm["id"] == firm["NoteID"] == load(str(tmp_path)).customers[0]["id"]
    person = book.contacts[0]
    assert (person["BusinessAccount"], person["Active"], person["Status"]) == ("ACME", False, "Inactive")


def test_a_folder_of_json(tmp_path: Path) -> None:
    """JSON may nest; times without an offset are UTC; HubSpot's contacts name their company by its domain or name, deals too."""
    firms = [{"CustomerID": "A", "LastModifiedDateTime": "2025-03-04T05:06:07.8", "MainContact": {"Email": "a@a.example"}}]
    files = {
        "customers": firms,
        "business_accounts": [{"BusinessAccountID": "V", "Type": "Vendor"}],
        "contacts": [{"ContactID": 5, "BusinessAccount": "V"}],
        "hubspot_companies": [{"name": "Other", "domain": None}, {"name": "A Inc", "domain": "www.a.example"}],
        "hubspot_contacts": [{"email": "B@a.example", "associated_company": "www.a.example"}, {"email": "c@a.example"}],
        "hubspot_deals": [{"dealname": "D", "associated_company": "Other", "associated_contact": "c@a.example"}, {"dealname": "E"}],
    }
    for name, rows in files.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(rows), "utf-8")
    book = load(str(tmp_path))
    assert book.customers[0]["LastModifiedDateTime"] == datetime(2025, 3, 4, 5, 6, 7, 800_000, tzinfo=UTC)
    assert book.customers[0]["Email"] == "a@a.example"
    assert book.business_accounts[0]["Type"] == "Vendor"
    assert book.contacts[0]["ContactID"] == 5
    assert book.hubspot_companies[0] == {"properties": {"name": "Other"}, "company": None}
    assert [person["company"] for person in book.hubspot_contacts] == [1, None]
    assert book.hubspot_contacts[0]["properties"] == {"email": "B@a.example"}
    assert book.hubspot_deals[0] == {"properties": {"dealname": "D"}, "company": 0, "contact": 1}
    assert (book.hubspot_deals[1]["company"], book.hubspot_deals[1]["contact"]) == (None, None)


@pytest.mark.parametrize(
    ("name", "row", "words"),
    [
        ("customers.csv", {"CustomerName": "No key"}, "CustomerID is missing"),
        ("customers.csv", {"CustomerID": "A", "Colour": "red"}, "unknown column 'Colour'"),
        ("customers.csv", {"CustomerID": "A", "MainContact.Colour": "red"}, "unknown column 'MainContact.Colour'"),
        ("customers.csv", {"CustomerID": "A", "BillingContact.Email": "x"}, "unknown column"),
        ("customers.csv", {"CustomerID": "A", "CreditLimit": "much"}, "'much' is no decimal"),
        ("contacts.csv", {"BusinessAccount": "NOBODY"}, "no customer or business account 'NOBODY'"),
        ("hubspot_contacts.csv", {"email": "a@a.example", "associated_company": "B"}, "no company with the domain or name 'B'"),
        ("hubspot_deals.csv", {"dealname": "D", "associated_contact": "b"}, "no contact with the email 'b'"),
        ("customers.json", {"CustomerID": "A"}, "keep one"),
    ],
)
def test_a_folder_that_cannot_be_used(tmp_path: Path, name: str, row: dict[str, str], words: str) -> None:
    """The message names the file, the row and the column that is wrong."""
    write(tmp_path, "customers.csv", [{"CustomerID": "OTHER"}])
    write(tmp_path, name, [row])
    with pytest.raises(BadData, match=words):
        load(str(tmp_path))


def test_a_folder_without_customers(tmp_path: Path) -> None:
    """All files are optional but the customers."""
    with pytest.raises(BadData, match=r"no customers\.csv or customers\.json"):
        load(str(tmp_path))
    write(tmp_path, "customers.csv", [{"CustomerID": "A"}, {"CustomerID": "a"}])
    with pytest.raises(BadData, match="row 2: a second CustomerID 'A'"):
        load(str(tmp_path))


def northwind(source: Path, target: Path) -> None:
    """Northwind's customers.csv in the form of a data folder: one customer and one contact a row.

    It has neither e-mail addresses nor domains nor country codes: the domain is the customer's code at `.example`, the address the
    contact's names at that domain, the country its first two letters (good enough to read back, no ISO code).
    """
    with (source / "customers.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    firms, people = [], []
    for row in rows:
        code, (first, _, last) = row["customer_id"], row["contact_name"].partition(" ")
        where = {"AddressLine1": "address", "City": "city", "State": "region", "PostalCode": "postal_code"}
        address = {name: row[column] for name, column in where.items()} | {"Country": row["country"][:2].upper()}
        local = "".join(c for c in f"{first}.{last}" if c.isascii() and (c.isalnum() or c == "."))
        main = {"Phone1": row["phone"], "Fax": row["fax"], "WebSite": f"www.{code.lower()}.example"}
        firm = {"CustomerID": code, "CustomerName": row["company_name"], **{f"MainContact.{name}": value for name, value in main.items()}}
        firms.append(firm | {f"MainContact.Address.{name}": value for name, value in address.items()})
        person = {"BusinessAccount": code, "FirstName": first, "LastName": last, "JobTitle": row["contact_title"]}
        person |= {"Email": f"{local}@{code.lower()}.example", "Phone1": row["phone"], "Phone1Type": "Business 1"}
        people.append(person | {f"Address.{name}": value for name, value in address.items()})
    write(target, "customers.csv", firms)
    write(target, "contacts.csv", people)


def test_northwind_as_a_folder(tmp_path: Path) -> None:
    """The Northwind customers, converted, make a Book of 91 customers with a contact each."""
    folders = [parent / "shared/data/northwind" for parent in Path(__file__).resolve().parents]
    source = next((folder for folder in folders if folder.is_dir()), None)
    if source is None:
        pytest.skip("Northwind's files are not at hand: no shared/data/northwind beside the repository")
    northwind(source, tmp_path)
    book = load(str(tmp_path))
    assert (len(book.customers), len(book.contacts)) == (91, 91)
    firm = next(row for row in book.customers if row["CustomerID"] == "ANTON")
    assert firm["CustomerName"] == "Antonio Moreno Taquería"
    assert firm["MainContact"]["Address"]["AddressLine1"] == "Mataderos  2312"
    assert firm["MainContact"]["Fax"] is None
    person = next(row for row in book.contacts if row["BusinessAccount"] == "ALFKI")
    assert (person["FirstName"], person["LastName"], person["Email"]) == ("Maria", "Anders", "Maria.Anders@alfki.example")
