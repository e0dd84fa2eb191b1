"""The books of the Acumatica sandbox: the engine, its demo history and what people do in it (facts/acumatica.md §13.3, S16)."""

import random
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from acumatica_site import Site, site
from hubspot_kit import hub
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sandbox.acumatica.ar.books import Books
from sandbox.acumatica.ar.codes import RATES, money
from sandbox.acumatica.ar.records import Document, NotAllowed, Rules, balance
from sandbox.data import Book, load

FIRMS = (7000, 7001)


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 1, 5, 9, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


def new_books(**rules: Any) -> tuple[Books, list[tuple[Any, ...]]]:
    log: list[tuple[Any, ...]] = []
    return Books(Clock(), lambda *entry: log.append(entry), Rules(**rules)), log


def entered(books: Books, code: str, amount: str, **fields: Any) -> Document:
    """A released document of the first firm."""
    document = books.enter(code, FIRMS[0], Decimal(amount), **fields)
    books.release(document)
    return document


def check(books: Books) -> None:
    """Every balance is what the released applications leave of the amount, whatever the engine keeps; statuses and sums follow."""
    on, by = defaultdict[Any, Decimal](Decimal), defaultdict[Any, Decimal](Decimal)
    for one in books.applications:
        if one.released:
            on[one.adjusted.key] += one.amount + one.discount + one.write_off
            by[one.adjusting.key] += one.taken
    sums = defaultdict[int, Decimal](Decimal)
    for key, one in books.documents.items():
        left = one.amount - on[key] - by[key]
        if one.voided or key[0] in ("RPM", "VRF"):
            assert one.balance == 0, one.name
        else:
            assert one.balance == left >= 0, one.name
        if one.voided and one.type.payment and key[0] != "CRM":
            assert by[key] + by["VRF" if key[0] == "REF" else "RPM", key[1]] == 0, "a void takes its applications back whole"
        if one.status in "NC" and key[0] not in ("RPM", "VRF"):
            assert (one.status == "C") == (one.balance == 0), one.name
        assert one.released or (one.status in "HB" and one.balance == one.amount)
        assert type(one.balance) is Decimal is type(one.amount)
        if one.released and key[0] != "PPM":
            sums[one.customer] += one.type.sign * money(one.balance * RATES[one.currency])
    for customer in books.customers:
        assert balance(customer, books.of_customer(customer)).current == sums[customer]
    assert all(one.adjusted.customer == one.adjusting.customer for one in books.applications)


def do(books: Books, rng: random.Random) -> None:
    """One operation with whatever comes, sensible or not."""
    documents = list(books.documents.values())
    if not documents or rng.random() < 0.3:
        cents = Decimal(rng.choice((0, 1, 37, 1000, 99_999))) / 100
        code, currency = rng.choice(("INV", "INV", "DRM", "CRM", "PMT", "PMT", "PPM")), rng.choice(("USD", "USD", "USD", "EUR"))
        one = books.enter(code, rng.choice(FIRMS), cents, hold=rng.random() < 0.1, currency=currency)
        if rng.random() < 0.8 and one.status == "B":
            books.release(one)
        return
    one, other = rng.choice(documents), rng.choice(documents)
    debts = [document for document in documents if document.open and document.type.sign > 0]
    credits = [document for document in documents if document.type.sign < 0 and document.balance > 0]
    if debts and credits and rng.random() < 0.6:
        one, other = rng.choice(credits), rng.choice(debts)
    in_force = [row for row in books.applications if row.released and not row.voided] or books.applications
    part = money(rng.choice((one, other)).balance * rng.randrange(0, 120) / 100)
    some = rng.choice((Decimal(0), Decimal(0), Decimal("0.01"), Decimal("3.50")))
    work: list[Callable[[], object]] = [
        lambda: books.release(one),
        lambda: books.hold(one, rng.random() < 0.5),
        lambda: books.apply(one, other, rng.choice((None, part)), some, some),
        lambda: books.apply(one, other),
        lambda: books.void(one),
        lambda: books.write_off(one, rng.choice((None, part))),
        lambda: books.refund(one, rng.choice((None, part))),
        lambda: books.reverse(rng.choice(in_force)),
        lambda: books.delete(one),
    ]
    rng.choice(work)()


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 2**32), st.sampled_from("LVC"), st.integers(20, 90))
@example(1, "V", 400)
def test_the_books_always_balance(seed: int, reversed_status: Any, steps: int) -> None:
    """S16: after any sequence of operations each balance is the amount less applications and write-offs, and a customer's is the sum; what
    is refused changes nothing."""
    books, log = new_books(reversed_status=reversed_status)
    rng = random.Random(seed)
    for _ in range(steps):
        before = len(log), repr(books.documents), repr(books.applications)
        try:
            do(books, rng)
        except (NotAllowed, IndexError):
            assert (len(log), repr(books.documents), repr(books.applications)) == before
        else:
            check(books)


