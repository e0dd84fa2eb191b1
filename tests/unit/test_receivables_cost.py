"""What a document and a day cost in the table of receivables, and that sums are exact."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from zlib import crc32

from schemas.state import Account, BookedDocument, BucketEntry, Receivables
from schemas.topics import RECEIVABLES
from streams.accounts import DUE_SLICES, SLICES, Accounts
from streams.receivables import sums
from tests.unit.crashing_table import CrashingTable
from tests.unit.documents_kit import DAY, invoice_ref
from tests.unit.streams_kit import ALICE, AT, codec


def a_booked(number: int, balance: int = 100) -> BookedDocument:
    date, due = DAY + timedelta(days=number % 700), DAY + timedelta(days=30 + number % 700)
    amounts = {"currency": "USD", "amount": Decimal(100), "balance": Decimal(balance)}
    return BookedDocument(kind="invoice", number=f"{number:06d}", date=date, due=due, void=False, **amounts)


def filled(accounts: Accounts, documents: int) -> None:
    """So many documents of Alice, in their buckets, without the way there."""
    buckets: dict[str, list[BucketEntry]] = {}
    for number in range(documents):
        ref, document = invoice_ref(number), a_booked(number, 0 if number < documents - 100 else 100)
        bucket = f"{document.date:%Y-%m}-{crc32(ref.encode()) % SLICES}"
        buckets.setdefault(bucket, []).append(BucketEntry(ref=ref, version=number, document=document))
    known = [sums(bucket, (one.document for one in entries if one.document)) for bucket, entries in buckets.items()]
    values = {f"{ALICE}|{bucket}": Receivables(bucket=entries) for bucket, entries in buckets.items()}
    values[ALICE] = Receivables(account=Account(buckets=known))
    for key, value in values.items():
        accounts.table[key.encode()] = accounts.codec.encode(RECEIVABLES, value)


def cost(documents: int) -> tuple[int, int, int]:
    """Keys read, keys written and bytes written for one more."""
    table = CrashingTable()
    accounts = Accounts(table, codec())
    filled(accounts, documents)
    table.reads = table.writes = table.written = 0
    account, _ = accounts.put(ALICE, invoice_ref(documents), 0, a_booked(documents), AT)
    assert sum(one.count for each in account.buckets for one in each.dues) == min(documents, 100) + 1
    return table.reads, table.writes, table.written


def test_thousands_of_documents_stay_cheap() -> None:
    """Beside 5,000 documents of the same customer one more reads and writes as many keys as beside none, and little in bytes."""
    none, many = cost(0), cost(5000)
    assert many[1] == none[1] <= 5
    assert many[0] == none[0] <= 5
    assert many[2] < 30_000


def test_a_new_day_reads_few_keys() -> None:
    """A day reads its own lists and the accounts that are concerned, however many customers and days there are."""
    table = CrashingTable()
    accounts = Accounts(table, codec())
    for number in range(300):
        accounts.put(f"acumatica:customer:{number}", invoice_ref(number), 0, a_booked(number), AT)
    accounts.tick(DAY + timedelta(days=40), AT)
    before = table.reads
    assert len(accounts.tick(DAY + timedelta(days=41), AT)) == 1
    assert table.reads - before <= DUE_SLICES + 2


def test_sums_keep_every_digit() -> None:
    """Sums of amounts with thirty digits and eight places are exact."""
    big = Decimal("1" * 29 + ".00000001")
    documents = [
        BookedDocument(kind=kind, number="1", date=DAY, currency="USD", amount=big, balance=big, void=False)
        for kind in ("invoice", "refund")
    ]
    assert sums("b", documents).open[0].balance == Decimal("2" * 29 + ".00000002")
