"""At a vendor's limit a worker waits and says until when; nothing is dropped, and the vendor never has to refuse a call."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from schemas.topics import by_name
from tests.harness.system import Broker, System, Worker, eventually, running

#: Our shares, and what the sandboxes allow: twice of it, for a sink that is started again forgets what it has asked for.
SHARES = {"HUBSPOT__BURST_PER_10_SECONDS": 12, "HUBSPOT__SEARCH_PER_SECOND": 1}
SHARE_OF_LICENCE = 12
HUBSPOT = {"burst_limit": 24, "search_limit": 2, "daily_limit": 1000}
CUSTOMERS, CONTACTS = 120, 600


def at_noon() -> str:
    """A zone in which it is about noon: no midnight comes in between."""
    west = datetime.now(UTC).hour - 12
    return f"Etc/GMT{west:+d}" if west else "UTC"


def world(folder: Path) -> tuple[str, str]:
    """Half of them are known to the portal already."""
    sites = [f"firm-{number:04d}-building-supplies.example" for number in range(CUSTOMERS)]
    mails = [f"person-{number}@mail.example" for number in range(CONTACTS)]
    files: dict[str, list[dict[str, Any]]] = {
        "customers": [
            {"CustomerID": f"C{number:04d}", "CustomerName": f"Firm {number}", "MainContact": {"WebSite": site}}
            for number, site in enumerate(sites)
        ],
        "contacts": [
            {"BusinessAccount": f"C{number % CUSTOMERS:04d}", "LastName": f"Person {number}", "Email": mail}
            for number, mail in enumerate(mails)
        ],
        "hubspot_companies": [{"name": site, "domain": site} for site in sites[::2]],
        "hubspot_contacts": [{"email": mail} for mail in mails[::2]],
    }
    folder.mkdir()
    for name, rows in files.items():
        (folder / f"{name}.json").write_text(json.dumps(rows))
    return "--data", str(folder)


def waits(worker: Worker, words: str) -> list[tuple[datetime, datetime]]:
    """When it said that it waits for that reason, and until when."""
    lines = [one for one in worker.said() if one["event"] in ("waiting", "waits") and words in one.get("reason", one.get("why", ""))]
    return [(datetime.fromisoformat(one["timestamp"]), datetime.fromisoformat(one["until"])) for one in lines]


def refused(system: System) -> dict[str, int]:
    """What HubSpot had to refuse, by limit."""
    return {name: one["refused"] for name, one in system.crm.get("/calls")["buckets"].items()}


def recorded(system: System) -> int:
    """How many records the sink's ledger has."""
    return len({message.key() for message in system.wire.read(by_name("results.hubspot"))})


def restart(worker: Worker, **settings: float) -> None:
    """A stop is heard in every wait; who comes next goes on."""
    assert worker.stop() == 0
    worker.env |= {f"WEIGHLOCK_{name}": str(value) for name, value in settings.items()}
    worker.start()


def the_licence(system: System) -> None:
    """Our share ends in the middle of a first sync."""
    system.source.start()
    ((said, until), *_) = eventually("the source waits", lambda: waits(system.source, "requests a minute"))
    assert timedelta(seconds=10) < until - said < timedelta(seconds=75)
    assert system.erp.get("/calls")["licence"]["most"] <= SHARE_OF_LICENCE + 2  # a page is never broken off half made
    restart(system.source, ACUMATICA__REQUESTS_PER_MINUTE=400)


def the_day(system: System, zone: ZoneInfo) -> None:
    """All but a few of the day's calls are the reserve: records change one at a time until only that is left."""
    reserve = HUBSPOT["daily_limit"] - system.crm.get("/calls")["buckets"]["daily"]["total"] - 6
    restart(system.sink, HUBSPOT__DAILY_RESERVE_PERCENT=reserve / HUBSPOT["daily_limit"] * 100)
    number = 0

    def at_the_reserve() -> list[tuple[datetime, datetime]]:
        nonlocal number
        number += 1
        system.erp.edit(entity="customer", key=f"C{number % CUSTOMERS:04d}", fields={"CustomerName": f"Firm again {number}"})
        return waits(system.sink, "reserve for others")

    _, until = eventually("the sink waits for the next day", at_the_reserve, 120, every=0.7)[0]
    midnight = (datetime.now(zone) + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    assert abs(until - midnight) < timedelta(minutes=1)
    day = system.crm.get("/calls")["buckets"]["daily"]
    assert reserve - 1 <= day["limit"] - day["total"] <= reserve
    restart(system.sink, HUBSPOT__DAILY_RESERVE_PERCENT=0)


def test_limits_are_waited_for(stack: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Acumatica's licence share, HubSpot's burst, searches and day: each reached, each waited for with a time, none passed."""
    switches = {**HUBSPOT, "time_zone": at_noon()}
    monkeypatch.setenv("WEIGHLOCK_HUBSPOT__BURST_PER_10_SECONDS", str(HUBSPOT["burst_limit"] - 1))  # of the setup
    crm = tuple(word for name, value in switches.items() for word in ("--set", f"{name}={value}"))
    with running(stack, tmp_path, *world(tmp_path / "world"), acumatica=("--licence-per-minute", "1000"), hubspot=crm) as system:
        before = refused(system)
        system.source.env |= {"WEIGHLOCK_ACUMATICA__REQUESTS_PER_MINUTE": str(SHARE_OF_LICENCE), "WEIGHLOCK_ACUMATICA__PAGE_SIZE": "50"}
        system.sink.env |= {f"WEIGHLOCK_{name}": str(share) for name, share in SHARES.items()}
        system.start("streams")
        the_licence(system)
        # `weighlock setup` has made calls as well, from a share of its own
        eventually("the burst is over", lambda: system.crm.get("/calls")["buckets"]["burst"]["left"] == HUBSPOT["burst_limit"])
        system.start("sink-hubspot")
        verdict = system.agree()
        eventually("the sink has recorded it", lambda: recorded(system) == CUSTOMERS + CONTACTS, every=0.5)
        for limit in ("burst", "search"):
            assert waits(system.sink, f"our own budget for HubSpot ({limit}"), f"the limit {limit} was never reached"
        the_day(system, ZoneInfo(switches["time_zone"]))
        system.agree()
        assert (verdict["companies"], verdict["contacts"]) == (CUSTOMERS, CONTACTS)
        assert refused(system) == before
        licence = system.erp.get("/calls")["licence"]
        assert (licence["delayed"], licence["declined"]) == (0, 0)
