"""A source and what is around it, for tests on a real Kafka: the Acumatica sandbox, workers to kill, and what they have published."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaException

from producers.base import Source, run
from schemas.records import Audit, Checkpoint, DeadLetter, Record
from schemas.sources import (
    AcumaticaRow,
    SourceAcumaticaContact,
    SourceAcumaticaCustomer,
    SourceAcumaticaDay,
    SourceAcumaticaInvoice,
    SourceAcumaticaPayment,
)
from schemas.topics import (
    AUDIT,
    CHECKPOINTS,
    DEAD_LETTERS,
    SOURCE_CONTACT,
    SOURCE_CUSTOMER,
    SOURCE_DAY,
    SOURCE_INVOICE,
    SOURCE_PAYMENT,
    Topic,
)
from tests.conftest import Brokers
from tests.contract.source_kit import acumatica_settings
from tests.harness.system import Worker, eventually
from weighlock import wiring
from weighlock.demo.sandboxes import Sandbox
from weighlock.settings import Settings

RECORDS: dict[str, tuple[Topic, type[Record]]] = {
    "customer": (SOURCE_CUSTOMER, SourceAcumaticaCustomer),
    "contact": (SOURCE_CONTACT, SourceAcumaticaContact),
    "invoice": (SOURCE_INVOICE, SourceAcumaticaInvoice),
    "payment": (SOURCE_PAYMENT, SourceAcumaticaPayment),
    "day": (SOURCE_DAY, SourceAcumaticaDay),
    "audit": (AUDIT, Audit),
    "dead letter": (DEAD_LETTERS, DeadLetter),
    "checkpoint": (CHECKPOINTS, Checkpoint),
}


class Lab:
    """The ERP, topics of its own, and workers by name."""

    def __init__(self, brokers: Brokers, prefix: str, folder: Path, erp: Sandbox, **given: Any) -> None:
        self.brokers, self.prefix, self.folder, self.erp = brokers, prefix, folder, erp
        section = acumatica_settings(erp.url, **{"overlap_seconds": 5, "page_size": 20, **given})
        self.settings = Settings(
            prefix=prefix,
            kafka=brokers.kafka,
            registry=brokers.registry,
            state=folder / "state",
            acumatica=section,  # type: ignore[arg-type]
        )
        self._section = section
        self.workers: list[Worker] = []

    def worker(self, name: str, **given: Any) -> Worker:
        """A worker that is not started; `given` are other settings of Acumatica for this one."""
        # the tests may run from a shell that has settings of its own
        env = {"WEIGHLOCK_CONFIG": str(self.folder / "none.toml"), "WEIGHLOCK_PREFIX": self.prefix}
        env |= {"WEIGHLOCK_KAFKA": self.brokers.kafka, "WEIGHLOCK_REGISTRY": self.brokers.registry}
        env["WEIGHLOCK_STATE"] = str(self.folder / f"state-{name}")
        for key, value in {**self._section, **given}.items():
            text = "{" + ",".join(f'"{k}":{v}' for k, v in value.items()) + "}" if isinstance(value, dict) else str(value)
            env[f"WEIGHLOCK_ACUMATICA__{key.upper()}"] = text
        self.workers.append(Worker("source-acumatica", env, self.folder / f"{name}.log"))
        return self.workers[-1]

    def published(self, what: str) -> list[Any]:
        """Every committed record, oldest first within its partition."""
        topic, kind = RECORDS[what]
        wire = wiring.wire(self.settings)
        return [wire.decode(kind, message) for message in wire.read(topic)]

    def newest(self, entity: str) -> dict[str, AcumaticaRow]:
        """By NoteID, as it was published last."""
        return {record.ref.rpartition(":")[2]: record for record in self.published(entity)}

    def behind(self) -> dict[str, Any]:
        """What the topics do not hold as the ERP has it now: (entity, NoteID) -> what is published."""
        dump = self.erp.get("/dump")
        missing = {}
        for entity, fields in (("customer", ("CustomerID", "CustomerName")), ("contact", ("ContactID", "JobTitle", "Phone1", "Email"))):
            newest = self.newest(entity)
            for row in dump[f"{entity}s"]:
                there = newest.get(row["id"])
                if there is None or any(getattr(there, field) != row[field] for field in fields):
                    missing[entity, row["id"]] = there
        return missing

    def settled(self, seconds: float = 120) -> None:
        """Wait until the topics hold the last state of every record."""

        def all_there() -> bool:
            try:
                return not self.behind()
            except KafkaException:  # a broker that has just come back
                return False

        eventually("the topics hold every record as it is", all_there, seconds, 0.5)

    def stop(self) -> None:
        for worker in self.workers:
            worker.stop()


@contextmanager
def lab(brokers: Brokers, prefix: str, folder: Path, *arguments: str, **given: Any) -> Iterator[Lab]:
    """`arguments` of the sandbox, `given` settings of Acumatica. Topics and schemas are there."""
    erp = Sandbox("acumatica", folder, *(arguments or ("--customers", "60", "--contacts", "90")))
    made = Lab(brokers, prefix, folder, erp, **given)
    try:
        erp.wait()
        wiring.topics(made.settings, apply=True)
        yield made
    finally:
        made.stop()
        erp.close()


@contextmanager
def serving(made: Lab, source: Source, wire: Any = None) -> Iterator[threading.Event]:
    """The loop in a thread of this process, around a source of the test's own; ended with the test."""
    stop = threading.Event()
    thread = threading.Thread(target=run, args=(made.settings, wire or wiring.wire(made.settings), source, stop))
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        thread.join(60)
        assert not thread.is_alive()


def leads(worker: Worker, since: int = 0) -> bool:
    """Whether that worker's log says so, after everything else that it says about leading; `since`: from that byte on."""
    log = worker.log.read_bytes()[since:].decode(errors="replace") if worker.log.exists() else ""
    found = re.findall(r'"event": "(leading|standing in line again|stopped)"', log)
    return bool(found) and found[-1] == "leading"
