"""What every sink inherits from the loop, whatever its target: on a real Kafka, with a target in memory that can be told to fail."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import pytest

from schemas.records import DeadLetter, Wish
from sinks import attempts
from sinks.again import AGAIN
from sinks.base import run
from sinks.contract import Answer, Ask, Claims, Resolved, Written
from tests.integration.sink_kit import Desk, company, contact, eventually, sink_running
from weighlock.errors import AuthError, ConfigError, RateLimited, RejectedError, TransientError

numbers = itertools.count(1)


class Memory:
    """A target that holds what it was asked to; `trouble` may raise or refuse, for each batch."""

    system, objects, longest_call = "hubspot", ("company", "contact"), 60.0

    def __init__(self) -> None:
        self.held: dict[str, Resolved] = {}
        self.batches: list[list[str]] = []
        self.refused: dict[str, RejectedError] = {}
        self.trouble: Callable[[Sequence[Resolved]], None] = lambda wishes: None
        self.problem: Exception | None = None
        self.afterwards: Exception | None = None

    def check(self) -> None:
        if self.problem is not None:
            raise self.problem

    def write(self, wishes: Sequence[Resolved], ask: Ask, claims: Claims) -> Mapping[str, Answer]:
        return ask(lambda: self._write(wishes))

    def _write(self, wishes: Sequence[Resolved]) -> dict[str, Answer]:
        self.batches.append([one.wish.subject for one in wishes])
        self.trouble(wishes)
        good = [one for one in wishes if one.wish.subject not in self.refused]
        self.held |= {one.wish.subject: one for one in good}
        if self.afterwards is not None:
            raise self.afterwards
        return {one.wish.subject: Written(one.wish.subject[-4:], "created") for one in good} | self.refused

    def calls_for(self, wish: Wish) -> int:
        return sum(wish.subject in batch for batch in self.batches)

    def close(self) -> None:
        pass


class Bench:
    def __init__(self, desk: Desk, target: Memory, complain: Callable[[], None]) -> None:
        self.desk, self.target, self.complain = desk, target, complain

    def until(self, truth: Callable[[], object], what: str, seconds: float = 30) -> None:
        eventually(lambda: self.complain() or truth(), seconds, what)

    def events(self, wish: Wish) -> dict[str, int]:
        return dict(self.desk.audit().get(wish.subject, {}))

    def until_events(self, wish: Wish, **wanted: int) -> None:
        self.until(lambda: self.events(wish) == wanted, f"{wanted} of {wish.subject}")

    def past_the_take_over(self) -> None:
        """A hundred wishes for each partition: the first ones after a take-over are not folded."""
        fillers = {
            self.desk.wire.partition(self.desk.upserts, wish.subject): wish for wish in (company(next(numbers), 1) for _ in range(40))
        }
        self.desk.send(*(wish for wish in fillers.values() for _ in range(100)))
        self.until(lambda: self.desk.ends() >= 400, "the fillers")

    def letter(self, wish: Wish) -> DeadLetter:
        (found,) = [one for one in self.desk.dead_letters() if one.ref == wish.subject]
        return found


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
    with sink_running(desk, memory) as complain:
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
    assert bench.events(wishes[13]) == {"rejected": 1}


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
    bench.until(lambda: bench.events(wishes[3]) == {"rejected": 1}, "the dead letter", 60)
    assert all(bench.events(wish) == {"written": 1} for wish in wishes if wish.subject != poison)
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
    bench.until(lambda: len(failures) > 12, "a dozen failures", 60)
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
    bench.until_events(company(n, 0), written=3)
    bench.desk.send(company(n, 1, phone="1"), headers=((AGAIN, b"1"),))
    bench.until_events(company(n, 0), written=4)
    assert bench.target.held[company(n, 0).subject].wish.properties["phone"] == "2"
    assert bench.target.calls_for(company(n, 0)) == 4


def test_a_call_that_may_come_late_is_followed_by_another(stack, prefix: str, tmp_path) -> None:  # type: ignore[no-untyped-def]
    """Nobody knows when a call without an answer takes effect: after the target's longest time what was written last is written again."""
    desk, target = Desk(stack.kafka, stack.registry, prefix, None, tmp_path), Memory()
    target.longest_call = 3.0

    def lose_one(batch: Sequence[Resolved]) -> None:
        if len(target.batches) == 1:
            raise TransientError("no answer", ambiguous=True)

    target.trouble = lose_one
    with sink_running(desk, target) as complain:
        desk.send(company(1, 1, name="old"))
        eventually(lambda: complain() or desk.audit()[company(1, 0).subject] == {"written": 1}, what="the repeated call")
        desk.send(company(1, 2, name="new"))
        eventually(lambda: complain() or desk.audit()[company(1, 0).subject] == {"written": 2}, what="the newer one")
        target.held[company(1, 0).subject] = Resolved(company(1, 1, name="old"))  # now it took effect
        eventually(lambda: complain() or desk.audit()[company(1, 0).subject] == {"written": 3}, what="the repair")
    assert target.held[company(1, 0).subject].wish.properties["name"] == "new"


