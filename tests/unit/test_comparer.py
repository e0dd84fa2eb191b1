"""The comparer against docs/agreement.md: dumps made by hand, in agreement, and then with one thing wrong."""

import ast
import copy
import json
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import tldextract
from hypothesis import given
from hypothesis import strategies as st

from sandbox import compare as parts
from sandbox import comparer
from sandbox.compare import owned
from sandbox.comparer import Verdict, compare

Dump = dict[str, Any]
Change = Callable[[Dump, Dump], object]


def guid(number: int) -> str:
    return f"0000000A-0000-4000-8000-{number:012d}"


def key(number: int) -> str:
    return f"demo|{guid(number).lower()}"


def customer(number: int, name: str | None, website: str | None = None, mail: str | None = None) -> Dump:
    place = {"AddressLine1": "1 Quay", "AddressLine2": " Dock 2", "City": "Hull ", "State": None, "PostalCode": "HU1", "Country": "GB"}
    main = {"Phone1": "+44 1482 1", "WebSite": website, "Email": mail, "Address": place}
    row = {"id": guid(number), "CustomerID": f"C{number:03d} ", "CustomerName": name, "CustomerClass": "TRADE", "Status": "Active"}
    return row | {"Terms": "30D", "CurrencyID": "GBP", "CreditLimit": "1500.50", "MainContact": main}


def person(number: int, account: str | None, mail: str | None, kind: str = "Contact") -> Dump:
    phones = {
        "Phone1": "",
        "Phone1Type": "Business 1",
        "Phone2": "0170 5",
        "Phone2Type": "Cell",
        "Phone3": "0155 6",
        "Phone3Type": "Business 1",
    }
    place = {"AddressLine1": "2 Pier", "AddressLine2": "c/o Ann", "City": "Goole", "State": "ER", "PostalCode": "DN14", "Country": "GB"}
    row = {"id": guid(number), "ContactID": number, "Type": kind, "BusinessAccount": account, "Email": mail, "FirstName": "Bo"}
    return row | phones | {"LastName": f"Ek {number}", "JobTitle": None, "Fax": "0155 7", "Active": True, "Address": place}


def company_of(number: int, name: str, website: str = "", domain: str = "", **other: str) -> Dump:
    place = {"address": "1 Quay", "address2": "Dock 2", "city": "Hull", "state": "", "zip": "HU1", "country": "GB"}
    ours = {"acumatica_customer_id": f"C{number:03d}", "acumatica_class": "TRADE", "acumatica_status": "Active", "acumatica_terms": "30D"}
    money = {"acumatica_currency": "GBP", "acumatica_credit_limit": "1500.5", "phone": "+44 1482 1"}
    return {"name": name, "website": website, "domain": domain, "acumatica_customer_key": key(number)} | place | ours | money | other


def contact_of(number: int, mail: str | None, **other: str | None) -> Dump:
    place = {"address": "2 Pier\nc/o Ann", "city": "Goole", "state": "ER", "zip": "DN14", "country": "GB"}
    ours = {"acumatica_contact_key": key(number), "acumatica_contact_id": str(number), "acumatica_active": "true"}
    phones = {"phone": "0155 6", "mobilephone": "0170 5", "fax": "0155 7"}
    return {"email": mail, "firstname": "Bo", "lastname": f"Ek {number}", "jobtitle": None} | place | ours | phones | other


OLD_AMBER = {"name": "AMBER", "domain": "WWW.amber.example", "industry": "Timber", "phone": "unknown", "hs_lastmodifieddate": "1"}
OLD_TWIN = {"name": "Twin", "domain": "twin.example"}
OLD_STRANGER = {"name": "Gmail fans", "domain": "gmail.com", "note": None}
OLD_BO = {"email": "Bo@Old.example", "hs_additional_emails": "second@old.example;bo@amber.example", "lifecyclestage": "lead"}


