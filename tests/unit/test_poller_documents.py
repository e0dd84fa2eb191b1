"""Acumatica's invoices and payments through the feeds: every document whole, each change of it or of its applications, what that costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from producers.base import Position
from sandbox.data import load
from tests.contract.books_kit import behind, behind_in_forms, kept
from tests.contract.source_kit import Bench, bench
from weighlock.errors import AuthError, ConfigError, TransientError

DEMO = load("demo", customers=12, contacts=30, invoices=200)
ENTITIES = ("application", "invoice", "payment")


class Reader:
    """The three walks as the loop goes round them, and everything that was published."""

    def __init__(self, made: Bench) -> None:
        self.made = made
        self.positions: dict[str, Position | None] = dict.fromkeys(ENTITIES)
        self.records: list[Any] = []

    def turn(self) -> int:
        before = len(self.records)
        for entity in ENTITIES:
            records, self.positions[entity] = self.made.walk(entity, self.positions[entity])
            self.records += records
        return len(self.records) - before

    def behind(self) -> Any:
        return behind(self.made.vendor.books(), self.records)

    def calls(self) -> Counter[str]:
        found = Counter(request.url.path.rpartition("/")[2] for request in self.made.requests)
        self.made.requests.clear()
        return found


@contextmanager
def reading(folder: Path, given: dict[str, Any] | None = None, **switches: Any) -> Iterator[Reader]:
    with bench(folder, DEMO, {"feed": "odata", **(given or {})}, **switches) as made:
        yield Reader(made)


def open_invoices(made: Bench) -> list[str]:
    found = [one for one in made.vendor.store.books.documents.values() if one.open and one.type.code == "INV" and one.balance > 10]
    return [one.name for one in found if (made.vendor.store.customer(one.customer) or {}).get("Status") == "Active"]


SITES: list[dict[str, Any]] = [
    {},
    {"application_bumps_invoice": False},
    {"odata_page": 7, "application_bumps_invoice": False},
    {"odata_padded_keys": True, "voided_payment_amount": "positive", "reversed_invoice": "voided"},
]


@pytest.mark.parametrize("switches", SITES, ids=lambda one: " ".join(one) or "usual")
def test_every_document_in_its_last_state(tmp_path: Path, switches: dict[str, Any]) -> None:
    """Entered, released, paid, paid in part, taken back, voided, written off, refunded: what is published is the books."""
    with reading(tmp_path, {"page_size": 40}, **switches) as reader:
        made = reader.made
        reader.turn()
        assert reader.behind() == {}
        one, two, three, four, five = open_invoices(made)[:5]
        steps: list[dict[str, Any]] = [
            {"ar": "pay", "documents": {one: "5.00"}},
            {"ar": "pay", "documents": [one]},
            {"ar": "pay", "documents": [two]},
            {"ar": "pay", "documents": {three: "1.00"}, "release": False},
            {"ar": "write-off", "document": five, "amount": "1.00"},
            {"ar": "void", "document": four},
            {"ar": "enter", "customer": DEMO.customers[0]["CustomerID"], "amount": "12.50", "type": "DRM"},
            {"ar": "random", "count": 25, "seed": 3},
        ]
        for step in steps:
            made.edit(**step)
            reader.turn()
            assert reader.behind() == {}, step
        books = made.vendor.store.books
        payment = next(one for one in books.documents.values() if one.type.code == "PMT" and one.released and not one.voided
                       and books.paid_by(one) and not books.paying(one))  # fmt: skip
        made.edit(ar="reverse", **{"from": payment.name, "to": books.paid_by(payment)[-1].adjusted.name})
        reader.turn()
        made.edit(ar="void", document=payment.name)
        reader.turn()
        assert reader.behind() == {}


def test_a_payment_shows_though_the_invoice_was_not_touched(tmp_path: Path) -> None:
    """Where the stamp of an invoice does not move, its application tells; the record has the later stamp, and comes once."""
    with reading(tmp_path, application_bumps_invoice=False) as reader:
        reader.turn()
        name = open_invoices(reader.made)[0]
        stamp = reader.made.vendor.store.books.documents["INV", name[4:]].stamp
        reader.made.edit(ar="pay", documents=[name])
        assert reader.turn() == 2
        told = [record for record in reader.records[-2:] if record.ref.startswith("acumatica:invoice:")]
        assert [(record.RefNbr, record.CuryDocBal, record.modified_at > stamp) for record in told] == [(name[4:], 0, True)]
        assert reader.turn() == 0


def test_what_it_costs(tmp_path: Path) -> None:
    """A full read is its pages and as many lists of applications; at rest one small list for each walk; a payment some more."""
    with reading(tmp_path, {"page_size": 40}) as reader:
        reader.turn()
        invoices, payments = (-(-sum(ref.startswith(f"acumatica:{kind}:") for ref in kept(reader.made.vendor.books())) // 40)
                              for kind in ("invoice", "payment"))  # fmt: skip
        calls = reader.calls()
        assert (calls["ARInvoice"], calls["ARPayment"]) == (invoices + 1, payments + 1)
        assert calls["ARAdjust"] <= 1 + invoices + payments + 2
        assert calls["Contact"] <= invoices + 3
        reader.turn()
        assert reader.calls() == {"ARAdjust": 1, "ARInvoice": 1, "ARPayment": 1}
        reader.made.edit(ar="pay", documents=[open_invoices(reader.made)[0]])
        assert reader.turn() == 2
        assert reader.calls().total() <= 9
        assert reader.turn() == 0
        assert reader.calls() == {"ARAdjust": 1, "ARInvoice": 1, "ARPayment": 1}


@pytest.mark.parametrize("switches", [{"odata": "forbidden"}, {"odata": "absent", "application_bumps_invoice": False}], ids=str)
def test_the_forms_where_the_feeds_are_refused(tmp_path: Path, switches: dict[str, Any]) -> None:
    """All that the forms show, in the feeds' words: in full, and after each payment, memo and void, also if it moves no invoice's stamp."""
    with reading(tmp_path, {"feed": "auto", "page_size": 40}, **switches) as reader:
        made, books = reader.made, reader.made.vendor.store.books

        def left() -> Any:
            return behind_in_forms(made.vendor.books(), reader.records)

        reader.turn()
        assert left() == {}
        one, two, three, four = open_invoices(made)[:4]
        paid = next(row for row in books.documents.values() if row.type.code == "PMT" and row.status == "C" and books.paid_by(row)
                    and not books.paying(row) and not any(other.voided for other in books.paid_by(row)))  # fmt: skip
        steps: list[dict[str, Any]] = [
            {"ar": "pay", "documents": {one: "5.00"}},
            {"ar": "pay", "documents": [two], "amount": "99999.00"},
            {"ar": "pay", "documents": {three: "1.00"}, "release": False},
            {"ar": "void", "document": four},
            {"ar": "reverse", "from": paid.name, "to": books.paid_by(paid)[0].adjusted.name},
            {"ar": "void", "document": paid.name},
            {"ar": "enter", "customer": DEMO.customers[0]["CustomerID"], "amount": "12.50", "currency": "EUR", "release": True},
            *([] if "application_bumps_invoice" in switches else [{"ar": "random", "count": 25, "seed": 3}]),
        ]
        for step in steps:
            made.edit(**step)
            reader.turn()
            assert left() == {}, step
        reader.calls()
        reader.turn()
        assert reader.calls() == {"Invoice": 1, "Payment": 1}


def test_the_feeds_are_taken_away_and_given_back(tmp_path: Path) -> None:
    """Refused in the middle of a walk the forms go on where it was; allowed again at the next start, the feeds do."""
    with reading(tmp_path, {"feed": "auto", "page_size": 15}) as reader:
        made = reader.made
        first = next(made.pages("invoice"))
        first.committed()
        made.vendor.switches = made.vendor.switches.model_copy(update={"odata": "forbidden"})
        with pytest.raises(TransientError, match="OData4 User"):
            made.source.poll("invoice", first.position)
        rest, position = made.walk("invoice", first.position)
        refs = [change.key for change in first.changes] + [record.ref for record in rest]
        assert sorted(refs) == sorted(ref for ref in kept(made.vendor.books()) if ":invoice:" in ref)
        made.edit(ar="pay", documents=[open_invoices(made)[0]])
        records, position = made.walk("invoice", position)
        assert len(records) == 1
        made.source.close()
        made.vendor.switches = made.vendor.switches.model_copy(update={"odata": "allowed"})
        reader.calls()
        made.edit(ar="pay", documents=[open_invoices(made)[0]])
        records, position = made.walk("invoice", position)
        assert len(records) >= 1
        assert reader.calls()["Invoice"] == 0


@pytest.mark.parametrize("odata", ["forbidden", "absent"])
def test_the_feeds_alone(tmp_path: Path, odata: str) -> None:
    """Where the setting wants the feeds, a refusal ends the worker with what to do."""
    with reading(tmp_path, {"feed": "odata"}, odata=odata) as reader, pytest.raises((AuthError, ConfigError), match="odata/dac/ARInvoice"):
        reader.turn()


def test_books_from_some_day_on(tmp_path: Path) -> None:
    """Closed documents of before that day are left out at first, open ones never; what changes is read whatever its date."""
    day = date(2026, 1, 1)
    for feed in ("odata", "contract"):
        with reading(tmp_path, {"feed": feed, "page_size": 20, "documents_since": day.isoformat()}) as reader:
            reader.turn()
            books = reader.made.vendor.store.books
            wanted = {one.note_id for one in books.documents.values() if one.day >= day or one.status in "NBH"}
            old = [one for one in books.documents.values() if one.note_id not in wanted and one.type.code == "PMT" and not one.voided]
            assert {record.ref.rpartition(":")[2] for record in reader.records} == {
                note for note in wanted if feed == "odata" or books.by_id[note].type.code != "SMB"
            }
            if feed == "odata":
                assert all(one == other for one, other in reader.behind().values() if other is not None)
            reader.made.edit(ar="void", document=next(one for one in old if not books.paying(one)).name)
            reader.turn()
            assert {record.change for record in reader.records} == {"snapshot", "upsert"}


@pytest.mark.parametrize("first", ["", "contacts first"])
def test_who_gets_an_invoice(tmp_path: Path, first: str) -> None:
    """The person that the document names if it is one of the customer's, else the customer's contact with its e-mail, else nobody. Who
    has just read all contacts asks for those alone that seem to be another customer's."""
    with reading(tmp_path) as reader:
        if first:
            reader.made.walk("contact")
        books, people = reader.made.vendor.store.books, DEMO.contacts
        codes = {row["BAccountID"]: row["CustomerID"] for row in DEMO.customers}
        invoices = [one for one in books.documents.values() if one.type.invoice and one.bill_to]
        own = next(one for one in invoices if any(row["BusinessAccount"] == codes[one.customer] for row in people))
        foreign = next(one for one in invoices if one is not own and one.customer == own.customer)
        named = next(row for row in people if row["BusinessAccount"] == codes[own.customer])
        stranger = next(row for row in people if row["BusinessAccount"] not in (codes[own.customer], None))
        assert own.bill_to
        assert foreign.bill_to
        own.bill_to = replace(own.bill_to, contact=named["ContactID"], email=stranger["Email"])
        foreign.bill_to = replace(foreign.bill_to, contact=stranger["ContactID"], email=stranger["Email"])
        reader.calls()
        reader.turn()
        assert reader.calls()["Contact"] in ((1, 2) if first else (2, 3))
        told = {record.ref.rpartition(":")[2]: record.contact for record in reader.records if ":invoice:" in record.ref}
        assert (told[own.note_id], told[foreign.note_id]) == (f"acumatica:contact:{named['id']}", None)
        for one in invoices:
            if one not in (own, foreign) and one.bill_to and one.bill_to.email:
                fitting = [row for row in people if row["BusinessAccount"] == codes[one.customer]
                           and (row["Email"] or "").lower() == one.bill_to.email.lower()]  # fmt: skip
                expected = min(fitting, key=lambda row: row["ContactID"], default=None)
                assert told[one.note_id] == (expected and f"acumatica:contact:{expected['id']}")
        assert sum(contact is not None for contact in told.values()) > 5


