"""HubSpot's own properties of each object type (§2.2, §6.2, §6.3, §14.1, §14.4, §14.5)."""

from __future__ import annotations

from typing import Any

from sandbox.hubspot.errors import Json
from sandbox.hubspot.kinds import COMPANIES, CONTACTS, DEALS, INVOICES, LINE_ITEMS, Kind

_LIFECYCLE = ("subscriber", "lead", "marketingqualifiedlead", "salesqualifiedlead", "opportunity", "customer", "evangelist", "other")
_LEAD = ("NEW", "OPEN", "IN_PROGRESS", "OPEN_DEAL", "UNQUALIFIED", "ATTEMPTED_TO_CONTACT", "CONNECTED", "BAD_TIMING")
_INDUSTRY = (
    *("AUTOMOTIVE", "BUILDING_MATERIALS", "CONSTRUCTION", "CONSUMER_GOODS", "FURNITURE", "GLASS_CERAMICS_CONCRETE", "MACHINERY"),
    *("MINING_METALS", "PAPER_FOREST_PRODUCTS", "REAL_ESTATE", "RETAIL", "WHOLESALE"),
)
_TYPE = ("PROSPECT", "PARTNER", "RESELLER", "VENDOR", "OTHER")
_SIZE = ("1-5", "5-25", "25-50", "50-100", "100-500", "500-1000", "1000+")
LIFECYCLE_ORDER = {stage: place for place, stage in enumerate(_LIFECYCLE)}

_TEXT = ("address", "city", "state", "zip", "country", "hs_state_code", "website", "description")
_READ_ONLY_TEXT = ("hs_object_source", "hs_object_source_id", "hs_object_source_detail_1")


def define(name: str, type: str, field_type: str, group: str, label: str | None = None, **more: Any) -> Json:
    """A property definition with all the fields that the API answers (§4). `options` are given as values."""
    options = [
        {"label": text.replace("_", " ").title(), "value": text, "displayOrder": place, "hidden": False}
        for place, text in enumerate(more.pop("options", ()))
    ]
    read_only = more.pop("read_only", False)
    return {
        "updatedAt": "2019-10-30T03:30:17.883Z",
        "createdAt": "2019-08-06T02:41:08.029Z",
        "name": name,
        "label": label or name.replace("_", " ").capitalize(),
        "type": type,
        "fieldType": field_type,
        "description": "",
        "groupName": group,
        "options": options,
        "displayOrder": -1,
        "calculated": False,
        "externalOptions": False,
        "archived": False,
        "hasUniqueValue": False,
        "hidden": False,
        "hubspotDefined": True,
        "modificationMetadata": {"archivable": False, "readOnlyDefinition": True, "readOnlyValue": read_only},
        "formField": True,
        "dataSensitivity": "non_sensitive",
        **more,
    }


def standard_properties(kind: Kind) -> dict[str, Json]:
    """HubSpot's own properties of the type, new dictionaries each time."""
    group = kind.group
    made = [
        define(kind.created, "datetime", "date", group, "Create Date", read_only=True),
        define(kind.modified, "datetime", "date", group, "Last Modified Date", read_only=True),
        define("hs_object_id", "number", "number", group, "Record ID", read_only=True),
        define("hs_merged_object_ids", "string", "text", group, "Merged record IDs", read_only=True),
        *_OWN[kind.name](group),
    ]
    return {definition["name"]: definition for definition in made}


def _common(group: str) -> list[Json]:
    """What companies and contacts both have."""
    made = [define(name, "string", "text", group) for name in _TEXT]
    made += [define(name, "string", "text", group, read_only=True) for name in _READ_ONLY_TEXT]
    return [
        *made,
        define("phone", "string", "phonenumber", group, "Phone Number"),
        define("lifecyclestage", "enumeration", "radio", group, "Lifecycle Stage", options=_LIFECYCLE),
        define("hs_lead_status", "enumeration", "radio", group, "Lead Status", options=_LEAD),
        define("hs_unique_creation_key", "string", "text", group, hasUniqueValue=True, read_only=True),
    ]


def _company_properties(group: str) -> list[Json]:
    return [
        *_common(group),
        define("name", "string", "text", group, "Company name"),
        define("domain", "string", "text", group, "Company Domain Name"),
        define("hs_additional_domains", "enumeration", "checkbox", group, "Additional Domains", externalOptions=True),
        define("address2", "string", "text", group, "Street Address 2"),
        define("hs_country_code", "string", "text", group, "Country/Region Code"),
        define("industry", "enumeration", "select", group, "Industry", options=_INDUSTRY),
        define("type", "enumeration", "radio", group, "Type", options=_TYPE),
        define("numberofemployees", "number", "number", group, "Number of Employees"),
        define("annualrevenue", "number", "number", group, "Annual Revenue"),
        define("hs_parent_company_id", "number", "number", group, "Parent Company", read_only=True),
    ]