def acumatica() -> Dump:
    """Customers 1-9 and contacts 11-23, a case of the table each."""
    customers = [
        customer(1, "Amber & Søn ", "https://www.Amber.example:443/shop?x#y"),  # adopted (rule 10)
        customer(2, "Birch", "birch.example"),
        customer(3, "Birch West", "//www.birch.example/west"),  # shares a domain (rule 11)
        customer(4, "   ", "nameless.example"),  # no name (rule 3)
        customer(5, "Mail Only", None, "Info@Mail-Only.co.uk"),
        customer(6, "Free Mail", None, "free@gmail.com"),  # rule 14
        customer(7, "Twin", "twin.example"),  # two candidates (rule 12)
        customer(8, "No Site At All", "n/a", "x@unused.example"),
        customer(9, "Amber Two", "amber.example"),  # shares the adopted one's domain (rule 11)
    ]
    contacts = [
        person(11, "C001", " Second@Old.example "),  # adopted by an additional address (rule 13)
        person(12, "c001 ", "shared@x.example"),
        person(13, "C002", "SHARED@x.example"),  # shared e-mail (rule 7): excused
        person(14, "C002", None),  # no e-mail (rule 8)
        person(15, "C002", "call the office"),  # refused (rule 9)
        person(16, None, "no@customer.example"),  # rule 3
        person(17, "PROSPECT", "prospect@x.example"),  # rule 3
        person(18, "C004", "of@nameless.example"),  # rule 3
        person(19, "C007", "waits@twin.example"),  # its customer is excused (rule 17)
        person(20, "C003", "lead@x.example", kind="Lead"),
        person(21, "C005", "five@x.example"),
    ]
    return {"system": "acumatica", "tenant": "Demo", "customers": customers, "contacts": contacts, "business_accounts": []}


def hubspot() -> Dump:
    """What the portal holds in agreement: companies 101.., contacts 201.. by the numbers above."""
    amber = OLD_AMBER | company_of(1, "Amber & Søn", "https://www.Amber.example:443/shop?x#y", "amber.example", hs_lastmodifieddate="2")
    companies = {
        "101": amber,
        "102": company_of(2, "Birch", "birch.example", "birch.example"),
        "103": company_of(3, "Birch West", "//www.birch.example/west", "Birch.example"),
        "105": company_of(5, "Mail Only", "", "mail-only.co.uk"),
        "106": company_of(6, "Free Mail"),
        "108": company_of(8, "No Site At All", "n/a"),
        "109": company_of(9, "Amber Two", "amber.example", "amber.example", state="", industry="FILLED_IN_BY_HUBSPOT"),
        "171": dict(OLD_TWIN),
        "172": dict(OLD_TWIN),
        "190": dict(OLD_STRANGER) | {"note": ""},
    }
    contacts = {
        "211": OLD_BO | contact_of(11, "second@old.example", hs_additional_emails="bo@old.example"),
        "212": contact_of(12, "shared@x.example"),
        "214": contact_of(14, None),
        "221": contact_of(21, "five@x.example"),
    }
    links = [("211", "101"), ("211", "190"), ("212", "101"), ("214", "102"), ("221", "105")]
    return {
        "system": "hubspot",
        "companies": [{"id": ref, "properties": p, "archived": False, "seeded": ref in SEEDED} for ref, p in companies.items()],
        "contacts": [{"id": ref, "properties": p, "archived": False, "seeded": ref in SEEDED} for ref, p in contacts.items()],
        "associations": [{"from": "contact", "from_id": a, "to": "company", "to_id": b, "types": [279]} for a, b in links],
        "seeded": {
            "companies": {"101": OLD_AMBER, "171": OLD_TWIN, "172": OLD_TWIN, "190": OLD_STRANGER},
            "contacts": {"211": OLD_BO},
        },
        "properties": {"companies": [{"name": "hs_score", "modificationMetadata": {"readOnlyValue": True}}], "contacts": []},
    }


SEEDED = {"101", "171", "172", "190", "211"}


def properties(dump: Dump, ref: str) -> Dump:
    return next(r["properties"] for kind in ("companies", "contacts") for r in dump[kind] if r["id"] == ref)


def remove(dump: Dump, kind: str, ref: str) -> None:
    dump[kind] = [record for record in dump[kind] if record["id"] != ref]


def archive(dump: Dump, kind: str, ref: str) -> None:
    next(record for record in dump[kind] if record["id"] == ref)["archived"] = True


def add(dump: Dump, kind: str, ref: str, values: Dump) -> None:
    dump[kind].append({"id": ref, "properties": values, "archived": False, "seeded": False})


def link(dump: Dump, person_ref: str, company_ref: str) -> None:
    dump["associations"].append({"from": "contact", "from_id": person_ref, "to": "company", "to_id": company_ref, "types": [279]})


def unlink(dump: Dump, person_ref: str) -> None:
    dump["associations"] = [one for one in dump["associations"] if one["from_id"] != person_ref]


def judge(*changes: Change) -> Verdict:
    left, right = acumatica(), copy.deepcopy(hubspot())
    for change in changes:
        change(left, right)
    return compare(left, right, "Demo")


