"""Two dumps made by hand, in agreement, with a case of docs/agreement.md each; and small ways to change them."""

import copy
from collections.abc import Callable
from typing import Any

from sandbox.comparer import Verdict, compare

Dump = dict[str, Any]
Change = Callable[[Dump, Dump], object]


def guid(number: int) -> str:
    return f"0000000A-0000-4000-8000-{number:012d}"


def key(number: int) -> str:
    return f"demo|{guid(number).lower()}"


def customer(number: int, name: str | None, website: str | None = None, mail: str | None = None) -> Dump:
    place = {"AddressLine1": "1 Quay", "AddressLine2": " Dock 2", "City": "Hull ", "State": None, "PostalCode": "HU1", "Country": "GB"}
    main = {"Phone1": "+44 1482 1", "WebSite": website, "Email": mail, "Address": place}
    row = {"id": guid(number), "CustomerID": f"C{number:03d} ", "CustomerName": name, "CustomerClass": "TRADE", "Status": "Active"}
    return row | {"Terms": "30D", "CurrencyID": "GBP", "CreditLimit": "1500.50", "MainContact": main}


def person(number: int, account: str | None, mail: str | None, kind: str = "Contact") -> Dump:
    phones = {
        "Phone1": "",
        "Phone1Type": "Business 1",
        "Phone2": "0170 5",
        "Phone2Type": "Cell",
        "Phone3": "0155 6",
        "Phone3Type": "Business 1",
    }
    place = {"AddressLine1": "2 Pier", "AddressLine2": "c/o Ann", "City": "Goole", "State": "ER", "PostalCode": "DN14", "Country": "GB"}
    row = {"id": guid(number), "ContactID": number, "Type": kind, "BusinessAccount": account, "Email": mail, "FirstName": "Bo"}
    return row | phones | {"LastName": f"Ek {number}", "JobTitle": None, "Fax": "0155 7", "Active": True, "Address": place}


def company_of(number: int, name: str, website: str = "", domain: str = "", **other: str) -> Dump:
    place = {"address": "1 Quay", "address2": "Dock 2", "city": "Hull", "state": "", "zip": "HU1", "country": "GB"}
    ours = {"acumatica_customer_id": f"C{number:03d}", "acumatica_class": "TRADE", "acumatica_status": "Active", "acumatica_terms": "30D"}
    money = {"acumatica_currency": "GBP", "acumatica_credit_limit": "1500.5", "phone": "+44 1482 1"}
    return {"name": name, "website": website, "domain": domain, "acumatica_customer_key": key(number)} | place | ours | money | other


def contact_of(number: int, mail: str | None, **other: str | None) -> Dump:
    place = {"address": "2 Pier\nc/o Ann", "city": "Goole", "state": "ER", "zip": "DN14", "country": "GB"}
    ours = {"acumatica_contact_key": key(number), "acumatica_contact_id": str(number), "acumatica_active": "true"}
    phones = {"phone": "0155 6", "mobilephone": "0170 5", "fax": "0155 7"}
    return {"email": mail, "firstname": "Bo", "lastname": f"Ek {number}", "jobtitle": None} | place | ours | phones | other


OLD_AMBER = {"name": "AMBER", "domain": "WWW.amber.example", "industry": "Timber", "phone": "unknown", "hs_lastmodifieddate": "1"}
OLD_TWIN = {"name": "Twin", "domain": "twin.example"}
OLD_STRANGER = {"name": "Gmail fans", "domain": "gmail.com", "note": None}
OLD_BO = {"email": "Bo@Old.example", "hs_additional_emails": "second@old.example;bo@amber.example", "lifecyclestage": "lead"}


def acumatica() -> Dump:
    """Customers 1-9 and contacts 11-23, a case of the table each."""
    customers = [
        customer(1, "Amber & Søn ", "https://www.Amber.example:443/shop?x#y"),  # adopted (rule 10)
        customer(2, "Birch", "birch.example"),
        customer(3, "Birch West", "//www.birch.example/west"),  # shares a domain (rule 11)
        customer(4, "   ", "nameless.example"),  # no name (rule 3)
        customer(5, "Mail Only", None, "Info@Mail-Only.co.uk"),
        customer(6, "Free Mail", None, "free@gmail.com"),  # rule 14
        customer(7, "Twin", "twin.example"),  # two candidates (rule 12)
        customer(8, "No Site At All", "n/a", "x@unused.example"),
        customer(9, "Amber Two", "amber.example"),  # shares the adopted one's domain (rule 11)
    ]
    contacts = [
        person(11, "C001", " Second@Old.example "),  # adopted by an additional address (rule 13)
        person(12, "c001 ", "shared@x.example"),
        person(13, "C002", "SHARED@x.example"),  # shared e-mail (rule 7): excused
        person(14, "C002", None),  # no e-mail (rule 8)
        person(15, "C002", "call the office"),  # refused (rule 9)
        person(16, None, "no@customer.example"),  # rule 3
        person(17, "PROSPECT", "prospect@x.example"),  # rule 3
        person(18, "C004", "of@nameless.example"),  # rule 3
        person(19, "C007", "waits@twin.example"),  # its customer is excused (rule 17)
        person(20, "C003", "lead@x.example", kind="Lead"),
        person(21, "C005", "five@x.example"),
    ]
    return {"system": "acumatica", "tenant": "Demo", "customers": customers, "contacts": contacts, "business_accounts": []}


