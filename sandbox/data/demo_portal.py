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
# name, pipeline, stage, company: of the firms, or counted from the end, where the others are
DEALS = (
    ("New signs", "default", "appointmentscheduled", -4),
    ("Café refit", "75421903", "167482214", -3),
    ("Coffee bar", "default", "closedlost", -3),
    ("Spring order", "default", "closedwon", 0),
    ("Warehouse roof", "75421903", "3f0c9a1e-6d3b-4f7a-9f55-0b7c1f2d8e41", 1),
    ("Second store", "default", "contractsent", 0),
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


def deals(companies: list[Row], people: list[Row]) -> list[Row]:
    """A handful: open and lost ones, and won ones of firms that are customers already, in both pipelines."""
    strangers = len(companies) - len(UNRELATED)
    contact = {row["company"]: place for place, row in reversed(list(enumerate(people))) if row["company"] is not None}
    found: list[Row] = []
    for number, (name, pipeline, stage, firm) in enumerate(DEALS, start=1):
        company = firm if firm >= 0 else len(companies) + firm
        if firm >= 0 and firm >= strangers:  # so few firms that none of them is there
            continue
        properties = {
            "dealname": name,
            "pipeline": pipeline,
            "dealstage": stage,
            "amount": str(number * 1250),
            "deal_currency_code": "USD",
            "closedate": f"2026-{number + 3:02d}-15T12:00:00Z",
        }
        found.append({"properties": properties, "company": company, "contact": contact.get(company)})
    return found


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
