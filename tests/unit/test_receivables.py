"""A company's receivables: from Acumatica's documents, customers and days to the wish, and what it costs (docs/receivables.md)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from schemas.records import Audit, Reference, Wish
from schemas.sources import SourceAcumaticaDay
from streams.accounts import Accounts
from streams.memory import Memory
from streams.receivables import LISTED
from tests.unit.crashing_table import CrashingTable
from tests.unit.documents_kit import DAY, a_payment, an_invoice, invoice_ref, payment_ref
from tests.unit.streams_kit import ALICE, AT, PASSAGE, a_customer, feed, memory, read

NOON = datetime(2026, 3, 10, 13, tzinfo=UTC)


def the_books(clock: datetime = NOON) -> Memory:
    """The stages in memory, with a table that counts, on that day."""
    stages = memory()
    table = CrashingTable()
    stages.context = replace(stages.context, accounts=Accounts(table, stages.codec), clock=lambda: clock)
    return stages


def tell(stages: Memory, *sources: Any) -> list[Wish]:
    """Feeds them; the receivables wishes that came out."""
    found = []
    for source in sources:
        kind = source.ref.split(":")[1]
        found += feed(stages, f"source.acumatica.{kind}", source, source.ref)
    return [wish for wish in read(stages, Wish, found, "upserts.hubspot") if wish.facet == "receivables"]


def new_day(stages: Memory, day: date) -> list[Wish]:
    found = feed(stages, "source.acumatica.day", SourceAcumaticaDay(day=day, read_at=AT), "0")
    return read(stages, Wish, found, "upserts.hubspot")


def held(*sources: Any) -> dict[str, str | None]:
    """What the company holds after all of them."""
    return tell(the_books(), *sources)[-1].properties


def said(stages: Memory, ref: str) -> list[tuple[str, str | None]]:
    audits = read(stages, Audit, stages.written["audit"], "audit")
    return [(one.event, one.detail) for one in audits if one.ref == ref]


CUSTOMER = a_customer(CurrencyID="USD", Status="Active", CreditLimit="200")


def test_the_wish() -> None:
    """A document of a known customer wishes the whole facet of its company, which waits for the company by its own ref."""
    stages = the_books()
    assert tell(stages, CUSTOMER) == []
    invoice = an_invoice(CuryOrigDocAmt="160.00", CuryDocBal="60.50")
    (wish,) = tell(stages, invoice)
    assert (wish.subject, wish.object, wish.facet, wish.target) == (ALICE, "company", "receivables", None)
    assert (wish.key_property, wish.key_value) == ("acumatica_customer_key", "demo|a1")
    assert (wish.references, wish.matches, wish.parts) == ([Reference(name="company", ref=ALICE)], [], [])
    assert (wish.trace, wish.source_at) == (PASSAGE.trace, AT)
    assert wish.properties == {
        "acumatica_ar_balance": "60.5",
        "acumatica_overdue_amount": "0",
        "acumatica_oldest_due_date": "2026-04-03",
        "acumatica_open_invoice_count": "1",
        "acumatica_last_payment_date": None,
        "acumatica_last_payment_amount": None,
        "acumatica_last_invoice_date": "2026-03-04",
        "acumatica_credit_status": "Within the limit",
        "acumatica_credit_hold": "false",
        "acumatica_open_invoices": "invoice 000001 of 2026-03-04, due 2026-04-03: 60.50 USD of 160.00 USD open",
        "acumatica_other_currencies": None,
    }
    (wish,) = tell(stages, a_payment())
    assert wish.properties["acumatica_ar_balance"] == "-39.5"
    assert said(stages, payment_ref("000009")) == [("counted", f"in the receivables of {ALICE}")]


def test_every_kind_counts_its_own_way() -> None:
    """What is billed, voided payments and refunds are owed; credit memos, payments and write-offs take away: Acumatica's own balance."""
    signs = {"INV": 1, "DRM": 2, "FCH": 4, "SMC": 8, "CRM": -16}
    documents = [an_invoice(f"I{code}", code, CuryDocBal=str(abs(amount))) for code, amount in signs.items()]
    signs = {"RPM": 32, "REF": 64, "PMT": -128, "PPM": -256, "VRF": -512, "SMB": -1024}
    documents += [a_payment(f"P{code}", code, CuryDocBal=str(abs(amount))) for code, amount in signs.items()]
    found = held(CUSTOMER, *documents)
    assert found["acumatica_ar_balance"] == str(1 + 2 + 4 + 8 - 16 + 32 + 64 - 128 - 256 - 512 - 1024)
    assert found["acumatica_open_invoice_count"] == "3"
    assert (found["acumatica_open_invoices"] or "").count("\n") == 2


