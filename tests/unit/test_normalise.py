"""streams/normalise.py and streams/domains.py: the vendor's words to ours."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from schemas.entities import Contact, Customer
from schemas.headers import Passage
from schemas.records import Audit, DeadLetter
from streams.domains import domain_of, free_mail, registrable
from tests.unit.streams_kit import ALICE, BOB, PASSAGE, a_contact, a_customer, feed, memory, read

ADDRESS = {"AddressLine1": "1 Main St ", "AddressLine2": "", "City": "Ulm", "State": None, "PostalCode": " 89073", "Country": "DE"}


def customer_of(**words: Any) -> Customer:
    stages = memory()
    (found,) = read(stages, Customer, feed(stages, "source.acumatica.customer", a_customer(**words), ALICE), "normalized.customer")
    return found


def contact_of(**words: Any) -> Contact:
    stages = memory()
    (found,) = read(stages, Contact, feed(stages, "source.acumatica.contact", a_contact(**words), BOB), "normalized.contact")
    return found


def test_customer_field_by_field() -> None:
    """Every canonical field of a customer comes from its own field of Acumatica, trimmed; what is blank is None."""
    found = customer_of(
        CustomerID="ALICE ",
        CustomerName=" Alice & Söhne ",
        CustomerClass="LOCAL",
        Status="Active",
        Terms="30D",
        CurrencyID="EUR",
        CreditLimit="1500.50",
        AccountRef="x-1",
        ParentRecord="  ",
        MainContact={"Email": " Info@Alice.COM", "Phone1": "+49 1", "WebSite": "https://www.Alice.com/de", "Address": ADDRESS},
    )
    assert (found.code, found.name, found.customer_class, found.status) == ("ALICE", "Alice & Söhne", "LOCAL", "Active")
    assert (found.terms, found.currency, found.credit_limit) == ("30D", "EUR", Decimal("1500.50"))
    assert (found.phone, found.email, found.website, found.domain) == ("+49 1", "info@alice.com", "https://www.Alice.com/de", "alice.com")
    assert found.address is not None
    assert found.address.model_dump(exclude_none=True) == {"line1": "1 Main St", "city": "Ulm", "postal_code": "89073", "country": "DE"}
    assert (found.external_ref, found.parent, found.ref) == ("x-1", None, ALICE)


def test_contact_field_by_field() -> None:
    """A contact's phones are chosen by their type, its e-mail is trimmed and in lower case, its number is a text."""
    found = contact_of(
        FirstName="Bob ",
        LastName="B.",
        JobTitle="CEO",
        Email=" Bob@ALICE.com ",
        Phone1="1",
        Phone1Type="Cell",
        Phone2="2",
        Phone2Type="Business 1",
        Phone3="3",
        Phone3Type="Business 1",
        Fax="9",
        Active=True,
        Address=ADDRESS,
    )
    assert (found.number, found.first_name, found.last_name, found.job_title, found.email) == ("7", "Bob", "B.", "CEO", "bob@alice.com")
    assert (found.phone, found.mobile, found.fax, found.active, found.party) == ("2", "1", "9", True, ALICE)
    assert found.address is not None
    assert found.address.city == "Ulm"


def test_empty_contact_is_a_contact() -> None:
    """A contact without e-mail, phones, names or address is there, by its key."""
    found = contact_of(Address={"City": " "})
    assert found.email is None
    assert found.phone is None
    assert found.address is None
    assert not found.active


