"""Acumatica's invoices and payments on a real Kafka: the books of the sandbox are on the topics, in their last state."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from tests.conftest import Brokers
from tests.contract.books_kit import behind, kept
from tests.harness.system import eventually
from tests.integration.source_lab import Lab, lab

BOOKS = ("--customers", "20", "--contacts", "40", "--invoices", "120", "--set", "application_bumps_invoice=false")


def missing(made: Lab) -> dict[str, Any]:
    return behind(made.erp.get("/books"), [*made.published("invoice"), *made.published("payment")])


def settled(made: Lab) -> None:
    eventually("the topics hold every document as it is in the books", lambda: not missing(made), 120, 0.5)


def work(made: Lab) -> None:
    """What happens to documents, over the running worker."""
    rows = [row for row in made.erp.get("/books")["documents"] if row["DocType"] == "INV" and row["Status"] == "N"]
    usable = {row["CustomerID"] for row in made.erp.get("/dump")["customers"] if row["Status"] == "Active"}
    names = [f"INV/{row['RefNbr']}" for row in rows if row["AcctCD"] in usable and float(row["CuryDocBal"]) > 10]
    made.erp.edit(ar="enter", customer=rows[0]["AcctCD"], amount="99.90", type="DRM", release=True)
    made.erp.edit(ar="pay", documents=[names[0]])
    made.erp.edit(ar="pay", documents={names[1]: "1.00"})
    made.erp.edit(ar="write-off", document=names[1])
    made.erp.edit(ar="void", document=names[2])
    made.erp.edit(ar="random", count=20, seed=5)


def test_the_books_are_on_the_topics(stack: Brokers, prefix: str, tmp_path: Path) -> None:
    """First everything, then each change, once; killed in between, the next one goes on; every partition hears of the day."""
    with lab(stack, prefix, tmp_path, *BOOKS, feed="odata") as made:
        worker = made.worker("one")
        worker.start()
        settled(made)
        assert Counter(record.change for record in made.published("invoice")).keys() == {"snapshot"}
        work(made)
        settled(made)
        worker.kill()
        made.erp.edit(ar="random", count=20, seed=6)
        worker.start()
        settled(made)
        records = [*made.published("invoice"), *made.published("payment")]
        assert {record.ref for record in records} == kept(made.erp.get("/books")).keys()
        reads = Counter(entry.ref for entry in made.published("audit") if entry.event == "read")
        assert Counter(record.ref for record in records) == Counter(
            {ref: n for ref, n in reads.items() if ":invoice:" in ref or ":payment:" in ref}
        )
        assert len(made.published("day")) == made.settings.partitions
        assert made.published("dead letter") == []
