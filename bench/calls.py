"""How many calls a first sync takes, by the sandboxes' own counts, beside the least that would do.

    python -m bench.calls --customers 10000 --contacts 25000 --filled half

Kafka and the registry are those that WEIGHLOCK_KAFKA and WEIGHLOCK_REGISTRY name, else a stack of its own is started.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.place import Broker, broker, machine
from tests.harness.system import System, eventually, running

#: What HubSpot takes at once: records of a batch, pairs that are made, records whose pairs are read, characters of a search
#: (facts/hubspot.md §2, §3, §5).
BATCH, PAIRS, PAIRED, SEARCH_BODY = 100, 2000, 1000, 3000
#: A search's body without any value.
SEARCH_FRAME = len(
    '{"filterGroups":[{"filters":[{"propertyName":"domain","operator":"IN","values":[]}]}],"properties":["domain"],"limit":200}'
)
#: At the start the sink asks for the account and the properties of four objects, for one invoice, and whether it may write two of them.
START = 8
#: Acumatica's lists by entity: its key. A short page is the last one (facts/acumatica.md §4.7), so a full one has another after it.
KEYS = {"Customer": "CustomerID", "Contact": "ContactID"}
WINDOW = "LastModifiedDateTime ge ? and LastModifiedDateTime lt ?"
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

    def least_of_acumatica(self, page: int) -> dict[str, int]:
        """The fewest calls to Acumatica for rows that come `page` at a time: every row once. Whose a contact is, the customers' rows say;
        that each entity's filter by stamp and key works (§13.1) takes a call to see. The polls meanwhile are not the first sync's."""
        return {
            "sign in": 1,
            "endpoints": 1,
            "pages of customers": self.customers // page + 1,
            "pages of contacts": self.contacts // page + 1,
            "prove the filters": len(KEYS),
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
        listed = route.startswith("GET") and route.endswith("/companies") and "/objects/" in route
        purpose = "list companies" if listed else next((name for part, name in ROUTES.items() if part in route), "at the start")
        found[purpose] = found.get(purpose, 0) + sum(counts.values())
    return found


def narrow(one: Row) -> bool:
    """Keys and stamps alone."""
    return set(one["select"].split(",")) == {KEYS[one["entity"]], "LastModifiedDateTime"}


def purposes_of_acumatica(calls: Row) -> dict[str, int]:
    """The sandbox's counts, as `World.least_of_acumatica` names them; `polls` are those of what changed."""
    routes = {route: sum(counts.values()) for route, counts in calls["routes"].items()}
    found = {"sign in": routes.pop("POST /identity/connect/token", 0), "endpoints": routes.pop("GET /entity", 0)}
    for one in calls["lists"]:
        key = KEYS[one["entity"]]
        if one["filter"].startswith(WINDOW):
            purpose = "polls"
        elif one["filter"] in ("", f"{key} gt ?") and not narrow(one):
            purpose = f"pages of {one['entity'].lower()}s"
        else:
            purpose = "prove the filters" if narrow(one) else "codes, and what they lead to"
        found[purpose] = found.get(purpose, 0) + one["calls"]
    other = sum(routes.values()) - sum(one["calls"] for one in calls["lists"])
    return {**found, "other": other} if other else found


@dataclass
class Count:
    """What a first sync took: calls by purpose, those made and the least. `polls` of Acumatica went on meanwhile; `rest` are its lists
    in `rested` seconds at rest, as the sandbox counts them."""

    seconds: float
    made: dict[str, int]
    least: dict[str, int]
    refused: int
    erp_made: dict[str, int]
    erp_least: dict[str, int]
    polls: int
    rest: list[Row]
    rested: float
    verdict: dict[str, Any]

    @property
    def ratio(self) -> float:
        return sum(self.made.values()) / sum(self.least.values())

    @property
    def erp_ratio(self) -> float:
        return sum(self.erp_made.values()) / sum(self.erp_least.values())

    def __str__(self) -> str:
        lines = [
            *_table("HubSpot", self.made, self.least, f"   x {self.ratio:.3f}, {self.refused} refused (429)"),
            *_table("Acumatica", self.erp_made, self.erp_least, f"   x {self.erp_ratio:.3f}, and {self.polls} polls meanwhile"),
            f"Acumatica at rest, {self.rested:.1f} s: {json.dumps(self.rest)}",
            f"{self.seconds:.0f} s; {self.verdict['line']}",
        ]
        return "\n".join(lines)


