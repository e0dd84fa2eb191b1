"""From documents, customers and days to a company's receivables: what is booked, and the wish that says what it comes to.

A wish goes out with every document, whether or not it changes a sum: the sink knows what it wrote. While the customer is not known nothing
goes out; everything is booked, and the wish comes with the customer.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

from schemas.entities import Customer, Invoice, Payment
from schemas.headers import Passage
from schemas.records import Reference, Wish
from schemas.state import Account, AccountCustomer, BookedDocument
from schemas.topics import UPSERTS_HUBSPOT
from streams.contract import Arrival, Context, Outputs
from streams.mappings import hubspot
from streams.normalise import said
from streams.receivables import BILLED, rollup
from streams.route_invoices import copied
from weighlock.errors import RejectedError
from weighlock.kafka.wire import Outgoing

STAGE, FACET = "route", "receivables"
VOID = frozenset({"voided", "canceled"})


def customer_told(arrival: Arrival, context: Context) -> Outputs:
    """The receivables anew where the customer's currency, status or limit say something else now, or the customer was not known before."""
    version, clock = version_of(arrival.passage), context.clock()
    account, changed = context.accounts.customer(arrival.key, _facts(arrival.record, version), clock)
    return _wishes(arrival.key, account, context.accounts.today(clock), arrival, context) if changed else []


def document(arrival: Arrival, context: Context) -> Outputs:
    """An invoice, memo, payment or write-off is booked, a tombstone takes it out; the customer's receivables as they are then. Of what is
    billed there is a copy in HubSpot too. `RejectedError` for a value that HubSpot cannot hold."""
    version, clock = version_of(arrival.passage), context.clock()
    today = context.accounts.today(clock)
    if arrival.record is None:
        left = context.accounts.gone(arrival.key, version, clock)
        return [] if left is None else _wishes(*left, today, arrival, context)
    record: Invoice | Payment = arrival.record
    copy: Outputs = []
    if isinstance(record, Invoice) and record.kind in BILLED:  # before it is booked, for a dead letter changes nothing
        copy = copied(record, arrival.passage, version, context)
    account, newest = context.accounts.put(record.party, record.ref, version, _booked(record), clock)
    outputs = [*_wishes(record.party, account, today, arrival, context), *(copy if newest else ())]
    return outputs + _audits(record, account, newest, arrival)


def day(arrival: Arrival, context: Context) -> Outputs:
    """A new day: the receivables of those for whom something is overdue now."""
    clock = context.clock()
    found = context.accounts.tick(arrival.record.day, clock)
    today = context.accounts.today(clock)
    return [out for party, account in found for out in _wishes(party, account, today, arrival, context)]


def version_of(passage: Passage) -> int:
    if passage.version is None:
        raise RejectedError("header weighlock-version is missing: nothing tells how new this is; replay it from its source topic")
    return passage.version


def _facts(record: Customer | None, version: int) -> AccountCustomer:
    if record is None:
        return AccountCustomer(version=version, known=False)
    given = {"currency": record.currency, "status": record.status, "credit_limit": record.credit_limit}
    return AccountCustomer(version=version, known=True, **given)


def _booked(record: Invoice | Payment) -> BookedDocument:
    void = record.status in VOID
    return BookedDocument(
        kind=record.kind,
        number=record.number,
        date=record.date,
        due=record.due if isinstance(record, Invoice) else None,
        currency=record.currency,
        amount=record.total if isinstance(record, Invoice) else record.amount,
        balance=Decimal(0) if void else record.balance,
        void=void,
    )


def _wishes(party: str, account: Account, today: date, arrival: Arrival, context: Context) -> Outputs:
    """None while the customer is not known, or never had a document."""
    if account.customer is None or not account.customer.known or not account.buckets:
        return []
    passage = replace(arrival.passage, version=account.revision)
    known = context.links.get(party, hubspot.SYSTEM)
    wish = Wish(
        subject=party,
        object=hubspot.COMPANY.object,
        facet=FACET,
        version=account.revision,
        key_property=hubspot.COMPANY.key.vendor,
        key_value=hubspot.key_value(context.tenant, party),
        properties=hubspot.texts(hubspot.COMPANY.receivables, rollup(account.buckets, account.customer, today)),
        references=[Reference(name="company", ref=party)],
        target=None if known is None else known.peer,
        source_system=passage.system,
        source_at=passage.source_at,
        trace=passage.trace,
    )
    return [Outgoing(UPSERTS_HUBSPOT, party, wish, passage.headers())]


def _audits(record: Invoice | Payment, account: Account, newest: bool, arrival: Arrival) -> Outputs:
    """How the document's way ends where it has no record of its own in HubSpot; and what a person may want to know of it."""
    if not newest:
        return [said(STAGE, "superseded", record.ref, arrival.passage, "a newer version is in the receivables already")]
    customer = account.customer
    known = customer is not None and customer.known
    waits = f"booked; the receivables wait for customer {record.party}, which is not known"
    found = []
    if record.kind not in BILLED:
        told = f"in the receivables of {record.party}" if known else waits
        found.append(said(STAGE, "counted", record.ref, arrival.passage, told))
    elif not known:
        found.append(said(STAGE, "noted", record.ref, arrival.passage, waits))
    if customer is not None and known and customer.currency not in (None, record.currency):
        told = f"{record.kind.replace('_', ' ')} {record.number} is in {record.currency}, its customer's currency is {customer.currency}"
        told += ": it is told in acumatica_other_currencies and is not in the balance"
        found.append(said(STAGE, "noted", record.ref, arrival.passage, told))
    return found
