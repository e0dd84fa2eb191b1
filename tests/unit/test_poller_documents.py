"""Acumatica's invoices and payments through the feeds: every document whole, each change of it or of its applications, what that costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from producers.base import Position
from sandbox.data import load
from tests.contract.books_kit import behind, kept
from tests.contract.source_kit import Bench, bench

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
