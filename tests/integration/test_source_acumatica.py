"""The Acumatica producer on a real Kafka, as processes that are killed, stopped and doubled."""

from __future__ import annotations

import re
import signal
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from producers.acumatica import AcumaticaSource
from producers.base import Page, Position
from schemas.codec import Codec
from schemas.topics import AUDIT, CHECKPOINTS, DEAD_LETTERS, TOPICS
from tests.conftest import Brokers
from tests.contract.source_kit import bench
from tests.harness.system import eventually
from tests.integration.source_lab import lab, leads, serving
from weighlock.errors import TransientError
from weighlock.kafka.registry import Registry
from weighlock.kafka.wire import Wire
from weighlock.stack import Stack

SOURCES = [topic for topic in TOPICS if topic.name.startswith("source.acumatica.")]


def test_first_everything_then_changes(stack: Brokers, prefix: str, tmp_path: Path) -> None:
    """All records come once as snapshots, changes as upserts, each with one `read` in the audit; SIGTERM gives the seat back."""
    with lab(stack, prefix, tmp_path) as made:
        worker = made.worker("one")
        worker.start()
        made.settled()
        assert [len(made.published(entity)) for entity in ("customer", "contact")] == [60, 90]
        made.erp.edit(random=15, seed=4)
        made.settled()
        worker.signal(signal.SIGTERM)
        assert worker.wait(60) == 0
        records = [record for entity in ("customer", "contact") for record in made.published(entity)]
        assert {record.change for record in records} == {"snapshot", "upsert"}
        reads = Counter(entry.ref for entry in made.published("audit") if entry.event == "read")
        assert reads == Counter(record.ref for record in records)
        assert made.erp.get("/calls")["sessions"] == {"open": 0, "most": 1, "seats": 2}


@pytest.mark.parametrize("mutant", ["", "no-checkpoint-transaction"])
def test_killed_between_page_and_checkpoint(stack: Brokers, prefix: str, tmp_path: Path, mutant: str) -> None:
    """The page is repeated whole and nobody reads half of one; with the checkpoint written on its own, a page is lost."""
    with lab(stack, prefix, tmp_path) as made:
        worker = made.worker("one")
        worker.start(WEIGHLOCK_FAILPOINT="page-before-checkpoint:2", WEIGHLOCK_MUTANT=mutant)
        assert worker.wait(120) == -signal.SIGKILL
        assert len(made.published("customer")) == 20
        worker.start()
        eventually("the contacts are read", lambda: len(made.published("contact")) == 90)
        assert len(made.published("customer")) == (40 if mutant else 60)
        assert len({record.ref for record in made.published("customer")}) == (40 if mutant else 60)


def test_two_copies(stack: Brokers, prefix: str, tmp_path: Path) -> None:
    """One leads, the other takes no seat; a killed leader is followed where its last page ended, a stopped one at once."""
    with lab(stack, prefix, tmp_path) as made:
        first, second = made.worker("first"), made.worker("second")
        first.start()
        eventually("the first leads", lambda: leads(first))
        second.start()
        made.settled()
        assert not leads(second)
        assert made.erp.get("/calls")["sessions"]["most"] == 1
        first.kill()
        made.erp.edit(random=15, seed=5)
        eventually("the second leads", lambda: leads(second))
        made.settled()
        assert Counter(record.change for record in made.published("customer"))["snapshot"] == 60
        begins = first.log.stat().st_size
        first.start()
        second.signal(signal.SIGTERM)
        assert second.wait(60) == 0
        made.erp.edit(random=15, seed=6)
        eventually("the first leads again", lambda: leads(first, begins))
        made.settled()


def test_a_leader_that_slept_steps_back(stack: Brokers, prefix: str, tmp_path: Path) -> None:
    """Woken after another has taken over, it is fenced: it publishes nothing, stands in line, and does not fence back."""
    with lab(stack, prefix, tmp_path) as made:
        first, second = made.worker("first"), made.worker("second")
        first.start()
        made.settled()
        second.start()
        first.signal(signal.SIGSTOP)
        eventually("the second leads", lambda: leads(second))
        made.erp.edit(random=15, seed=7)
        first.signal(signal.SIGCONT)
        eventually("the first steps back", lambda: "standing in line again" in first.log.read_text())
        made.settled()
        assert leads(second)
        assert second.log.read_text().count('"leading"') == 1
        written = Counter((record.ref, record.modified_at) for entity in ("customer", "contact") for record in made.published(entity))
        # the new leader has no memory of what the overlap shows again
        assert max(written.values()) <= 2


