"""The data sets of the sandboxes."""

from collections import Counter

import pytest

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


def test_the_portal_is_never_ambiguous(book: Book) -> None:
    """No two companies of the portal have one domain, and about a fifth of the customers are there."""
    domains = [row["properties"]["domain"].lower().removeprefix("www.") for row in book.hubspot_companies if "domain" in row["properties"]]
    assert len(set(domains)) == len(domains)
    assert 40 <= len(domains) <= 70
    assert any("domain" not in row["properties"] for row in book.hubspot_companies)
    mails = [row["properties"]["email"].lower() for row in book.hubspot_contacts]
    assert len(set(mails)) == len(mails)
    assert all(row["company"] is None or row["company"] < len(book.hubspot_companies) for row in book.hubspot_contacts)


def test_the_empty_set_and_an_unknown_one() -> None:
    """`empty` holds nothing; what is neither a set nor a folder is refused by name."""
    assert load("empty") == Book()
    with pytest.raises(BadData, match="nowhere"):
        load("nowhere")
