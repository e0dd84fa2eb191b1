"""What every sink inherits from the loop, whatever its target: on a real Kafka, with a target in memory that can be told to fail."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from unittest import mock

import pytest

from schemas.records import Doubt, Part, Wish, now
from sinks import attempts, base
from sinks.again import AGAIN, DOUBT
from sinks.contract import Resolved
from tests.contract.sink_memory import Bench, ClockOfDoubts, Memory, numbers
from tests.integration.sink_kit import Desk, company, contact, sink_running
from weighlock.errors import RateLimited, RejectedError, TransientError


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "LONGEST_WAIT", 0.2)


@pytest.fixture(scope="module")
def desk(stack, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return Desk(stack.kafka, stack.registry, f"c{time.time_ns()}.", None, tmp_path_factory.mktemp("sink"), wait_limit_hours=24, attempts=3)


@pytest.fixture(scope="module")
def memory() -> Memory:
    return Memory()


@pytest.fixture(scope="module")
def running(desk: Desk, memory: Memory) -> Iterator[Bench]:
    # so that what comes first after a take-over is over soon
    with mock.patch.object(base, "BATCH", 100), sink_running(desk, memory) as complain:
        found = Bench(desk, memory, complain)
        found.past_the_take_over()
        yield found


@pytest.fixture
def bench(running: Bench) -> Iterator[Bench]:
    yield running
    running.target.trouble, running.target.refused = (lambda wishes: None), {}


def test_what_cannot_be_read_is_a_dead_letter_whole(bench: Bench) -> None:
    """Undecodable bytes, an empty value, an unknown object and a wrong partition go to the dead letters as they came; neighbours go on."""
    good = company(next(numbers), 1)
    strange = good.model_copy(update={"subject": "acumatica:invoice:1", "object": "invoice"})
    partition = bench.desk.wire.partition(bench.desk.upserts, good.subject)
    bench.desk.send_raw("garbage", b"\x00\x00no avro", partition)
    bench.desk.send_raw("empty", None, partition)
    bench.desk.send_raw(good.subject, bench.desk.encoded(good), (partition + 1) % 4)
    bench.desk.send(strange, good)
    bench.until_events(good, written=1, rejected=1)
    bench.until(lambda: bench.desk.audit()["acumatica:invoice:1"] == {"rejected": 1}, "the unknown object")
    letters = {(one.key, one.value): one for one in bench.desk.dead_letters()}
    garbage = letters[b"garbage", b"\x00\x00no avro"]
    assert (garbage.topic, garbage.partition, garbage.error) == ("upserts.hubspot", partition, "Undecodable")
    assert "partitioner" in letters[good.subject.encode(), bench.desk.encoded(good)].reason
    assert "company, contact" in next(one.reason for key, one in letters.items() if key[0] == b"acumatica:invoice:1")
    assert (b"empty", None) in letters


def test_only_the_newest_is_written(bench: Bench) -> None:
    """Of several versions the newest is written, older ones are superseded whenever they come, and what is there already costs no call."""
    n = next(numbers)
    bench.desk.send(company(n, 3, phone="3"), company(n, 5, phone="5"), company(n, 4, phone="4"))
    bench.until_events(company(n, 0), written=1, superseded=2)
    bench.desk.send(company(n, 2, phone="2"), company(n, 5, phone="5"))
    bench.until_events(company(n, 0), written=1, superseded=3, unchanged=1)
    bench.desk.send(company(n, 6, phone="5"))
    bench.until_events(company(n, 0), written=1, superseded=3, unchanged=2)
    bench.desk.send(company(n, 5, phone="5"))
    bench.until_events(company(n, 0), written=1, superseded=4, unchanged=2)
    assert bench.target.calls_for(company(n, 0)) == 1
    assert bench.target.held[company(n, 0).subject].wish.properties["phone"] == "5"


def test_a_refused_record_leaves_its_neighbours_alone(bench: Bench) -> None:
    """A refusal is a dead letter with the vendor's words and what was sent; it is not tried again by a copy, but by a newer version."""
    bad, good = company(next(numbers), 1), company(next(numbers), 1)
    bench.target.refused = {bad.subject: RejectedError("not like this", request="sent", response="got", candidates=("1", "2"))}
    bench.desk.send(bad, good, bad)
    bench.until_events(good, written=1)
    bench.until(lambda: sum(bench.events(bad).values()) == 2, "both copies")
    bench.desk.send(bad)
    bench.until(lambda: sum(bench.events(bad).values()) == 3, "the third copy")
    assert bench.events(bad)["rejected"] == 1
    letter = bench.letter(bad)
    assert (letter.reason, letter.request, letter.response, letter.candidates) == ("not like this", "sent", "got", ["1", "2"])
    assert letter.value == bench.desk.encoded(bad)
    bench.target.refused = {}
    bench.desk.send(bad.model_copy(update={"version": 2}))
    bench.until(lambda: bench.events(bad).get("written") == 1, "the newer version")


