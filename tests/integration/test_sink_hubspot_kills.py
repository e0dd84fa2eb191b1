"""The sink under kills: nothing missing, nothing doubled, every wish accounted for exactly once."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.records import Audit, Wish
from schemas.topics import AUDIT, UPSERTS_HUBSPOT, WAITING_HUBSPOT
from tests.harness.forwarder import Holding
from tests.integration.sink_kit import ENDS, Desk, Sandbox, company, contact, eventually, invoice, lines


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    found = Sandbox(tmp_path, "--set", "burst_limit=100000", "--set", "associations_limit=100000", "--set", "search_limit=1000")
    yield found
    found.close()


@pytest.fixture
def desk(stack, prefix: str, sandbox: Sandbox, tmp_path: Path) -> Iterator[Desk]:
    found = Desk(
        stack.kafka, stack.registry, prefix, sandbox, tmp_path, hubspot={"burst_per_10_seconds": 10_000, "search_per_second": 1000}
    )
    yield found
    found.stop_all()


def settled(desk: Desk) -> bool:
    """Every record of upserts has exactly one event, nothing waits any more, and nothing is about to be written with what came later."""
    if _waits(desk) or any(result.missing for result in desk.results().values()):
        return False  # asked before the rest: who waited a moment ago may be on its way back to upserts
    said = desk.records(AUDIT, Audit)
    events = Counter(one.event for one in said)
    dropped = sum(1 for one in said if "while it waited" in (one.detail or ""))
    read = sum(1 for _ in desk.wire.read(UPSERTS_HUBSPOT))
    return sum(events[end] for end in ENDS) + events["waiting"] - dropped == read and not _waits(desk)


def _waits(desk: Desk) -> bool:
    return any({message.key(): message.value() for message in desk.wire.read(WAITING_HUBSPOT)}.values())


def assert_held(desk: Desk, newest: dict[str, Wish]) -> None:
    """The sandbox holds the newest wish for each subject, once, with its company; ledger and links say the same."""
    held = desk.sandbox.held("companies", "acumatica_customer_key") | desk.sandbox.held("contacts", "acumatica_contact_key")
    assert len(held) == len(desk.sandbox.live("companies")) + len(desk.sandbox.live("contacts")) == len(newest)
    results, links = desk.results(), desk.links()
    pairs = {(row["from_id"], row["to_id"]) for row in desk.sandbox.get("dump")["associations"]}
    for wish in newest.values():
        found, result = held[wish.key_value], results[wish.subject]
        assert {name: found.get(name) or None for name in wish.properties} == dict(wish.properties)
        assert (result.facets["profile"].version, result.facets["profile"].outcome) == (wish.version, "written")
        assert result.target == links[wish.subject] == f"hubspot:{wish.object}:{found['id']}"
        assert links[result.target] == wish.subject
        for reference in wish.references:
            assert (found["id"], links[reference.ref].rpartition(":")[2]) in pairs


def assert_invoices_held(desk: Desk, count: int, *prices: str) -> None:
    """Each of the first `count` invoices is there once, with its company, its contact and one line for each price."""
    held, own = desk.sandbox.held("invoices", "acumatica_invoice_key"), desk.sandbox.held("line_items", "acumatica_line_key")
    ends = {frozenset((row["from_id"], row["to_id"])) for row in desk.sandbox.get("dump")["associations"]}
    assert (len(desk.sandbox.live("invoices")), len(desk.sandbox.live("line_items"))) == (count, count * len(prices))
    links = desk.links()
    for number in range(count):
        document, parts = invoice(number, 1, number, number), lines(number, 1, *prices).parts
        id = held[document.key_value]["id"]
        assert [own[part.key]["price"] for part in parts] == list(prices)
        others = [own[part.key]["id"] for part in parts] + [links[one.ref].rpartition(":")[2] for one in document.references]
        assert all(frozenset((id, other)) in ends for other in others)


@pytest.mark.parametrize("point", ["answer-before-result", "result-before-commit"])
def test_killed_at_a_fail_point(desk: Desk, point: str) -> None:
    """Killed between answer and result, or result and commit, the next run does it again: nothing is lost and nothing doubled."""
    bills = [wish for n in range(20) for wish in (invoice(n, n, n, n), lines(n, n, "1", "2"))]
    desk.send(*bills)
    wishes = [company(n, n, domain=f"c{n}.example") for n in range(20)] + [contact(n, n, n, email=f"p{n}@x.example") for n in range(20)]
    desk.send(*wishes)
    killed = desk.start("m", WEIGHLOCK_FAILPOINT=f"{point}:2")
    eventually(lambda: killed.poll() is not None, what="the kill")
    assert killed.returncode == -signal.SIGKILL
    desk.start("m")
    everything = {wish.subject for wish in (*wishes, *bills)}
    eventually(lambda: everything <= desk.results().keys() and settled(desk), 120)
    assert_held(desk, {wish.subject: wish for wish in wishes})
    assert_invoices_held(desk, 20, "1", "2")


def test_offsets_before_the_call_are_seen(desk: Desk) -> None:
    """The net works: a sink that commits offsets before it calls loses the batch that it dies in, and the account shows it."""
    wishes = [company(n, n) for n in range(20)]
    desk.send(*wishes)
    killed = desk.start("m", WEIGHLOCK_FAILPOINT="answer-before-result:1", WEIGHLOCK_MUTANT="ack-before-write")
    eventually(lambda: killed.poll() is not None, what="the kill")
    desk.start("m")
    more = [company(n, n) for n in range(20, 60)]
    desk.send(*more)
    eventually(lambda: {wish.subject for wish in more} <= desk.audit().keys(), 120)
    assert not settled(desk)


def test_a_late_call_of_a_stopped_owner_does_not_stay(desk: Desk) -> None:
    """A call of an owner that was stopped takes effect after its successor wrote something newer: it is written over again."""
    old, new = company(1, 1, name="old"), company(1, 2, name="new")
    with Holding(desk.sandbox.url.removeprefix("http://")) as way:
        desk.start("a", WEIGHLOCK_HUBSPOT__URL=f"http://{way.address}")
        desk.send(company(1, 0, name="first"))
        desk.wait_for_ends(1)
        way.hold("batch/upsert")
        desk.send(old)
        assert way.held.wait(60), "the late call"
        os.kill(desk.worker("a").pid, signal.SIGSTOP)
        desk.start("b")
        desk.wait_for_ends(2)
        desk.send(new)
        desk.wait_for_ends(3)
        assert desk.sandbox.held("companies", "acumatica_customer_key")[new.key_value]["name"] == "new"
        way.let_go()
        eventually(lambda: desk.sandbox.held("companies", "acumatica_customer_key")[new.key_value]["name"] == "old", what="the damage")
        os.kill(desk.worker("a").pid, signal.SIGCONT)
        eventually(lambda: desk.sandbox.held("companies", "acumatica_customer_key")[new.key_value]["name"] == "new", what="the repair")
        eventually(lambda: settled(desk))
        assert_held(desk, {new.subject: new})


def test_two_processes_adopt_one_company(desk: Desk) -> None:
    """Two customers of one domain, in two processes, take the same candidate at the same moment: each ends with a company of its own."""
    there: list[str] = []
    newest: dict[str, Wish] = {}
    desk.start("a")
    desk.start("b")
    for turn in range(5):  # again, where one of them had leapt before the other one looked: the machine was busy
        domain = f"shared{turn}.example"
        (entry, *_) = desk.sandbox.edit(entity="company", create={"name": "as it was", "domain": domain})
        there.append(entry["id"])
        eventually(lambda: [len(desk.owned(member)) for member in "ab"] == [2, 2], what="two partitions each")
        eventually(lambda domain=domain: desk.sandbox.searchable("company", domain), what="the index")
        some = range(100 * turn, 100 * turn + 100)
        by_partition = {desk.wire.partition(UPSERTS_HUBSPOT, wish.subject): wish for wish in (company(n, n) for n in some)}
        pair = [by_partition[desk.owned(member)[0]] for member in "ab"]
        wishes = [company(wish.version, wish.version, domain=domain) for wish in pair]
        newest |= {wish.subject: wish for wish in wishes}
        desk.sandbox.no_faults()
        desk.sandbox.fault(path="companies/batch/update", kind="slow", times=2, args={"seconds": 2})  # both look before one leaps
        desk.send(*wishes)
        count = len(newest)
        eventually(lambda count=count: len(desk.sandbox.live("companies")) == count and settled(desk), 120)
        if "claimed twice" in desk.log("a") + desk.log("b"):
            break
    else:
        pytest.fail("nothing was provoked")
    assert_held(desk, newest)
    assert set(there) <= {row["id"] for row in desk.sandbox.held("companies", "acumatica_customer_key").values()}


def test_kills_and_zombies_at_random(desk: Desk) -> None:
    """Two members on four partitions, killed and stopped beyond their session while wishes go on: the newest wish holds everywhere."""
    chance = random.Random(7)
    desk.sandbox.fault(path="batch/upsert", kind="reset-after", times=5, skip=10)
    desk.sandbox.fault(path="batch/upsert", kind="html", times=5, skip=25, args={"status": 502})
    newest: dict[str, Wish] = {}
    for member in ("a", "b"):
        desk.start(member)
    version = 0
    for turn in range(8):
        batch = []
        for _ in range(60):
            version += 1
            number = chance.randrange(120)
            wish = (
                company(number, version, name=f"Customer {number} v{version}", domain=f"c{number}.example")
                if chance.random() < 0.5
                else contact(number, version, number % 120, email=f"p{number}@x.example", jobtitle=f"v{version}")
            )
            newest[wish.subject] = wish
            batch.append(wish)
        for number in range(15 * turn, 15 * turn + 15):  # so that every contact's company comes at last
            version += 1
            wish = company(number, version, name=f"Customer {number} v{version}", domain=f"c{number}.example")
            newest[wish.subject] = wish
            batch.append(wish)
        desk.send(*batch)
        member = chance.choice("ab")
        time.sleep(chance.uniform(0.3, 1.5))  # a random moment: there is no condition to wait for
        if turn == 4:
            stopped = desk.start(member) if desk.worker(member).poll() is not None else desk.worker(member)
            os.kill(stopped.pid, signal.SIGSTOP)
            time.sleep(8)  # past the session time-out
            os.kill(stopped.pid, signal.SIGCONT)
        else:
            desk.kill(member)
            desk.start(member)
    eventually(lambda: settled(desk), 150)
    assert_held(desk, newest)