def counts(verdict: Verdict) -> dict[str, int]:
    kinds = ("missing", "doubled", "stale", "altered")
    return {kind: len(getattr(verdict, kind)) for kind in kinds if getattr(verdict, kind)}


def test_every_case_of_the_table_in_agreement() -> None:
    """A portal that holds each case as the table wants it is in agreement, with the counts of what holds rules 1 and 2."""
    verdict = judge()
    assert (verdict.missing, verdict.doubled, verdict.stale, verdict.altered) == ([], [], [], [])
    assert verdict.line == "in agreement: 7 companies, 4 contacts, 0 missing, 0 doubled, 0 stale"
    assert sorted(finding.split(":")[0] for finding in verdict.excused) == ["rule 12", "rule 17", "rule 7", "rule 9"]


WRONG: dict[str, tuple[Change, dict[str, int], str]] = {
    "one field altered": (lambda _, h: properties(h, "102").update(phone="+44 1482 2"), {"stale": 1}, "phone is '+44 1482 2', want"),
    "a decimal altered": (lambda _, h: properties(h, "102").update(acumatica_credit_limit="1500.05"), {"stale": 1}, "credit_limit"),
    "no limit is not 0": (lambda a, h: zero_limit(a, h), {"stale": 1}, "acumatica_credit_limit is '0', want ''"),
    "case of a name": (lambda _, h: properties(h, "102").update(name="BIRCH"), {"stale": 1}, "want 'Birch'"),
    "inactive": (lambda a, _: a["contacts"][0].update(Active=False), {"stale": 1}, "acumatica_active is 'true', want 'false'"),
    "free mail as domain": (lambda _, h: properties(h, "106").update(domain="gmail.com"), {"stale": 1}, "domain is 'gmail.com'"),
    "a company removed": (lambda _, h: remove(h, "companies", "108"), {"missing": 1}, "no company for customer C008"),
    "a company archived": (lambda _, h: archive(h, "companies", "108"), {"missing": 1}, "rule 1"),
    "a company doubled": (lambda _, h: add(h, "companies", "999", company_of(8, "No Site At All", "n/a")), {"doubled": 1}, "108, 999"),
    "a contact removed": (lambda _, h: remove(h, "contacts", "214"), {"missing": 1}, "rule 2"),
    "a contact doubled": (lambda _, h: add(h, "contacts", "999", contact_of(14, None)), {"doubled": 1}, "214, 999"),
    "a contact without its company": (lambda _, h: unlink(h, "214"), {"stale": 1}, "rule 6: contact 214"),
    "a wrong company too": (lambda _, h: link(h, "214", "103"), {"stale": 1}, "associated with company 103 too"),
    "a wrong company instead": (lambda _, h: [unlink(h, "214"), link(h, "214", "103")], {"stale": 2}, "rule 6"),
    "a lost e-mail": (lambda _, h: properties(h, "221").update(email=None), {"stale": 1}, "email is '', want 'five@x.example'"),
    "an e-mail for nobody's": (lambda _, h: properties(h, "214").update(email="a@b.example"), {"stale": 1}, "rule 4"),
    "nobody of a shared e-mail": (lambda _, h: remove(h, "contacts", "212"), {"missing": 1}, "rule 7: none of those who share"),
    "two of a shared e-mail": (lambda _, h: second_sharer(h), {"doubled": 1, "stale": 1}, "rule 7"),
    "an extra key": (lambda _, h: add(h, "companies", "999", company_of(99, "Ghost")), {"doubled": 1}, "belongs to no record"),
    "a nameless customer there": (lambda _, h: add(h, "companies", "999", company_of(4, "?")), {"doubled": 1}, "rule 5"),
    "a prospect's contact there": (lambda _, h: add(h, "contacts", "999", contact_of(17, None)), {"doubled": 1}, "rule 5"),
    "a key in upper case": (lambda _, h: upper_key(h), {"doubled": 1, "missing": 1}, "rule 5"),
    "another tenant's key": (lambda _, h: foreign_tenant(h), {"doubled": 1, "missing": 1}, "rule 5"),
    "a new record without a key": (lambda _, h: add(h, "companies", "999", {"name": "New"}), {"doubled": 1}, "carries no key"),
    "not adopted": (lambda _, h: not_adopted(h), {"doubled": 1}, "rule 10: company 101"),
    "contact not adopted": (lambda _, h: contact_not_adopted(h), {"doubled": 1}, "rule 10: contact 211"),
    "adopted without a match": (lambda _, h: wrong_adoption(h), {"altered": 1, "stale": 1}, "adopted without a match by customer C008"),
    "one of two candidates taken": (lambda _, h: guessed(h), {"doubled": 1, "missing": 1}, "rule 12"),
    "a third one beside two": (lambda _, h: add(h, "companies", "999", company_of(7, "Twin")), {"doubled": 1, "missing": 1}, "rule 12"),
    "not ours, of an adopted one": (lambda _, h: properties(h, "101").update(industry=""), {"altered": 1}, "industry was 'Timber'"),
    "not ours, added": (lambda _, h: properties(h, "211").update(company="Amber"), {"altered": 1}, "company was None and is 'Amber'"),
    "another record": (lambda _, h: properties(h, "190").update(name="Changed"), {"altered": 1}, "rule 15"),
    "another record gone": (lambda _, h: archive(h, "companies", "190"), {"altered": 1}, "is no longer"),
}


