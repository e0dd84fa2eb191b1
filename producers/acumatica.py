"""Acumatica's customers and contacts: whole rows, a page at a time, in the walks of acumatica_walk.py.

What changed is looked for by keys and stamps alone; whole rows are read where there is something new, and once more before a row leaves
the overlap: then nothing that is still to come can have its stamp.

Every contact gets the ref of its customer: Acumatica names the customer by a code that can be renamed and given to another, so the
code is resolved to the NoteID while it is read (acumatica_codes.py). A contact whose account becomes a customer later, or gets another
code, is not touched itself: so the contacts of a changed customer are read along with it, once per customer, code and run; the nightly
re-reading (`reread`) is the net below that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from producers.acumatica_codes import Codes, code_of
from producers.acumatica_day import DAY, Days
from producers.acumatica_documents import Documents
from producers.acumatica_gone import Gone, Known
from producers.acumatica_tables import CONTACT, CUSTOMER, SYSTEM, TABLES, Table, as_text, askable, ref_of
from producers.acumatica_walk import STAMP, Ask, ByKey, Position, Turn, Walk
from producers.base import Change, Page, Refused
from schemas.headers import Passage, new_trace
from weighlock import failpoints
from weighlock.clients.acumatica import Acumatica, Reads
from weighlock.clients.acumatica_values import Row, any_of, instant, literal
from weighlock.errors import RejectedError, TransientError, brief, sayable
from weighlock.schedule import Schedule
from weighlock.settings import Settings

#: Room for the codes in one `$filter`, encoded: IIS takes 2,048 characters of query where nobody has raised it.
FILTER_ROOM = 1700
CONTACT_FILTER_ROOM = 1200
SMALLEST_PAGE = 25
NOBODY: Mapping[str, str] = {}


class AcumaticaSource:
    """One per process. `client` is replaced in tests; `known` gives the refs of an entity that may have been deleted since."""

    name = SYSTEM

    def __init__(self, settings: Settings, client: Reads | None = None, known: Known = lambda entity: set()) -> None:
        given = settings.need_acumatica()
        self._client: Reads = client or Acumatica.of(settings)
        self._documents, self._days = Documents(given, self._client), Days(given.day, settings.partitions)
        self.entities: Mapping[str, Schedule] = {CUSTOMER.entity: given.customer, CONTACT.entity: given.contact, **self._documents.entities}
        if self._documents.entities:
            self.entities = {**self.entities, DAY: given.day}
        self._gone = Gone(self._client, known)
        overlap = timedelta(seconds=given.overlap_seconds)
        self._walks = {table.entity: Walk(ByKey(table.key, table.number), given.page_size, overlap) for table in TABLES.values()}
        self._forget()

    def _forget(self) -> None:
        self._checked = False
        self._gone.forget()
        self._documents.forget()
        self._sizes = {entity: walk.size for entity, walk in self._walks.items()}
        #: By entity: can the site filter by stamp and key at once? None: not known yet.
        self._by_key: dict[str, bool] = {}
        #: By entity and id: the stamp and the digest of what was published last, as far back as the overlap reaches.
        self._seen: dict[str, dict[str, tuple[datetime, str]]] = {entity: {} for entity in TABLES}
        #: Entities whose walk found something new: the rest of it reads whole rows at once.
        self._news: set[str] = set()
        #: Customers whose contacts were read because the customer had changed, and the code by which they were read.
        self._visited: dict[str, str] = {}
        self._codes = Codes()

    def close(self) -> None:
        """Log out and forget."""
        self._forget()
        self._client.close()

    def poll(self, entity: str, position: Position | None) -> Page:
        """See `producers.base.Source`. Positions: `acumatica_walk`."""
        if entity == DAY:
            return self._days.poll(position)
        if entity in self._documents.entities:
            with self._client.page():
                self._check()
                return self._documents.poll(entity, position)
        table, walk = TABLES[entity], replace(self._walks[entity], size=self._sizes[entity])
        with self._client.page():
            self._check()
            if position and position["walk"] == "idle":
                self._news.discard(entity)
            position = walk.begin(position, self._client.now())
            if position["walk"] == "gone":
                return self._ask_for_gone(table, position)
            full, skipping = position["walk"] == "full", failpoints.mutant("skip-paging")
            by_key = full or self._filters_by_key(table)
            ask = walk.ask(position, by_key, skipping)
            narrow = not full and not self._has_news(table, walk, position)
            rows = self._rows(table, ask, narrow)
            if narrow and not all(self._seen_at(table, row) for row in rows):
                self._news.add(entity)
                rows, narrow = self._rows(table, ask), False
            keys = [row.get(table.key) if table.usable(row.get(table.key)) else None for row in rows]
            if rows and not any(key is not None for key in keys):
                raise RejectedError(f"Acumatica lists rows of {table.name} without {table.key}: there is no paging without it")
            turn = walk.turn(position, keys, by_key, skipping)
            if not turn.counts:
                return Page((), turn.position, turn.more)
            gathering = _Gathering(self, "snapshot" if full else "upsert", self._client.now())
            if not narrow:
                self._gather(gathering, table, position, rows)
            gone = full and self._gone.met(table, rows, not position["after"], not turn.more)
        return gathering.page(entity, position, turn, gone)

    def _check(self) -> None:
        if not self._checked:
            self._client.check()
            self._checked = True

    def _ask_for_gone(self, table: Table, position: Position) -> Page:
        """After the walk through everything: some of those that it did not meet, asked for by their ids."""
        changes, more = self._gone.ask(table, self._client.now()), self._gone.more(table)
        return Page(changes, position if more else {**position, "walk": "idle"}, more, committed=lambda: self._gone.answered(table))

    def _gather(self, gathering: _Gathering, table: Table, position: Position, rows: list[Row]) -> None:
        full = position["walk"] == "full"
        fresh = rows if full else [row for row in rows if not self._known(table, row)]
        (self._codes if table is CUSTOMER else self._documents.people.known).learn(position, rows)
        gathering.add(table, fresh, self._codes.notes if full else {}, full and self._codes.whole)
        if table is CUSTOMER and not full:
            gathering.add_contacts_of(fresh)

    def _has_news(self, table: Table, walk: Walk, position: Position) -> bool:
        """Whole rows at once: this walk found something new, or has a row that we know for the last time."""
        since, reach = datetime.fromisoformat(position["since"]), walk.reach(position)
        return table.entity in self._news or any(since <= stamp < reach for stamp, _ in self._seen[table.entity].values())

    def _rows(self, table: Table, ask: Ask, narrow: bool = False) -> list[Row]:
        """A page that takes the server too long is asked for again at half its size (facts §4.7). `narrow`: keys and stamps alone."""
        select, expand = ([table.key, STAMP], ()) if narrow else (table.select, table.expand)
        try:
            return self._client.list(table.name, select, expand, ask.filter, ask.top, ask.skip)
        except TransientError as error:
            if error.ambiguous:
                self._sizes[table.entity] = max(min(SMALLEST_PAGE, self._sizes[table.entity]), self._sizes[table.entity] // 2)
            raise

    def _filters_by_key(self, table: Table) -> bool:
        """Stamp and key stand in different views for customers, and such a filter may silently find nothing (facts §13.1): a row
        that is there must come back through it. Without any row nothing is proven, and the walk by time is right in any case."""
        if table.entity not in self._by_key:
            select = [table.key, STAMP]
            rows = self._client.list(table.name, select, top=1)
            if not rows or not table.usable(rows[0].get(table.key)):
                return False
            try:
                since, key = instant(rows[0][STAMP]) - timedelta(seconds=1), rows[0][table.key]
            except (KeyError, TypeError, ValueError, OverflowError):  # that one row has no stamp that could be asked for
                return False
            composed = f"{STAMP} ge {literal(since)} and {table.key} ge {literal(key)}"
            self._by_key[table.entity] = bool(self._client.list(table.name, select, filter=composed, top=1))
        return self._by_key[table.entity]

    def _seen_at(self, table: Table, row: Row) -> bool:
        """Published already with that stamp."""
        seen = self._seen[table.entity].get(str(row.get("id")))
        return seen is not None and _source_at(row, seen[0]) == seen[0]

    def _known(self, table: Table, row: Row) -> bool:
        """Published already, as it stands: the overlap shows it again."""
        seen = self._seen[table.entity].get(str(row.get("id")))
        return seen is not None and seen[1] == _digest(row)


class _Gathering:
    """The changes of one page while they come together."""

    def __init__(self, source: AcumaticaSource, change: str, read_at: datetime) -> None:
        self._source, self._client, self._change, self._read_at = source, source._client, change, read_at
        self._changes: list[Change] = []
        self._refused: list[Refused] = []
        self._done: list[tuple[Table, Row]] = []
        self._visited: dict[str, str] = {}

    def add(self, table: Table, rows: Sequence[Row], notes: Mapping[str, str] = NOBODY, whole: bool = False) -> None:
        """`notes`: the customers' NoteIDs that are known, by code; `whole`: all of them, so there is nothing to ask."""
        own: Mapping[int, Mapping[str, str | None]] = {}
        if table is CONTACT:
            rows, parties = self._with_parties(rows, notes, whole)
            own = {id(row): _owner(row, parties) for row in rows}
        for row in rows:
            self._add(table, row, own.get(id(row), {}))

    def add_contacts_of(self, customers: Sequence[Row]) -> None:
        """Contacts do not change when their account becomes a customer or gets another code: read those of customers that we had not
        looked at yet by that code."""
        whole = [row for row in customers if isinstance(row.get("id"), str) and code_of(row, CUSTOMER.key)]
        codes = {row["id"]: code_of(row, CUSTOMER.key) or "" for row in whole}
        new = [row for row in whole if self._source._visited.get(row["id"]) != codes[row["id"]]]
        notes = {code: note for note, code in codes.items()}
        for _, filter in any_of("BusinessAccount", _codes(new, CUSTOMER.key), CONTACT_FILTER_ROOM):
            self.add(CONTACT, self._client.list(CONTACT.name, CONTACT.select, CONTACT.expand, filter), notes)
        self._visited |= codes

    def page(self, entity: str, before: Position, turn: Turn, gone: bool) -> Page:
        """`gone`: the walk ended, and what it did not meet is to be asked for before the entity rests."""
        after = {**turn.position, "walk": "gone"} if gone else turn.position
        return Page(self._changes, after, turn.more or gone, self._refused, lambda: self._commit(entity, before, turn.position))

    def _commit(self, entity: str, before: Position, position: Position) -> None:
        """Now that it is safe in Kafka: what need not be published again, as far back as the next window will reach."""
        source = self._source
        source._visited |= self._visited
        (source._codes if entity == CUSTOMER.entity else source._documents.people.known).safe(before, position)
        if entity == CONTACT.entity and before["walk"] == "full" and position["walk"] == "idle":
            source._codes.forget()
        since = source._walks[entity].reach(position)
        for table, row in self._done:
            if (stamp := _source_at(row, since)) >= since:
                source._seen[table.entity][str(row["id"])] = (stamp, _digest(row))
        if position["walk"] == "idle":
            seen = source._seen[entity]
            source._seen[entity] = {note: entry for note, entry in seen.items() if entry[0] >= since}

    def _add(self, table: Table, row: Row, own: Mapping[str, str | None]) -> None:
        passage = Passage(new_trace(), SYSTEM, _source_at(row, self._read_at))
        try:
            record = table.record_of(row, self._change, self._read_at, **own)
        except RejectedError as error:
            key = ref_of(table.entity, sayable(brief(str(row.get("id") or row.get(table.key)))))
            self._refused.append(Refused(key, as_text(row), error, passage))
        else:
            self._changes.append(Change(table.topic, record.ref, record, passage))
        if isinstance(row.get("id"), str):
            self._done.append((table, row))

    def _with_parties(self, rows: Sequence[Row], notes: Mapping[str, str], whole: bool) -> tuple[list[Row], dict[str, str]]:
        """The rows, and by code the ref of each customer that they name. A code that is nobody's may have been renamed between
        the two calls: those rows and their codes are read once more."""
        codes = _codes(rows, "BusinessAccount")
        parties = {code: ref_of(CUSTOMER.entity, notes[code]) for code in map(str.upper, codes) if code in notes}
        if whole:
            return list(rows), parties
        parties |= self._parties([code for code in codes if code.upper() not in parties])
        lost = [row for row in rows if _is_lost(row, parties)]
        if not lost:
            return list(rows), parties
        again: dict[Any, Row] = {}
        for _, filter in any_of(CONTACT.key, [row[CONTACT.key] for row in lost], FILTER_ROOM - 500):
            again |= {str(row.get("id")): row for row in self._client.list(CONTACT.name, CONTACT.select, CONTACT.expand, filter)}
        moved = [row for row in lost if code_of(again.get(row["id"], row), "BusinessAccount") != code_of(row, "BusinessAccount")]
        parties |= self._parties(_codes([again[row["id"]] for row in moved], "BusinessAccount"))
        return [again.get(str(row.get("id")), row) for row in rows], parties

    def _parties(self, codes: Sequence[str]) -> dict[str, str]:
        """Narrow list calls, as few as fit (facts §13.1: codes alone are one view)."""
        found: dict[str, str] = {}
        for _, filter in any_of(CUSTOMER.key, codes, FILTER_ROOM):
            for row in self._client.list(CUSTOMER.name, [CUSTOMER.key], filter=filter):
                if (code := code_of(row, CUSTOMER.key)) and isinstance(row.get("id"), str):
                    found[code] = ref_of(CUSTOMER.entity, row["id"])
        return found


