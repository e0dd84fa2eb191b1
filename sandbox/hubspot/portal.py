"""One portal's state: records with their past, unique values, property definitions, associations; and the ways to change it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sandbox.control import Log
from sandbox.hubspot.access import Access
from sandbox.hubspot.catalogue import standard_properties
from sandbox.hubspot.computed import computed
from sandbox.hubspot.errors import Json, not_an_id, not_found
from sandbox.hubspot.kinds import COMPANIES, CONTACTS, DEALS, INVOICES, KINDS, LINE_ITEMS, Kind
from sandbox.hubspot.links import Change, Links, rank
from sandbox.hubspot.rules import may_go
from sandbox.hubspot.stages import pipelines
from sandbox.hubspot.switches import Switches
from sandbox.hubspot.values import instant

if TYPE_CHECKING:
    from sandbox.data import Book

Properties = dict[str, str]  # never an empty text


#: Where a record names its primary company.
_PRIMARY = {CONTACTS.name: "associatedcompanyid", DEALS.name: "hs_primary_associated_company"}

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
            kind: {
                name: {"name": name, "label": name, "displayOrder": 0, "archived": False}
                for name in dict.fromkeys(definition["groupName"] for definition in definitions.values())
            }
            for kind, definitions in self.definitions.items()
        }
        self.links = Links()
        self.pipelines = pipelines()
        switches = self.switches
        self.access = Access({"deals": switches.deals, "invoices": switches.invoices, "line_items": switches.line_items})
        self.currencies = [switches.currency, *(code for code in switches.additional_currencies if code != switches.currency)]
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
        rows = {COMPANIES: book.hubspot_companies, CONTACTS: book.hubspot_contacts, DEALS: book.hubspot_deals}
        made = {kind: [self._seed_record(kind, row["properties"], long_ago) for row in each] for kind, each in rows.items()}
        for kind in (CONTACTS, DEALS):
            for record, row in zip(made[kind], rows[kind], strict=True):
                if row["company"] is not None:
                    company = made[COMPANIES][row["company"]]
                    self.links.associate(record.end, company.end)
                    self.store(record, {**record.properties, _PRIMARY[kind.name]: company.id}, long_ago)
                    if kind is CONTACTS:
                        self.seeded_links.add((record.id, company.id))
                if row.get("contact") is not None:
                    self.links.associate(record.end, made[CONTACTS][row["contact"]].end)
        for record in (record for records in made.values() for record in records):
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

    def kind(self, text: str) -> Kind:
        """The object type of that name; 400 if there is none, or if this portal has it not (§6.6)."""
        return self.access.kind(text)

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
        made = {**properties, **computed(self, record, properties, now)}
        record.properties = {name: value for name, value in made.items() if value is not None}
        record.properties |= {"hs_object_id": record.id, record.kind.created: instant(record.created), record.kind.modified: instant(now)}
        record.updated = now
        self.records[record.kind.name][record.id] = record
        self._holders.update(dict.fromkeys(self.claims(record.kind, record.properties), record.id))
        self._keep(record, dict(record.properties), now)
        if record.kind is LINE_ITEMS and (parent := self.links.parent(record.end)) is not None:
            self._recompute(self.records[parent[0]][parent[1]])

    def _recompute(self, record: Record) -> None:
        """After a change of what belongs to an invoice; one that stays as it was is not touched."""
        now = self.clock()
        if record.kind is not INVOICES or record.archived is not None:
            return
        changed = [name for name, value in computed(self, record, record.properties, now).items() if record.properties.get(name) != value]
        if changed:
            self.store(record, record.properties, now)
            self.log.add("portal", "update", record.kind.singular, record.id, record.log_key, changed)

    def archive(self, record: Record, actor: str) -> None:
        """Raises ApiError for an invoice that has to stay."""
        may_go(self, record)
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
        """Logs changed pairs and brings up to date what follows from them: a primary company, the sum of an invoice."""
        for change in changes:
            ends = sorted((change.one, change.other), key=lambda end: (rank(end), end), reverse=True)  # the contact first
            one, other = (self.records[kind][id] for kind, id in ends)
            fields = self._set_primary(one) if one.kind.name in _PRIMARY and one.archived is None else []
            to: Json = {"entity": other.kind.singular, "id": other.id, "key": other.log_key}
            to["types"] = sorted(self.links.of(one.end, other.kind).get(other.id, ()))
            op = "associate" if change.types else "disassociate"
            self.log.add(actor, op, one.kind.singular, one.id, one.log_key, fields, to=to)
            self._recompute(other)

    def _set_primary(self, record: Record) -> list[str]:
        company, named = self.links.primary(record.end), _PRIMARY[record.kind.name]
        if company == record.properties.get(named):
            return []
        rest = {name: value for name, value in record.properties.items() if name != named}
        self.store(record, rest if company is None else {**rest, named: company}, self.clock())
        return [named]

    def refresh_primaries(self, record: Record) -> None:
        """After a merge: the record, or a company's contacts and deals, name the survivor."""
        for kind in (CONTACTS, DEALS):
            for id in [record.id] if record.kind is kind else self.links.of(record.end, kind) if record.kind is COMPANIES else ():
                self._set_primary(self.records[kind.name][id])

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

    def writable(self, kind: Kind, name: str) -> bool:
        """Whether the API may write a property now."""
        own = bool(self.definitions[kind.name][name]["hubspotDefined"])
        return not self.read_only(kind, name) and not self.access.read_only(kind, name, own)

    def _keep(self, record: Record, properties: Properties | None, now: datetime) -> None:
        horizon = now - timedelta(seconds=max(self.switches.search_delay_seconds, LATEST_SEARCH))
        while len(record.past) > 1 and record.past[1][0] <= horizon:
            del record.past[0]
        record.past.append((now, properties))

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_later(seconds, action)