def test_the_life_of_an_invoice() -> None:
    """S16, §5.7a: On Hold, Balanced, Open, Closed; a payment in parts moves balance, status and both stamps."""
    books, _ = new_books()
    invoice = books.enter("INV", 7000, Decimal("100.00"), hold=True)
    assert (invoice.status, invoice.released) == ("H", False)
    books.hold(invoice, False)
    assert invoice.status == "B"
    books.release(invoice)
    assert (invoice.status, invoice.balance, invoice.closed) == ("N", Decimal(100), None)
    payment, before = entered(books, "PMT", "130.00"), invoice.stamp
    books.apply(payment, invoice, Decimal("40.00"))
    assert (invoice.status, invoice.balance, payment.status, payment.balance) == ("N", Decimal(60), "N", Decimal(90))
    assert invoice.stamp > before
    books.apply(payment, invoice)
    assert (invoice.status, invoice.balance, payment.status, payment.balance) == ("C", 0, "N", Decimal(30))
    assert invoice.closed is not None


def test_applications_wait_for_the_release() -> None:
    """§13.3: what is applied before the payment is released takes nothing off the invoice until then."""
    books, _ = new_books()
    invoice, payment = entered(books, "INV", "50.00"), books.enter("PMT", 7000, Decimal(50))
    one = books.apply(payment, invoice, Decimal(20))
    assert (one.released, one.initial, invoice.balance) == (False, True, 50)
    books.release(payment)
    assert (one.released, invoice.balance, payment.balance) == (True, 30, 30)


@pytest.mark.parametrize("bumps", [True, False])
def test_the_stamp_of_an_invoice_that_is_paid(bumps: bool) -> None:
    """S16, §12.5: whether an application moves the invoice's stamp is a rule; the application, the payment and the balance row move."""
    books, _ = new_books(application_bumps=bumps)
    invoice, payment = entered(books, "INV", "50.00"), entered(books, "PMT", "50.00")
    stamps = invoice.stamp, payment.stamp, books.balance_stamps[7000]
    one = books.apply(payment, invoice)
    assert (invoice.stamp > stamps[0]) is bumps
    assert min(payment.stamp, one.stamp, books.balance_stamps[7000]) > max(stamps[1:])
    assert invoice.status == "C"


def test_a_voided_payment() -> None:
    """§13.3: another document under the same number, each application again with negative amounts, the invoice open as before."""
    books, _ = new_books()
    invoice, payment = entered(books, "INV", "80.00"), entered(books, "PMT", "50.00")
    books.apply(payment, invoice, Decimal(50), discount=Decimal(2))
    void = books.void(payment)
    assert (void.type.label, void.number, void.status) == ("Voided Payment", payment.number, "C")
    assert (payment.status, payment.voided, payment.balance) == ("V", True, 0)
    assert (invoice.status, invoice.balance) == ("N", 80)
    assert [(one.adjusting.type.code, one.amount, one.discount, one.voided, one.reverses) for one in books.paying(invoice)] == [
        ("PMT", 50, 2, True, None),
        ("RPM", -50, -2, True, 1),
    ]
    with pytest.raises(NotAllowed):
        books.void(payment)
    with pytest.raises(NotAllowed):
        books.apply(payment, invoice)


@pytest.mark.parametrize(("rule", "status"), [("L", "L"), ("V", "V"), ("C", "C")])
def test_a_reversed_invoice(rule: Any, status: str) -> None:
    """§5.7a: an invoice is reversed by a credit memo over the whole amount; one that is paid is not."""
    books, _ = new_books(reversed_status=rule)
    invoice, paid = entered(books, "INV", "80.00"), entered(books, "INV", "10.00")
    memo = books.void(invoice)
    assert (memo.type.label, memo.amount, memo.balance, memo.original) == ("Credit Memo", 80, 0, invoice.key)
    assert (invoice.status, invoice.balance, invoice.voided) == (status, 0, status == "V")
    books.apply(entered(books, "PMT", "10.00"), paid, Decimal(1))
    with pytest.raises(NotAllowed, match="written off or applied already"):
        books.void(paid)
    with pytest.raises(NotAllowed):
        books.apply(entered(books, "PMT", "10.00"), invoice)


