"""Every topic, declared once: name, what its key and partition are, which Avro record it carries, how long Kafka keeps it.

`weighlock topics apply` creates and checks them. Names here are without the prefix (a setting, `weighlock.`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from schemas.partitions import partition_of

MIB = 1 << 20
DAY_MS = 24 * 3600 * 1000
FOR_EVER = "-1"
#: The Faust application; its changelog topics are named after it, with the prefix in front.
STREAMS_APP = "streams"
#: The tables of streams/app.py, one changelog each, and what it carries (a link in the schema of `links`).
TABLES: Mapping[str, str | None] = {"links": None, "receivables": "Receivables"}
#: Made of a source record, and larger than it.
LARGER = ("Customer", "Contact", "Invoice", "Payment", "Deal", "Wish", "Waiting", "Receivables")


@dataclass(frozen=True)
class Topic:
    """One topic. `record` is the Avro record's name (a file in schemas/avro), None for bytes that only Faust reads."""

    name: str
    key: str
    partition_by: Literal["key", "ref", "party", "one"]
    record: str | None
    cleanup: Literal["delete", "compact"]

    def partitions(self, shared: int) -> int:
        """All topics that are joined have the same number of partitions: the setting `partitions`."""
        return 1 if self.partition_by == "one" else shared

    def partition(self, by: str, shared: int) -> int:
        """The partition of a record, given the text that `partition_by` names."""
        return 0 if self.partition_by == "one" else partition_of(by, shared)

    @property
    def room(self) -> int:
        """Bytes of the largest record. What is refused is refused at the source: what is made of a source record is larger than it
        (a wish has the e-mail twice), and a dead letter is larger than the record in it."""
        return 4 * MIB if self.record == "DeadLetter" else 2 * MIB if self.record in LARGER else MIB

    def config(self) -> Mapping[str, str]:
        """Topic configs as Kafka names them. What is replayed is kept for ever; the rest is compacted, early enough to stay small."""
        room = {"max.message.bytes": str(self.room)} if self.room > MIB else {}  # 1 MiB is Kafka's default
        if self.cleanup == "delete":
            return {"cleanup.policy": "delete", "retention.ms": FOR_EVER, **room}
        return {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.3", "delete.retention.ms": str(7 * DAY_MS), **room}


SOURCE_CUSTOMER = Topic("source.acumatica.customer", "own ref", "key", "SourceAcumaticaCustomer", "delete")
SOURCE_CONTACT = Topic("source.acumatica.contact", "own ref", "key", "SourceAcumaticaContact", "delete")
SOURCE_INVOICE = Topic("source.acumatica.invoice", "own ref", "key", "SourceAcumaticaInvoice", "delete")
SOURCE_PAYMENT = Topic("source.acumatica.payment", "own ref", "key", "SourceAcumaticaPayment", "delete")
SOURCE_DAY = Topic("source.acumatica.day", "a number whose partition it is", "key", "SourceAcumaticaDay", "delete")
SOURCE_DEAL = Topic("source.hubspot.deal", "own ref", "key", "SourceHubspotDeal", "delete")
CUSTOMER = Topic("normalized.customer", "own ref", "key", "Customer", "compact")
CONTACT = Topic("normalized.contact", "own ref", "key", "Contact", "compact")
INVOICE = Topic("normalized.invoice", "own ref", "party", "Invoice", "compact")
PAYMENT = Topic("normalized.payment", "own ref", "party", "Payment", "compact")
DEAL = Topic("normalized.deal", "own ref", "party", "Deal", "compact")
LINKS = Topic("links", "ref|peer's system", "ref", "Link", "compact")
UPSERTS_HUBSPOT = Topic("upserts.hubspot", "subject", "key", "Wish", "delete")
RESULTS_HUBSPOT = Topic("results.hubspot", "subject", "key", "Result", "compact")
WAITING_HUBSPOT = Topic("waiting.hubspot", "subject", "key", "Waiting", "compact")
UPSERTS_ACUMATICA = Topic("upserts.acumatica", "subject", "key", "Wish", "delete")
RESULTS_ACUMATICA = Topic("results.acumatica", "subject", "key", "Result", "compact")
WAITING_ACUMATICA = Topic("waiting.acumatica", "subject", "key", "Waiting", "compact")
CHECKPOINTS = Topic("checkpoints", "source + entity", "one", "Checkpoint", "compact")
AUDIT = Topic("audit", "own ref", "key", "Audit", "delete")
DEAD_LETTERS = Topic("dead-letters", "the original key", "key", "DeadLetter", "delete")
WORKERS = Topic("workers", "worker, member and host", "one", "WorkerState", "compact")
CHANGELOGS = tuple(Topic(f"{STREAMS_APP}-{table}-changelog", "the table's", "ref", record, "compact") for table, record in TABLES.items())
RECEIVABLES = CHANGELOGS[1]

TOPICS: tuple[Topic, ...] = (
    *(SOURCE_CUSTOMER, SOURCE_CONTACT, SOURCE_INVOICE, SOURCE_PAYMENT, SOURCE_DAY, SOURCE_DEAL),
    *(CUSTOMER, CONTACT, INVOICE, PAYMENT, DEAL, LINKS, UPSERTS_HUBSPOT, RESULTS_HUBSPOT, WAITING_HUBSPOT),
    *(UPSERTS_ACUMATICA, RESULTS_ACUMATICA, WAITING_ACUMATICA),
    *(CHECKPOINTS, AUDIT, DEAD_LETTERS, WORKERS, *CHANGELOGS),
)


def by_name(name: str) -> Topic:
    """The topic of that name (without prefix); `KeyError` if it is none of ours."""
    for topic in TOPICS:
        if topic.name == name:
            return topic
    raise KeyError(f"no topic {name!r}; known: {', '.join(topic.name for topic in TOPICS)}")
