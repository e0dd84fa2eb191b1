"""Rows that are no longer in Acumatica: its lists show no deletes (facts/acumatica.md §8).

So what a whole walk did not meet is asked for by its id, a portion a page, and counts as deleted only if Acumatica says that there is
no such record. An error says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import structlog

from producers.acumatica_tables import SYSTEM, Table, ref_of
from producers.base import Change
from schemas.headers import Passage, new_trace
from schemas.refs import Ref
from weighlock.clients.acumatica import Reads
from weighlock.clients.acumatica_values import Row
from weighlock.errors import ConfigError, RejectedError

#: The refs of an entity that consumers take for live ones.
Known = Callable[[str], set[str]]
#: More at once than this and than that part of all is no deleting: it is a view, a role or a branch that was taken away from us.
FEW, PART = 10, 20
#: So many are asked for in one page.
PORTION = 20

log = structlog.get_logger(worker="source-acumatica")


class Gone:
    """What walks through everything have met, by entity. `known` is asked at the end of a walk only."""

    def __init__(self, client: Reads, known: Known) -> None:
        self._client, self._known = client, known
        self.forget()

    def forget(self) -> None:
        """A walk that goes on in another process has met more than we know: it finds nothing gone."""
        self._met: dict[str, set[str]] = {}
        self._absent: dict[str, list[str]] = {}

    def met(self, table: Table, rows: Sequence[Row], first: bool, last: bool) -> bool:
        """A page of a whole walk was read. With the last one: is there anybody to `ask` for?"""
        if first:
            self._met[table.entity] = set()
        met = self._met.get(table.entity)
        if met is None:
            return False
        met |= {ref_of(table.entity, str(row["id"])) for row in rows if row.get("id")}
        self._absent[table.entity] = self._missed(table.entity, met) if last else []
        return bool(self._absent[table.entity])

    def _missed(self, entity: str, met: set[str]) -> list[str]:
        known = self._known(entity)
        absent = sorted(known - met)
        if not absent or (met and len(absent) <= max(FEW, len(known) // PART)):
            return absent
        log.error(
            "too many rows are gone to be deleted ones: does our user still see everything?",
            entity=entity,
            gone=len(absent),
            of=len(known),
            such_as=absent[0],
        )
        return []

    def ask(self, table: Table, now: datetime) -> list[Change]:
        """A `delete` for each of the next portion that Acumatica denies. Asks for the same ones until they are `answered`."""
        absent = self._absent.get(table.entity, [])[:PORTION]
        if absent and not self._there(table, min(self._met[table.entity])):
            log.error("asked by its id, Acumatica denies a row that it has just listed: nothing counts as deleted now", entity=table.entity)
            self._absent[table.entity] = []
            return []
        return [self._change(table, ref, now) for ref in absent if not self._there(table, ref)]

    def answered(self, table: Table) -> None:
        """The portion is safe in Kafka."""
        del self._absent.get(table.entity, [])[:PORTION]

    def more(self, table: Table) -> bool:
        """Will there be somebody to ask for after this portion?"""
        return len(self._absent.get(table.entity, [])) > PORTION

    def _there(self, table: Table, ref: str) -> bool:
        """A question that is refused has no answer: then it counts as there."""
        try:
            return self._client.get(table.name, Ref.parse(ref).id, [table.key]) is not None
        except (RejectedError, ConfigError) as error:
            log.error("Acumatica refuses to be asked by an id", ref=ref, reason=str(error))
            return True

    def _change(self, table: Table, ref: str, now: datetime) -> Change:
        record = table.record.model_validate({"ref": ref, "change": "delete", "modified_at": now, "read_at": now})
        return Change(table.topic, ref, record, Passage(new_trace(), SYSTEM, now))