@pytest.mark.parametrize(
    ("given", "status", "words"),
    [
        ({"client_secret": "wrong"}, 3, "acumatica.client_id"),
        ({"password": "wrong"}, 3, "acumatica.username and .password"),
        ({"version": "17.200.001"}, 2, "24.200.001"),
    ],
)
def test_refuses_what_cannot_work(stack: Brokers, prefix: str, tmp_path: Path, given: dict[str, Any], status: int, words: str) -> None:
    """Wrong credentials and a version that is not there end the worker with a status and what to do; one sign-in was tried."""
    with lab(stack, prefix, tmp_path) as made:
        worker = made.worker("one", **given)
        worker.start()
        assert worker.wait(120) == status
        assert words in worker.log.read_text()
        tokens = made.erp.get("/calls")["routes"]["POST /identity/connect/token"]
        assert sum(tokens.values()) == 1


def test_topics_are_checked_at_the_start(stack: Brokers, prefix: str, tmp_path: Path) -> None:
    """Without its topics, or with another partition count, it refuses to start and names each with what to do."""
    with lab(stack, prefix, tmp_path) as made:
        other = made.worker("other")
        other.start(WEIGHLOCK_PARTITIONS="3")
        assert other.wait(120) == 2
        assert f"{prefix}source.acumatica.contact: the topic has 4 partitions, the settings say 3" in other.log.read_text()
        made.prefix = f"{prefix}none."
        worker = made.worker("one")
        worker.start()
        assert worker.wait(120) == 2
        wanted = {topic.name for topic in (*SOURCES, CHECKPOINTS, AUDIT, DEAD_LETTERS)}
        said = re.findall(r"wrong: (\S+): no such topic.*`weighlock topics apply`", worker.log.read_text())
        assert {name.removeprefix(made.prefix) for name in said} == wanted


def test_a_site_in_trouble_is_waited_for(stack: Brokers, prefix: str, tmp_path: Path) -> None:
    """Pages instead of data, dropped connections, refusals and a lost token: waited for, and nothing is missing in the end."""
    with lab(stack, prefix, tmp_path) as made:
        for fault in (
            {"kind": "html", "args": {"status": 503}, "path": "/Customer", "skip": 1},
            {"kind": "reset", "path": "/Customer", "skip": 2},
            {"kind": "status", "args": {"status": 429}, "path": "/Contact", "skip": 1},
            {"kind": "expire-token", "path": "/Contact", "skip": 3},
            {"kind": "login-limit", "path": "/Contact", "skip": 9},
        ):
            made.erp.http.post("/faults", json=fault).raise_for_status()
        worker = made.worker("one")
        worker.start()
        made.settled()
        assert len(made.published("customer")) == 60
        fired = [rule["fired"] for rule in made.erp.get("/faults")]
        assert fired[:4] == [1, 1, 1, 1]


def test_a_row_that_does_not_fit_is_a_dead_letter(stack: Brokers, prefix: str, tmp_path: Path) -> None:
    """No stamp, or an amount no schema holds: a dead letter with the whole row, `rejected` in the audit, neighbours go on."""
    with bench(tmp_path / "erp") as erp, lab(stack, prefix, tmp_path) as made:
        first, second = list(erp.vendor.store.customers)[:2]
        first["LastModifiedDateTime"], second["CreditLimit"] = None, Decimal("1.0123456789")
        with serving(made, erp.source):
            eventually("all is read", lambda: len(made.published("contact")) == 100)
        assert len(made.published("customer")) == 38
        letters = {letter.ref: letter for letter in made.published("dead letter")}
        assert {ref: (letter.stage, letter.worker) for ref, letter in letters.items()} == {
            f"acumatica:customer:{row['id']}": ("source", "source-acumatica") for row in (first, second)
        }
        one, other = (letters[f"acumatica:customer:{row['id']}"] for row in (first, second))
        assert "no LastModifiedDateTime" in one.reason
        assert "CreditLimit: Value error, more than 8 digits after the point" in other.reason
        assert first["CustomerID"] in one.value.decode()
        events = {entry.ref: entry.event for entry in made.published("audit") if entry.event != "read"}
        assert events == dict.fromkeys(letters, "rejected")


