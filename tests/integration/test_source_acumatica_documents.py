"""Acumatica's invoices and payments on a real Kafka: the books of the sandbox are on the topics, in their last state."""

from __future__ import annotations

import signal
from collections import Counter
from pathlib import Path
from typing import Any

from tests.conftest import Brokers
from tests.contract.books_kit import behind, behind_in_forms, kept
from tests.harness.system import eventually
from tests.integration.source_lab import Lab, lab

BOOKS = ("--customers", "10", "--contacts", "20", "--invoices", "60", "--set", "application_bumps_invoice=false")


def settled(made: Lab, forms: bool = False) -> None:
    def missing() -> dict[str, Any]:
        records = [*made.published("invoice"), *made.published("payment")]
        return (behind_in_forms if forms else behind)(made.erp.get("/books"), records)

    eventually("the topics hold every document as it is in the books", lambda: not missing(), 120, 0.5)


def work(made: Lab) -> None:
    """What happens to documents, while the worker runs."""
    customer = min(row["CustomerID"] for row in made.erp.get("/dump")["customers"] if row["Status"] == "Active")
    line = {"item": "STUD2X4", "text": "Stud", "qty": "10", "price": "3.98"}
    names = [made.erp.edit(ar="enter", customer=customer, lines=[line], release=True)[0]["key"] for _ in range(4)]
    made.erp.edit(ar="enter", customer=customer, amount="99.90", type="DRM", hold=True)
    made.erp.edit(ar="pay", documents=[names[0]])
    made.erp.edit(ar="pay", documents={names[1]: "1.00"})
    made.erp.edit(ar="void", document=names[2])
    made.erp.edit(ar="pay", documents=[names[3]])
    payment = made.erp.get("/books")["documents"][-1]
    made.erp.edit(ar="void", document=f"PMT/{payment['RefNbr']}")


def test_the_books_are_on_the_topics(stack: Brokers, prefix: str, tmp_path: Path) -> None:
    """First everything, then each change, by the feeds; then by the forms from where the feeds were; every partition hears of the day."""
    with lab(stack, prefix, tmp_path, *BOOKS, page_size=50) as made:
        feeds = made.worker("feeds", feed="auto")
        feeds.start()
        settled(made)
        assert {record.change for record in made.published("invoice")} == {"snapshot"}
        work(made)
        made.erp.edit(ar="random", count=20, seed=5)
        settled(made)
        feeds.signal(signal.SIGTERM)
        assert feeds.wait(60) == 0
        forms = made.worker("forms", feed="contract")
        forms.start()
        work(made)
        settled(made, forms=True)
        forms.signal(signal.SIGTERM)  # it may be about to publish more, which one of the topics below would have and the other not
        assert forms.wait(60) == 0
        records = [*made.published("invoice"), *made.published("payment")]
        assert {record.ref for record in records} == kept(made.erp.get("/books")).keys()
        reads = Counter(entry.ref for entry in made.published("audit") if entry.event == "read")
        documents = {ref: times for ref, times in reads.items() if ref.split(":")[1] in ("invoice", "payment")}
        assert Counter(record.ref for record in records) == documents
        assert len(made.published("day")) == made.settings.partitions
        assert made.published("dead letter") == []
