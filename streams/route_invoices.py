"""From an invoice to its copy in HubSpot: the document and its lines, each a facet of its own. Pure.

The document waits for the company, not for the contact; the lines wait for the document (by the reference to its own ref). No link of an
invoice is looked up: links lie in the partition of their ref, an invoice in its customer's. The sink knows them.
"""

from __future__ import annotations

from typing import Any

from schemas.entities import Invoice
from schemas.headers import Passage
from schemas.records import Part, Reference, Wish
from schemas.topics import UPSERTS_HUBSPOT
from streams.contract import Context, Outputs
from streams.copies import invoice_copy, line_copy
from streams.mappings import hubspot
from weighlock.kafka.wire import Outgoing

DOCUMENT, LINES = "document", "lines"


def copied(record: Invoice, passage: Passage, version: int, context: Context) -> Outputs:
    """The two wishes. `RejectedError` for a value that HubSpot cannot hold."""
    key = hubspot.key_value(context.tenant, record.ref)
    common: dict[str, Any] = {
        "subject": record.ref,
        "object": hubspot.INVOICE.object,
        "version": version,
        "key_property": hubspot.INVOICE.key.vendor,
        "key_value": key,
        "source_system": passage.system,
        "source_at": passage.source_at,
        "trace": passage.trace,
    }
    document = Wish(
        **common,
        facet=DOCUMENT,
        properties=hubspot.INVOICE.properties(invoice_copy(record)),
        references=_references(record),
    )
    parts = [
        Part(key=f"{key}|{line.number}", properties=hubspot.LINE.properties(line_copy(line, record.currency))) for line in record.lines
    ]
    lines = Wish(**common, facet=LINES, properties={}, parts=parts, references=[Reference(name="invoice", ref=record.ref)])
    return [Outgoing(UPSERTS_HUBSPOT, record.ref, wish, passage.headers()) for wish in (document, lines)]


def _references(record: Invoice) -> list[Reference]:
    company = Reference(name="company", ref=record.party)
    return [company] if record.contact is None else [company, Reference(name="contact", ref=record.contact, optional=True)]
