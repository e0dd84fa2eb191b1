"""Acumatica's words and ours, a row for each field. `normalise` reads by it; the docs are made from it.

Kinds: `text` trimmed · `lower` trimmed, lower case · `decimal` · `flag` a boolean, a missing one is false · `number` an integer as text ·
`date` the first that is filled ·
`amount` the magnitude: the kind of a document says which way it counts · `rule` as streams/documents.py says ·
`phone:TYPE` the first number among Phone1-Phone3 that is filled and of that type (facts/acumatica.md §13.1) · `domain` the registrable
domain of the first that is filled (streams/domains.py).

The lengths are Acumatica's columns (facts/acumatica.md §13.2): they bind who writes there, not who reads.
"""

from __future__ import annotations

from collections.abc import Mapping

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

#: What a document is to us, by Acumatica's code (facts/acumatica.md §13.3). What is missing here is not mirrored.
INVOICE_KINDS: Mapping[str, str] = {
    "INV": "invoice",
    "DRM": "debit_memo",
    "FCH": "overdue_charge",
    "CRM": "credit_memo",
    "SMC": "credit_write_off",
}
PAYMENT_KINDS: Mapping[str, str] = {
    "PMT": "payment",
    "PPM": "prepayment",
    "RPM": "voided_payment",
    "REF": "refund",
    "VRF": "voided_refund",
    "SMB": "balance_write_off",
}
#: A payment that is voided is voided by a document of its own, and sites differ in the sign of its amounts (facts/acumatica.md §13.3).
EITHER_SIGN = frozenset({"RPM", "VRF"})
STATUSES: Mapping[str, str] = {"N": "open", "C": "closed", "V": "voided", "L": "canceled"}
#: What a document that is not released may be: for the sentence that says so.
UNRELEASED: Mapping[str, str] = {
    "H": "On Hold",
    "B": "Balanced",
    "D": "Pending Approval",
    "J": "Rejected",
    "S": "Scheduled",
    "R": "Credit Hold",
    "W": "Pending Processing",
    "P": "Pending Print",
    "E": "Pending Email",
}

INVOICE: tuple[Field, ...] = (
    Field("kind", "DocType", "rule", "Type"),
    Field("number", "RefNbr", "text", "Reference number", 15),
    Field("contact", "contact", "text", "Billing contact"),
    Field("date", "DocDate", "date", "Date"),
    Field("due", "DueDate", "date", "Due date"),
    Field("currency", "CuryID", "text", "Currency", 5),
    Field("total", "CuryOrigDocAmt", "amount", "Amount"),
    Field("balance", "CuryDocBal", "amount", "Balance"),
    Field("tax", "CuryTaxTotal", "amount", "Tax"),
    Field("status", "Status + Voided", "rule", "Status"),
    Field("terms", "TermsID", "text", "Terms", 10),
    Field("po_number", "InvoiceNbr", "text", "Customer order", 40),
    Field("description", "DocDesc", "text", "Description", 512),
    Field("original", "OrigDocType + OrigRefNbr", "rule", "Original document"),
    Field("lines", "Lines", "rule", "Details"),
    Field("applications", "Applications", "rule", "Applications"),
)

LINE: tuple[Field, ...] = (
    Field("number", "LineNbr", "rule", "Line number"),
    Field("item", "InventoryID", "text", "Item", 30),
    Field("text", "TranDesc", "text", "Description", 256),
    Field("quantity", "Qty", "decimal", "Quantity"),
    Field("unit", "UOM", "text", "Unit", 6),
    Field("price", "CuryUnitPrice", "decimal", "Unit price"),
    Field("discount", "CuryDiscAmt", "decimal", "Discount"),
    Field("amount", "CuryTranAmt", "decimal", "Amount"),
    Field("order", "SOOrderNbr", "text", "Order number", 15),
)

PAYMENT: tuple[Field, ...] = (
    Field("kind", "DocType", "rule", "Type"),
    Field("number", "RefNbr", "text", "Reference number", 15),
    Field("date", "AdjDate + DocDate", "date", "Date"),
    Field("method", "PaymentMethodID", "text", "Payment method", 10),
    Field("reference", "ExtRefNbr", "text", "Payment reference", 40),
    Field("description", "DocDesc", "text", "Description", 512),
    Field("currency", "CuryID", "text", "Currency", 5),
    Field("amount", "CuryOrigDocAmt", "amount", "Amount"),
    Field("balance", "CuryDocBal", "amount", "Available balance"),
    Field("status", "Status + Voided", "rule", "Status"),
    Field("applications", "Applications", "rule", "Applications"),
)

#: A new customer, out of a deal (streams/deals.py): what its company and main contact say, `first` that is filled, `name` joined by blanks.
SEED: tuple[Field, ...] = (
    Field("company.name", "CustomerName", "first", "Customer name", 255),
    Field("contact.email", "MainContact.Email", "first", "Main e-mail", 255),
    Field("contact.first_name + contact.last_name", "MainContact.Attention", "name", "Attention", 255),
    Field("company.phone + contact.phone", "MainContact.Phone1", "first", "Main phone", 50),
    Field("company.website", "MainContact.WebSite", "first", "Website", 255),
    Field("company.address.line1", "MainContact.Address.AddressLine1", "first", "Address line 1", 50),
    Field("company.address.line2", "MainContact.Address.AddressLine2", "first", "Address line 2", 50),
    Field("company.address.city", "MainContact.Address.City", "first", "City", 50),
    Field("company.address.state", "MainContact.Address.State", "first", "State", 50),
    Field("company.address.postal_code", "MainContact.Address.PostalCode", "first", "Postal code", 20),
    Field("company.address.country", "MainContact.Address.Country", "first", "Country", 2),
)
