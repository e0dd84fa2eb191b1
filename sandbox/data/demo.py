"""A believable distributor of building products, made from a seed: Acumatica's side."""

import random
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from sandbox.data import words
from sandbox.data.book import Book, Row
from sandbox.data.demo_portal import deals, portal

FIRST_DAY = datetime(2023, 3, 1, tzinfo=UTC)
# Many rows carry the very same stamp, as after an import: a page ends in the middle of them.
IMPORTS = (datetime(2024, 2, 17, 6, 30, 0, 433000, tzinfo=UTC), datetime(2025, 6, 1, 22, 5, 12, 510000, tzinfo=UTC))


def demo(customers: int, contacts: int, seed: int, invoices: int = 0) -> Book:
    """A Book with that many customers, contacts and invoices; the same arguments always give the same one."""
    rng = random.Random(seed)
    numbers = iter(range(100001, 100001 + 2 * (customers + contacts) + 100))
    rows = [customer(rng, index, next(numbers)) for index in range(customers)]
    share_domains(rows)
    others = outsiders(rng)
    people = [contact(rng, rng.choice(rows) if rows else None, next(numbers), index) for index in range(contacts)]
    if contacts >= 100 and customers:
        spoil(rng, people, others)
    companies, theirs = portal(rng, rows, people)
    return Book(rows, people, others, companies, theirs, deals(companies, theirs), invoices=invoices, seed=seed)


