"""Invoices first: a backlog that was read before its companies exist, and the calls that it takes once they come.

    python -m bench.backlog --invoices 10000 --customers 500

The source reads invoices and payments while customers and contacts rest; the sink is at work and lets all of it wait. Then customers and
contacts are read too. Printed are the calls to HubSpot by their kind, by the sandbox's own count, beside the least that would do. Kafka and
the registry are those that WEIGHLOCK_KAFKA and WEIGHLOCK_REGISTRY name, else a stack of its own is started.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from math import ceil
from pathlib import Path
from typing import Any

from bench.calls import BATCH, PAIRED, PAIRS, SEARCH_BODY, SEARCH_FRAME, START
from bench.place import broker, machine
from schemas.records import Result
from schemas.topics import RESULTS_HUBSPOT, WAITING_HUBSPOT
from tests.harness.system import System, eventually, running

BILLED = ("INV", "DRM", "FCH")


def least(dump: dict[str, Any], contacts: int) -> dict[str, int]:
    """The fewest calls into an empty portal: every company looked for by its domain, as in `bench.calls`, every record in full batches,
    every pair made and read back (it answers what was asked for, not what it saved), every company's sums after it is there (its id is read
    before it is written)."""
    rows = {kind: [row for row in dump[kind] if not row["archived"]] for kind in ("companies", "contacts", "invoices", "line_items")}
    owing = sum("acumatica_ar_balance" in row["properties"] for row in rows["companies"])
    pairs = Counter(frozenset((one["from"], one["to"])) for one in dump["associations"])
    billed = pairs[frozenset(("invoice", "company"))]
    named = pairs[frozenset(("invoice", "contact"))]
    lines = len(rows["line_items"])
    sites = [row["properties"]["domain"] for row in rows["companies"] if row["properties"].get("domain")]
    searched = ceil(sum(len(f'"{site}","www.{site}",') for site in sites) / (SEARCH_BODY - SEARCH_FRAME))
    return {
        "at the start": START + 1,  # and whether the portal has companies
        "companies": searched + ceil(len(rows["companies"]) / BATCH) + 2 * ceil(owing / BATCH),
        "contacts": ceil(contacts / BATCH) + ceil(len(rows["contacts"]) / BATCH),
        "invoices": ceil(len(rows["invoices"]) / BATCH),
        "line items": ceil(lines / BATCH),
        "associations": sum(
            ceil(made / PAIRS) + ceil(read / PAIRED)
            for made, read in (
                (len(rows["contacts"]), len(rows["contacts"])),
                (billed, billed),
                (named, named),
                (lines, len(rows["invoices"])),
            )
        ),
    }


def made(routes: dict[str, dict[str, int]]) -> Counter[str]:
    """The sandbox's counts, as `least` names them."""
    found: Counter[str] = Counter()
    for route, counts in routes.items():
        kinds = {"/companies": "companies", "/contacts": "contacts", "/invoices": "invoices", "/line_items": "line items"}
        probe = "batch/update" in route and ("invoices" in route or "line_items" in route)
        start = probe or route.startswith("GET") or "/properties/" in route
        kind = next((name for part, name in kinds.items() if part in route), "associations")
        found["at the start" if start else kind] += sum(counts.values())
    return found


def waiting(system: System) -> int:
    held = {message.key(): message.value() for message in system.wire.read(WAITING_HUBSPOT)}
    return sum(value is not None for value in held.values())


def left_out(system: System) -> int:
    """Invoices in a currency that the portal does not have."""
    results = {message.key(): system.wire.decode(Result, message) for message in system.wire.read(RESULTS_HUBSPOT)}
    return sum(any(one.outcome == "left_out" for one in found.facets.values()) for found in results.values() if found is not None)


def run(system: System) -> tuple[dict[str, int], Counter[str], dict[str, Any], int, float]:
    """The least, what was made, the verdict, how many waited, and the seconds from the first company on."""
    now = datetime.now(UTC)
    rest = {"every": 0.5, "rest": [{"from": f"{now - timedelta(hours=1):%H:%M}", "to": f"{now + timedelta(hours=6):%H:%M}"}]}
    asleep = {f"WEIGHLOCK_ACUMATICA__{name}": json.dumps(rest) for name in ("CUSTOMER", "CONTACT")}
    billed = [one for one in system.erp.get("/books")["documents"] if one["Released"] and one["DocType"] in BILLED]
    before = system.crm.get("/calls")["routes"]
    system.start("streams", "sink-hubspot")
    system.source.start(**asleep)
    eventually("the backlog waits", lambda: waiting(system) + left_out(system) >= len(billed), 900, every=2)
    waited, began = waiting(system), time.monotonic()
    system.source.stop()
    system.source.start()
    verdict = system.settle(quiet=25, seconds=1200)
    calls = {
        route: {status: count - before.get(route, {}).get(status, 0) for status, count in counts.items()}
        for route, counts in system.crm.get("/calls")["routes"].items()
    }
    mails = sum(bool(row["Email"]) for row in system.erp.get("/dump")["contacts"])
    return least(system.crm.get("/dump"), mails), made(calls), verdict, waited, time.monotonic() - began - 25


def main() -> int:
    parser = argparse.ArgumentParser("python -m bench.backlog", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=500)
    parser.add_argument("--invoices", type=int, default=10_000)
    given = parser.parse_args()
    data = ("--customers", str(given.customers), "--invoices", str(given.invoices))
    empty = ("--data", "empty")
    with (
        tempfile.TemporaryDirectory() as name,
        broker(Path(name)) as place,
        running(place, Path(name) / "run", *data, hubspot=empty) as system,
    ):
        wanted, found, verdict, waited, seconds = run(system)
    ratio = found.total() / sum(wanted.values())
    print(f"{given.customers} customers, {given.invoices} invoices; {machine()}")
    for kind in dict.fromkeys([*wanted, *found]):
        print(f"{kind:<16} {found[kind]:>7} {wanted.get(kind, 0):>7}")
    print(f"{'all':<16} {found.total():>7} {sum(wanted.values()):>7}   x {ratio:.3f}")
    print(f"{waited} waited; {seconds:.0f} s from the first company on; {verdict['line']}")
    return 0 if ratio <= 1.2 and verdict["agreed"] else 1


if __name__ == "__main__":
    sys.exit(main())