def _table(system: str, made: dict[str, int], least: dict[str, int], said: str) -> list[str]:
    names = dict.fromkeys([*least, *made])
    rows = [f"{name:<28} {made.get(name, 0):>7} {least.get(name, 0):>7}" for name in names]
    return [f"{system:<28} {'made':>7} {'least':>7}", *rows, f"{'all':<28} {sum(made.values()):>7} {sum(least.values()):>7}{said}"]


def _calls(sandbox: Any) -> Row:
    found: Row = sandbox.get("/calls")
    return found


def _since(before: Row, after: Row) -> Row:
    """The routes and lists that were called in between."""
    old = before["routes"]
    routes = {
        route: {status: count - old.get(route, {}).get(status, 0) for status, count in counts.items()}
        for route, counts in after["routes"].items()
    }
    seen = {(one["entity"], one["select"], one["filter"]): one for one in before.get("lists", ())}
    lists = []
    for one in after.get("lists", ()):
        was = seen.get((one["entity"], one["select"], one["filter"]), {"calls": 0, "rows": 0})
        lists.append({**one, "calls": one["calls"] - was["calls"], "rows": one["rows"] - was["rows"]})
    return {
        "routes": {route: counts for route, counts in routes.items() if any(counts.values())},
        "lists": [one for one in lists if one["calls"]],
    }


class _Keyed:
    """The records of ours in HubSpot, by its log."""

    def __init__(self, system: System) -> None:
        self._system, self._seq, self._keys = system, 0, set[str]()

    def count(self) -> int:
        entries = self._system.crm.get("/log", after=self._seq)
        self._seq += len(entries)
        self._keys.update(entry["key"] for entry in entries if entry["key"])
        return len(self._keys)


def first_sync(system: System, world: World, quiet: float = 5.0, seconds: float = 3600) -> Count:
    """Run the workers until all is there and HubSpot was not written to for `quiet` seconds; AssertionError if not all comes."""
    crm, erp, began = _calls(system.crm), _calls(system.erp), time.monotonic()
    system.start()
    keyed = _Keyed(system)
    eventually("all records are there", lambda: keyed.count() >= world.customers + world.contacts, seconds, every=0.5)
    rests = time.monotonic()
    resting = _calls(system.erp)
    for _ in range(4):  # what is written last has no key (who belongs to whom), and on a busy machine it may be long in coming
        verdict = system.settle(quiet, 60 + quiet)
        if verdict["agreed"]:
            break
    rest = _since(resting, _calls(system.erp))["lists"]
    rested = time.monotonic() - rests  # from before the first count to after the second
    routes, reads = _since(crm, _calls(system.crm))["routes"], purposes_of_acumatica(_since(erp, resting))
    polls, refused = reads.pop("polls", 0), sum(counts.get("429", 0) for counts in routes.values())
    least = world.least_of_acumatica(system.settings.need_acumatica().page_size)
    return Count(rests - began, purposes(routes), world.least(), refused, reads, least, polls, rest, rested, verdict)


@contextmanager
def prepared(place: Broker, folder: Path, world: World, hubspot: tuple[str, ...] = ()) -> Iterator[System]:
    """`hubspot`: arguments of that sandbox. Documents are another matter (bench/backlog.py)."""
    with running(place, folder, "--data", str(world.write(folder / "world")), hubspot=hubspot) as system:
        system.source.env["WEIGHLOCK_ACUMATICA__FEED"] = "off"
        yield system


def main() -> int:
    parser = argparse.ArgumentParser("python -m bench.calls", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=10_000)
    parser.add_argument("--contacts", type=int, default=25_000)
    parser.add_argument("--filled", choices=("half", "none"), default="half", help="how much of it the portal knows already")
    given = parser.parse_args()
    world = World(given.customers, given.contacts, given.filled == "half")
    with tempfile.TemporaryDirectory() as name, broker(Path(name)) as place, prepared(place, Path(name) / "run", world) as system:
        count = first_sync(system, world)
    print(f"{given.customers} customers, {given.contacts} contacts, filled: {given.filled}; {machine()}\n{count}")
    return 0 if max(count.ratio, count.erp_ratio) <= 1.2 and count.verdict["agreed"] else 1


if __name__ == "__main__":
    sys.exit(main())
