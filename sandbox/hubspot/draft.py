"""Writing records: each change is checked against the portal and the changes before it, then all are made at once or none."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sandbox.hubspot.catalogue import LIFECYCLE_ORDER
from sandbox.hubspot.errors import ContactExists, InvalidProperties, Json, Problem, bad_request
from sandbox.hubspot.kinds import CONTACTS, KIND, LINE_ITEMS, Kind
from sandbox.hubspot.links import LABELS, invalid_pair
from sandbox.hubspot.portal import Portal, Properties, Record
from sandbox.hubspot.rules import Wish, not_writable, one_parent, problems
from sandbox.hubspot.values import LONGEST_TEXT, stored

Link = tuple[tuple[str, str], frozenset[int]]  # the other end, and the labels towards it


@dataclass
class Pending:
    """A change that is agreed but not made."""

    record: Record
    properties: Properties
    new: bool
    links: list[Link] = field(default_factory=list)


class Draft:
    """`required`: the properties that a record must have on this path (§2.3). `actor`: who is named in the log."""

    def __init__(self, portal: Portal, required: Iterable[str] = (), actor: str = "api") -> None:
        self.portal, self.required, self.actor = portal, tuple(required), actor
        self.pending: dict[str, Pending] = {}
        self._claims: dict[tuple[str, str, str], str | None] = {}

    def create(self, kind: Kind, raw: Json, links: Any = None) -> Pending:
        """A new record; raises InvalidProperties, ContactExists, or 400 for associations that cannot be."""
        now = self.portal.clock()
        record = Record(kind, self.portal.new_id(), now, now)
        return self._agree(Pending(record, {}, True, self._links(kind, links)), raw)

    def update(self, record: Record, raw: Json) -> Pending:
        """A changed record; raises InvalidProperties or ContactExists."""
        before = self.pending.get(record.id) or Pending(record, dict(record.properties), False)
        return self._agree(before, raw)

    def holder(self, claim: tuple[str, str, str]) -> str | None:
        return self._claims[claim] if claim in self._claims else self.portal.holder(claim)

    def record(self, id: str, kind: Kind) -> Record:
        return self.pending[id].record if id in self.pending else self.portal.records[kind.name][id]

    def commit(self) -> None:
        """Makes all changes, at one instant, and logs them."""
        now = self.portal.clock()
        for pending in self.pending.values():
            record = pending.record
            before = record.properties
            changed = [name for name in before.keys() | pending.properties.keys() if before.get(name) != pending.properties.get(name)]
            if pending.new:
                record.created = now
                record.past.append((now, None))
            self.portal.store(record, pending.properties, now)
            op = "create" if pending.new else "update"
            self.portal.log.add(self.actor, op, record.kind.singular, record.id, record.log_key, changed)
        for pending in self.pending.values():
            for other, types in pending.links:
                self.portal.relinked(self.portal.links.label(pending.record.end, other, types), self.actor)

    def _agree(self, pending: Pending, raw: Json) -> Pending:
        record, kind = pending.record, pending.record.kind
        after, found = self._values(pending, raw)
        required = dict.fromkeys((*kind.required, *self.required))
        refused = {problem.name for problem in found}
        missing = [name for name in required if name not in after and name not in refused and (pending.new or name in raw)]
        found += [Problem(name, "MISSING_REQUIRED_PROPERTY", f'Property "{name}" is required') for name in missing]
        linked = tuple(other for other, _ in pending.links)
        by_person, sent = self.actor != "api", frozenset(raw) - refused
        found += problems(Wish(self.portal, record, pending.new, by_person, sent, pending.properties, after, linked))
        had, has = self.portal.claims(kind, pending.properties), self.portal.claims(kind, after)
        taken = {claim: id for claim in sorted(has - had) if (id := self.holder(claim)) not in (None, record.id)}
        found += [self._taken(record, claim[1], after[claim[1]], id) for claim, id in taken.items() if claim[1] != "email"]
        if found:
            raise InvalidProperties(found, self.portal.switches.portal_id)
        for id in taken.values():
            raise ContactExists(str(id))
        self._claims.update(dict.fromkeys(had - has))
        self._claims.update(dict.fromkeys(has, record.id))
        pending.properties = after
        self.pending[record.id] = pending
        return pending

    def _values(self, pending: Pending, raw: Json) -> tuple[Properties, list[Problem]]:
        kind, after = pending.record.kind, dict(pending.properties)
        found = []
        for name, value in raw.items():
            definition = self.portal.definition(kind, name)
            if definition is None:
                found.append(Problem(name, "PROPERTY_DOESNT_EXIST", f'Property "{name}" does not exist'))
                continue
            if self.actor == "api" and not self.portal.writable(kind, name):
                found.append(not_writable(name))
                continue
            text, problem = stored(definition, self._taken_as(name, value))
            if problem is not None:
                found.append(problem)
            elif text is None:
                after.pop(name, None)
            elif name != "lifecyclestage" or _forward(after.get(name), text):
                after[name] = text
        _swap_email(kind, pending.properties, after)
        return after, found

    def _taken_as(self, name: str, value: Any) -> Any:
        """What HubSpot may make of a value before it looks at it: nobody knows, so by switch."""
        switches = self.portal.switches
        if name == "domain" and switches.domain_form == "bare" and isinstance(value, str):
            return re.sub(r"^([a-z]+://)?(www\.)?|[/?#].*$", "", value.strip().lower())
        return value[:LONGEST_TEXT] if switches.too_long == "cut" and isinstance(value, str) else value

    def _taken(self, record: Record, name: str, value: str, other: str | None) -> Problem:
        kind = f"ObjectTypeId{{legacyObjectType={record.kind.singular.upper()}}}"
        where = f"portalId={self.portal.switches.portal_id}, objectTypeId={kind}, propertyName={name}, value={value}"
        message = f"Cannot set PropertyValueCoordinates{{{where}}} on {record.id}. {other} already has that value."
        return Problem(name, "CONFLICTING_UNIQUE_VALUE", message, value)

    def _links(self, kind: Kind, raw: Any) -> list[Link]:
        links: list[Link] = []
        for row in raw or []:
            types = frozenset(int(type["associationTypeId"]) for type in row["types"])
            other = next((to for (one, to), labels in LABELS.items() if one == kind.name and types and types <= set(labels)), None)
            if other is None:
                raise bad_request("The association types are not those of this object", errors=[{"code": "INVALID_FROM_OBJECT"}])
            to = self.portal.find(KIND[other], str(row["to"]["id"]))
            if to is None:
                raise invalid_pair([(other, str(row["to"]["id"]))])
            if to.kind is LINE_ITEMS:
                one_parent(self.portal.links, to.end, (kind.name, ""))
            links.append((to.end, types))
        return links


def _forward(held: str | None, wanted: str) -> bool:
    """A lifecycle stage only moves forward; backwards is ignored without a word (§2.3)."""
    return held is None or LIFECYCLE_ORDER.get(wanted, 99) >= LIFECYCLE_ORDER.get(held, -1)


def _swap_email(kind: Kind, before: Properties, after: Properties) -> None:
    """A contact's additional e-mail that becomes its first one changes places with that one."""
    more = [email.strip().lower() for email in before.get("hs_additional_emails", "").split(";") if email.strip()]
    email = after.get("email")
    if kind is CONTACTS and email in more and email != before.get("email"):
        rest = [other for other in more if other != email] + ([before["email"]] if "email" in before else [])
        after["hs_additional_emails"] = ";".join(rest)
