"""What every sink inherits from the loop over several runs: starts, ends, what one run leaves to the next."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from sinks import attempts, transactions
from sinks.base import run
from sinks.contract import Resolved
from sinks.member import Member, Place
from sinks.transactions import Transactions
from tests.contract.sink_memory import ClockOfDoubts, Memory
from tests.integration.sink_kit import Desk, company, contact, eventually, sink_running
from weighlock.errors import AuthError, ConfigError, RateLimited, TransientError


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "LONGEST_WAIT", 0.2)


def test_a_call_that_may_come_late_is_followed_by_another(stack, prefix: str, tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    """Nobody knows when a call without an answer takes effect: after the target's longest time what was written last is written again."""
    desk, target, clock = Desk(stack.kafka, stack.registry, prefix, None, tmp_path), Memory(), ClockOfDoubts(monkeypatch)

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
        clock.goes_on()
        eventually(lambda: complain() or desk.audit()[company(1, 0).subject] == {"written": 2, "rewritten": 1}, what="the repair")
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
    assert asked.wait(90)
    stop.set()
    thread.join(60)
    assert not thread.is_alive()
    assert desk.audit() == {}


def test_a_transaction_that_never_ends_is_given_up(stack, prefix: str, tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    """librdkafka may wait for ever when it hands over offsets: a new producer fences the old one, and all is recorded once."""
    desk, target, never, calls = Desk(stack.kafka, stack.registry, prefix, None, tmp_path), Memory(), threading.Event(), list[int]()
    carry_out, bounded = Transactions._carry_out, transactions.bounded

    def hang_once(self: Transactions, outgoing: Any, offset: Any) -> None:
        calls.append(1)
        if len(calls) == 1:
            self._producer.begin_transaction()
            for one in outgoing:
                self._wire.produce(self._producer, one)
            self._producer.flush(5)
            never.wait()
        carry_out(self, outgoing, offset)

    def hurried(what: str, call: Any, stop: threading.Event, seconds: float) -> Any:
        return bounded(what, call, stop, 1.0 if what == "a transaction" and not calls else seconds)

    monkeypatch.setattr(transactions, "bounded", hurried)
    monkeypatch.setattr(Transactions, "_carry_out", hang_once)
    with sink_running(desk, target) as complain:
        desk.send(company(1, 1))
        eventually(lambda: complain() or desk.audit().get(company(1, 1).subject) == {"written": 1})
    never.set()
    assert target.calls_for(company(1, 1)) == 2


def test_where_the_group_stands_is_decided(stack, prefix: str, tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    """A broker that does not say where the group stands, for it takes a transaction for open that is none: an empty one sets it free,
    and nothing is read again."""
    desk, target = Desk(stack.kafka, stack.registry, prefix, None, tmp_path), Memory()
    with sink_running(desk, target) as complain:
        desk.send(company(1, 1))
        eventually(lambda: complain() or desk.audit().get(company(1, 1).subject) == {"written": 1})
    committed, free, freed = Member.committed, Transactions.free, set[int]()

    def undecided(self: Member, partition: int) -> Place:
        if partition not in freed:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
        return committed(self, partition)

    def note(self: Transactions, here: Any, anybody: Any) -> None:
        free(self, here, anybody)
        freed.add(here.partition)

    monkeypatch.setattr(Member, "committed", undecided)
    monkeypatch.setattr(Transactions, "free", note)
    with sink_running(desk, target) as complain:
        desk.send(company(1, 2, name="new"))
        eventually(lambda: complain() or desk.audit()[company(1, 0).subject] == {"written": 2})
    assert freed == {0, 1, 2, 3}


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