def test_what_a_dead_owner_did_is_not_folded_away(stack, prefix: str, tmp_path) -> None:  # type: ignore[no-untyped-def]
    """A change that somebody wrote and never recorded, taken back by the next wish, is seen: the last state is what the target holds."""
    desk, target = Desk(stack.kafka, stack.registry, prefix, None, tmp_path), Memory()
    with sink_running(desk, target) as complain:
        desk.send(company(1, 1, name="as it was"))
        eventually(lambda: complain() or desk.audit()[company(1, 0).subject] == {"written": 1})
    target.afterwards = AuthError("dies after the call")
    desk.send(company(1, 2, name="changed"))
    with pytest.raises(AuthError):
        run(desk.settings, desk.wire, target, "m", threading.Event())
    assert target.held[company(1, 0).subject].wish.properties["name"] == "changed"
    target.afterwards = None
    desk.send(company(1, 3, name="as it was"))
    with sink_running(desk, target) as complain:
        eventually(lambda: complain() or sum(desk.audit()[company(1, 0).subject].values()) == 3)
    assert target.held[company(1, 0).subject].wish.properties["name"] == "as it was"


def test_a_record_claimed_twice_is_written_again(bench: Bench) -> None:
    """A link that gives our record to another subject has it written again by its key; then the link is ours again."""
    wish = company(next(numbers), 1)
    bench.desk.send(wish)
    bench.until_events(wish, written=1)
    target = bench.desk.links()[wish.subject]
    bench.desk.send_link(target, "acumatica:customer:another", "acumatica")
    bench.until_events(wish, written=2)
    bench.until(lambda: bench.desk.links()[target] == wish.subject, "the link")


def test_credentials_refused_end_it(stack, prefix: str, tmp_path) -> None:  # type: ignore[no-untyped-def]
    """`AuthError` in a call ends the run with its message; the batch is not done and is there for the next run."""
    desk, target = Desk(stack.kafka, stack.registry, prefix, None, tmp_path), Memory()
    wish = company(1, 1)
    desk.send(wish)

    def refuse(batch: Sequence[Resolved]) -> None:
        raise AuthError("check the token")

    target.trouble = refuse
    with pytest.raises(AuthError, match="check the token"):
        run(desk.settings, desk.wire, target, "m", threading.Event())
    assert desk.audit() == {}
    with sink_running(desk, Memory()) as complain:
        eventually(lambda: complain() or desk.audit().get(wish.subject) == {"written": 1}, what="the next run")


def test_it_does_not_start_where_it_cannot_work(stack, prefix: str, tmp_path) -> None:  # type: ignore[no-untyped-def]
    """Missing topics and a target that is not set up are told at once, with what to do; a target that is away is waited for."""
    desk, target = Desk(stack.kafka, stack.registry, prefix, None, tmp_path), Memory()
    with pytest.raises(ConfigError, match="weighlock topics apply"):
        run(desk.settings, desk.elsewhere(prefix + "x."), target, "m", threading.Event())
    target.problem = ConfigError("run setup")
    with pytest.raises(ConfigError, match="run setup"):
        run(desk.settings, desk.wire, target, "m", threading.Event())
    target.problem = TransientError("away")
    with sink_running(desk, target) as complain:
        time.sleep(0.5)
        complain()
        target.problem = None
        desk.send(company(1, 1))
        eventually(lambda: complain() or desk.audit().get(company(1, 1).subject) == {"written": 1})


def test_stopped_in_a_long_wait(stack, prefix: str, tmp_path) -> None:  # type: ignore[no-untyped-def]
    """A stop during an hour's limit ends the run at once, and the batch is left for the next run."""
    desk, target, stop = Desk(stack.kafka, stack.registry, prefix, None, tmp_path), Memory(), threading.Event()
    asked = threading.Event()

    def limit(batch: Sequence[Resolved]) -> None:
        asked.set()
        raise RateLimited("daily", 3600)

    target.trouble = limit
    desk.send(company(1, 1))
    thread = threading.Thread(target=run, args=(desk.settings, desk.wire, target, "m", stop), daemon=True)
    thread.start()
    assert asked.wait(20)
    stop.set()
    thread.join(5)
    assert not thread.is_alive()
    assert desk.audit() == {}


def test_what_waits_survives_and_expires(stack, prefix: str, tmp_path) -> None:  # type: ignore[no-untyped-def]
    """A link that came while nobody ran releases at the next start; what waits beyond the limit becomes a dead letter that says so."""
    desk = Desk(stack.kafka, stack.registry, prefix, None, tmp_path, wait_limit_hours=24)
    lucky, forgotten = contact(1, 1, 1), contact(2, 1, 2)
    desk.send(lucky, forgotten)
    with sink_running(desk, Memory()) as complain:
        eventually(lambda: complain() or sum(events["waiting"] for events in desk.audit().values()) == 2)
    desk.send_link(company(1, 0).subject, "hubspot:company:77", "hubspot")
    short = desk.settings.model_copy(update={"wait_limit_hours": 4 / 3600})
    hurried = desk.with_settings(short)
    with sink_running(hurried, Memory()) as complain:
        eventually(lambda: complain() or desk.audit()[lucky.subject] == {"waiting": 1, "released": 1, "written": 1})
        eventually(lambda: complain() or desk.audit()[forgotten.subject] == {"waiting": 1, "rejected": 1})
    (letter,) = desk.dead_letters()
    assert company(2, 0).subject in letter.reason
    assert desk.results().keys() == {lucky.subject}


def _on_one_partition(desk: Desk, count: int) -> list[Wish]:
    """So many new companies that one batch holds them all."""
    found: list[Wish] = []
    while len(found) < count:
        wish = company(next(numbers), 1)
        if desk.wire.partition(desk.upserts, wish.subject) == 2:
            found.append(wish)
    return found