def test_last_payment_and_last_invoice() -> None:
    """The last payment is the latest that is not voided, of one day the highest number; refunds are none. Voided invoices are none."""
    paid = [a_payment(f"00000{n}", "PMT", DocDate=DAY, CuryOrigDocAmt=f"{n}.10", CuryDocBal="0", Status="C") for n in (3, 4, 2)]
    later = DAY + timedelta(days=1)
    other = [a_payment("000005", "PMT", DocDate=later, Status="V", CuryDocBal="0"), a_payment("000006", "REF", DocDate=later)]
    found = held(CUSTOMER, *paid, *other, an_invoice(), an_invoice("000002", DocDate=later, Status="L", CuryDocBal="0"))
    assert (found["acumatica_last_payment_date"], found["acumatica_last_payment_amount"]) == ("2026-03-04", "4.1")
    assert found["acumatica_last_invoice_date"] == "2026-03-04"
    voided = [one.model_copy(update={"Status": "V", "Voided": True}) for one in paid]
    gone = held(CUSTOMER, *paid, *voided)
    assert (gone["acumatica_last_payment_date"], gone["acumatica_last_payment_amount"]) == (None, None)


@pytest.mark.parametrize(
    ("status", "limit", "said", "hold"),
    [
        ("Active", "200", "Within the limit", "false"),
        ("Active", "100", "Within the limit", "false"),
        ("Active", "99.99", "Over the limit", "false"),
        ("Active", "0", "No limit", "false"),
        ("Active", None, "No limit", "false"),
        ("Credit Hold", "200", "Credit hold", "true"),
    ],
)
def test_credit(status: str, limit: str | None, said: str, hold: str) -> None:
    """The credit status tells hold, no limit (none, or 0), over it or within it."""
    found = held(a_customer(CurrencyID="USD", Status=status, CreditLimit=limit), an_invoice())
    assert (found["acumatica_credit_status"], found["acumatica_credit_hold"]) == (said, hold)


def test_a_day_passes() -> None:
    """What is due is overdue when its day is over, by the calendar alone; a day that changes nothing for anybody wishes nothing."""
    stages = the_books()
    due = date(2026, 3, 12)
    tell(stages, CUSTOMER, an_invoice(DueDate=due, CuryDocBal="60"), an_invoice("000002"))
    assert [new_day(stages, date(2026, 3, day)) for day in (10, 11, 12)] == [[], [], []]
    (wish,) = new_day(stages, date(2026, 3, 13))
    assert (wish.subject, wish.properties["acumatica_overdue_amount"]) == (ALICE, "60")
    assert "due 2026-03-12 (overdue): 60.00 USD of 100.00 USD open" in (wish.properties["acumatica_open_invoices"] or "")
    assert new_day(stages, date(2026, 3, 14)) == []
    assert new_day(stages, date(2026, 3, 9)) == []
    (wish,) = tell(stages, an_invoice(DueDate=due, CuryDocBal="0", Status="C"))
    assert (wish.properties["acumatica_overdue_amount"], wish.properties["acumatica_oldest_due_date"]) == ("0", "2026-04-03")


def test_a_day_told_again_wishes_the_same() -> None:
    """The last day once more, as after a crash, names the same customers again; days that nobody told are made up for by the next one."""
    stages = the_books()
    tell(stages, CUSTOMER, *(an_invoice(f"00000{day}", DueDate=date(2026, 3, 10 + day)) for day in (1, 2, 5)))
    new_day(stages, date(2026, 3, 11))
    (first,), (again,) = new_day(stages, date(2026, 3, 20)), new_day(stages, date(2026, 3, 20))
    assert first.properties == again.properties
    assert first.properties["acumatica_overdue_amount"] == "300"
    assert again.version > first.version


def test_the_first_day_is_not_lost_with_the_store() -> None:
    """The day as of which the first documents were summed is in the changelog too, when a crash took the first writing of it away."""
    stages = the_books()
    table = stages.context.accounts.table
    assert isinstance(table, CrashingTable)
    invoice = an_invoice(DueDate=date(2026, 3, 10))
    tell(stages, invoice)
    table.log.clear()  # a crash: the store is there, the changelog had not been acknowledged
    tell(stages, invoice)
    table.elsewhere()
    stages.context = replace(stages.context, clock=lambda: NOON + timedelta(days=2))
    tell(stages, an_invoice("000002"), CUSTOMER)
    assert [one.properties["acumatica_overdue_amount"] for one in new_day(stages, date(2026, 3, 12))] == ["100"]


def test_versions_only_grow() -> None:
    """Each wish has a greater version than the one before, about the time, though time may stand still or go back."""
    stages = the_books()
    wishes = tell(stages, CUSTOMER, an_invoice(), a_payment())
    stages.context = replace(stages.context, clock=lambda: NOON - timedelta(days=9))
    wishes += tell(stages, an_invoice("000002")) + new_day(stages, date(2026, 5, 1))
    stages.context = replace(stages.context, clock=lambda: NOON + timedelta(days=9))
    wishes += tell(stages, an_invoice("000003"))
    versions = [wish.version for wish in wishes]
    assert versions == sorted(set(versions))
    assert versions[-1] == int((NOON + timedelta(days=9)).timestamp() * 1000)