def test_write_offs_credits_and_refunds() -> None:
    """§13.3: a debt is cleared by a Balance WO, a credit by a Credit WO; a memo pays an invoice; a refund pays a credit back."""
    books, _ = new_books()
    invoice, memo, payment = entered(books, "INV", "80.37"), entered(books, "CRM", "80.00"), entered(books, "PMT", "10.00")
    books.apply(memo, invoice)
    debt, credit = books.write_off(invoice), books.write_off(payment, Decimal(4))
    assert (debt.type.code, debt.amount, invoice.status, memo.status) == ("SMB", Decimal("0.37"), "C", "C")
    assert (credit.type.code, credit.status, payment.balance) == ("SMC", "C", 6)
    refund = books.refund(payment)
    assert (refund.type.code, refund.status, payment.status) == ("REF", "C", "C")
    with pytest.raises(NotAllowed):
        books.void(payment)
    books.void(refund)
    assert (payment.status, payment.balance, books.find(("VRF", refund.number)) is not None) == ("N", 6, True)
    check(books)


def test_another_currency() -> None:
    """§13.3: an application takes CuryAdjdAmt off the invoice and CuryAdjgAmt, in its own currency, off the payment."""
    books, _ = new_books()
    invoice, payment = entered(books, "INV", "100.00", currency="EUR"), entered(books, "PMT", "150.00")
    one = books.apply(payment, invoice)
    assert (one.amount, one.taken, invoice.balance, payment.balance) == (100, Decimal("108.00"), 0, 42)


def test_the_history_of_the_demo() -> None:
    """The same data set has the same books, which balance and have every kind of document, some of them not due yet; nobody pays for
    them who does not look."""
    with site(load("demo", invoices=1500)) as one, site(load("demo", invoices=1500)) as two:
        assert "books" not in vars(one.vendor.store)
        books = one.vendor.store.books
        check(books)
        assert one.client.get("/__sandbox__/books").json() == two.client.get("/__sandbox__/books").json()
        codes = {document.type.code for document in books.documents.values()}
        assert codes == {"INV", "DRM", "CRM", "PMT", "PPM", "RPM", "REF", "SMB"}
        assert sum(document.type.code == "INV" for document in books.documents.values()) >= 1350
        assert max(document.due for document in books.documents.values() if document.due and document.open) > date(2026, 11, 20)
        assert {document.status for document in books.documents.values()} >= set("HBNCVL")
    with site(load("demo", customers=20, contacts=10)) as one:
        assert one.client.get("/__sandbox__/books").json()["documents"]
        one.control("reset", data="empty")
        assert one.client.get("/__sandbox__/books").json()["documents"] == []
        one.control("reset", customers=30, invoices=7)
        entered = [row for row in one.client.get("/__sandbox__/books").json()["documents"] if row["DocType"] in ("INV", "DRM", "CRM")]
        assert 7 <= len(entered) <= 14


def books_of(one: Site) -> tuple[dict[str, Any], dict[str, Any]]:
    """The documents by `INV/000001`, and the whole dump."""
    dump = one.client.get("/__sandbox__/books").json()
    return {f"{row['DocType']}/{row['RefNbr']}": row for row in dump["documents"]}, dump


def test_edits_of_the_books() -> None:
    """Each operation by the control API; the dump has amounts as text, days as dates, the customer's NoteID, lines and billing contact; the
    log names what changed; the customer's row stays as it is."""
    with site(load("demo", customers=20, contacts=10, invoices=0)) as one:
        customer = one.rows("Customer", filter="CustomerID eq 'YAMADA'")
        goods = {"item": "TILE", "text": "Tiles", "qty": "2.5", "uom": "EA", "price": "10.02"}
        asked = {"ar": "enter", "customer": "YAMADA", "lines": [goods], "tax": "1.00", "due": "2026-02-01", "date": "2026-01-02"}
        log = one.control("edit", **asked, currency="USD")
        assert [(row["op"], row["entity"], row["key"], row["actor"]) for row in log] == [("create", "document", "INV/000001", "person")]
        log = one.control("edit", ar="release", document="INV/000001")
        assert log[0]["fields"] == ["LastModifiedDateTime", "Released", "Status"]
        one.control("edit", ar="pay", documents={"INV/000001": "20.00"}, reference="1234", method="CHECK")
        one.control("edit", ar="enter", type="CRM", customer="YAMADA", amount="3.00", release=True, currency="USD")
        one.control("edit", ar="apply", **{"from": "CRM/000002", "to": "INV/000001"})
        one.control("edit", ar="reverse", **{"from": "CRM/000002", "to": "INV/000001"})
        one.control("edit", ar="write-off", document="INV/000001", amount="0.05")
        documents, dump = books_of(one)
        invoice = documents["INV/000001"]
        assert (invoice["CuryOrigDocAmt"], invoice["CuryDocBal"], invoice["Status"], invoice["DueDate"]) == (
            "26.05",
            "6.00",
            "N",
            "2026-02-01",
        )
        assert (invoice["AcctCD"], invoice["CustomerNoteID"]) == ("YAMADA", customer[0]["id"])
        assert invoice["Lines"][0]["CuryTranAmt"] == "25.05"
        assert invoice["BillTo"]["contact"] == one.vendor.store.customer("YAMADA")["MainContact"]["ContactID"]
        assert [row["CuryAdjdAmt"] for row in dump["applications"]] == ["20.00", "3.00", "-3.00", "0.05"]
        assert dump["balances"][0]["CurrentBal"] == "3.00"
        one.control("edit", ar="void", document="PMT/000001")
        documents, _ = books_of(one)
        assert (documents["INV/000001"]["CuryDocBal"], documents["RPM/000001"]["CuryOrigDocAmt"]) == ("26.00", "-20.00")
        one.control("edit", ar="refund", document="CRM/000002")
        one.control("edit", ar="enter", customer="YAMADA", amount="1", hold=True)
        one.control("edit", ar="hold", document="INV/000003", on=False)
        one.control("edit", ar="delete", document="INV/000003")
        assert len(books_of(one)[1]["deleted"]) == 1
        assert one.rows("Customer", filter="CustomerID eq 'YAMADA'") == customer


