"""Ten thousand records of nonsense through the whole path: held as HubSpot would hold them, or dead letters that name the field."""

from __future__ import annotations

import json
import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from sandbox.compare.owned import same, text
from schemas.records import Audit, DeadLetter
from schemas.topics import AUDIT, DEAD_LETTERS, UPSERTS_HUBSPOT
from tests.harness import verdicts
from tests.harness.accounting import account
from tests.harness.flight import SOURCES, Tower
from tests.harness.nonsense import World
from tests.harness.system import TENANT, Broker, System, eventually, running
from tests.harness.verdicts import Fate

CUSTOMERS, CONTACTS, SEED = 3_500, 6_500, 20
#: More calls than a vendor grants: this is not about their limits.
ROOM = ("--set", "burst_limit=100000", "--set", "search_limit=1000", "--set", "associations_limit=100000")
OURS = {
    "WEIGHLOCK_ACUMATICA__PAGE_SIZE": "1000",
    "WEIGHLOCK_HUBSPOT__BURST_PER_10_SECONDS": "100000",
    "WEIGHLOCK_HUBSPOT__SEARCH_PER_SECOND": "1000",
}


@dataclass
class Outcome:
    """What was there when nothing moved any more."""

    system: System
    fates: dict[str, Fate]
    letters: dict[str, list[DeadLetter]]
    events: dict[str, list[Audit]]
    held: dict[str, list[dict[str, Any]]]
    companies: dict[str, set[str]]


@pytest.fixture(scope="module")
def outcome(stack: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outcome]:
    folder = tmp_path_factory.mktemp("nonsense")
    world = World(CUSTOMERS, CONTACTS, SEED)
    with running(stack, folder, "--data", str(world.write(folder / "world")), hubspot=ROOM) as system:
        rule = {"method": "GET", "kind": "garbled", "times": 1_000_000, "args": {"rows": world.garbled}}
        system.erp.http.post("/faults", content=json.dumps(rule)).raise_for_status()
        for worker in system.workers.values():
            worker.start(**OURS)
        dump = system.erp.get("/dump")
        fates = _fates(dump, world.garbled)
        _wait(system, sum(1 for ref in fates))
        yield _outcome(system, fates)


def _fates(dump: Mapping[str, Any], garbled: Mapping[str, Mapping[str, str]]) -> dict[str, Fate]:
    found = {_ref("customer", row): verdicts.customer(row, garbled.get(row["id"], {})) for row in dump["customers"]}
    readable = [row for row in dump["customers"] if "CustomerID" not in garbled.get(row["id"], {})]
    codes = {text(row["CustomerID"]).upper(): (_ref("customer", row), found[_ref("customer", row)]) for row in readable}
    return found | {_ref("contact", row): verdicts.contact(row, garbled.get(row["id"], {}), codes) for row in dump["contacts"]}


def _ref(entity: str, row: Mapping[str, Any]) -> str:
    return f"acumatica:{entity}:{row['id'].lower()}"


def _wait(system: System, total: int) -> None:
    """Until all of it was read and nobody has anything left to do; at once if a worker ends."""
    tower, until = Tower(system), time.monotonic() + 330

    def is_done() -> bool:
        gone = [worker.name for worker in system.workers.values() if worker.status is not None]
        assert not gone, f"{gone} ended\n" + "\n".join(worker.tail() for worker in system.workers.values())
        most = sum(tower.ends(SOURCES, committed=True).values()) > 0.9 * total and _lag(tower) < 100 and tower.idle()
        return most and _read(system) == total and tower.idle()

    eventually("all is done", is_done, until - time.monotonic(), every=0.5)


def _read(system: System) -> int:
    """How many records the source has told of: read or refused."""
    said = (system.wire.decode(Audit, message) for message in system.wire.read(AUDIT))
    return len({one.ref for one in said if one is not None and one.stage == "source"})


def _lag(tower: Tower) -> int:
    return tower.lag("streams", SOURCES) + tower.lag("sink.hubspot", (UPSERTS_HUBSPOT,))


def _outcome(system: System, fates: dict[str, Fate]) -> Outcome:
    letters: dict[str, list[DeadLetter]] = defaultdict(list)
    for message in system.wire.read(DEAD_LETTERS):
        letter = system.wire.decode(DeadLetter, message)
        assert letter is not None
        letters[letter.ref or "?"].append(letter)
    events: dict[str, list[Audit]] = defaultdict(list)
    for message in system.wire.read(AUDIT):
        entry = system.wire.decode(Audit, message)
        assert entry is not None
        events[entry.ref].append(entry)
    dump = system.crm.get("/dump")
    held: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for kind, name in (("companies", "customer"), ("contacts", "contact")):
        for record in dump[kind]:
            key = record["properties"].get(f"acumatica_{name}_key")
            if key and not record["archived"]:
                held[f"acumatica:{name}:{key.removeprefix(f'{TENANT}|')}"].append(record)
    companies: dict[str, set[str]] = defaultdict(set)
    for link in dump["associations"]:
        if (link["from"], link["to"]) == ("contact", "company"):
            companies[str(link["from_id"])].add(str(link["to_id"]))
    return Outcome(system, fates, letters, events, held, companies)


