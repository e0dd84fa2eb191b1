"""How many calls a first sync takes, by the sandboxes' own counts, beside the least that would do.

    python -m bench.calls --customers 10000 --contacts 25000 --filled half

Kafka and the registry are those that WEIGHLOCK_KAFKA and WEIGHLOCK_REGISTRY name, else a stack of its own is started.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.harness.system import Broker, System, eventually, running

#: What HubSpot takes at once: records of a batch, pairs that are made, records whose pairs are read, characters of a search
#: (facts/hubspot.md §2, §3, §5).
BATCH, PAIRS, PAIRED, SEARCH_BODY = 100, 2000, 1000, 3000
#: A search's body without any value.
SEARCH_FRAME = len(
    '{"filterGroups":[{"filters":[{"propertyName":"domain","operator":"IN","values":[]}]}],"properties":["domain"],"limit":200}'
)
#: At the start the sink asks for the account and the properties of two objects.
START = 3
Row = dict[str, Any]


@dataclass
class World:
    """A firm's books, and a portal that knows every second customer by domain and every second contact by e-mail, or nobody."""

    customers: int
    contacts: int
    half: bool
    files: dict[str, list[Row]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        firms = [self._firm(number) for number in range(self.customers)]
        people = [self._person(number) for number in range(self.contacts)]
        known = [firm["MainContact"]["WebSite"] for firm in firms[::2] if firm["MainContact"]["WebSite"]] if self.half else []
        self.files = {
            "customers": firms,
            "contacts": people,
            "hubspot_companies": [{"name": domain, "domain": domain} for domain in known],
            "hubspot_contacts": [{"email": person["Email"]} for person in people[::2] if person["Email"]] if self.half else [],
        }

    def _firm(self, number: int) -> Row:
        site = f"firm-{number:06d}-supplies.example" if number % 10 else None  # every tenth is known by nothing
        main = {"WebSite": site, "Phone1": f"+1 555 {number:07d}", "Address": {"City": "Springfield", "Country": "US"}}
        return {"CustomerID": f"C{number:07d}", "CustomerName": f"Firm {number}", "CreditLimit": 1000 + number, "MainContact": main}

    def _person(self, number: int) -> Row:
        email = f"person-{number:06d}@firm-{number % self.customers:06d}-supplies.example" if number % 20 else None
        return {"BusinessAccount": f"C{number % self.customers:07d}", "FirstName": "Pat", "LastName": f"Person {number}", "Email": email}

    def write(self, folder: Path) -> Path:
        folder.mkdir(parents=True)
        for name, rows in self.files.items():
            (folder / f"{name}.json").write_text(json.dumps(rows))
        return folder

    def least(self) -> dict[str, int]:
        """The fewest calls to HubSpot, by what they are for. Which of the portal's companies may be a customer's is only to be searched for
        (a person's `www.` in front of the domain too), or listed, where it stands under a subdomain or has several. What is found is read
        before it is touched (the index is behind); a contact's e-mail can be read by. Records that are there are changed by id, the others
        made by key, and every contact needs its company. HubSpot's answer about pairs says what was asked for: they are read back.
        """
        sites = [firm["MainContact"]["WebSite"] for firm in self.files["customers"] if firm["MainContact"]["WebSite"]]
        mails = [person["Email"] for person in self.files["contacts"] if person["Email"]]
        companies, contacts = len(self.files["hubspot_companies"]), len(self.files["hubspot_contacts"])
        values = sum(len(f'"{site}","www.{site}",') for site in sites)
        return {
            "at the start": START,
            "list companies": max(1, math.ceil(companies / BATCH)),
            "search companies": math.ceil(values / (SEARCH_BODY - SEARCH_FRAME)),
            "read companies": math.ceil(companies / BATCH),
            "update companies": math.ceil(companies / BATCH),
            "upsert companies": math.ceil((self.customers - companies) / BATCH),
            "read contacts": math.ceil(len(mails) / BATCH),
            "update contacts": math.ceil(contacts / BATCH),
            "upsert contacts": math.ceil((self.contacts - contacts) / BATCH),
            "associate": math.ceil(self.contacts / PAIRS),
            "read associations": math.ceil(self.contacts / PAIRED),
        }


ROUTES = {
    "companies/search": "search companies",
    "companies/batch/read": "read companies",
    "companies/batch/update": "update companies",
    "companies/batch/upsert": "upsert companies",
    "contacts/batch/read": "read contacts",
    "contacts/batch/update": "update contacts",
    "contacts/batch/upsert": "upsert contacts",
    "/{from}/{to}/batch/read": "read associations",
    "associations": "associate",
}


def purposes(routes: dict[str, dict[str, int]]) -> dict[str, int]:
    """The sandbox's counts by route, refused calls too, as `World.least` names them."""
    found: dict[str, int] = {}
    for route, counts in routes.items():
        listed = route.startswith("GET") and "/objects/" in route
        purpose = "list companies" if listed else next((name for part, name in ROUTES.items() if part in route), "at the start")
        found[purpose] = found.get(purpose, 0) + sum(counts.values())
    return found


@dataclass
class Count:
    """What a first sync took. `made` and `least` by purpose; `rest` are Acumatica's calls by route in `rested` seconds at rest."""

    seconds: float
    made: dict[str, int]
    least: dict[str, int]
    refused: int
    erp: dict[str, Any]
    rest: dict[str, int]
    rested: float
    verdict: dict[str, Any]

    @property
    def ratio(self) -> float:
        return sum(self.made.values()) / sum(self.least.values())

    def __str__(self) -> str:
        lines = [f"{'HubSpot':<20} {'made':>7} {'least':>7}"]
        for purpose in [*self.least, *(name for name in self.made if name not in self.least)]:
            lines.append(f"{purpose:<20} {self.made.get(purpose, 0):>7} {self.least.get(purpose, 0):>7}")
        lines.append(
            f"{'all':<20} {sum(self.made.values()):>7} {sum(self.least.values()):>7}   x {self.ratio:.3f}, {self.refused} refused (429)"
        )
        lines.append(f"Acumatica: {json.dumps(self.erp['routes'])}")
        lines.append(f"Acumatica at rest, {self.rested:.1f} s: {json.dumps(self.rest)}")
        lines.append(f"{self.seconds:.0f} s; {self.verdict['line']}")
        return "\n".join(lines)


def _calls(sandbox: Any) -> dict[str, Any]:
    found: dict[str, Any] = sandbox.get("/calls")
    return found


def _since(before: dict[str, Any], after: dict[str, Any]) -> dict[str, dict[str, int]]:
    old = before["routes"]
    changed = {
        route: {status: count - old.get(route, {}).get(status, 0) for status, count in counts.items()}
        for route, counts in after["routes"].items()
    }
    return {route: counts for route, counts in changed.items() if any(counts.values())}


def _keyed(system: System) -> int:
    return len({entry["key"] for entry in system.crm.get("/log") if entry["key"]})


def first_sync(system: System, world: World, rest: float = 5.0, seconds: float = 3600) -> Count:
    """Run the workers until all is there, then for a while at rest; AssertionError if it does not come to agree."""
    before, began = _calls(system.crm), time.monotonic()
    system.start()
    total = world.customers + world.contacts
    eventually("all records are there", lambda: _keyed(system) >= total, seconds, every=1.0)
    verdict = system.settle(quiet=3)
    took = time.monotonic() - began
    routes = _since(before, _calls(system.crm))
    erp = _calls(system.erp)
    time.sleep(rest)  # what is measured is what happens in this time
    resting = {route: sum(counts.values()) for route, counts in _since(erp, _calls(system.erp)).items()}
    refused = sum(counts.get("429", 0) for counts in routes.values())
    return Count(took, purposes(routes), world.least(), refused, erp, resting, rest, verdict)


@contextmanager
def prepared(broker: Broker, folder: Path, world: World) -> Iterator[System]:
    with running(broker, folder, "--data", str(world.write(folder / "world"))) as system:
        yield system


@dataclass(frozen=True)
class Given:
    kafka: str
    registry: str


@contextmanager
def _broker(folder: Path) -> Iterator[Broker]:
    kafka, registry = os.environ.get("WEIGHLOCK_KAFKA"), os.environ.get("WEIGHLOCK_REGISTRY")
    if kafka and registry:
        yield Given(kafka, registry)
        return
    from weighlock.stack import Stack

    with Stack(folder / "stack") as local:
        yield local


def main() -> int:
    parser = argparse.ArgumentParser("python -m bench.calls", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=10_000)
    parser.add_argument("--contacts", type=int, default=25_000)
    parser.add_argument("--filled", choices=("half", "none"), default="half", help="how much of it the portal knows already")
    given = parser.parse_args()
    world = World(given.customers, given.contacts, given.filled == "half")
    with tempfile.TemporaryDirectory() as name, _broker(Path(name)) as broker, prepared(broker, Path(name) / "run", world) as system:
        count = first_sync(system, world)
    print(count)
    return 0 if count.ratio <= 1.2 and count.verdict["agreed"] else 1


if __name__ == "__main__":
    sys.exit(main())
