"""What we wish against docs/agreement.md, as the comparer reads it: two readings of one table, made apart from each other."""

from __future__ import annotations

from typing import Any, get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.compare import owned
from sandbox.data import load
from schemas.records import Record, Wish
from schemas.sources import SourceAcumaticaContact, SourceAcumaticaCustomer
from tests.unit.streams_kit import ALICE, AT, BOB, feed, memory, read

NAMES = ["x.com", "shop.x.co.uk", "WWW.Keystone.example", "gmail.com", "münchen.de", "localhost", "1.2.3.4", "a_b.com", "-x.de"]
HOSTS, TAILS = st.sampled_from(NAMES), st.sampled_from(["", "/a?b", ":80", ".", "#"])
WEBSITES = st.one_of(
    st.none(),
    st.text(max_size=12),
    st.builds("{}{}{}".format, st.sampled_from(["", "https://", "//", " HTTP://u:p@"]), HOSTS, TAILS),
)
MAILS = st.one_of(st.none(), st.text(max_size=8), st.builds("{}@{}".format, st.sampled_from(["jo", "a.b", "a..b", " Jo", "jö"]), HOSTS))


def wished(kind: type[Any], topic: str, key: str, row: dict[str, Any]) -> dict[str, str]:
    """The wish's properties for a row of Acumatica, with the empty text for what is cleared."""
    record = kind.model_validate(fitted(kind, row) | {"ref": key, "change": "upsert", "modified_at": AT, "read_at": AT, **_party(kind)})
    stages = memory()
    (wish,) = read(stages, Wish, feed(stages, topic, record, key), "upserts.hubspot")
    return {name: value or "" for name, value in wish.properties.items()}


def _party(kind: type[Any]) -> dict[str, str]:
    return {"party": ALICE} if kind is SourceAcumaticaContact else {}


def differences(found: dict[str, str], wanted: dict[str, str]) -> dict[str, tuple[str, str | None]]:
    return {
        name: (wanted.get(name, ""), found.get(name))
        for name in wanted.keys() | found.keys()
        if name not in found or not owned.same(name, wanted.get(name, "?"), found[name])
    }


def fitted(kind: type[Record], row: dict[str, Any]) -> dict[str, Any]:
    """Only what the record has, level by level."""
    found: dict[str, Any] = {}
    for name, field in kind.model_fields.items():
        inner = next((part for part in get_args(field.annotation) if isinstance(part, type) and issubclass(part, Record)), None)
        if name in row:
            found[name] = fitted(inner, row[name]) if inner and row[name] else row[name]
    return found


def test_every_customer_and_contact_of_the_demo() -> None:
    """For each row of the demo's data we wish exactly what the agreement says, property for property."""
    book = load("demo", 250, 600, 3)
    for row in book.customers:
        found = wished(SourceAcumaticaCustomer, "source.acumatica.customer", ALICE, row)
        assert differences(found, owned.company(row)) == {}
    for row in book.contacts:
        found = wished(SourceAcumaticaContact, "source.acumatica.contact", BOB, row)
        assert differences(found, owned.contact(row)) == {}


@settings(max_examples=300, deadline=None)
@given(website=WEBSITES, email=MAILS)
def test_any_website_and_email(website: str | None, email: str | None) -> None:
    """Whatever stands in the website and the e-mail, the domain is that of the agreement."""
    row = {"CustomerName": "A", "MainContact": {"WebSite": website, "Email": email}}
    found = wished(SourceAcumaticaCustomer, "source.acumatica.customer", ALICE, row)
    assert differences(found, owned.company(row)) == {}


PHONES = st.tuples(*[st.tuples(st.sampled_from([None, "", "1", " 2 "]), st.sampled_from([None, "Cell", "Business 1"]))] * 3)


@settings(max_examples=200, deadline=None)
@given(phones=PHONES, lines=st.tuples(*[st.sampled_from([None, "", " ", "x", " y "])] * 2))
def test_any_phones_and_address_lines(phones: tuple[tuple[str | None, str | None], ...], lines: tuple[str | None, str | None]) -> None:
    """Whichever numbers and lines are filled, the phone, the mobile phone and the address are those of the agreement."""
    row: dict[str, Any] = {"Type": "Contact", "Active": True, "Address": {"AddressLine1": lines[0], "AddressLine2": lines[1]}}
    for n, (number, kind) in enumerate(phones, 1):
        row |= {f"Phone{n}": number, f"Phone{n}Type": kind}
    assert differences(wished(SourceAcumaticaContact, "source.acumatica.contact", BOB, row), owned.contact(row)) == {}