def test_a_customer_that_comes_later() -> None:
    """Documents and days before their customer are booked and say so; the wish goes out when the customer comes."""
    stages = the_books()
    assert tell(stages, an_invoice(DueDate=date(2026, 3, 9)), a_payment(CuryDocBal="30")) == []
    assert new_day(stages, date(2026, 4, 30)) == []
    told = f"booked; the receivables wait for customer {ALICE}, which is not known"
    assert said(stages, invoice_ref("000001")) == [("noted", told)]
    assert said(stages, payment_ref("000009")) == [("counted", told)]
    (wish,) = tell(stages, CUSTOMER)
    assert (wish.properties["acumatica_ar_balance"], wish.properties["acumatica_overdue_amount"]) == ("70", "100")


def test_what_a_customer_changes() -> None:
    """A customer's new currency, status or limit is said anew; another change of it, or one without documents, is not."""
    stages = the_books()
    assert tell(stages, CUSTOMER, a_customer(CurrencyID="EUR")) == []
    tell(stages, CUSTOMER, an_invoice())
    assert tell(stages, CUSTOMER.model_copy(update={"CustomerName": "Alice Ltd"})) == []
    for word, value in (("CurrencyID", "EUR"), ("Status", "Credit Hold"), ("CreditLimit", Decimal(5))):
        assert len(tell(stages, CUSTOMER.model_copy(update={word: value}))) == 1
        tell(stages, CUSTOMER)
    assert tell(stages, a_customer(change="delete")) == []
    assert tell(stages, an_invoice("000002")) == []


def test_what_is_taken_out_is_taken_out_of_the_sums() -> None:
    """A document that is none any more counts no longer, and an older version of it does not bring it back."""
    stages = the_books()
    tell(stages, CUSTOMER, an_invoice(), an_invoice("000002", CuryDocBal="7"))
    (wish,) = tell(stages, an_invoice("000002", scope="it was taken out"))
    assert wish.properties["acumatica_ar_balance"] == "100"


def test_several_currencies() -> None:
    """Amounts are in the customer's currency, others stand beside it in words, nothing is converted; the audit says which it was."""
    stages = the_books()
    euro = an_invoice("000002", CuryID="EUR", CuryDocBal="20.00", DueDate=date(2026, 3, 1))
    paid = a_payment(CuryID="EUR", CuryOrigDocAmt="40", CuryDocBal="5", DocDate=date(2026, 3, 9))
    found = tell(stages, CUSTOMER, an_invoice(), euro, paid)[-1].properties
    assert (found["acumatica_ar_balance"], found["acumatica_overdue_amount"], found["acumatica_open_invoice_count"]) == ("100", "0", "2")
    assert (found["acumatica_last_payment_date"], found["acumatica_last_payment_amount"]) == ("2026-03-09", None)
    assert found["acumatica_other_currencies"] == "15.00 EUR open, 20.00 EUR overdue\nlast payment: 40.00 EUR"
    assert found["acumatica_oldest_due_date"] == "2026-03-01"
    ((event, detail),) = said(stages, euro.ref)
    assert event == "noted"
    assert "invoice 000002 is in EUR, its customer's currency is USD" in (detail or "")


def test_customer_without_a_currency() -> None:
    """Without a currency of its own a customer has that of its open documents; if these have several, only the words are filled."""
    nameless = a_customer(CurrencyID=None)
    assert held(nameless, an_invoice(CuryID="EUR"))["acumatica_ar_balance"] == "100"
    found = held(nameless, an_invoice(CuryID="EUR"), an_invoice("000002"))
    assert (found["acumatica_ar_balance"], found["acumatica_overdue_amount"]) == (None, None)
    assert found["acumatica_other_currencies"] == "100.00 EUR open\n100.00 USD open"
    assert held(nameless, an_invoice(CuryDocBal="0"))["acumatica_ar_balance"] == "0"


def test_the_latest_open_invoices() -> None:
    """The list has the latest, newest first, and says how many more there are."""
    found = held(CUSTOMER, *(an_invoice(f"{n:06d}", DocDate=DAY + timedelta(days=n % 7), DueDate=None) for n in range(14)))
    lines = (found["acumatica_open_invoices"] or "").splitlines()
    assert len(lines) == LISTED + 1
    assert [line.split()[1] for line in lines[:4]] == ["000013", "000006", "000012", "000005"]
    assert lines[-1] == "and 4 more"
    assert found["acumatica_oldest_due_date"] is None


def test_old_lists_of_what_is_due_are_dropped() -> None:
    """The table does not keep what was due long ago."""
    stages = the_books()
    table = stages.context.accounts.table
    assert isinstance(table, CrashingTable)
    tell(stages, CUSTOMER, an_invoice(DueDate=date(2026, 3, 12)))
    for number in range(50):
        new_day(stages, date(2026, 3, 10) + timedelta(days=number))
    assert [key for key in table.store if key.startswith(b"due|")] == []