def test_a_wish_waits_for_its_reference(bench: Bench) -> None:
    """It waits without a call, a newer one takes its place, an older one is superseded; the link's arrival lets the newest go on."""
    n, m = next(numbers), next(numbers)
    bench.desk.send(contact(m, 2, n))
    bench.until_events(contact(m, 0, n), waiting=1)
    bench.desk.send(contact(m, 1, n), contact(m, 3, n, jobtitle="newest"))
    bench.until_events(contact(m, 0, n), waiting=2, superseded=2)
    assert bench.target.calls_for(contact(m, 0, n)) == 0
    bench.desk.send(company(n, 1))
    bench.until_events(contact(m, 0, n), waiting=2, superseded=2, released=1, written=1)
    held = bench.target.held[contact(m, 0, n).subject]
    assert (held.wish.properties["jobtitle"], held.references) == ("newest", {"company": company(n, 1).subject[-4:]})


def test_a_wish_that_needs_no_more_waiting_ends_the_wait(bench: Bench) -> None:
    """A newer wish that can be written at once supersedes the one that waits; the link that comes later releases nothing."""
    n, m = next(numbers), next(numbers)
    bench.desk.send(contact(m, 1, n))
    bench.until_events(contact(m, 0, n), waiting=1)
    bench.desk.send(contact(m, 2, None, jobtitle="free"))
    bench.until_events(contact(m, 0, n), waiting=1, superseded=1, written=1)
    bench.desk.send_link(company(n, 0).subject, "hubspot:company:1", "hubspot")
    other = company(next(numbers), 1)
    bench.desk.send(other)
    bench.until_events(other, written=1)
    assert bench.events(contact(m, 0, n)) == {"waiting": 1, "superseded": 1, "written": 1}


def test_a_batch_refused_whole_is_halved(bench: Bench) -> None:
    """Where the target refuses a batch for one row's sake, that row alone becomes a dead letter."""
    wishes = _on_one_partition(bench.desk, 20)
    poison = wishes[13].subject

    def refuse(batch: Sequence[Resolved]) -> None:
        if any(one.wish.subject == poison for one in batch):
            raise RejectedError("something in there")

    bench.target.trouble = refuse
    bench.desk.send(*wishes)
    subjects = {wish.subject for wish in wishes}
    bench.until(lambda: sum(events["written"] for ref, events in bench.desk.audit().items() if ref in subjects) == 19, "19 written")
    bench.until_events(wishes[13], rejected=1)


def test_a_record_the_server_fails_on_is_a_dead_letter(bench: Bench) -> None:
    """Failures for one record while its neighbours succeed: after `attempts` of them it is a dead letter that says how often."""
    wishes = _on_one_partition(bench.desk, 8)
    poison = wishes[3].subject
    alone: list[int] = []

    def fail(batch: Sequence[Resolved]) -> None:
        if any(one.wish.subject == poison for one in batch):
            alone.extend([1] if len(batch) == 1 else [])
            raise TransientError("500", ambiguous=True)

    bench.target.trouble = fail
    bench.desk.send(*wishes)
    bench.until(lambda: bench.events(wishes[3]) == {"rejected": 1}, "the dead letter")
    bench.until(lambda: all(bench.events(wish) == {"written": 1} for wish in wishes if wish.subject != poison), "its neighbours")
    assert len(alone) == 3
    assert "3 times while others succeeded" in bench.letter(wishes[3]).reason


def test_an_outage_is_nobodys_fault(bench: Bench) -> None:
    """While nothing succeeds nothing becomes a dead letter; when the target is back, everything is written."""
    wishes = _on_one_partition(bench.desk, 3)
    subjects = [wish.subject for wish in wishes]
    failures: list[int] = []

    def fail(batch: Sequence[Resolved]) -> None:
        failures.append(len(batch))
        raise TransientError("503", ambiguous=True)

    bench.target.trouble = fail
    bench.desk.send(*wishes)
    bench.until(lambda: len(failures) > 12, "a dozen failures")
    assert all(bench.events(wish) == {} for wish in wishes)
    bench.target.trouble = lambda batch: None
    bench.until(lambda: all(events == {"written": 1} for events in map(bench.desk.audit().get, subjects)), "all written")


def test_a_limit_is_waited_out(bench: Bench) -> None:
    """The same call is made again after the time that the vendor named, not before, and nobody loses a partition by it."""
    wish, at = company(next(numbers), 1), []

    def limit(batch: Sequence[Resolved]) -> None:
        at.append(time.monotonic())
        if len(at) == 1:
            raise RateLimited("429", 1.5)

    bench.target.trouble = limit
    bench.desk.send(wish)
    bench.until_events(wish, written=1)
    assert at[1] - at[0] >= 1.5