def test_what_is_no_document_for_us(tmp_path: Path) -> None:
    """A document of nobody and one of a type that is not mirrored say so; one that fits no record is refused, and its neighbours go on."""
    with reading(tmp_path) as reader:
        made, books = reader.made, reader.made.vendor.store.books
        one, two, three, four = [row for row in books.documents.values() if row.type.code == "INV"][:4]
        one.customer = 99
        rows = {two.note_id: {"DocType": '"CSL"'}, three.note_id: {"CuryOrigDocAmt": '"much"'}, four.note_id: {"DocDate": "5"}}
        made.site.control("faults", kind="garbled", times=1000, args={"rows": rows})
        pages = list(made.pages("invoice"))
        found = {change.key.rpartition(":")[2]: change.record for page in pages for change in page.changes}
        assert found[one.note_id].scope == "its customer 99 is none that we can see"  # type: ignore[attr-defined]
        assert found[two.note_id].scope == "documents of type CSL are not mirrored"  # type: ignore[attr-defined]
        refused = {row.key.rpartition(":")[2]: row.error.reason for page in pages for row in page.refused}
        assert refused.keys() == {three.note_id, four.note_id}
        assert "CuryOrigDocAmt" in refused[three.note_id]
        assert "DocDate: 5 is no day" in refused[four.note_id]
        assert len(found) + len(refused) == sum(row.type.invoice for row in books.documents.values())


