"""What the demo's HubSpot portal held before anyone synchronised: its people typed the same firms in another spelling."""

import random
from collections import Counter

from sandbox.data import words
from sandbox.data.book import Row

UNRELATED = (
    ("Bright Idea Advertising", "brightidea.example"),
    ("Harbor Coffee Roasters", "harborcoffee.example"),
    ("Gmail Users", "gmail.com"),
    ("No Domain Builders", None),
)


def portal(rng: random.Random, customers: list[Row], contacts: list[Row]) -> tuple[list[Row], list[Row]]:
    """Companies and contacts of the portal: about a fifth of the firms, about a seventh of the people, and some others.

    No two companies have one domain, and no contact here belongs to an e-mail address that several Acumatica contacts share.
    """
    companies: list[Row] = []
    places: dict[str, int] = {}
    taken: set[str] = set()
    for row in customers:
        domain = plain_domain(row)
        if domain is None or domain in taken or rng.random() >= 0.2:
            continue
        taken.add(domain)
        places[row["CustomerID"]] = len(companies)
        companies.append({"properties": company(rng, row, domain), "company": None})
    for name, other in UNRELATED:
        kept = {"name": name, "lifecyclestage": "lead", "description": "Not in the ERP."}
        companies.append({"properties": {**kept, "domain": other} if other else kept, "company": None})
    return companies, people(rng, contacts, places, len(companies) - len(UNRELATED))


def plain_domain(row: Row) -> str | None:
    """The registrable domain of a demo customer (all of them are `name.example`), None where there is none to match by."""
    main = row["MainContact"]
    text = (main["WebSite"] or main["Email"] or "").strip().lower()
    host = text.removeprefix("https://").removeprefix("http://").split("@")[-1].split("/")[0].split(":")[0]
    return ".".join(host.split(".")[-2:]) if host and host not in words.FREE_MAIL else None


def company(rng: random.Random, row: Row, domain: str) -> Row:
    name = row["CustomerName"].strip()
    return {
        "name": rng.choice((name, name.upper(), name.split(" ")[0], f"{name} (Main)")),
        "domain": rng.choice((domain, f"www.{domain}", domain.upper())),
        "phone": "unknown",
        "description": f"Met at the trade show of {rng.randrange(2015, 2026)}.",
        "lifecyclestage": rng.choice(("lead", "opportunity", "customer")),
    }


def people(rng: random.Random, contacts: list[Row], places: dict[str, int], unrelated: int) -> list[Row]:
    held = Counter((row["Email"] or "").strip().lower() for row in contacts)
    found: list[Row] = []
    for row in contacts:
        email = (row["Email"] or "").strip().lower()
        local, _, host = email.partition("@")
        fit = local and "." in host and "@" not in host and held[email] == 1 and row["BusinessAccount"]
        if not fit or rng.random() >= 0.15:
            continue
        spelt = rng.choice((email, email.upper(), f"{local.title()}@{host}"))
        properties = {"email": spelt, "firstname": row["FirstName"] or "", "lastname": row["LastName"], "lifecyclestage": "lead"}
        found.append({"properties": properties, "company": places.get(row["BusinessAccount"])})
    for index, name in enumerate(("Avery Stranger", "Robin Passerby")):
        first, last = name.split()
        properties = {
            "email": f"{first.lower()}@brightidea.example",
            "firstname": first,
            "lastname": last,
            "lifecyclestage": "lead",
        }
        found.append({"properties": properties, "company": unrelated + index})
    return found