def _owner(row: Row, parties: Mapping[str, str]) -> dict[str, str | None]:
    """Whose the contact is, or why it is out of scope."""
    code = code_of(row, "BusinessAccount")
    if row.get("Type") != "Contact":
        return {"party": None, "scope": f"type {sayable(brief(str(row.get('Type'))))}, not Contact"}
    if code is None:
        return {"party": None, "scope": "no business account"}
    if code not in parties:
        return {"party": None, "scope": f"business account {sayable(brief(row['BusinessAccount'].strip()))} is no customer"}
    return {"party": parties[code], "scope": None}


def _codes(rows: Sequence[Row], field: str) -> list[str]:
    """Distinct codes to ask for, as they are written, in the order in which they come."""
    return list({code: row[field].strip() for row in rows if (code := code_of(row, field)) is not None and askable(code)}.values())


def _is_lost(row: Row, parties: Mapping[str, str]) -> bool:
    """Does it name a customer that was not found, and can it be asked for again?"""
    code = code_of(row, "BusinessAccount")
    return bool(row.get("id")) and code is not None and code not in parties and askable(code) and CONTACT.usable(row.get(CONTACT.key))


def _digest(row: Row) -> str:
    return hashlib.blake2b(as_text(row).encode(), digest_size=16).hexdigest()


def _source_at(row: Row, otherwise: datetime) -> datetime:
    try:
        return instant(row[STAMP])
    except (KeyError, TypeError, ValueError, OverflowError):
        return otherwise.astimezone(UTC)
