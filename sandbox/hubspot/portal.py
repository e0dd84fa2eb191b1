"""One portal's state: records with their past, unique values, property definitions, associations; and the ways to change it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sandbox.control import Log
from sandbox.hubspot.errors import Json, not_an_id, not_found
from sandbox.hubspot.kinds import CONTACTS, KINDS, Kind, standard_properties
from sandbox.hubspot.links import Change, Links
from sandbox.hubspot.switches import Switches
from sandbox.hubspot.values import instant

if TYPE_CHECKING:
    from sandbox.data import Book

Properties = dict[str, str]  # never an empty text


#: How far back search can be made to look (the fault `late-search`), in seconds.
LATEST_SEARCH = 600.0


@dataclass
class Record:
    kind: Kind
    id: str
    created: datetime
    updated: datetime
    properties: Properties = field(default_factory=dict)
    archived: datetime | None = None
    seeded: bool = False
    past: list[tuple[datetime, Properties | None]] = field(default_factory=list)  # what search sees; None: not there

    @property
    def end(self) -> tuple[str, str]:
        return self.kind.name, self.id

    @property
    def log_key(self) -> str | None:
        return self.properties.get(self.kind.key)

    def as_of(self, at: datetime) -> Properties | None:
        return next((properties for since, properties in reversed(self.past) if since <= at), None)


class Portal:
    """`clock` gives the time (aware, UTC): a test may bring its own."""

    def __init__(self, book: Book, switches: Switches, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.switches, self.clock = switches, clock
        self.log = Log()
        self.reset(book)

    def reset(self, book: Book) -> None:
        self.random = random.Random(20260900)
        self.records: dict[str, dict[str, Record]] = {kind.name: {} for kind in KINDS}
        self.merged: dict[str, str] = {}
        self.definitions = {kind.name: standard_properties(kind) for kind in KINDS}
        self.groups: dict[str, dict[str, Json]] = {
            kind.name: {kind.group: {"name": kind.group, "label": kind.group, "displayOrder": 0, "archived": False}} for kind in KINDS
        }
        self.links = Links()
        self.seeded: dict[str, dict[str, Properties]] = {kind.name: {} for kind in KINDS}
        #: Contact and company ids that people associated.
        self.seeded_links: set[tuple[str, str]] = set()
        #: What HubSpot made by itself: companies, and pairs of contact and company.
        self.automatic: tuple[set[str], set[tuple[str, str]]] = (set(), set())
        self._holders: dict[tuple[str, str, str], str] = {}
        self._last_id = 31_400_000_000
        self._seed(book)

    def _seed(self, book: Book) -> None:
        long_ago = (self.clock() - timedelta(days=30)).replace(microsecond=0)
        companies, contacts = (
            [self._seed_record(kind, row["properties"], long_ago) for row in rows]
            for kind, rows in zip(KINDS, (book.hubspot_companies, book.hubspot_contacts), strict=True)
        )
        for contact, row in zip(contacts, book.hubspot_contacts, strict=True):
            if row["company"] is not None:
                company = companies[row["company"]]
                self.links.associate(contact.end, company.end)
                self.seeded_links.add((contact.id, company.id))
                self.store(contact, {**contact.properties, "associatedcompanyid": company.id}, long_ago)
        for record in (*companies, *contacts):
            self.remember(record)

    def _seed_record(self, kind: Kind, properties: dict[str, Any], at: datetime) -> Record:
        record = Record(kind, self.new_id(), at, at, seeded=True)
        record.past.append((at, None))
        texts = {name: str(value) for name, value in properties.items() if value not in (None, "")}
        if "email" in texts:
            texts["email"] = self.fold("email", texts["email"])  # HubSpot keeps no other form (§2.5)
        self.store(record, texts, at)
        return record

    # -- finding

    def new_id(self) -> str:
        self._last_id += self.random.randint(1, 997)
        return str(self._last_id)

    def find(self, kind: Kind, id: str) -> Record | None:
        """The live record with this id, or the one that it was merged into (§14.3)."""
        record = self.records[kind.name].get(self.merged.get(id, id))
        return record if record is not None and record.archived is None else None

    def get(self, kind: Kind, id: str) -> Record:
        """As `find`; 404 in HubSpot's three forms."""
        if not id.isdigit() or int(id) == 0:
            raise not_an_id(id)
        record = self.find(kind, id)
        if record is None:
            raise not_found()
        return record

    def live(self, kind: Kind) -> Iterable[Record]:
        return (record for record in self.records[kind.name].values() if record.archived is None)

    def definition(self, kind: Kind, name: str) -> Json | None:
        definition = self.definitions[kind.name].get(name)
        return definition if definition is not None and not definition["archived"] else None

    # -- unique values

    def unique_names(self, kind: Kind) -> list[str]:
        names = [name for name, d in self.definitions[kind.name].items() if d["hasUniqueValue"] and not d["archived"]]
        return [*names, "email"] if kind is CONTACTS else names

    def fold(self, name: str, value: str) -> str:
        return value if self.switches.unique_key_case == "sensitive" and name != "email" else value.strip().lower()

    def claims(self, kind: Kind, properties: Properties) -> set[tuple[str, str, str]]:
        """The unique values that these properties hold; a contact's additional e-mails are e-mails like the first."""
        held = {(kind.name, name, self.fold(name, properties[name])) for name in self.unique_names(kind) if name in properties}
        if kind is CONTACTS:
            more = properties.get("hs_additional_emails", "").split(";")
            held |= {(kind.name, "email", self.fold("email", email)) for email in more if email.strip()}
        return held

    def holder(self, claim: tuple[str, str, str]) -> str | None:
        """The id of the record that holds this unique value; an archived one's counts as the switch says."""
        id = self._holders.get(claim)
        if id is None or self.records[claim[0]][id].archived is None:
            return id
        return id if self.switches.archived_key == "conflict" and claim[1] != "email" else None

    def index(self, kind: Kind) -> None:
        """Takes note of unique values once more: a unique property came (back)."""
        for record in self.live(kind):
            for claim in self.claims(kind, record.properties):
                self._holders.setdefault(claim, record.id)

    # -- changing

    def store(self, record: Record, properties: Properties, now: datetime) -> None:
        """Makes these the record's properties, at this instant, for all who read it by id or by a unique value."""
        for claim in self.claims(record.kind, record.properties):
            if self._holders.get(claim) == record.id:
                del self._holders[claim]
        record.properties = {**properties, "hs_object_id": record.id, "createdate": instant(record.created)}
        record.properties[record.kind.modified] = instant(now)
        if "email" in record.properties:
            record.properties["hs_email_domain"] = record.properties["email"].partition("@")[2]
        record.updated = now
        self.records[record.kind.name][record.id] = record
        self._holders.update(dict.fromkeys(self.claims(record.kind, record.properties), record.id))
        self._keep(record, dict(record.properties), now)

    def archive(self, record: Record, actor: str) -> None:
        now = self.clock()
        record.archived = now
        self._keep(record, None, now)
        self.log.add(actor, "archive", record.kind.singular, record.id, record.log_key, [])
        self.relinked(self.links.forget(record.end), actor)
        if actor == "person":
            self.seeded[record.kind.name].pop(record.id, None)

    def retire(self, old: Record, survivor: Record) -> None:
        """`old` was merged into `survivor`: its id leads there, search and lists do not show it, its unique values are gone."""
        old.archived = self.clock()
        self._keep(old, None, old.archived)
        self.merged |= {id: survivor.id for id, to in self.merged.items() if to == old.id}
        self.merged[old.id] = survivor.id
        before, seeded = self.seeded[old.kind.name].pop(old.id, None), self.seeded[old.kind.name]
        if before is not None:  # the primary comes first, its values win
            kept = {name: value for name, value in before.items() if name in survivor.properties}
            seeded[survivor.id] = {**kept, **seeded.get(survivor.id, {})}
        self._holders = {claim: id for claim, id in self._holders.items() if id != old.id}

    def relinked(self, changes: list[Change], actor: str) -> None:
        """Logs changed pairs and brings a contact's associatedcompanyid up to date."""
        for change in changes:
            ends = sorted((change.one, change.other), reverse=True)  # the contact first
            one, other = (self.records[kind][id] for kind, id in ends)
            fields = self._set_primary(one) if one.kind is CONTACTS and one.archived is None else []
            to: Json = {"entity": other.kind.singular, "id": other.id, "key": other.log_key}
            to["types"] = sorted(self.links.of(one.end, other.kind).get(other.id, ()))
            op = "associate" if change.types else "disassociate"
            self.log.add(actor, op, one.kind.singular, one.id, one.log_key, fields, to=to)

    def _set_primary(self, contact: Record) -> list[str]:
        company = self.links.primary(contact.end)
        if company == contact.properties.get("associatedcompanyid"):
            return []
        rest = {name: value for name, value in contact.properties.items() if name != "associatedcompanyid"}
        self.store(contact, rest if company is None else {**rest, "associatedcompanyid": company}, self.clock())
        return ["associatedcompanyid"]

    def refresh_primaries(self, record: Record) -> None:
        """After a merge: associatedcompanyid of the record, or of a company's contacts, names the survivor."""
        contacts = [record.id] if record.kind is CONTACTS else self.links.of(record.end, CONTACTS)
        for id in contacts:
            self._set_primary(self.records[CONTACTS.name][id])

    def remember(self, record: Record, names: Iterable[str] | None = None) -> None:
        """Notes a record as people left it, for `seeded` in the dump: all of a new one, only `names` of one that was changed."""
        kind = record.kind
        if names is None:
            record.seeded = True
            names = [name for name in record.properties if not self.read_only(kind, name)]
            self.seeded[kind.name][record.id] = {}
        before = self.seeded[kind.name].get(record.id)
        if before is not None:  # what we made ourselves is nothing that people had before us
            after = {**before, **{name: record.properties.get(name, "") for name in names}}
            self.seeded[kind.name][record.id] = {name: value for name, value in after.items() if value}

    def read_only(self, kind: Kind, name: str) -> bool:
        definition = self.definitions[kind.name].get(name)
        return definition is not None and bool(definition["modificationMetadata"]["readOnlyValue"])

    def _keep(self, record: Record, properties: Properties | None, now: datetime) -> None:
        horizon = now - timedelta(seconds=max(self.switches.search_delay_seconds, LATEST_SEARCH))
        while len(record.past) > 1 and record.past[1][0] <= horizon:
            del record.past[0]
        record.past.append((now, properties))

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_later(seconds, action)

    def dump(self) -> Json:
        """The whole state. `seeded`: the records of people, with the properties as people left them, at the reset or later;
        `automatic`: what HubSpot itself made."""
        rows = {
            name: [
                {"id": r.id, "properties": r.properties, "archived": r.archived is not None, "seeded": r.seeded}
                for r in records.values()
                if r.id not in self.merged
            ]
            for name, records in self.records.items()
        }
        definitions = {name: list(each.values()) for name, each in self.definitions.items()}
        head = {"system": "hubspot", "portal": self.switches.portal_id, **rows, "associations": self.links.rows()}
        links = [{"from_id": contact, "to_id": company} for contact, company in sorted(self.seeded_links)]
        seeded = {**self.seeded, "associations": links}
        companies, pairs = self.automatic
        made = {"companies": sorted(companies), "associations": [{"from_id": one, "to_id": other} for one, other in sorted(pairs)]}
        return {**head, "seeded": seeded, "automatic": made, "merged": self.merged, "properties": definitions, "groups": self.groups}
