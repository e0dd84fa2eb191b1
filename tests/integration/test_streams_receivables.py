"""The table of receivables under Faust, on a real Kafka: where its keys lie, and that another worker goes on from the changelog alone."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from schemas.partitions import partition_of
from schemas.records import Record, Wish, now
from schemas.sources import SourceAcumaticaDay
from schemas.topics import RECEIVABLES, SOURCE_DAY, SOURCE_INVOICE, SOURCE_PAYMENT, UPSERTS_HUBSPOT, Topic
from tests.conftest import Brokers
from tests.integration.streams_lab import Lab, lab, until
from tests.unit.documents_kit import a_payment, an_invoice
from tests.unit.streams_kit import PASSAGE, a_customer
from weighlock.kafka.wire import Outgoing

PARTIES = [f"acumatica:customer:{n}" for n in range(12)]
#: Not due until a day that the test tells.
DUE = now().date() + timedelta(days=5)


@pytest.fixture
def streams(stack: Brokers, prefix: str, tmp_path: Path) -> Iterator[Lab]:
    with lab(stack.kafka, stack.registry, prefix, tmp_path) as found:
        found.apply()
        yield found


def send(streams: Lab, topic: Topic, key: str, record: Record) -> None:
    streams.wire.produce(streams.producer, Outgoing(topic, key, record, PASSAGE.headers()))


def documents(streams: Lab, number: str, balance: str) -> None:
    """An invoice of a hundred and a payment with something left, for each customer."""
    for party in PARTIES:
        own = party.rpartition(":")[2]
        invoice = an_invoice(f"{own}-{number}", party=party, DueDate=DUE, CuryOrigDocAmt="100")
        payment = a_payment(f"{own}-{number}", party=party, CuryDocBal=balance)
        send(streams, SOURCE_INVOICE, invoice.ref, invoice)
        send(streams, SOURCE_PAYMENT, payment.ref, payment)
    streams.producer.flush()


def a_day(streams: Lab, day: date) -> None:
    partitions = streams.settings.partitions
    keys = {partition_of(str(n), partitions): str(n) for n in range(100)}
    for partition in range(partitions):
        send(streams, SOURCE_DAY, keys[partition], SourceAcumaticaDay(day=day, read_at=now()))
    streams.producer.flush()


def held(streams: Lab, name: str) -> dict[str, Decimal]:
    """The property of each company, by its newest wish."""
    newest: dict[str, Wish] = {}
    for message in streams.all(UPSERTS_HUBSPOT):
        wish = streams.wire.decode(Wish, message)
        assert wish is not None
        if wish.facet == "receivables" and (wish.subject not in newest or newest[wish.subject].version <= wish.version):
            newest[wish.subject] = wish
    return {subject: Decimal(wish.properties[name] or "0") for subject, wish in newest.items()}


def test_another_worker_goes_on_from_the_changelog(streams: Lab) -> None:
    """A worker that is killed before its commit leaves nothing wrong: another one, with nothing but the changelog, sums the same, and knows
    for whom a day matters; every key of a customer lies in the customer's partition."""
    for party in PARTIES:
        streams.send(a_customer(ref=party, CurrencyID="USD"))
    documents(streams, "1", "30")
    assert streams.start("a", WEIGHLOCK_FAILPOINT="output-before-commit:1").wait(120) == -signal.SIGKILL
    documents(streams, "2", "5")
    streams.start("b")
    until(lambda: held(streams, "acumatica_ar_balance") == dict.fromkeys(PARTIES, Decimal(165)), "the sums of all documents", 150)
    assert held(streams, "acumatica_overdue_amount") == dict.fromkeys(PARTIES, Decimal(0))
    a_day(streams, DUE + timedelta(days=1))
    until(lambda: held(streams, "acumatica_overdue_amount") == dict.fromkeys(PARTIES, Decimal(200)), "what is overdue now", 150)

    def kept() -> dict[str, set[int]] | None:
        """Of each party, the partitions of its keys; the changelog is written beside the wishes, and may be behind them."""
        whose = {message.key().decode(): message.partition() for message in streams.all(RECEIVABLES)}  # type: ignore[union-attr]
        found: dict[str, set[int]] = {}
        for party in PARTIES:
            own = party.rpartition(":")[2]
            keys = [key for key in whose if key.startswith((f"{party}|", f"acumatica:invoice:i{own}-", f"acumatica:payment:p{own}-"))]
            if len(keys) < 6 or party not in whose:
                return None
            found[party] = {whose[key] for key in [party, *keys]}
        return found

    partitions = until(kept, "the changelog")
    assert partitions == {party: {partition_of(party, streams.settings.partitions)} for party in PARTIES}