def zero_limit(left: Dump, right: Dump) -> None:
    left["customers"][1]["CreditLimit"] = None
    properties(right, "102")["acumatica_credit_limit"] = "0"


def second_sharer(right: Dump) -> None:
    add(right, "contacts", "999", contact_of(13, None))
    link(right, "999", "102")


def upper_key(right: Dump) -> None:
    properties(right, "108")["acumatica_customer_key"] = key(8).upper()


def foreign_tenant(right: Dump) -> None:
    properties(right, "108")["acumatica_customer_key"] = key(8).replace("demo|", "other|")


def not_adopted(right: Dump) -> None:
    """Customer 1 got a company of its own beside the one that was there with its domain."""
    made = copy.deepcopy(properties(right, "101"))
    add(right, "companies", "999", made)
    properties(right, "101").clear()
    properties(right, "101").update(OLD_AMBER)
    for ref in ("211", "212"):
        unlink(right, ref)
        link(right, ref, "999")


def contact_not_adopted(right: Dump) -> None:
    add(right, "contacts", "999", copy.deepcopy(properties(right, "211")))
    properties(right, "211").clear()
    properties(right, "211").update(OLD_BO)
    link(right, "999", "101")


def wrong_adoption(right: Dump) -> None:
    remove(right, "companies", "108")
    properties(right, "190").update(company_of(8, "No Site At All", "n/a"))


def guessed(right: Dump) -> None:
    properties(right, "171").update(company_of(7, "Twin", "twin.example", "twin.example"))


@pytest.mark.parametrize("case", WRONG)
def test_says_no(case: str) -> None:
    """One thing wrong gives exactly its finding, and the verdict is no."""
    change, expected, words = WRONG[case]
    verdict = judge(change)
    assert counts(verdict) == expected, verdict
    assert any(words in finding for kind in expected for finding in getattr(verdict, kind)), verdict
    assert not verdict.agreed
    assert verdict.line.startswith("NOT in agreement: ")


RIGHT: dict[str, Change] = {
    "decimals in another writing": lambda _, h: properties(h, "102").update(acumatica_credit_limit="1500.5000"),
    "blanks around a value": lambda _, h: properties(h, "102").update(phone=" +44 1482 1 "),
    "the case of e-mail and domain": lambda _, h: [properties(h, "221").update(email="Five@X.example"), dotted(h)],
    "empty as null or nothing": lambda _, h: [properties(h, "106").update(website=None), properties(h, "106").pop("state")],
    "what HubSpot computes": lambda _, h: properties(h, "190").update(hs_score="9", lastmodifieddate="now"),
    "an archived record with a stray key": lambda _, h: [add(h, "companies", "999", company_of(99, "?")), archive(h, "companies", "999")],
    "a company that is not ours too": lambda _, h: link(h, "214", "190"),
    "the other one of those who share": lambda _, h: other_sharer(h),
    "a foreign key that was there": lambda _, h: claimed_elsewhere(h),
    "a key of ours that was there": lambda _, h: h["seeded"]["companies"].update({"102": company_of(2, "Old name")}),
    "the other customer adopted": lambda _, h: swapped_adoption(h),
}


def dotted(right: Dump) -> None:
    properties(right, "105")["domain"] = "Mail-Only.CO.UK"


def other_sharer(right: Dump) -> None:
    remove(right, "contacts", "212")
    add(right, "contacts", "213", contact_of(13, "shared@x.example"))
    link(right, "213", "102")