def note_id(rng: random.Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def stamps(rng: random.Random) -> tuple[datetime, datetime]:
    """When a row was made and when it was changed last."""
    made = FIRST_DAY + timedelta(milliseconds=rng.randrange(700 * 86_400_000))
    roll = rng.random()
    if roll < 0.4:
        instant = IMPORTS[roll < 0.15]
        return min(made, instant), instant
    return made, made + timedelta(milliseconds=rng.randrange(400 * 86_400_000))


def customer(rng: random.Random, index: int, number: int) -> Row:
    """One customer row; the first ones have the odd names."""
    if index < len(words.ODD_FIRMS):
        name, slug = words.ODD_FIRMS[index]
    else:
        family, trade = rng.choice(words.FIRMS), rng.choice(words.TRADES)
        name = f"{family} {trade} {rng.choice(words.FORMS)}".rstrip()
        slug = f"{family.lower()}-{trade.split()[0].lower()}{index}"
    letters = "".join(c for c in name.upper() if c.isascii() and c.isalpha()) or "FIRM"
    digits = f"{index + 1:05d}"
    made, changed = stamps(rng)
    place = rng.choice(words.PLACES)
    website, email = web(rng, index, f"{slug}.example")
    ref = note_id(rng)
    return {
        "id": ref,
        "NoteID": ref,
        "CustomerID": words.ODD_CODES.get(index, letters[: min(5, 10 - len(digits))] + digits),
        "BAccountID": 7000 + index,
        "CustomerName": name,
        "CustomerClass": rng.choice(words.CLASSES),
        "CustomerCategory": None,
        "Status": rng.choice(words.STATUSES),
        "Terms": rng.choice((*words.TERMS, None)),
        "CurrencyID": place[4],
        "CreditLimit": credit_limit(rng),
        "AccountRef": f"AR-{rng.randrange(10_000)}" if rng.random() < 0.3 else None,
        "ParentRecord": None,
        "PriceClassID": None,
        "StatementCycleID": "ENDOFMONTH",
        "TaxZone": place[1],
        "TaxRegistrationID": None,
        "LocationName": "Primary Location",
        "Email": email,
        "IsGuestCustomer": False,
        "CreatedDateTime": made,
        "LastModifiedDateTime": changed,
        "MainContact": main_contact(rng, number, name, email, website, place),
    }


def main_contact(rng: random.Random, number: int, name: str, email: str | None, website: str | None, place: tuple[str | None, ...]) -> Row:
    return {
        "id": note_id(rng),
        "ContactID": number,
        "DisplayName": name,
        "FullName": name,
        "Attention": "Accounts Payable" if rng.random() < 0.2 else None,
        "Email": email,
        "Phone1": phone(rng, place) if rng.random() < 0.9 else None,
        "Phone1Type": "Business 1",
        "Phone2": phone(rng, place) if rng.random() < 0.2 else None,
        "Phone2Type": "Cell",
        "Fax": phone(rng, place) if rng.random() < 0.3 else None,
        "FaxType": "Fax",
        "WebSite": website,
        "Address": address(rng, place),
    }


def credit_limit(rng: random.Random) -> Decimal | None:
    roll = rng.random()
    if roll < 0.1:
        return None
    if roll < 0.2:
        return Decimal("0.00")
    if roll < 0.6:
        return Decimal(rng.randrange(1, 60) * 2500)
    if roll < 0.62:
        return Decimal("1234567890.05")
    return Decimal(rng.randrange(100, 25_000_000)) / 100


def web(rng: random.Random, index: int, domain: str) -> tuple[str | None, str | None]:
    """Website (in one of its many spellings, or none) and e-mail address of a customer."""
    spellings = (
        domain, f"www.{domain}", f"https://www.{domain}/", f"https://{domain}", f"WWW.{domain.upper()}", f"http://shop.{domain}/de",
        f"HTTPS://{domain.title()}:8443/index.html?ref=erp#top", f" {domain} ",
    )  # fmt: skip
    email = f"{rng.choice(('info', 'office', 'AP', 'orders'))}@{domain}"
    match index % 10:
        case 3:  # nothing to know the firm by
            return None, rng.choice((None, f"{domain.split('.')[0]}@{rng.choice(words.FREE_MAIL)}"))
        case 6:  # only the e-mail address tells its domain
            return None, email
        case 8:
            return rng.choice(spellings), None
    return rng.choice(spellings), email


def share_domains(rows: list[Row]) -> None:
    """Groups of two or three customers with one website: branches of a firm, each with an account of its own."""
    for first in range(40, len(rows) - 3, 80):
        main = rows[first]["MainContact"]
        main["WebSite"] = f"https://{rows[first]['CustomerID'].lower()}-group.example"
        for other in range(first + 1, first + 2 + (first // 80) % 2):
            rows[other]["CustomerName"] = f"{rows[first]['CustomerName']} - {rows[other]['MainContact']['Address']['City'] or 'West'}"
            rows[other]["MainContact"]["WebSite"] = f"www.{main['WebSite'].removeprefix('https://')}"


def phone(rng: random.Random, place: tuple[str | None, ...]) -> str:
    return f"{place[5]}{rng.randrange(10_000):04d}" + (f" x{rng.randrange(100, 999)}" if rng.random() < 0.1 else "")


def address(rng: random.Random, place: tuple[str | None, ...]) -> Row:
    """A postal address; one in twelve has nothing but its country."""
    empty = rng.random() < 0.08
    return {
        "id": note_id(rng),
        "AddressLine1": None if empty else f"{rng.randrange(1, 9900)} {rng.choice(words.STREETS)}",
        "AddressLine2": rng.choice(words.SUITES) if not empty and rng.random() < 0.3 else None,
        "City": None if empty else place[0],
        "State": None if empty else place[1],
        "PostalCode": None if empty else place[2],
        "Country": place[3],
        "Validated": False,
    }


def contact(rng: random.Random, firm: Row | None, number: int, index: int) -> Row:
    """One person who works for that customer."""
    first, last = rng.choice(words.FIRST_NAMES), rng.choice(words.LAST_NAMES)
    place = rng.choice(words.PLACES)
    _, changed = stamps(rng)
    ref = note_id(rng)
    local = "".join(c for c in f"{first}.{last}" if c.isascii() and (c.isalnum() or c == ".")).strip(".")
    host = firm["CustomerID"].lower().translate(str.maketrans("' &/", "----")) if firm else "somewhere"
    email = f"{local}{index}@{host}.example" if rng.random() < 0.8 else f"{local}{index}@{rng.choice(words.FREE_MAIL)}"
    active = rng.random() < 0.93
    business, cell = (phone(rng, place) if rng.random() < share else None for share in (0.85, 0.5))
    kinds = ["Business 1", "Cell", "Home"]
    numbers = [business, cell, phone(rng, place) if rng.random() < 0.1 else None]
    order = [0, 1, 2] if rng.random() < 0.7 else rng.sample([0, 1, 2], 3)  # the type says which number it is, not the position
    row: Row = {
        "id": ref,
        "NoteID": ref,
        "ContactID": number,
        "Type": "Contact",
        "BusinessAccount": firm["CustomerID"] if firm else None,
        "CompanyName": firm["CustomerName"] if firm else None,
        "ContactClass": "ENDCUST",
        "FirstName": first if rng.random() < 0.95 else None,
        "LastName": last,
        "JobTitle": rng.choice((*words.JOBS, None)),
        "Email": None if rng.random() < 0.05 else (email if rng.random() < 0.7 else email.upper() if rng.random() < 0.3 else email.title()),
        "Fax": phone(rng, place) if rng.random() < 0.15 else None,
        "FaxType": "Fax",
        "WebSite": None,
        "Active": active,
        "Status": "Active" if active else "Inactive",
        "DoNotEmail": rng.random() < 0.05,
        "ContactMethod": "Any",
        "ExtRefNbr": None,
        "LastModifiedDateTime": changed,
        "Address": address(rng, place),
    }
    row["DisplayName"] = " ".join(part for part in (row["FirstName"], last) if part)
    row["FullName"] = row["CompanyName"]
    for position, which in enumerate(order, start=1):
        row[f"Phone{position}"], row[f"Phone{position}Type"] = numbers[which], kinds[which]
    return row


def outsiders(rng: random.Random) -> list[Row]:
    """Business accounts that are no customers: two prospects and two vendors."""
    names = (
        ("PROSPECT01", "Maybe Next Year Builders", "Business Account", "Prospect"),
        ("PROSPECT02", "Überlegung & Söhne", "Business Account", "Prospect"),
        ("VENDOR01", "Gypsum Works of America", "Vendor", "Active"),
        ("VENDOR02", "Nails 'R' Us", "Vendor", "Active"),
    )
    return [
        {
            "id": ref,
            "NoteID": ref,
            "BusinessAccountID": code,
            "Name": name,
            "Type": kind,
            "Status": status,
            "LastModifiedDateTime": stamps(rng)[1],
        }
        for code, name, kind, status in names
        for ref in (note_id(rng),)
    ]


def spoil(rng: random.Random, people: list[Row], others: list[Row]) -> None:
    """The cases of docs/agreement.md that must be there in any demo: out of scope, shared and refused e-mail addresses."""
    groups = max(1, len(people) // 150)
    alone = max(1, len(people) // 200)
    chosen = rng.sample(people, alone + len(others) + 2 + 2 * groups)
    for row in chosen[:alone]:
        row["BusinessAccount"] = row["CompanyName"] = row["FullName"] = None
    for row, other in zip(chosen[alone:], others, strict=False):
        row["BusinessAccount"], row["CompanyName"], row["FullName"] = other["BusinessAccountID"], other["Name"], other["Name"]
    refused = chosen[alone + len(others) :]
    refused[0]["Email"], refused[1]["Email"] = "call the office", "accounts@@ledger.example"
    for group in range(groups):
        one, two = refused[2 + 2 * group : 4 + 2 * group]
        one["Email"] = f"office{group}@shared-desk.example"
        two["Email"] = one["Email"] if group % 2 else one["Email"].upper()