@pytest.mark.parametrize("name", [None, "", "  "])
def test_customer_without_a_name_is_a_dead_letter(name: str | None) -> None:
    """A customer without a name goes to the dead letters whole, with what to do, and ends in the audit as rejected."""
    stages = memory()
    source = a_customer(CustomerName=name)
    found = feed(stages, "source.acumatica.customer", source, ALICE)
    assert [out.topic for out in found] == ["dead-letters", "audit"]
    (letter,) = read(stages, DeadLetter, found, "dead-letters")
    assert (letter.topic, letter.partition, letter.offset, letter.key, letter.stage) == (
        *("source.acumatica.customer", 0, 0, ALICE.encode()),
        "normalise",
    )
    assert stages.codec.decode(type(source), letter.value or b"") == source
    assert letter.headers == dict(PASSAGE.headers())
    assert "CustomerName" in letter.reason
    (audit,) = read(stages, Audit, found, "audit")
    assert (audit.event, audit.ref, audit.trace, audit.version) == ("rejected", ALICE, PASSAGE.trace, 0)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ({"scope": "business account X is no customer", "party": None}, "business account X is no customer"),
        ({"Type": "Lead"}, "its type is Lead"),
        ({"Type": None}, "its type is missing"),
        ({"party": None}, "it belongs to no customer"),
        ({"change": "delete"}, "deleted at the source"),
    ],
)
def test_contact_out_of_scope(words: dict[str, Any], reason: str) -> None:
    """A contact that is not for us leaves normalized.contact by a tombstone, and the audit says why; nobody wishes anything."""
    stages = memory()
    found = feed(stages, "source.acumatica.contact", a_contact(**words), BOB)
    assert [(out.topic, out.value is None) for out in found] == [("normalized.contact", True), ("audit", False)]
    (audit,) = read(stages, Audit, found, "audit")
    assert audit.event == "out_of_scope"
    assert reason in (audit.detail or "")


def test_deleted_customer_leaves_the_targets_alone() -> None:
    """A deleted customer, even a nameless one, is a tombstone and an audit record, and no wish."""
    stages = memory()
    found = feed(stages, "source.acumatica.customer", a_customer(change="delete", CustomerName=None), ALICE)
    assert [(out.topic, out.value is None) for out in found] == [("normalized.customer", True), ("audit", False)]


def test_version_is_the_source_offset_from_here_on() -> None:
    """The offset in the source topic becomes the version in the headers; the rest of the papers stays as it came."""
    stages = memory()
    feed(stages, "source.acumatica.customer", a_customer(), ALICE)
    first, *_ = feed(stages, "source.acumatica.customer", a_customer(), ALICE)
    assert Passage.read(first.headers) == Passage(PASSAGE.trace, "acumatica", PASSAGE.source_at, 1)


@pytest.mark.parametrize(
    ("website", "email", "domain"),
    [
        ("https://www.X.com/", None, "x.com"),
        ("X.com:8080/de?a=b", None, "x.com"),
        ("http://shop.x.co.uk", None, "x.co.uk"),
        ("shop.keystone.example", "a@b.com", "keystone.example"),
        ("WWW.X.COM.", None, "x.com"),
        ("https://www.X.example/path", None, "x.example"),
        ("X.EXAMPLE.", None, "x.example"),
        ("https://www.MÜNCHEN.example/", None, "münchen.example"),
        ("https://www.XN--Mnchen-3ya.example", None, "xn--mnchen-3ya.example"),
        (None, "Jo@Mail.X.com ", "x.com"),
        (None, "jo@gmail.com", None),
        ("https://gmail.com", "a@b.com", None),
        (None, "jo@mail.gmail.com", None),
        (None, "not a mail", None),
        (None, "a@b@c.com", None),
        (None, "@c.com", None),
        ("localhost", None, None),
        ("http://192.168.1.1/", None, None),
        ("http://[::1]/", None, None),
        ("http://[::1/", None, None),
        ("co.uk", None, None),
        ("n/a", None, None),
        ("see our brochure", None, None),
        ("x..com", None, None),
        ("münchen.de", None, "münchen.de"),
        ("//user:pw@x.com:80#top", None, "x.com"),
        ("a_b.com", None, None),
        ("http://-x.com", None, None),
        ("x.com/http://y.com", None, "x.com"),
        (None, "jo@müller.de", None),
        (None, "jo..b@x.com", None),
        ("no domain", "jo@x.com", None),
        (None, None, None),
    ],
)
def test_domain(website: str | None, email: str | None, domain: str | None) -> None:
    """The website's registrable domain, else the e-mail's; nothing for a free-mail domain and for what is no domain."""
    assert domain_of(website, email, free_mail()) == domain


def test_free_mail_domains_of_the_agreement_are_listed() -> None:
    """Our list holds every free-mail domain that the agreement names, and the settings can add to it."""
    agreement = (Path(__file__).parents[2] / "docs" / "agreement.md").read_text()
    named = agreement.split("Free-mail domains: ")[1].split(".\n")[0].replace("\n", " ")
    assert {name.strip() for name in named.split(",")} <= free_mail()
    assert domain_of(None, "a@extra.org", free_mail(["Extra.org"])) is None
    assert all(registrable(name) == name for name in free_mail())