def claimed_elsewhere(right: Dump) -> None:
    """A company and the holder of an e-mail were another tenant's before: contact 21 is excused, the customer gets its own."""
    add(right, "companies", "180", {"name": "Birch", "domain": "birch.example", "acumatica_customer_key": "other|1"})
    right["seeded"]["companies"]["180"] = properties(right, "180")
    add(right, "contacts", "280", {"email": "five@x.example", "acumatica_contact_key": "other|2"})
    right["seeded"]["contacts"]["280"] = properties(right, "280")
    remove(right, "contacts", "221")


def swapped_adoption(right: Dump) -> None:
    """Customers 1 and 9 share a domain: either may adopt the company that was there."""
    one, nine = properties(right, "101"), properties(right, "109")
    ours = set(company_of(1, ""))
    kept = {name: value for name, value in one.items() if name in ours}
    one.update({name: nine[name] for name in ours})
    nine.update(kept)
    for ref in ("211", "212"):
        unlink(right, ref)
        link(right, ref, "109")


@pytest.mark.parametrize("case", RIGHT)
def test_says_yes(case: str) -> None:
    """What the table allows is no finding."""
    verdict = judge(RIGHT[case])
    assert counts(verdict) == {}, verdict
    assert verdict.agreed


def test_values_too_long_are_excused() -> None:
    """A customer with a value that HubSpot cannot hold is excused (16), its contacts wait (17), and what was there may stay."""
    long: Change = lambda a, _: a["customers"][4].update(CustomerName="x" * 65_537)  # noqa: E731
    stays = judge(long)
    gone = judge(long, lambda _, h: [remove(h, "companies", "105"), remove(h, "contacts", "221")])
    assert (stays.line, stays.contacts) == ("in agreement: 6 companies, 4 contacts, 0 missing, 0 doubled, 0 stale", 4)
    assert gone.line == "in agreement: 6 companies, 3 contacts, 0 missing, 0 doubled, 0 stale"


def test_empty_systems_agree_and_a_silent_portal_does_not() -> None:
    """Nothing against nothing agrees; a portal that got nothing at all is missing every record."""
    left, right = acumatica(), hubspot()
    nothing = {"customers": [], "contacts": []}, {"companies": [], "contacts": [], "associations": []}
    assert compare(*nothing, "demo").line == "in agreement: 0 companies, 0 contacts, 0 missing, 0 doubled, 0 stale"
    right |= {"associations": [], "companies": [], "contacts": [], "seeded": {}}
    verdict = compare(left, right, "demo")
    assert (len(verdict.missing), verdict.companies, verdict.contacts) == (8 + 5, 0, 0)


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


def test_imports_nothing_but_the_standard_library() -> None:
    """The comparer shares no code with what it judges: its files import each other and the standard library, no more."""
    files = [Path(comparer.__file__), *Path(parts.__file__).parent.glob("*.py")]
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0, file
                names = [node.module or ""]
            for name in names:
                assert name.split(".")[0] in sys.stdlib_module_names or name.startswith("sandbox.compare"), (file, name)


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


def test_command_line(tmp_path: Path) -> None:
    """The command prints the findings and the verdict, as text or JSON, and its exit status is 0 only in agreement."""
    left, right, wrong = tmp_path / "a.json", tmp_path / "h.json", tmp_path / "w.json"
    left.write_text(json.dumps(acumatica()), encoding="utf-8")
    right.write_text(json.dumps(hubspot()), encoding="utf-8")
    dump = hubspot()
    remove(dump, "companies", "108")
    wrong.write_text(json.dumps(dump), encoding="utf-8")

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "sandbox.comparer", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False, encoding="utf-8")

    good = run("--acumatica", left, "--hubspot", right)
    assert (good.returncode, good.stdout.splitlines()[-1]) == (0, judge().line)
    bad = run("--acumatica", left, "--hubspot", wrong)
    assert (bad.returncode, bad.stdout.splitlines()[-1].split(",")[2]) == (1, " 1 missing")
    assert "missing: rule 1: no company for customer C008" in bad.stdout
    as_json = run("--acumatica", left, "--hubspot", wrong, "--json")
    told = json.loads(as_json.stdout)
    assert (as_json.returncode, told["agreed"], told["companies"], len(told["missing"])) == (1, False, 6, 1)
    for unreadable in (run("--acumatica", right, "--hubspot", right), run("--acumatica", tmp_path / "none", "--hubspot", right)):
        assert (unreadable.returncode, unreadable.stdout) == (2, "")
        assert "acumatica" in unreadable.stderr