def test_what_people_cannot_do() -> None:
    """A wrong edit is a 400 with a reason, and changes nothing: unknown names, floats, more than there is, customers that are inactive (§8)
    or, for a new invoice, on credit hold (§13.1)."""
    with site(load("demo", customers=20, contacts=10, invoices=0)) as one:
        one.control("edit", ar="enter", customer="YAMADA", amount="5.00", release=True)
        before = one.client.get("/__sandbox__/books").json()
        for asked, reason in (
            ({"ar": "nothing"}, "`ar` is one of"),
            ({"ar": "enter", "customer": "YAMADA"}, "needs 'amount'"),
            ({"ar": "enter", "customer": "NOBODY", "amount": "1"}, "no customer"),
            ({"ar": "enter", "customer": "YAMADA", "amount": 1.5}, "no amount"),
            ({"ar": "enter", "customer": "YAMADA", "amount": "1.555"}, "no amount"),
            ({"ar": "enter", "customer": "YAMADA", "amount": "1", "currency": "XXX"}, "no currency"),
            ({"ar": "release", "document": "INV/000001"}, "cannot be released"),
            ({"ar": "release", "document": "INV/999"}, "no document"),
            ({"ar": "pay", "documents": {"INV/000001": "5.01"}}, "cannot be paid"),
            ({"ar": "pay", "documents": {"INV/000001": "5.00"}, "amount": "4"}, "at least 5.00"),
        ):
            assert reason in one.control("edit", **asked)["error"]
        assert one.client.get("/__sandbox__/books").json() == before
        one.control("edit", entity="customer", key="YAMADA", fields={"Status": "Credit Hold"})
        assert "credit hold" in one.control("edit", ar="enter", customer="YAMADA", amount="1")["error"]
        one.control("edit", entity="customer", key="YAMADA", fields={"Status": "Inactive"})
        assert "inactive" in one.control("edit", ar="pay", documents=["INV/000001"])["error"]


def test_random_work_in_the_books() -> None:
    """`random` does believable things of every kind; the same seed does the same, the books balance, no customer's row moves."""
    dumps = []
    for _ in range(2):
        with site(load("demo", customers=30, contacts=10, invoices=60)) as one:
            customers = [dict(row) for row in one.vendor.store.customers]
            log = one.control("edit", ar="random", count=150, seed=4)
            check(one.vendor.store.books)
            assert {row["entity"] for row in log} == {"document", "application"}
            assert [dict(row) for row in one.vendor.store.customers] == customers
            dumps.append([(row["op"], row["entity"], row["key"], row["fields"]) for row in log])
            kinds = {row["key"].split("/")[0] for row in log if row["entity"] == "document"}
            assert kinds >= {"INV", "PMT", "RPM", "SMB", "CRM"}
    assert dumps[0] == dumps[1]


def test_a_system_without_books() -> None:
    """The books of an empty site are empty; HubSpot keeps none: 400."""
    with site(Book()) as one:
        assert one.client.get("/__sandbox__/books").json() == {
            "system": "acumatica", "documents": [], "applications": [], "balances": [], "deleted": []
        }  # fmt: skip
    with hub() as portal:
        assert portal.client.get("/__sandbox__/books").json() == {"error": "hubspot keeps no books"}