def test_each_is_held_or_a_dead_letter_that_names_the_field(outcome: Outcome) -> None:
    """All ten thousand, by key: what HubSpot holds, what a dead letter says, and that nothing is both, neither or there twice."""
    assert len(outcome.fates) == CUSTOMERS + CONTACTS
    shared = _shared(outcome.fates)
    wrong = [f"{ref}: {fault}" for ref, fate in outcome.fates.items() for fault in _faults(outcome, ref, fate, shared)]
    assert wrong == [], f"{len(wrong)} of {len(outcome.fates)}, such as\n" + "\n".join(wrong[:20])
    strangers = (outcome.letters.keys() | outcome.held.keys()) - outcome.fates.keys()
    assert not strangers


def test_the_world_is_full_of_nonsense(outcome: Outcome) -> None:
    """Most of it can be held; each way to be refused occurs, on either side, and so does what stays out."""
    ends = Counter(fate.end for fate in outcome.fates.values())
    assert ends["held"] > 6_000, ends
    assert ends["refused"] > 1_000, ends
    assert ends["out of scope"] > 200, ends
    assert ends["waits"] > 20, ends
    named = {name for fate in outcome.fates.values() for name in fate.names}
    assert {"CustomerName", "CreditLimit", "BAccountID", "LastModifiedDateTime", "CustomerID", "ContactID", "Active", "Type"} <= named
    assert {"MainContact", "MainContact.Email", "Address", "Address.City", "BusinessAccount", "Phone1", "Fax"} <= named
    assert {"email", "firstname", "lastname", "jobtitle", "phone", "name"} & named >= {"email", "firstname", "lastname"}
    stages = Counter(letter.stage for letters in outcome.letters.values() for letter in letters)
    assert min(stages[stage] for stage in ("source", "normalise", "route", "sink")) > 10, stages


def _shared(fates: Mapping[str, Fate]) -> dict[str, list[str]]:
    """Contacts that could be there, by the address that only one of them can have."""
    found: dict[str, list[str]] = defaultdict(list)
    for ref, fate in fates.items():
        if fate.end == "held" and fate.values.get("email"):
            found[fate.values["email"]].append(ref)
    return found


def _faults(outcome: Outcome, ref: str, fate: Fate, shared: Mapping[str, list[str]]) -> Iterator[str]:
    held, letters = outcome.held.get(ref, []), outcome.letters.get(ref, [])
    events = [entry.event for entry in outcome.events.get(ref, [])]
    group = shared.get(fate.values.get("email", ""), [])
    if group and not held and sum(other in outcome.held for other in group) == 1:  # another one has its address
        fate = Fate("refused", fate.names | {"email"})
    if fate.end == "refused":
        if held or len(letters) != 1 or events.count("rejected") != 1:
            yield f"to be refused for {sorted(fate.names)}: {len(held)} held, {[letter.reason[:300] for letter in letters]}, audit {events}"
        elif not any(re.search(rf"(?<![\w.]){re.escape(name)}(?!\w)", letters[0].reason) for name in fate.names):
            yield f"its dead letter names none of {sorted(fate.names)}: {letters[0].reason[:300]}"
        return
    if letters:
        yield f"{fate.end}, yet a dead letter: {letters[0].stage}: {letters[0].reason[:300]}"
    elif fate.end == "held" and len(held) != 1:
        yield f"held {len(held)} times, audit {events}"
    elif fate.end == "held":
        properties = held[0]["properties"]
        for name, value in fate.values.items():
            if not same(name, value, properties.get(name)):
                yield f"{name} is {properties.get(name)!a:.200}, to be {value!a:.200}"
        if fate.company and outcome.held[fate.company][0]["id"] not in outcome.companies[held[0]["id"]]:
            yield "not with its company"
    elif held or events[-1] != ("waiting" if fate.end == "waits" else "out_of_scope"):
        yield f"{fate.end}: {len(held)} held, audit {events}"


def test_the_comparer_finds_nothing_else(outcome: Outcome) -> None:
    """What people left in HubSpot is as it was; all that it finds is about records that are refused or that the answers told otherwise."""
    verdict = outcome.system.compare()
    assert verdict["altered"] == []
    told = {ref.rpartition(":")[2] for ref, fate in outcome.fates.items() if fate.end not in ("held", "shared")}
    told |= {id for rule in outcome.system.erp.get("/faults") for id in rule["args"]["rows"]}
    found = [*verdict["doubled"], *verdict["missing"], *verdict["stale"]]
    assert [one for one in found if not told & set(re.findall(rf"\({TENANT}\|([0-9a-f-]+)\)", one))] == []


def test_nobody_stopped_and_all_is_accounted_for(outcome: Outcome) -> None:
    """The workers that were started still run, nothing is left to read, and every change that was read has one end."""
    system = outcome.system
    assert all(worker.status is None for worker in system.workers.values())
    eventually("nothing is left to read", Tower(system).idle)
    found = account(system.wire)
    assert found.problems == []
    refused = sum(letter.stage == "source" for letters in outcome.letters.values() for letter in letters)
    assert found.total + refused == CUSTOMERS + CONTACTS
    assert found.ends["waiting"] == sum(fate.end == "waits" for fate in outcome.fates.values())
