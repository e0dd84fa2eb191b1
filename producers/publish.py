"""A page into Kafka: its records, its audit and its checkpoint in one transaction; what cannot be written is a dead letter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import structlog
from confluent_kafka import Producer

from producers.leader import Leadership
from schemas.headers import Passage
from schemas.records import Audit, Checkpoint, DeadLetter
from schemas.topics import AUDIT, CHECKPOINTS, DEAD_LETTERS
from weighlock import failpoints, metrics
from weighlock.errors import RejectedError
from weighlock.kafka.wire import AROUND, Outgoing, TooLarge, Wire

if TYPE_CHECKING:
    from producers.base import Change, Page


class Publisher:
    """For one source and one term of leadership."""

    def __init__(self, wire: Wire, leadership: Leadership, source: str) -> None:
        self._wire, self._leadership, self._source = wire, leadership, source
        self._worker = f"source-{source}"
        self._log = structlog.get_logger(worker=self._worker)
        self._said: list[Audit] = []

    def publish(self, track: str, page: Page, position: dict[str, str]) -> None:
        """All of it or nothing. `track` is the checkpoint's name. Raises what `Leadership.transaction` and the codec raise."""
        self._said.clear()
        checkpoint = Checkpoint(source=self._source, entity=track, position=position, at=datetime.now(UTC))
        out = Outgoing(CHECKPOINTS, f"{self._source}|{track}", checkpoint, [])
        first = failpoints.mutant("no-checkpoint-transaction")  # wrong on purpose
        if first:
            with self._leadership.transaction() as producer:
                self._wire.produce(producer, out)
        with self._leadership.transaction() as producer:
            for change in page.changes:
                self._produce(producer, change)
            for refused in page.refused:
                self._refuse(producer, refused.key, refused.row, refused.error, refused.passage)
            self._leadership.flush()
            failpoints.reach("page-before-checkpoint")
            if not first:
                self._wire.produce(producer, out)
        for entry in self._said:
            metrics.said(entry)
        if page.changes or page.refused:
            self._log.info("page", entity=track, changes=len(page.changes), refused=len(page.refused), more=page.more)

    def _produce(self, producer: Producer, change: Change) -> None:
        try:
            self._wire.produce(producer, Outgoing(change.topic, change.key, change.record, change.passage.headers()))
        except TooLarge as error:
            name, size = max(_sizes(change.record.model_dump()), key=lambda field: field[1])
            reason = f"{error}. Its largest field is {name} ({size:,} bytes): shorten it in {self._source}"
            self._refuse(producer, change.key, change.record.model_dump_json(), RejectedError(reason), change.passage)
        except (ValueError, TypeError, ArithmeticError) as error:
            reason = f"{change.key} does not fit the schema of {change.topic.name}: {type(error).__name__}: {error}"
            self._refuse(producer, change.key, repr(change.record), RejectedError(reason), change.passage)
        else:
            if change.audited:
                self._note(producer, change.key, "read", change.passage, None)

    def _refuse(self, producer: Producer, key: str, row: str, error: RejectedError, passage: Passage) -> None:
        letter = DeadLetter(
            key=key.encode(),
            value=_fitting(row),
            ref=key,
            stage="source",
            worker=self._worker,
            error=type(error).__name__,
            reason=error.reason,
            request=error.request,
            response=error.response,
            trace=passage.trace,
        )
        self._wire.produce(producer, Outgoing(DEAD_LETTERS, key, letter, passage.headers()))
        self._note(producer, key, "rejected", passage, error.reason)
        self._log.warning("dead letter", key=key, reason=error.reason)

    def _note(self, producer: Producer, ref: str, event: str, passage: Passage, detail: str | None) -> None:
        entry = Audit(
            ref=ref, event=event, stage="source", worker=self._worker, source_at=passage.source_at, detail=detail, trace=passage.trace
        )
        self._wire.produce(producer, Outgoing(AUDIT, ref, entry, passage.headers()))
        self._said.append(entry)


def _sizes(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, int]]:
    """Every field by its dotted name, and how many bytes its value takes as text."""
    for name, value in record.items():
        if isinstance(value, Mapping):
            yield from _sizes(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", len(str(value).encode(errors="replace"))


def _fitting(row: str) -> bytes:
    """The whole row, or as much of it as a dead letter can hold: the rest is at its source."""
    value, room = row.encode(errors="backslashreplace"), DEAD_LETTERS.room - 4 * AROUND
    return value if len(value) <= room else value[:room] + f" … ({len(value):,} bytes)".encode()
