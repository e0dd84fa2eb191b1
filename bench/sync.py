"""A first sync through everything into an empty portal, beside what the least number of calls and the sandbox's own speed allow.

    python -m bench.sync --customers 1000 --contacts 2500

A broker is started unless WEIGHLOCK_KAFKA and WEIGHLOCK_REGISTRY name one.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table

from bench.calls import BATCH, World, first_sync, prepared
from bench.place import broker, machine
from weighlock.demo.sandboxes import Sandbox
from weighlock.settings import HubSpot


def alone(folder: Path, settings: HubSpot, records: int) -> float:
    """Seconds in which one client that does nothing else writes so many contacts into an empty sandbox, a hundred at a time."""
    sandbox = Sandbox("hubspot", folder, "--data", "empty")
    try:
        sandbox.wait()
        token = {"authorization": f"Bearer {settings.token.get_secret_value()}"}
        with httpx.Client(base_url=sandbox.url, headers=token, timeout=60, trust_env=False) as client:
            began, waited = time.perf_counter(), 0.0
            for first in range(0, records, BATCH):
                people = range(first, min(first + BATCH, records))
                rows = [{"idProperty": "email", "id": f"p{n}@firm.example", "properties": {"lastname": f"Person {n}"}} for n in people]
                body = {"inputs": rows}
                while (answer := client.post(f"/crm/objects/{settings.version}/contacts/batch/upsert", json=body)).status_code == 429:
                    time.sleep(0.1)  # its own limit of calls, which is no measure of its speed
                    waited += 0.1
                answer.raise_for_status()
            return time.perf_counter() - began - waited
    finally:
        sandbox.close()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser("python -m bench.sync", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=1_000)
    parser.add_argument("--contacts", type=int, default=2_500)
    given = parser.parse_args(arguments)
    world = World(given.customers, given.contacts, half=False)
    with tempfile.TemporaryDirectory() as name, broker(Path(name)) as place, prepared(place, Path(name) / "run", world) as system:
        settings = system.settings.need_hubspot()
        top = alone(Path(name), settings, given.customers + given.contacts)
        count = first_sync(system, world)
    least, made = sum(world.least().values()), sum(count.made.values())
    share = settings.burst_per_10_seconds / 10
    title = f"{given.customers} customers, {given.contacts} contacts; {machine()}"
    table = Table("what", "seconds", "records/s", "calls", title=title, title_justify="left", box=None)
    for what, seconds, calls in (
        ("the sandbox alone: one client, batches of 100, no associations", top, -(-(given.customers + given.contacts) // BATCH)),
        (f"the least number of calls, evenly at our share of {share:.0f} a second", least / share, least),
        ("Weighlock, from its start until the last record was there", count.seconds, made),
    ):
        table.add_row(what, f"{seconds:.1f}", f"{(given.customers + given.contacts) / seconds:,.0f}", str(calls))
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(table)
    console.print(count.verdict["line"])
    return 0 if count.verdict["agreed"] else 1


if __name__ == "__main__":
    sys.exit(main())