class _Away:
    """A registry that comes back after so many questions."""

    def __init__(self, registry: Registry, times: int) -> None:
        self._registry, self.times = registry, times

    def id_of(self, subject: str, schema: Any) -> int:
        self.times -= 1
        if self.times >= 0:
            raise TransientError("the registry does not answer")
        return self._registry.id_of(subject, schema)

    def schema(self, schema_id: int) -> Any:
        return self._registry.schema(schema_id)


def test_a_registry_that_is_away(stack: Brokers, prefix: str, tmp_path: Path) -> None:
    """The page is aborted and repeated until the registry answers; each record is published once."""
    with bench(tmp_path / "erp") as erp, lab(stack, prefix, tmp_path) as made:
        away = _Away(Registry(made.settings.registry), 3)
        with serving(made, erp.source, Wire(made.settings, Codec(away, prefix))):
            eventually("all is read", lambda: len(made.published("contact")) == 100)
        assert away.times < 0
        assert len(made.published("customer")) == 40


def test_the_memory_follows_the_commit(stack: Brokers, prefix: str, tmp_path: Path) -> None:
    """A change whose page was aborted is published by the next one: what leaves rows out is only remembered after the commit."""
    with bench(tmp_path / "erp") as erp, lab(stack, prefix, tmp_path) as made:
        away = _Away(Registry(made.settings.registry), 0)
        wire = Wire(made.settings, Codec(away, prefix))
        with serving(made, erp.source, wire):
            eventually("all is read", lambda: len(made.published("contact")) == 100)
            away.times = 2
            wire.codec._heads.clear()
            erp.edit(entity="customer", key="O'BRIEN", fields={"CustomerName": "Changed"})
            changed = eventually("the change is there", lambda: [one for one in made.published("customer") if one.change == "upsert"])
        assert [one.CustomerName for one in changed] == ["Changed"]


def test_a_broker_that_is_away(local_stack: Stack, prefix: str, tmp_path: Path) -> None:
    """Killed under way and back: it waits, says so, and nothing is missing. Meanwhile a start waits too, and a SIGTERM is heard."""
    with lab(Brokers(local_stack.kafka, local_stack.registry), prefix, tmp_path) as made:
        worker, late = made.worker("one"), made.worker("late")
        worker.start()
        made.settled()
        local_stack.kill_kafka()
        try:
            made.erp.edit(random=15, seed=8)
            late.start()
            for one in (worker, late):
                eventually("it says that Kafka is away", lambda one=one: "Kafka does not answer" in one.log.read_text(), 120)
            late.signal(signal.SIGTERM)
            assert late.wait(60) == 0
        finally:
            local_stack.start_kafka()
        made.settled()


class _Counting:
    """A source that notes what it is asked for; a re-reading takes it three pages."""

    name = "counting"

    def __init__(self, inner: AcumaticaSource) -> None:
        self.entities = {"customer": inner.entities["customer"].model_copy(update={"every": 0.3, "reread": "* * * * *"})}
        self.asked: list[str] = []

    def poll(self, entity: str, position: Position | None) -> Page:
        at = (position or {}).get("at", "start")
        self.asked.append(at)
        if at.startswith("full"):
            return Page((), {"at": f"{at}+"}, more=len(at) < 6)
        if at == "start" and len(self.asked) > 1:
            return Page((), {"at": "full"}, more=True)
        return Page((), {"at": str(len(self.asked))})

    def close(self) -> None:
        pass


def test_everything_is_read_again_when_it_is_due(stack: Brokers, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the `reread` line comes due, all is read once more from the start, between the polls for changes, which keep their position."""
    with bench(tmp_path / "erp") as erp, lab(stack, prefix, tmp_path) as made:
        source = _Counting(erp.source)
        due = iter([False, True])
        monkeypatch.setattr("weighlock.settings.Schedule.reread_due", lambda *_: next(due, False))
        with serving(made, source):
            eventually("it is read again", lambda: "full++" in source.asked)
            asked = len(source.asked)
            eventually("two polls more", lambda: len(source.asked) > asked + 1)
        assert source.asked[:4] == ["start", "1", "2", "start"]
        assert [at for at in source.asked[3:] if at.startswith(("start", "full"))] == ["start", "full", "full+", "full++"]
        assert next(at for at in source.asked[4:] if at.isdigit()) == "3"
        positions = {one.entity: one.position for one in made.published("checkpoint")}
        assert positions["customer|reread"] == {}
        assert positions["customer"]["at"].isdigit()