def hubspot() -> Dump:
    """What the portal holds in agreement: companies 101.., contacts 201.. by the numbers above."""
    amber = OLD_AMBER | company_of(1, "Amber & Søn", "https://www.Amber.example:443/shop?x#y", "amber.example", hs_lastmodifieddate="2")
    companies = {
        "101": amber,
        "102": company_of(2, "Birch", "birch.example", "birch.example"),
        "103": company_of(3, "Birch West", "//www.birch.example/west", "Birch.example"),
        "105": company_of(5, "Mail Only", "", "mail-only.co.uk"),
        "106": company_of(6, "Free Mail"),
        "108": company_of(8, "No Site At All", "n/a"),
        "109": company_of(9, "Amber Two", "amber.example", "amber.example", state="", industry="FILLED_IN_BY_HUBSPOT"),
        "171": dict(OLD_TWIN),
        "172": dict(OLD_TWIN),
        "190": dict(OLD_STRANGER) | {"note": ""},
    }
    contacts = {
        "211": OLD_BO | contact_of(11, "second@old.example", hs_additional_emails="bo@old.example"),
        "212": contact_of(12, "shared@x.example"),
        "214": contact_of(14, None),
        "221": contact_of(21, "five@x.example"),
    }
    links = [("211", "101"), ("211", "190"), ("212", "101"), ("214", "102"), ("221", "105")]
    return {
        "system": "hubspot",
        "companies": [{"id": ref, "properties": p, "archived": False, "seeded": ref in SEEDED} for ref, p in companies.items()],
        "contacts": [{"id": ref, "properties": p, "archived": False, "seeded": ref in SEEDED} for ref, p in contacts.items()],
        "associations": [{"from": "contact", "from_id": a, "to": "company", "to_id": b, "types": [279]} for a, b in links],
        "seeded": {
            "companies": {"101": OLD_AMBER, "171": OLD_TWIN, "172": OLD_TWIN, "190": OLD_STRANGER},
            "contacts": {"211": OLD_BO},
            "associations": [],
        },
        "properties": {"companies": [{"name": "hs_score", "modificationMetadata": {"readOnlyValue": True}}], "contacts": []},
    }


SEEDED = {"101", "171", "172", "190", "211"}


def properties(dump: Dump, ref: str) -> Dump:
    return next(r["properties"] for kind in ("companies", "contacts") for r in dump[kind] if r["id"] == ref)


def remove(dump: Dump, kind: str, ref: str) -> None:
    dump[kind] = [record for record in dump[kind] if record["id"] != ref]


def archive(dump: Dump, kind: str, ref: str) -> None:
    next(record for record in dump[kind] if record["id"] == ref)["archived"] = True


def add(dump: Dump, kind: str, ref: str, values: Dump) -> None:
    dump[kind].append({"id": ref, "properties": values, "archived": False, "seeded": False})


def link(dump: Dump, person_ref: str, company_ref: str) -> None:
    dump["associations"].append({"from": "contact", "from_id": person_ref, "to": "company", "to_id": company_ref, "types": [279]})


def unlink(dump: Dump, person_ref: str) -> None:
    dump["associations"] = [one for one in dump["associations"] if one["from_id"] != person_ref]


def link_before(dump: Dump, person_ref: str, company_ref: str) -> None:
    """People associated the two; whether they still are is another matter."""
    dump["seeded"]["associations"].append({"from_id": person_ref, "to_id": company_ref})


def judge(*changes: Change) -> Verdict:
    left, right = acumatica(), copy.deepcopy(hubspot())
    for change in changes:
        change(left, right)
    return compare(left, right, "Demo")


def counts(verdict: Verdict) -> dict[str, int]:
    kinds = ("missing", "doubled", "stale", "altered")
    return {kind: len(getattr(verdict, kind)) for kind in kinds if getattr(verdict, kind)}