def _contact_properties(group: str) -> list[Json]:
    names = ("firstname", "lastname", "jobtitle", "company", "hs_country_region_code", "annualrevenue")
    return [
        *_common(group),
        *(define(name, "string", "text", group) for name in names),
        define("email", "string", "text", group, "Email"),
        define(
            "hs_additional_emails", "enumeration", "checkbox", group, "Additional email addresses", read_only=True, externalOptions=True
        ),
        define("mobilephone", "string", "phonenumber", group, "Mobile Phone Number"),
        define("fax", "string", "phonenumber", group, "Fax Number"),
        define("numemployees", "enumeration", "select", group, "Number of Employees", options=_SIZE),
        define("associatedcompanyid", "number", "number", group, "Primary Associated Company ID", read_only=True),
        define("hs_email_domain", "string", "text", group, "Email Domain", read_only=True, calculated=True),
    ]


STATUSES = ("draft", "open", "paid", "voided")
_BOOL = ("true", "false")
_WHO = ("company_address", "company_city", "company_country", "company_state", "company_zip")


def _money(name: str, group: str, **more: Any) -> Json:
    return define(name, "number", "number", group, showCurrencySymbol=True, numberDisplayHint="currency", **more)


def _invoice_properties(group: str) -> list[Json]:
    """Which of these are writable depends on `hs_invoice_billable` too: sandbox/hubspot/invoices.py."""
    texts = (
        *("hs_number", "hs_purchase_order_number", "hs_comments", "hs_tax_id", "hs_language", "hs_locale"),
        *("hs_allowed_payment_methods", "hs_collect_address_types", "hs_external_invoice_id"),
        *(f"hs_recipient_{name}" for name in _WHO),
        *(f"hs_recipient_shipping_{name.removeprefix('company_')}" for name in _WHO),
    )
    read_only = ("hs_invoice_link", "hs_pdf_download_link", "hs_unique_id")
    return [
        define("hs_currency", "enumeration", "select", group, "Currency", externalOptions=True),
        define("hs_invoice_status", "enumeration", "select", group, "Invoice status", options=STATUSES),
        define("hs_invoice_billable", "bool", "booleancheckbox", group, "Billable", options=_BOOL),
        define("hs_invoice_payment_collection_method", "enumeration", "select", group, options=("manual", "none")),
        define("hs_allow_partial_payments", "bool", "booleancheckbox", group, options=_BOOL),
        *(
            define(name, "datetime", "date", group)
            for name in ("hs_invoice_date", "hs_due_date", "hs_payment_date", "hs_external_createdate")
        ),
        *(define(name, "string", "text", group) for name in texts),
        *(define(name, "string", "text", group, read_only=True) for name in read_only),
        _money("hs_amount_billed", group),
        *(_money(name, group, read_only=True, calculated=True) for name in ("hs_balance_due", "hs_amount_paid")),
    ]


def _line_item_properties(group: str) -> list[Json]:
    numbers = ("quantity", "discount", "hs_discount_percentage", "hs_cost_of_goods_sold", "hs_product_id", "hs_position_on_quote")
    computed = ("amount", "hs_total_discount", "hs_pre_discount_amount", "hs_post_tax_amount")
    return [
        *(define(name, "string", "text", group) for name in ("name", "description", "hs_sku", "hs_tax_rate_group_id")),
        define("hs_line_item_currency_code", "enumeration", "select", group, "Currency", externalOptions=True),
        *(define(name, "number", "number", group) for name in numbers),
        _money("price", group),
        *(_money(name, group, read_only=True, calculated=True) for name in computed),
    ]


def _deal_properties(group: str) -> list[Json]:
    """Stages and currencies are no options of their definitions (§14.5)."""
    flags = ("hs_is_closed", "hs_is_closed_won", "hs_is_closed_lost")
    return [
        define("dealname", "string", "text", group, "Deal Name"),
        define("description", "string", "textarea", group, "Deal Description"),
        define("closedate", "datetime", "date", group, "Close Date"),
        define("dealtype", "enumeration", "radio", group, "Deal Type", options=("newbusiness", "existingbusiness")),
        define("hubspot_owner_id", "enumeration", "select", group, "Deal Owner", externalOptions=True),
        define("dealstage", "enumeration", "radio", "deal_activity", "Deal Stage", externalOptions=True),
        define("pipeline", "enumeration", "select", "deal_activity", "Pipeline", externalOptions=True),
        _money("amount", "deal_revenue"),
        define("deal_currency_code", "enumeration", "select", "deal_revenue", "Currency", externalOptions=True),
        define("hs_exchange_rate", "number", "number", "deal_revenue", read_only=True),
        define("hs_deal_stage_probability", "number", "number", "deal_activity", read_only=True, calculated=True),
        *(define(name, "bool", "calculation_equation", "deal_activity", options=_BOOL, read_only=True, calculated=True) for name in flags),
        define("hs_closed_won_date", "datetime", "date", "deal_activity", read_only=True, calculated=True),
        define("hs_primary_associated_company", "number", "number", "deal_activity", read_only=True, calculated=True),
    ]


_OWN = {
    COMPANIES.name: _company_properties,
    CONTACTS.name: _contact_properties,
    DEALS.name: _deal_properties,
    INVOICES.name: _invoice_properties,
    LINE_ITEMS.name: _line_item_properties,
}
