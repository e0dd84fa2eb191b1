"""Acumatica's invoices and payments: whole documents with their lines and applications, in the walks of acumatica_walk.py.

Three walks: invoices, payments, and what is applied. An application that is new or changed is a hint: both documents that it names are
read again, for their own stamps need not have moved. Its walk begins before the others, so that it has whatever is applied while they
read everything. A document is published with the later of its own stamp and its applications'.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

import structlog

from producers.acumatica_dac import APPLICATION_KEYS, Dac, DacTerms, text_of
from producers.acumatica_document_tables import DOCUMENTS, INVOICE, KEYS, DocumentTable, Key, key_of, named, newest
from producers.acumatica_forms import Forms
from producers.acumatica_people import People
from producers.acumatica_tables import SYSTEM, as_text, ref_of
from producers.acumatica_walk import STAMP, Position, Turn, Walk
from producers.base import Change, Page, Refused
from schemas.headers import Passage, new_trace
from weighlock import settings as config
from weighlock.clients.acumatica import Reads
from weighlock.clients.acumatica_values import Row, instant
from weighlock.errors import AuthError, ConfigError, RejectedError, TransientError, brief, sayable
from weighlock.schedule import Schedule

APPLICATION = "application"
#: Each of them names two documents that are read for it.
APPLICATIONS_A_PAGE = 50
SMALLEST_PAGE = 25
#: Most documents of a page are read one by one.
FORMS_A_PAGE = 50

log = structlog.get_logger(worker="source-acumatica")


class Documents:
    """One per source."""

    def __init__(self, settings: config.Acumatica, client: Reads) -> None:
        self._client, self._feed = client, settings.feed
        # in the order in which they are read at first
        self.entities: Mapping[str, Schedule] = (
            {} if settings.feed == "off" else {APPLICATION: settings.payment, "invoice": settings.invoice, "payment": settings.payment}
        )
        overlap, day = timedelta(seconds=settings.overlap_seconds), settings.documents_since
        self._since = None if day is None else datetime.combine(day, time(), UTC)
        self._walks = {entity: Walk(Dac.terms, settings.page_size, overlap) for entity in DOCUMENTS}
        self._walks[APPLICATION] = Walk(DacTerms(APPLICATION_KEYS), min(settings.page_size, APPLICATIONS_A_PAGE), overlap)
        self.forget()

    def forget(self) -> None:
        self._reader: Dac | Forms | None = None
        self.people = People(self._client)
        self._sizes = {entity: walk.size for entity, walk in self._walks.items()}
        #: By entity and id: the stamp and the digest of what was published last, as far back as the overlap reaches.
        self._seen: dict[str, dict[str, tuple[datetime, str]]] = {entity: {} for entity in self._walks}
        #: By the id of an application: its digest, and the documents that were published with it as it is.
        self._shown: dict[str, tuple[str, frozenset[Key]]] = {}

    def poll(self, entity: str, position: Position | None) -> Page:
        """A page, within the client's. See `producers.base.Source`."""
        reader = self._reader = self._reader or self._chosen()
        walk = replace(self._walks[entity], size=self._sizes[entity], terms=reader.terms)
        try:
            if entity != APPLICATION:
                return self._documents(reader, DOCUMENTS[entity], walk, walk.begin(position, self._client.now()))
            return self._applied(reader, replace(walk, terms=DacTerms(APPLICATION_KEYS)), position)
        except (AuthError, ConfigError) as refusal:
            if self._feed != "auto" or not isinstance(reader, Dac):
                raise
            self._reader = None
            raise TransientError(f"the feeds are refused now, we ask once more whether they are allowed: {refusal}") from refusal
        except TransientError as error:
            if error.ambiguous:  # too long for the server, it may be (facts §4.7)
                self._sizes[entity] = max(min(SMALLEST_PAGE, walk.size), walk.size // 2)
            raise

    def way(self) -> str:
        """How they would be read now, for people. Raises what refuses both ways."""
        if self._feed == "off":
            return "no invoices and payments (acumatica.feed is off)"
        return f"invoices and payments from the {'feeds' if isinstance(self._chosen(), Dac) else 'forms, one by one'}"

    def _chosen(self) -> Dac | Forms:
        """The feeds, or the forms where the setting says so, or where the feeds are refused and it leaves that to us."""
        dac = Dac(self._client)
        try:
            if self._feed != "contract":
                dac.probe()
                return dac
        except (AuthError, ConfigError, RejectedError) as refusal:
            if self._feed == "odata":
                raise
            log.warning("the feeds are refused, documents are read from their forms, one by one", reason=brief(str(refusal), 500))
        self._sizes |= {entity: min(size, FORMS_A_PAGE) for entity, size in self._sizes.items()}
        return Forms(self._client)

    def _documents(self, reader: Dac | Forms, table: DocumentTable, walk: Walk, position: Position) -> Page:
        full = position["walk"] == "full"
        by_key = full or reader.by_key
        ask = walk.ask(position, by_key)
        part = reader.page(table, ask, self._since) if full else reader.narrow(table, ask)
        turn = walk.turn(position, self._keys(table.name, part.rows, KEYS), by_key, more=part.more)
        if not turn.counts:
            return Page((), turn.position, turn.more)
        if table is INVOICE and not full:
            self.people.known.drop()
        gathering = _Gathering(self, "snapshot" if full else "upsert", self._client.now(), whole=not full)
        if full:
            gathering.add(table, part.rows)
        else:
            self._forget_others()
            news = [row for row in part.rows if self._is_news(table.entity, row, walk.reach(position))]
            rows = reader.whole(table, [key for row in news if (key := key_of(row)) is not None], ask if reader.by_key else None)
            self._gather(reader, gathering, table, [*rows, *(row for row in news if key_of(row) is None)])
        return gathering.page(table.entity, turn)

    def _gather(self, reader: Dac | Forms, gathering: _Gathering, table: DocumentTable, rows: Sequence[Row]) -> None:
        """What is new of it, and the documents that it tells of."""
        new = [row for row in rows if not self._known(table.entity, row)]
        gathering.add(table, new, rows)
        for entity, keys in reader.hints(new).items():
            others = reader.whole(DOCUMENTS[entity], keys)
            gathering.add(DOCUMENTS[entity], [row for row in others if not self._known(entity, row)], others)

    def _forget_others(self) -> None:
        """Who and whose: looked up once in a walk through everything, and for each page of changes."""
        self.people.forget()
        if self._reader is not None:
            self._reader.forget()

    def _applied(self, reader: Dac | Forms, walk: Walk, position: Position | None) -> Page:
        """What is applied and taken back from the first poll on; what was before comes with the documents. The forms do not show it by
        itself: this walk waits there for the day when the feeds are allowed."""
        if not position:
            began = {"walk": "full", "after": "", "clock": self._client.now().isoformat(timespec="milliseconds")}
            return Page((), walk.turn(began, [], more=False).position)
        if not isinstance(reader, Dac):
            return Page((), position)
        position = walk.begin(position, self._client.now())
        part = reader.applications(walk.ask(position, True))
        turn = walk.turn(position, self._keys(APPLICATION, part.rows, APPLICATION_KEYS), more=part.more)
        news = [row for row in part.rows if not self._known(APPLICATION, row)]
        wanted: dict[str, set[Key]] = {}
        for row in news:
            digest, shown = self._shown.get(_name(row), ("", frozenset()))
            for key, entity in named(row).items():
                if key not in shown or digest != _digest(row):
                    wanted.setdefault(entity, set()).add(key)
        self._forget_others()
        gathering = _Gathering(self, "upsert", self._client.now(), whole=True)
        for entity, keys in wanted.items():
            self._gather(reader, gathering, DOCUMENTS[entity], reader.whole(DOCUMENTS[entity], keys))
        gathering.done += [(APPLICATION, row) for row in part.rows]
        return gathering.page(APPLICATION, turn)

    def _is_news(self, entity: str, row: Row, reach: datetime) -> bool:
        """Not published with that stamp; or seen for the last time, so that nothing that is still to come can have its stamp."""
        seen = self._seen[entity].get(_name(row))
        return seen is None or _stamp(row, seen[0]) != seen[0] or seen[0] < reach

    def _known(self, entity: str, row: Row) -> bool:
        """Published already, as it stands."""
        seen = self._seen[entity].get(_name(row))
        return seen is not None and seen[1] == _digest(row)

    def _keys(self, name: str, rows: Sequence[Row], fields: Sequence[str]) -> list[str | None]:
        found = [_key_text(row, fields) for row in rows]
        if rows and not any(found):
            raise RejectedError(f"Acumatica lists rows of {name} without their keys: there is no paging without them")
        return found


class _Gathering:
    """The changes of one page while they come together. `whole`: the applications were read before the documents."""

    def __init__(self, documents: Documents, change: str, read_at: datetime, whole: bool) -> None:
        self._documents, self._change, self._read_at, self._whole = documents, change, read_at, whole
        self._changes: list[Change] = []
        self._refused: list[Refused] = []
        #: Rows that need not be published again, with their entity.
        self.done: list[tuple[str, Row]] = []

    def add(self, table: DocumentTable, rows: Sequence[Row], seen: Sequence[Row] | None = None) -> None:
        """Rows to be published; `seen`: these are then published as they are, or were before."""
        self.done += [(table.entity, row) for row in (rows if seen is None else seen)]
        contacts = self._documents.people.of(rows) if table is INVOICE else [None] * len(rows)
        for row, contact in zip(rows, contacts, strict=True):
            passage = Passage(new_trace(), SYSTEM, _stamp({STAMP: newest(row)}, self._read_at))
            try:
                record = table.document_of(row, self._change, self._read_at, contact)
            except RejectedError as error:
                key = ref_of(table.entity, sayable(brief(str(row.get("id") or table.called(row)))))
                self._refused.append(Refused(key, as_text(row), error, passage))
            else:
                self._changes.append(Change(table.topic, record.ref, record, passage))

    def page(self, entity: str, turn: Turn) -> Page:
        return Page(self._changes, turn.position, turn.more, self._refused, lambda: self._commit(entity, turn.position))

    def _commit(self, entity: str, position: Position) -> None:
        """Now that it is safe in Kafka."""
        documents, since = self._documents, self._documents._walks[entity].reach(position)
        for kind, row in self.done:
            if (stamp := _stamp(row, since)) >= since or self._whole:
                documents._seen[kind][_name(row)] = (stamp, _digest(row))
            key = key_of(row)
            for one in row.get("Applications") or () if self._whole and key is not None else ():
                digest, (old, shown) = _digest(one), documents._shown.get(_name(one), ("", frozenset()))
                documents._shown[_name(one)] = (digest, (shown if old == digest else frozenset()) | {key})  # type: ignore[arg-type]
        if position["walk"] == "idle":
            seen = documents._seen[entity]
            documents._seen[entity] = {name: entry for name, entry in seen.items() if entry[0] >= since}
            documents._forget_others()
            if entity == APPLICATION:
                documents._shown = {name: one for name, one in documents._shown.items() if name in documents._seen[APPLICATION]}


def _name(row: Row) -> str:
    """What a row is remembered by."""
    note = row.get("id") or row.get("NoteID")
    return note if isinstance(note, str) and note else as_text({key: row.get(key) for key in (*KEYS, *APPLICATION_KEYS)})


def _key_text(row: Row, fields: Sequence[str]) -> str | None:
    values = [row.get(field) for field in fields]
    fit = all(INVOICE.usable(value) or (isinstance(value, int) and not isinstance(value, bool)) for value in values)
    return text_of(values) if fit else None


def _digest(row: Row) -> str:
    return hashlib.blake2b(as_text(row).encode(), digest_size=16).hexdigest()


def _stamp(row: Mapping[str, Any], otherwise: datetime) -> datetime:
    try:
        return instant(row[STAMP])
    except (KeyError, TypeError, ValueError, OverflowError):
        return otherwise.astimezone(UTC)
