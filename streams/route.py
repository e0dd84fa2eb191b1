"""From the canonical entity to wishes: who wants it, under which key, and what it refers to. Pure.

A link that arrives only fills the table here and makes no wish: a wish that needs it waits in the sink, which follows `links` by itself and
releases it (design: waiting). A tombstone of an entity makes no wish either: targets are left alone, and the audit said why already.
"""

from __future__ import annotations

from schemas.records import Match, Record, Reference, Wish
from schemas.topics import UPSERTS_HUBSPOT
from streams.contract import Arrival, Context, Outputs
from streams.deals import company_of
from streams.mappings import hubspot
from streams.mappings.hubspot import Target
from streams.route_receivables import customer_told, version_of
from weighlock.kafka.wire import Outgoing

FACET = "profile"


def customer(arrival: Arrival, context: Context) -> Outputs:
    """Customer to a company's profile, and to its receivables where that changes what they say; one that was made of a company is that
    company's. `RejectedError` for a value that HubSpot cannot hold."""
    receivables = customer_told(arrival, context)
    if arrival.record is None:
        return receivables
    return [_wish(hubspot.COMPANY, arrival, context, [], company_of(arrival.record)), *receivables]


def contact(arrival: Arrival, context: Context) -> Outputs:
    """Contact to a contact's profile, with its company by reference. `RejectedError` for a value that HubSpot cannot hold."""
    if arrival.record is None:
        return []
    return [_wish(hubspot.CONTACT, arrival, context, [Reference(name="company", ref=arrival.record.party)])]


def link(arrival: Arrival, context: Context) -> Outputs:
    """A link fills the table, a tombstone empties it."""
    context.links.put(arrival.key, arrival.record)
    return []


def _wish(target: Target, arrival: Arrival, context: Context, references: list[Reference], named: str | None = None) -> Outgoing:
    """`named`: the record that it says itself to be, where no link does."""
    record, passage = arrival.record, arrival.passage
    known = context.links.get(record.ref, hubspot.SYSTEM)
    wish = Wish(
        subject=record.ref,
        object=target.object,
        facet=FACET,
        version=version_of(passage),
        key_property=target.key.vendor,
        key_value=hubspot.key_value(context.tenant, record.ref),
        properties=target.properties(record),
        matches=_matches(target, record),
        references=references,
        target=named if known is None else known.peer,
        source_system=passage.system,
        source_at=passage.source_at,
        trace=passage.trace,
    )
    return Outgoing(UPSERTS_HUBSPOT, record.ref, wish, passage.headers())


def _matches(target: Target, record: Record) -> list[Match]:
    if target.match is None:
        return []
    property_, canonical = target.match
    value = getattr(record, canonical)
    return [] if value is None else [Match(property=property_, value=value)]
