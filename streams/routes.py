"""What flows where. Read this first.

    source.acumatica.customer --normalise--> normalized.customer --route--> upserts.hubspot   (company)
    source.acumatica.contact  --normalise--> normalized.contact  --route--> upserts.hubspot   (contact)
                                                          links  --route--> the table of links

Beside that, every step may write to `audit`; what cannot go on goes to `dead-letters` whole (stage.py).
"""

from __future__ import annotations

from schemas.entities import Contact, Customer
from schemas.records import Link
from schemas.sources import SourceAcumaticaContact, SourceAcumaticaCustomer
from schemas.topics import AUDIT, CONTACT, CUSTOMER, LINKS, SOURCE_CONTACT, SOURCE_CUSTOMER, UPSERTS_HUBSPOT
from streams import normalise, route
from streams.contract import Flow, Stage

NORMALISE = Stage(
    "normalise",
    (
        Flow(SOURCE_CUSTOMER, SourceAcumaticaCustomer, normalise.customer, (CUSTOMER, AUDIT)),
        Flow(SOURCE_CONTACT, SourceAcumaticaContact, normalise.contact, (CONTACT, AUDIT)),
    ),
)
ROUTE = Stage(
    "route",
    (
        Flow(CUSTOMER, Customer, route.customer, (UPSERTS_HUBSPOT,)),
        Flow(CONTACT, Contact, route.contact, (UPSERTS_HUBSPOT,)),
        Flow(LINKS, Link, route.link, ()),
    ),
)
STAGES: tuple[Stage, ...] = (NORMALISE, ROUTE)
