"""HubSpot's words and ours, a row for each property. `route` writes by it, `weighlock setup hubspot` makes the properties by it.

Kinds are HubSpot's `type/fieldType` (facts/hubspot.md §14.1 for its own properties, §14.9 for ours). Every value travels as text; null
clears. Properties that start with `acumatica_` are ours, the others were there before us.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from schemas.refs import Ref
from streams.mappings.table import Field, plain, text, value_at, within

SYSTEM: Final = "hubspot"
GROUP: Final = {"name": "acumatica_ar", "label": "Acumatica"}
OURS = "acumatica_"
#: The longest text of any property (facts/hubspot.md §14.1).
LONGEST = 65_536
TEXT, PHONE, NUMBER, BOOL = "string/text", "string/phonenumber", "number/number", "bool/booleancheckbox"
DATE, MOMENT, LINES, SELECT = "date/date", "datetime/date", "string/textarea", "enumeration/select"


def _row(property_: str, canonical: str, label: str, kind: str = TEXT) -> Field:
    return Field(canonical, property_, kind, label, LONGEST)


@dataclass(frozen=True)
class Target:
    """One object of HubSpot: our unique property in it, by what a record that was there before may be found (property, canonical field;
    None: by nothing), its properties, those of its facet `receivables` (from streams/receivables.py's Rollup), and `notes`: properties that
    the sink keeps for itself (sinks/hubspot_companions.py)."""

    object: str
    key: Field
    match: tuple[str, str] | None
    fields: tuple[Field, ...]
    notes: tuple[Field, ...] = ()
    receivables: tuple[Field, ...] = ()

    def properties(self, record: Any) -> dict[str, str | None]:
        """Every property we own, as text. `RejectedError` naming the one that HubSpot cannot hold."""
        return texts(self.fields, record)


def texts(fields: Iterable[Field], record: object) -> dict[str, str | None]:
    """Each of these properties of that record, as text. `RejectedError` naming the one that HubSpot cannot hold."""
    return {field.vendor: within(field, _text(record, field)) for field in fields}


COMPANY = Target(
    "company",
    _row("acumatica_customer_key", "ref", "Acumatica customer key"),
    ("domain", "domain"),
    (
        _row("name", "name", "Company name"),
        _row("acumatica_customer_id", "code", "Acumatica customer ID"),
        _row("acumatica_class", "customer_class", "Acumatica class"),
        _row("acumatica_status", "status", "Acumatica status"),
        _row("acumatica_terms", "terms", "Acumatica terms"),
        _row("acumatica_currency", "currency", "Acumatica currency"),
        _row("acumatica_credit_limit", "credit_limit", "Acumatica credit limit", NUMBER),
        _row("phone", "phone", "Phone number", PHONE),
        _row("website", "website", "Website URL"),
        _row("domain", "domain", "Company domain name"),
        _row("address", "address.line1", "Street address"),
        _row("address2", "address.line2", "Street address 2"),
        _row("city", "address.city", "City"),
        _row("state", "address.state", "State/Region"),
        _row("zip", "address.postal_code", "Postal code"),
        _row("country", "address.country", "Country/Region"),
    ),
    receivables=(
        _row("acumatica_ar_balance", "open_balance", "Acumatica open balance", NUMBER),
        _row("acumatica_overdue_amount", "overdue_balance", "Acumatica overdue amount", NUMBER),
        _row("acumatica_oldest_due_date", "oldest_due", "Acumatica oldest due date", DATE),
        _row("acumatica_open_invoice_count", "open_invoices", "Acumatica open invoice count", NUMBER),
        _row("acumatica_last_payment_date", "last_payment_date", "Acumatica last payment date", DATE),
        _row("acumatica_last_payment_amount", "last_payment_amount", "Acumatica last payment amount", NUMBER),
        _row("acumatica_last_invoice_date", "last_invoice_date", "Acumatica last invoice date", DATE),
        _row("acumatica_credit_status", "credit_status", "Acumatica credit status"),
        _row("acumatica_credit_hold", "credit_hold", "Acumatica credit hold", BOOL),
        _row("acumatica_open_invoices", "latest_open", "Acumatica open invoices", LINES),
        _row("acumatica_other_currencies", "other_currencies", "Acumatica other currencies", LINES),
    ),
)

CONTACT = Target(
    "contact",
    _row("acumatica_contact_key", "ref", "Acumatica contact key"),
    ("email", "email"),
    (
        _row("email", "email", "Email"),
        _row("firstname", "first_name", "First name"),
        _row("lastname", "last_name", "Last name"),
        _row("jobtitle", "job_title", "Job title"),
        _row("phone", "phone", "Phone number", PHONE),
        _row("mobilephone", "mobile", "Mobile phone number", PHONE),
        _row("fax", "fax", "Fax number", PHONE),
        # a contact has no second address line of its own: facts/hubspot.md §14.1
        _row("address", "address.line1 + address.line2", "Street address"),
        _row("city", "address.city", "City"),
        _row("state", "address.state", "State/Region"),
        _row("zip", "address.postal_code", "Postal code"),
        _row("country", "address.country", "Country/Region"),
        _row("acumatica_contact_id", "number", "Acumatica contact ID"),
        _row("acumatica_active", "active", "Acumatica active", BOOL),
    ),
    (_row("acumatica_company_before", "", "Company before Acumatica"),),
)

#: Of an InvoiceCopy (streams/copies.py): what is computed from it or read-only in HubSpot, such as its own balance due, is not written.
INVOICE = Target(
    "invoice",
    _row("acumatica_invoice_key", "ref", "Acumatica invoice key"),
    None,
    (
        _row("hs_number", "number", "Invoice number"),
        _row("hs_currency", "currency", "Currency", SELECT),
        _row("hs_invoice_billable", "billable", "Billable invoice", BOOL),
        _row("hs_invoice_status", "status", "Invoice status", SELECT),
        _row("hs_invoice_date", "date", "Invoice date", MOMENT),
        _row("hs_due_date", "due", "Due date", MOMENT),
        _row("hs_amount_billed", "total", "Amount billed", NUMBER),
        _row("hs_purchase_order_number", "po_number", "Purchase order number"),
        _row("hs_comments", "description", "Comments", LINES),
        _row("acumatica_open_balance", "balance", "Acumatica open balance", NUMBER),
        _row("acumatica_tax_total", "tax", "Acumatica tax total", NUMBER),
        _row("acumatica_document_type", "kind", "Acumatica document type"),
        _row("acumatica_document_status", "erp_status", "Acumatica document status"),
        _row("acumatica_terms", "terms", "Acumatica terms"),
        _row("acumatica_payments", "payments", "Acumatica payments", LINES),
    ),
)

#: Of a LineCopy.
LINE = Target(
    "line_item",
    _row("acumatica_line_key", "key", "Acumatica line key"),
    None,
    (
        _row("name", "name", "Name"),
        _row("description", "description", "Description", LINES),
        _row("hs_sku", "item", "SKU"),
        _row("quantity", "quantity", "Quantity", NUMBER),
        _row("price", "price", "Unit price", NUMBER),
        _row("discount", "discount", "Unit discount", NUMBER),
        _row("hs_line_item_currency_code", "currency", "Currency", SELECT),
    ),
)

#: The portal must have the first two; without the others it gets no invoices (sinks/hubspot_scope.py).
TARGETS: tuple[Target, ...] = (COMPANY, CONTACT, INVOICE, LINE)


def key_value(tenant: str, ref: str) -> str:
    """`<tenant>|<NoteID>`, lower case: HubSpot says nothing about the case of unique values (facts/hubspot.md §14.3)."""
    return f"{tenant}|{Ref.parse(ref).id}".lower()


def definitions(target: Target) -> list[dict[str, Any]]:
    """The properties of ours that this object needs, as HubSpot's API takes them (facts/hubspot.md §4, §14.6); the key first."""
    ours = (field for field in target.fields if field.vendor.startswith(OURS))
    return [_definition(target.key, unique=True), *(_definition(one, unique=False) for one in (*ours, *target.receivables, *target.notes))]


def _definition(field: Field, *, unique: bool) -> dict[str, Any]:
    kind, _, field_type = field.kind.partition("/")
    found: dict[str, Any] = {"name": field.vendor, "label": field.label, "type": kind, "fieldType": field_type}
    found |= {"groupName": GROUP["name"], "hasUniqueValue": unique}
    if kind == "bool":  # exactly these two, or INVALID_BOOLEAN_OPTION
        found["options"] = [_option("Yes", "true", 0), _option("No", "false", 1)]
    return found


def _option(label: str, value: str, order: int) -> dict[str, Any]:
    return {"label": label, "value": value, "displayOrder": order, "hidden": False}


def _text(record: object, field: Field) -> str | None:
    found = [value for path in field.canonical.split(" + ") if (value := value_at(record, path)) is not None]
    return text("\n".join(_word(value) for value in found)) if found else None


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return plain(value) if isinstance(value, Decimal) else str(value)
