"""Owned values: domains, e-mail addresses, and that any other value on either side is found."""

from decimal import Decimal
from pathlib import Path

import pytest
import tldextract
from agreed_dumps import acumatica, company_of, contact_of, hubspot, judge, properties
from hypothesis import given
from hypothesis import strategies as st

from sandbox.compare import owned
from sandbox.comparer import compare


@pytest.mark.parametrize(
    ("website", "expected"),
    [
        ("https://www.Keystone.example/", "keystone.example"),
        (" WWW.KEYSTONE.EXAMPLE ", "keystone.example"),
        ("http://shop.keystone.co.uk/de?x=1#y", "keystone.co.uk"),
        ("HTTPS://user:pass@keystone.example:8443/index.html", "keystone.example"),
        ("//keystone.example", "keystone.example"),
        ("keystone.example.", "keystone.example"),
        ("keystone.example?ref=a@b.example", "keystone.example"),
        ("https://müller-söhne.de", "müller-söhne.de"),
        ("co.uk", ""),
        ("localhost", ""),
        ("10.0.0.1", ""),
        ("n/a", ""),
        ("two words.example", ""),
        ("under_score.example", ""),
        ("-x.example", ""),
        ("a..example", ""),
        ("mail.yahoo.com", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_domain(website: str | None, expected: str) -> None:
    """A website in any spelling gives its registrable domain, empty where there is none or a mail provider's."""
    assert owned.domain(website) == expected


def test_domain_of_an_email_only_without_a_website() -> None:
    """The e-mail address tells the domain only where the website field is empty, and only if it is an address."""
    assert owned.customer_domain({"WebSite": " ", "Email": "a@b.keystone.co.uk"}) == "keystone.co.uk"
    assert owned.customer_domain({"WebSite": "n/a", "Email": "a@keystone.example"}) == ""
    assert owned.customer_domain({"WebSite": None, "Email": "a@x.example; b@y.example"}) == ""
    assert owned.customer_domain({}) == ""


@pytest.mark.parametrize("address", ["a@b.example", "a.b+c@x-y.co.uk", "o'brien@b.example", "1@2.example"])
def test_email_taken(address: str) -> None:
    """An address as the table describes it is valid."""
    assert owned.valid_email(address)


REFUSED = ["", "a", "a@b", "@b.example", "a@", "a b@c.example", "a@@b.example", "a@b@c.example", "a..b@c.example", ".a@c.example"]
REFUSED += ["a@-b.example", "a@b..example", "a@b.example.", "søn@b.example", "a@b.example, c@d.example", "<a@b.example>", "a@b.example\n"]


@pytest.mark.parametrize("address", REFUSED)
def test_email_refused(address: str) -> None:
    """Whatever else is refused."""
    assert not owned.valid_email(address)


def test_suffixes_are_a_piece_of_the_public_list() -> None:
    """Each suffix of the table reduces a host as the public suffix list does, which the product uses."""
    public = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
    for suffix in owned.SUFFIXES:
        assert public(f"shop.keystone.{suffix}").top_domain_under_public_suffix == owned.domain(f"shop.keystone.{suffix}")


def test_lists_are_those_of_the_table() -> None:
    """The free-mail domains and the suffixes in the code are those of docs/agreement.md."""
    table = (Path(__file__).parents[2] / "docs" / "agreement.md").read_text(encoding="utf-8")
    for start, ours in (("Free-mail domains: ", owned.FREE_MAIL), ("Suffixes: ", owned.SUFFIXES)):
        listed = table.split(start)[1].split(".\n")[0].replace("\n", " ").split(", ")
        assert {name.strip() for name in listed} == ours


def same_by_table(name: str, one: str, other: str) -> bool:
    """The test's own word on when two values are one."""
    if name == "acumatica_credit_limit":
        return Decimal(one) == Decimal(other)
    if name in ("email", "domain"):
        return one.strip().lower() == other.strip().lower()
    return one.replace("\r\n", "\n").strip() == other.replace("\r\n", "\n").strip()


COUNTED = {
    "102": company_of(2, "Birch", "birch.example", "birch.example"),
    "214": contact_of(14, None),
    "221": contact_of(21, "five@x.example"),
}


@given(data=st.data())
def test_any_other_owned_value_in_hubspot_is_found(data: st.DataObject) -> None:
    """Whatever owned property gets whatever other value: the comparer says no and names the record."""
    ref = data.draw(st.sampled_from(sorted(COUNTED)))
    name = data.draw(st.sampled_from(sorted(COUNTED[ref])))
    before = COUNTED[ref][name] or ""
    decimals = st.decimals(allow_nan=False, allow_infinity=False).map(str)
    after = data.draw((decimals if name == "acumatica_credit_limit" else st.text()).filter(lambda v: not same_by_table(name, before, v)))
    verdict = judge(lambda _, h: properties(h, ref).update({name: after}))
    findings = verdict.missing + verdict.doubled + verdict.stale
    assert not verdict.agreed
    assert any(ref in finding for finding in findings)


ADDRESS = ("AddressLine1", "AddressLine2", "City", "State", "PostalCode", "Country")
COMPANY = ["CustomerName", "CustomerClass", "Status", "Terms", "CurrencyID", "CreditLimit", "MainContact.Phone1", "MainContact.WebSite"]
PATHS = [("customers", 1, path) for path in COMPANY] + [("customers", 1, f"MainContact.Address.{name}") for name in ADDRESS]
PATHS += [("contacts", 10, path) for path in ("FirstName", "LastName", "JobTitle", "Fax", "Phone1", "Phone2", "ContactID")]
PATHS += [("contacts", 10, f"Address.{name}") for name in ADDRESS]


@given(place=st.sampled_from(PATHS), money=st.decimals(allow_nan=False, allow_infinity=False), words=st.text())
def test_any_other_value_in_acumatica_is_found(place: tuple[str, int, str], money: Decimal, words: str) -> None:
    """An edit in Acumatica that did not arrive is found, whichever owned field and value it is."""
    left = acumatica()
    table, index, path = place
    *outer, name = path.split(".")
    row = left[table][index]
    for step in outer:
        row = row[step]
    old, new = str(row[name] or ""), str(money) if name == "CreditLimit" else words
    row[name] = new
    equal = same_by_table("acumatica_credit_limit" if name == "CreditLimit" else "", old, new)
    assert compare(left, hubspot(), "demo").agreed == equal
