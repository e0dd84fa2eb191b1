"""Acumatica's words and ours, a row for each field. `normalise` reads by it; the docs are made from it.

Kinds: `text` trimmed · `lower` trimmed, lower case · `decimal` · `flag` a boolean, a missing one is false · `number` an integer as text ·
`phone:TYPE` the first number among Phone1-Phone3 that is filled and of that type (facts/acumatica.md §13.1) · `domain` the registrable
domain of the first that is filled (streams/domains.py).

The lengths are Acumatica's columns (facts/acumatica.md §13.2): they bind who writes there, not who reads.
"""

from __future__ import annotations

from streams.mappings.table import Field

SYSTEM = "acumatica"

CUSTOMER: tuple[Field, ...] = (
    Field("code", "CustomerID", "text", "Customer ID", 30),
    Field("name", "CustomerName", "text", "Customer name", 255),
    Field("customer_class", "CustomerClass", "text", "Customer class", 10),
    Field("status", "Status", "text", "Customer status"),
    Field("terms", "Terms", "text", "Terms", 10),
    Field("currency", "CurrencyID", "text", "Currency", 5),
    Field("credit_limit", "CreditLimit", "decimal", "Credit limit"),
    Field("phone", "MainContact.Phone1", "text", "Main phone", 50),
    Field("email", "MainContact.Email", "lower", "Main e-mail", 255),
    Field("website", "MainContact.WebSite", "text", "Website", 255),
    Field("domain", "MainContact.WebSite + MainContact.Email", "domain", "Domain"),
    Field("address.line1", "MainContact.Address.AddressLine1", "text", "Address line 1", 50),
    Field("address.line2", "MainContact.Address.AddressLine2", "text", "Address line 2", 50),
    Field("address.city", "MainContact.Address.City", "text", "City", 50),
    Field("address.state", "MainContact.Address.State", "text", "State", 50),
    Field("address.postal_code", "MainContact.Address.PostalCode", "text", "Postal code", 20),
    Field("address.country", "MainContact.Address.Country", "text", "Country", 2),
    Field("external_ref", "AccountRef", "text", "Account reference", 50),
    Field("parent", "ParentRecord", "text", "Parent account", 30),
)

CONTACT: tuple[Field, ...] = (
    Field("number", "ContactID", "number", "Contact ID"),
    Field("first_name", "FirstName", "text", "First name", 50),
    Field("last_name", "LastName", "text", "Last name", 100),
    Field("job_title", "JobTitle", "text", "Job title", 255),
    Field("email", "Email", "lower", "E-mail", 255),
    Field("phone", "Phone1 + Phone2 + Phone3", "phone:Business 1", "Business phone", 50),
    Field("mobile", "Phone1 + Phone2 + Phone3", "phone:Cell", "Mobile phone", 50),
    Field("fax", "Fax", "text", "Fax", 50),
    Field("address.line1", "Address.AddressLine1", "text", "Address line 1", 50),
    Field("address.line2", "Address.AddressLine2", "text", "Address line 2", 50),
    Field("address.city", "Address.City", "text", "City", 50),
    Field("address.state", "Address.State", "text", "State", 50),
    Field("address.postal_code", "Address.PostalCode", "text", "Postal code", 20),
    Field("address.country", "Address.Country", "text", "Country", 2),
    Field("active", "Active", "flag", "Active"),
)
