"""From the vendor's words to the canonical entity. Pure: no state, no clock that decides anything, no I/O."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from schemas.entities import Contact, Customer
from schemas.headers import Passage
from schemas.records import Audit, Record
from schemas.sources import SourceAcumaticaContact
from schemas.topics import AUDIT, CONTACT, CUSTOMER, Topic
from streams.contract import WORKER, Arrival, Context, Outputs
from streams.domains import domain_of
from streams.mappings import acumatica
from streams.mappings.table import Field, text, value_at
from weighlock.errors import RejectedError
from weighlock.kafka.wire import Outgoing

STAGE = "normalise"
GONE = "deleted at the source; the targets keep what they hold"


def customer(arrival: Arrival, context: Context) -> Outputs:
    """SourceAcumaticaCustomer to Customer. `RejectedError` for one without a name."""
    source, passage = arrival.record, arrival.passage
    if source.change == "delete":
        return leave(CUSTOMER, source.ref, passage, GONE)
    words = words_of(source, acumatica.CUSTOMER, context)
    if words["name"] is None:
        raise RejectedError("the customer has no name (CustomerName is empty): give it one in Acumatica")
    found = Customer(ref=source.ref, modified_at=source.modified_at, **words)
    return [Outgoing(CUSTOMER, source.ref, found, passage.headers())]


def contact(arrival: Arrival, context: Context) -> Outputs:
    """SourceAcumaticaContact to Contact; what is out of scope is taken out of normalized.contact and said so in the audit."""
    source, passage = arrival.record, arrival.passage
    reason = GONE if source.change == "delete" else _out_of_scope(source)
    if reason is not None:
        return leave(CONTACT, source.ref, passage, reason)
    words = words_of(source, acumatica.CONTACT, context)
    found = Contact(ref=source.ref, party=source.party, modified_at=source.modified_at, **words)
    return [Outgoing(CONTACT, source.ref, found, passage.headers())]


def _out_of_scope(source: SourceAcumaticaContact) -> str | None:
    if source.scope is not None:
        return source.scope
    if source.Type != "Contact":
        return f"its type is {source.Type or 'missing'}, not Contact"
    return None if source.party is not None else "it belongs to no customer"


def leave(topic: Topic, ref: str, passage: Passage, reason: str, by: str | None = None) -> Outputs:
    """A tombstone, and the sentence why. `by` is what chooses the partition on that topic, where it is not the ref."""
    return [Outgoing(topic, ref, None, passage.headers(), by), said(STAGE, "out_of_scope", ref, passage, reason)]


def said(stage: str, event: str, ref: str, passage: Passage, detail: str) -> Outgoing:
    """An audit record about this change."""
    audit = Audit(
        ref=ref,
        event=event,
        stage=stage,
        worker=WORKER,
        source_at=passage.source_at,
        version=passage.version,
        detail=detail,
        trace=passage.trace,
    )
    return Outgoing(AUDIT, ref, audit, passage.headers())


def words_of(source: Record, fields: tuple[Field, ...], context: Context) -> dict[str, Any]:
    """Canonical names to values, nested ones as a dict of their own (None where all of it is empty); what a rule of its own makes is left
    out."""
    found: dict[str, Any] = {}
    for field in fields:
        if field.kind == "rule":
            continue
        outer, _, inner = field.canonical.partition(".")
        value = _value(source, field, context)
        if not inner:
            found[outer] = value
        elif value is not None:
            found[outer] = (found.get(outer) or {}) | {inner: value}
    return found


def _value(source: Record, field: Field, context: Context) -> str | Decimal | bool | date | None:
    paths, (kind, _, wanted) = field.vendor.split(" + "), field.kind.partition(":")
    if kind == "domain":
        website, email = (text(value_at(source, path)) for path in paths)
        return domain_of(website, email, context.free_mail)
    if kind == "phone":
        found = (text(value_at(source, path)) for path in paths if text(value_at(source, f"{path}Type")) == wanted)
        return next((number for number in found if number), None)
    if kind == "date":
        return next((day for day in (value_at(source, path) for path in paths) if day is not None), None)
    value = value_at(source, paths[0])
    if kind == "amount":
        return value if value is None else Decimal(value).copy_abs()
    if kind == "decimal":
        return value if value is None else Decimal(value)
    if kind == "flag":
        return bool(value)
    words = text(value)
    return words.lower() if kind == "lower" and words is not None else words