def test_a_forgotten_row_is_not_taken_for_done(bench: Bench) -> None:
    """A target that answers with success and says nothing of a record is asked again."""
    wish = company(next(numbers), 1)
    seen: list[int] = []

    def forget(batch: Sequence[Resolved]) -> None:
        seen.append(len(batch))
        if len(seen) == 1:
            raise TransientError("silent", ambiguous=True)

    bench.target.trouble = forget
    bench.desk.send(wish)
    bench.until_events(wish, written=1)
    assert len(seen) == 2


def test_written_again_when_asked(bench: Bench) -> None:
    """A wish marked as perhaps overwritten is written although it is unchanged; an older one brings back what was written last."""
    n = next(numbers)
    bench.desk.send(company(n, 1, phone="1"))
    bench.until_events(company(n, 0), written=1)
    bench.desk.send(company(n, 2, phone="2"))
    bench.until_events(company(n, 0), written=2)
    bench.desk.send(company(n, 2, phone="2"), headers=((AGAIN, b"1"),))
    bench.until_events(company(n, 0), written=2, rewritten=1)
    bench.desk.send(company(n, 1, phone="1"), headers=((AGAIN, b"1"),))
    bench.until_events(company(n, 0), written=2, rewritten=2)
    assert bench.target.held[company(n, 0).subject].wish.properties["phone"] == "2"
    assert bench.target.calls_for(company(n, 0)) == 4


def test_a_doubt_that_is_told(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a sink that woke up sends to the owner of today is written at once, and again when its call has taken effect at the latest."""
    old, new = company(n := next(numbers), 1, name="old"), company(n, 2, name="new")
    bench.desk.send(old, new)
    bench.until(lambda: sum(bench.events(new).values()) == 2, "both")
    clock = ClockOfDoubts(monkeypatch)
    doubt = Doubt(until=now() + timedelta(seconds=300), references=[])
    bench.desk.send(old, headers=((AGAIN, b"1"), (DOUBT, doubt.model_dump_json().encode())))
    bench.until(lambda: bench.events(new).get("rewritten") == 1, "the first repeat")
    assert bench.desk.results()[new.subject].doubt == doubt
    bench.target.held[new.subject] = Resolved(old)  # now it took effect
    clock.goes_on(300)
    bench.until(lambda: bench.events(new).get("rewritten") == 2, "the second repeat")
    assert bench.target.held[new.subject].wish.properties["name"] == "new"
    assert bench.desk.results()[new.subject].doubt is None


def test_what_a_late_call_may_have_associated(bench: Bench) -> None:
    """A wish that is written again is told what the older one, whose call came late, would have associated it with."""
    m, one, two = next(numbers), next(numbers), next(numbers)
    bench.desk.send(company(one, 1), company(two, 1))
    bench.until(lambda: all(bench.events(company(n, 0)) for n in (one, two)), "the companies")
    for version, firm in ((1, one), (2, two)):
        bench.desk.send(contact(m, version, firm))
        bench.until(lambda version=version: bench.events(contact(m, 0, None)).get("written") == version, f"version {version}")
    assert not bench.target.held[contact(m, 0, None).subject].again
    bench.desk.send(contact(m, 1, one), headers=((AGAIN, b"1"),))
    bench.until(lambda: bench.events(contact(m, 0, None)).get("rewritten") == 1, "the repeat")
    held = bench.target.held[contact(m, 0, None).subject]
    before, after = (company(n, 0).subject[-4:] for n in (one, two))
    assert (held.again, held.references, held.strays) == (True, {"company": after}, {f"hubspot:company:{before}"})


def test_the_parts_that_a_late_call_may_have_made(bench: Bench) -> None:
    """A wish that is written again is told which parts the older one had that it has no more."""
    n = next(numbers)
    parts = [Part(key=key, properties={}) for key in "ab"]
    for version, some in ((1, parts), (2, parts[:1])):
        bench.desk.send(company(n, version).model_copy(update={"parts": some}))
        bench.until_events(company(n, 0), written=version)
    bench.desk.send(company(n, 1).model_copy(update={"parts": parts}), headers=((AGAIN, b"1"),))
    bench.until_events(company(n, 0), written=2, rewritten=1)
    held = bench.target.held[company(n, 0).subject]
    assert ([part.key for part in held.wish.parts], held.stray_parts) == (["a"], {"b"})


def test_a_record_claimed_twice_is_written_again(bench: Bench) -> None:
    """A link that gives our record to another subject has it written again by its key; then the link is ours again."""
    wish = company(next(numbers), 1)
    bench.desk.send(wish)
    bench.until_events(wish, written=1)
    target = bench.desk.links()[wish.subject]
    bench.desk.send_link(target, "acumatica:customer:another", "acumatica")
    bench.until_events(wish, written=1, rewritten=1)
    bench.until(lambda: bench.desk.links()[target] == wish.subject, "the link")


def _on_one_partition(desk: Desk, count: int) -> list[Wish]:
    """So many new companies that one batch holds them all."""
    found: list[Wish] = []
    while len(found) < count:
        wish = company(next(numbers), 1)
        if desk.wire.partition(desk.upserts, wish.subject) == 2:
            found.append(wish)
    return found
