"""The owned values of docs/agreement.md: what HubSpot should hold for an Acumatica row, and when two values are the same."""

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

Row = Mapping[str, Any]

_FREE_MAIL = """gmail.com googlemail.com outlook.com hotmail.com live.com msn.com yahoo.com ymail.com icloud.com me.com mac.com aol.com
gmx.com gmx.de gmx.net web.de mail.com proton.me protonmail.com yandex.com yandex.ru zoho.com t-online.de orange.fr free.fr
libero.it qq.com 163.com"""
_SUFFIXES = """ac.uk co.uk gov.uk ltd.uk me.uk net.uk org.uk plc.uk com.au net.au org.au co.nz net.nz org.nz co.za co.in co.jp co.kr
co.il co.at co.id co.th com.ar com.br com.cn com.co com.es com.hk com.mx com.my com.ph com.pl com.pt com.sg com.tr com.tw com.ua"""
FREE_MAIL = frozenset(_FREE_MAIL.split())
SUFFIXES = frozenset(_SUFFIXES.split())  # below these a firm registers its third label, not its second one
LONGEST = 65_536
_NUMBERS = """acumatica_credit_limit acumatica_ar_balance acumatica_overdue_amount acumatica_open_invoice_count
acumatica_last_payment_amount acumatica_open_balance acumatica_tax_total hs_amount_billed quantity price"""
NUMBERS = frozenset(_NUMBERS.split())
_DAYS = "acumatica_oldest_due_date acumatica_last_payment_date acumatica_last_invoice_date hs_invoice_date hs_due_date"
DAYS = frozenset(_DAYS.split())

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_EMAIL = re.compile(rf"[a-z0-9!#$%&'*+/=?^_`{{|}}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{{|}}~-]+)*@{_LABEL}(?:\.{_LABEL})+")
_HOST_LABEL = re.compile(r"[^\W_](?:(?:[^\W_]|-)*[^\W_])?")
_CODE = re.compile(r"https?://|www\.|<\s*script", re.IGNORECASE)
_SCHEME = re.compile(r"\A(?:[a-z][a-z0-9+.-]*:)?//")


def text(value: object) -> str:
    """A value as the table compares it: null is empty, booleans are `true` and `false`, a line break is one LF, no outer blanks."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value).replace("\r\n", "\n").strip()


def email(value: object) -> str:
    return text(value).lower()


def valid_email(address: str) -> bool:
    """Would HubSpot take this (trimmed, lower-case) address? The rule is that of docs/agreement.md, "E-mail addresses"."""
    return _EMAIL.fullmatch(address) is not None


def is_code(name: str) -> bool:
    """Does this first or last name hold a link or code, so that HubSpot refuses it? (docs/agreement.md, rule 19)"""
    return _CODE.search(name) is not None


def registrable(host: str) -> str:
    """The registrable domain of a host name, empty if it is none."""
    name = host.removesuffix(".")
    labels = name.split(".")
    if len(name) > 253 or labels[-1].isdigit() or not all(_HOST_LABEL.fullmatch(label) for label in labels):
        return ""
    size = 3 if ".".join(labels[-2:]) in SUFFIXES else 2
    return ".".join(labels[-size:]) if len(labels) >= size else ""


def domain(website: object) -> str:
    """The domain of a website or of a bare host, in any spelling; empty if there is none, or if it belongs to a mail provider."""
    address = _SCHEME.sub("", text(website).lower())
    host = re.split(r"[/?#]", address, maxsplit=1)[0].rpartition("@")[2]
    found = registrable(re.sub(r":\d*$", "", host))
    return "" if found in FREE_MAIL else found


def spoken(name: str) -> str:
    """A domain with the letters that its labels in punycode stand for: so two spellings of it are compared."""
    return ".".join(_decoded(label) for label in name.split("."))


def _decoded(label: str) -> str:
    try:
        return label[4:].encode("ascii").decode("punycode") if label.startswith("xn--") else label
    except UnicodeError:
        return label


def customer_domain(main: Row) -> str:
    """A customer's domain: of the website, and only where that is empty of the e-mail address."""
    if text(main.get("WebSite")):
        return domain(main["WebSite"])
    address = email(main.get("Email"))
    return domain(address.rpartition("@")[2]) if valid_email(address) else ""


def company(customer: Row) -> dict[str, str]:
    """The company's owned properties for a row of `Customer`, all of them as texts."""
    main: Row = customer.get("MainContact") or {}
    address: Row = main.get("Address") or {}
    return {
        "name": text(customer.get("CustomerName")),
        "acumatica_customer_id": text(customer.get("CustomerID")),
        "acumatica_class": text(customer.get("CustomerClass")),
        "acumatica_status": text(customer.get("Status")),
        "acumatica_terms": text(customer.get("Terms")),
        "acumatica_currency": text(customer.get("CurrencyID")),
        "acumatica_credit_limit": text(customer.get("CreditLimit")),
        "phone": text(main.get("Phone1")),
        "website": text(main.get("WebSite")),
        "domain": customer_domain(main),
        "address": text(address.get("AddressLine1")),
        "address2": text(address.get("AddressLine2")),
        **place(address),
    }


def contact(person: Row) -> dict[str, str]:
    """The contact's owned properties for a row of `Contact`, all of them as texts."""
    address: Row = person.get("Address") or {}
    lines = (text(address.get("AddressLine1")), text(address.get("AddressLine2")))
    return {
        "email": email(person.get("Email")),
        "firstname": text(person.get("FirstName")),
        "lastname": text(person.get("LastName")),
        "jobtitle": text(person.get("JobTitle")),
        "phone": number(person, "Business 1"),
        "mobilephone": number(person, "Cell"),
        "fax": text(person.get("Fax")),
        "address": "\n".join(line for line in lines if line),
        **place(address),
        "acumatica_contact_id": text(person.get("ContactID")),
        "acumatica_active": text(person.get("Active")),
    }


def place(address: Row) -> dict[str, str]:
    names = {"city": "City", "state": "State", "zip": "PostalCode", "country": "Country"}
    return {ours: text(address.get(theirs)) for ours, theirs in names.items()}


def number(person: Row, kind: str) -> str:
    """The first number of that type which is not empty: the type tells what a number is, its position does not."""
    found = (text(person.get(f"Phone{n}")) for n in (1, 2, 3) if text(person.get(f"Phone{n}Type")) == kind)
    return next((value for value in found if value), "")


def same(name: str, wanted: str, held: object) -> bool:
    """Does HubSpot's value of the property `name` equal the wanted one, compared as the table says?"""
    value = text(held)
    if name in ("email", "domain"):
        return value.lower() == wanted
    if name in DAYS:
        return value[:10] == wanted
    if name in NUMBERS and value and wanted:
        try:
            return Decimal(value).compare(Decimal(wanted)) == 0
        except InvalidOperation:
            return False
    return value == wanted
