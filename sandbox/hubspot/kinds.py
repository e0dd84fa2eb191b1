"""The object types we have, under all their names (§2.1), with the properties that are always answered (§2.2)."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.hubspot.errors import bad_request


@dataclass(frozen=True)
class Kind:
    name: str
    singular: str
    id: str
    key: str  # the property by which Weighlock's log shows whose record it is
    modified: str
    defaults: tuple[str, ...]
    group: str
    searched: tuple[str, ...]  # what a search's `query` looks into
    created: str = "createdate"
    required: tuple[str, ...] = ()  # to create one, on every path (§2.3)
    merges: bool = True  # §6.1, §14.8


COMPANIES = Kind(
    "companies",
    "company",
    "0-2",
    "acumatica_customer_key",
    "hs_lastmodifieddate",
    ("name", "domain", "createdate", "hs_lastmodifieddate", "hs_object_id"),
    "companyinformation",
    ("name", "domain", "website", "phone"),
)
CONTACTS = Kind(
    "contacts",
    "contact",
    "0-1",
    "acumatica_contact_key",
    "lastmodifieddate",
    ("firstname", "lastname", "email", "createdate", "lastmodifieddate", "hs_object_id"),
    "contactinformation",
    ("firstname", "lastname", "email", "hs_additional_emails", "phone", "company"),
)
DEALS = Kind(
    "deals",
    "deal",
    "0-3",
    "acumatica_order_nbr",
    "hs_lastmodifieddate",
    ("dealname", "amount", "closedate", "pipeline", "dealstage", "createdate", "hs_lastmodifieddate", "hs_object_id"),
    "dealinformation",
    ("dealname", "description"),
    required=("dealname", "dealstage"),
)
INVOICES = Kind(
    "invoices",
    "invoice",
    "0-53",
    "acumatica_invoice_key",
    "hs_lastmodifieddate",
    ("hs_createdate", "hs_lastmodifieddate", "hs_object_id"),
    "invoiceinformation",
    ("hs_number", "hs_purchase_order_number", "hs_comments"),
    created="hs_createdate",
    required=("hs_currency",),
    merges=False,
)
LINE_ITEMS = Kind(
    "line_items",
    "line_item",
    "0-8",
    "acumatica_line_key",
    "hs_lastmodifieddate",
    ("createdate", "hs_lastmodifieddate", "hs_object_id"),
    "lineiteminformation",
    ("name", "description", "hs_sku"),
    merges=False,
)
KINDS = (COMPANIES, CONTACTS, DEALS, INVOICES, LINE_ITEMS)
KIND = {kind.name: kind for kind in KINDS}
_BY_NAME = {name: kind for kind in KINDS for name in (kind.name, kind.singular, kind.id)}


def kind_of(text: str) -> Kind:
    """The object type by name, singular or `0-N` id; 400 for any other. A portal may have fewer: ask it (`Portal.kind`)."""
    kind = _BY_NAME.get(text.lower())
    if kind is None:
        raise not_a_kind(text)
    return kind


def not_a_kind(text: str) -> Exception:
    return bad_request(f"Unable to infer object type from: {text}")
