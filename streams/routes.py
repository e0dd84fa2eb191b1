"""What flows where. Read this first.

    source.acumatica.customer --normalise--> normalized.customer --route--> upserts.hubspot   (company)
    source.acumatica.contact  --normalise--> normalized.contact  --route--> upserts.hubspot   (contact)
    source.acumatica.invoice  --normalise--> normalized.invoice  --route--> upserts.hubspot   (the company's receivables; invoice)
    source.acumatica.payment  --normalise--> normalized.payment  --route--> upserts.hubspot   (the same)
    source.acumatica.day                                         --route--> upserts.hubspot   (the same, for what is overdue now)
    source.hubspot.deal       --normalise--> normalized.deal     --route--> upserts.acumatica (customer, where deals are switched on)
                                                          links  --route--> the table of links

Beside that, every step may write to `audit`; what cannot go on goes to `dead-letters` whole (stage.py).
"""

from __future__ import annotations

from schemas.entities import Contact, Customer, Deal, Invoice, Payment
from schemas.records import Link
from schemas.sources import (
    SourceAcumaticaContact,
    SourceAcumaticaCustomer,
    SourceAcumaticaDay,
    SourceAcumaticaInvoice,
    SourceAcumaticaPayment,
    SourceHubspotDeal,
)
from schemas.topics import (
    AUDIT,
    CONTACT,
    CUSTOMER,
    DEAL,
    INVOICE,
    LINKS,
    PAYMENT,
    SOURCE_CONTACT,
    SOURCE_CUSTOMER,
    SOURCE_DAY,
    SOURCE_DEAL,
    SOURCE_INVOICE,
    SOURCE_PAYMENT,
    UPSERTS_ACUMATICA,
    UPSERTS_HUBSPOT,
)
from streams import deals, documents, normalise, route, route_receivables
from streams.contract import Flow, Stage

NORMALISE = Stage(
    "normalise",
    (
        Flow(SOURCE_CUSTOMER, SourceAcumaticaCustomer, normalise.customer, (CUSTOMER, AUDIT)),
        Flow(SOURCE_CONTACT, SourceAcumaticaContact, normalise.contact, (CONTACT, AUDIT)),
        Flow(SOURCE_INVOICE, SourceAcumaticaInvoice, documents.invoice, (INVOICE, AUDIT)),
        Flow(SOURCE_PAYMENT, SourceAcumaticaPayment, documents.payment, (PAYMENT, AUDIT)),
        Flow(SOURCE_DEAL, SourceHubspotDeal, deals.deal, (DEAL, AUDIT)),
    ),
)
ROUTE = Stage(
    "route",
    (
        Flow(CUSTOMER, Customer, route.customer, (UPSERTS_HUBSPOT,)),
        Flow(CONTACT, Contact, route.contact, (UPSERTS_HUBSPOT,)),
        Flow(DEAL, Deal, deals.seed, (UPSERTS_ACUMATICA, AUDIT)),
        Flow(INVOICE, Invoice, route_receivables.document, (UPSERTS_HUBSPOT, AUDIT)),
        Flow(PAYMENT, Payment, route_receivables.document, (UPSERTS_HUBSPOT, AUDIT)),
        Flow(SOURCE_DAY, SourceAcumaticaDay, route_receivables.day, (UPSERTS_HUBSPOT,)),
        Flow(LINKS, Link, route.link, ()),
    ),
)
STAGES: tuple[Stage, ...] = (NORMALISE, ROUTE)