def test_contacts_that_change_while_invoices_are_read(tmp_path: Path) -> None:
    """A contact's new e-mail and a customer's new code count for what is read after them, though all contacts are known."""
    with reading(tmp_path, {"page_size": 20}) as reader:
        made, books = reader.made, reader.made.vendor.store.books
        _, position = made.walk("contact")
        pages = made.pages("invoice")
        next(pages).committed()
        number, people = (
            Counter(one.customer for one in books.documents.values() if one.number.startswith("INV")).most_common(1)[0][0],
            DEMO.contacts,
        )
        firm = next(row for row in DEMO.customers if row["BAccountID"] == number)
        person = next((row for row in people if row["BusinessAccount"] == firm["CustomerID"]), None)
        assert person
        last = max(one.number for one in books.documents.values() if one.type.code == "INV" and one.customer == number)
        document = books.documents["INV", last]
        assert document.bill_to
        document.bill_to = replace(document.bill_to, email="new@mail.example")
        made.edit(entity="contact", key=person["id"], fields={"Email": "new@mail.example"})
        made.walk("contact", position)
        made.edit(entity="customer", key=firm["id"], fields={"CustomerID": "RENAMED"})
        told = {change.key: change.record for page in pages for change in page.changes}
        assert told[f"acumatica:invoice:{document.note_id}"].contact == f"acumatica:contact:{person['id']}"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("feed", "odata", "words"),
    [
        ("auto", "allowed", "from the feeds"),
        ("auto", "absent", "from the forms"),
        ("contract", "allowed", "from the forms"),
        ("off", "allowed", "off"),
    ],
)
def test_a_check_says_how(tmp_path: Path, feed: str, odata: str, words: str) -> None:
    """`weighlock check` tells how documents would be read now."""
    with reading(tmp_path, {"feed": feed}, odata=odata) as reader:
        reader.made.source._check()
        assert words in reader.made.source._documents.way()
