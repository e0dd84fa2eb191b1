"""The object types we have: companies and contacts, under all their names (§2.1), with their default properties (§2.2, §14.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sandbox.hubspot.errors import Json, bad_request


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
KINDS = (COMPANIES, CONTACTS)
_BY_NAME = {name: kind for kind in KINDS for name in (kind.name, kind.singular, kind.id)}


def kind_of(text: str) -> Kind:
    """The object type by name, singular or `0-N` id; 400 for any other."""
    kind = _BY_NAME.get(text.lower())
    if kind is None:
        raise bad_request(f"Unable to infer object type from: {text}")
    return kind


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
    made = [define(name, "string", "text", group) for name in _TEXT]
    made += [define(name, "string", "text", group, read_only=True) for name in _READ_ONLY_TEXT]
    made += [
        define("phone", "string", "phonenumber", group, "Phone Number"),
        define("createdate", "datetime", "date", group, "Create Date", read_only=True),
        define(kind.modified, "datetime", "date", group, "Last Modified Date", read_only=True),
        define("hs_object_id", "number", "number", group, "Record ID", read_only=True),
        define("hs_merged_object_ids", "string", "text", group, "Merged record IDs", read_only=True),
        define("lifecyclestage", "enumeration", "radio", group, "Lifecycle Stage", options=_LIFECYCLE),
        define("hs_lead_status", "enumeration", "radio", group, "Lead Status", options=_LEAD),
        define("hs_unique_creation_key", "string", "text", group, hasUniqueValue=True, read_only=True),
    ]
    made += _company_properties(group) if kind is COMPANIES else _contact_properties(group)
    return {definition["name"]: definition for definition in made}


def _company_properties(group: str) -> list[Json]:
    return [
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
