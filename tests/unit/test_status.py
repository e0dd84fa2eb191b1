"""The figures of `weighlock status`, and the reasons of `weighlock waiting`."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from schemas.records import Audit, Checkpoint, DeadLetter
from schemas.topics import LINKS, TOPICS
from weighlock.settings import Settings
from weighlock.status import lag, view
from weighlock.status.tally import Flow, Pending, Tally
from weighlock.status.watch import declared, read_by
from weighlock.waiting import UNKNOWN, why
from weighlock.wiring import WORKERS

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
CUSTOMERS = Flow("acumatica", "customer", "hubspot")
REF, KIND = "acumatica:customer:a", ("acumatica", "customer")


REPORT = {
    "member": "0",
    "host": "h",
    "budgets": [{"system": "acumatica", "name": "minute", "used": 7, "limit": 20}],
    "last_error": {"at": "then", "said": "refused: why"},
}


def said(event: str, ago: float = 1, *, made: float | None = None, **more: Any) -> Audit:
    """An audit record of so many seconds ago, of a change of `made` seconds ago."""
    sink = {"stage": "sink", "worker": "sink-hubspot"} if event not in ("read", "out_of_scope") else {"stage": "source", "worker": "s"}
    source_at = None if made is None else NOW - timedelta(seconds=made)
    return Audit(**({"ref": REF, "event": event, "at": NOW - timedelta(seconds=ago), "source_at": source_at, "trace": "t"} | sink | more))


def row(tally: Tally, flow: Flow = CUSTOMERS) -> dict[str, Any]:
    rows = tally.flows([CUSTOMERS], {CUSTOMERS: 7}, NOW)
    return next(one for one in rows if (one["source"], one["entity"], one["target"]) == flow)


def test_every_source_topic_that_is_read_has_a_flow() -> None:
    """The flows come from the stages: each entity that one of them reads, to each system that its wishes reach."""
    from streams.routes import STAGES

    read = {flow.topic.name for stage in STAGES for flow in stage.flows if flow.topic.name.startswith("source.")}
    assert {f"source.{flow.source}.{flow.entity}" for flow in declared()} <= read
    assert CUSTOMERS in declared()


def test_every_worker_has_a_group_and_every_wish_a_reader() -> None:
    """What is read by a group is read by a worker of that group, and all topics of wishes are."""
    assert {worker.group for worker in WORKERS.values()} >= {"streams", "sink.hubspot", "source.acumatica"}
    wishes = {topic for topic in TOPICS if topic.name.startswith("upserts.")}
    assert wishes == {topic for group, topics in read_by().items() if group.startswith("sink.") for topic in topics}


def test_rates_are_of_the_last_seconds() -> None:
    """Events within the pace count for the rate, those within the window for the sums, older ones for nothing."""
    tally = Tally(300, 60)
    for ago in (400, 100, 50, 1):
        tally.audit(said("read", ago))
    tally.audit(said("written", 1))
    tally.forget(NOW)
    found = row(tally)
    assert (found["read_per_second"], found["written_per_second"]) == (round(2 / 60, 2), round(1 / 60, 2))
    assert found["events"] == {"read": 3, "written": 1}


def test_freshness_is_of_changes_made_meanwhile() -> None:
    """From the change in the source to the write; a record that changed years before it was first read says nothing about us."""
    tally = Tally(300, 60)
    for ago, made in ((10, 12), (10, 11), (10, 14), (10, 10_000_000)):
        tally.audit(said("written", ago, made=made))
    assert (row(tally)["freshness_p50"], row(tally)["freshness_p95"]) == (2.0, 4.0)
    assert row(Tally(300, 60))["freshness_p50"] is None


def test_what_waits_and_what_is_a_dead_letter() -> None:
    """Each counts for its entity and its system; what is released counts no more; a dead letter of before the sinks counts too."""
    tally = Tally(300, 60)
    for key in (REF, "acumatica:customer:b", "acumatica:contact:c"):
        tally.waits("hubspot", key.encode(), True)
    tally.waits("hubspot", REF.encode(), False)
    for at, stage, worker in ((NOW, "sink", "sink-hubspot"), (NOW - timedelta(1), "normalise", "streams"), (NOW, "sink", "sink-else")):
        tally.letter(DeadLetter(ref=REF, stage=stage, worker=worker, error="E", reason=f"said by {worker}", at=at, trace="t"))
    tally.letter(DeadLetter(key=b"\xff no ref", stage="sink", worker="sink-hubspot", error="E", reason="r", trace="t"))
    found = row(tally)
    assert (found["waiting"], found["dead_letters"], found["lag"]) == (1, 2, 7)
    assert found["last_error"]["said"] == "said by sink-hubspot"
    assert row(tally, Flow("acumatica", "contact", "hubspot"))["waiting"] == 1  # nobody declared it: it was seen


def test_objects_and_checkpoints() -> None:
    """What a flow is written to is told by what was written; when it was last polled by its checkpoint, the re-reading's included."""
    tally = Tally(300, 60)
    tally.audit(said("written", target="hubspot:company:7"))
    tally.checkpoint(Checkpoint(source="acumatica", entity="customer|reread", position={}, at=NOW - timedelta(seconds=90)))
    assert (row(tally)["objects"], row(tally)["checkpoint_seconds"]) == (["company"], 90.0)


def test_lag_is_what_stands_behind_the_offset() -> None:
    """Records, not offsets: the end of a transaction has one too. Those that were not looked at are shared out like the others."""
    pending = Pending(first=0, unread=6)
    for offset, kind in ((6, KIND), (7, KIND), (9, ("acumatica", "contact"))):
        pending.records.append((offset, kind, 100.0 + offset))
    assert (len(pending), pending.by_kind(), pending.oldest) == (9, {KIND: 6, ("acumatica", "contact"): 3}, 106.0)
    pending.done(8)
    assert (len(pending), pending.by_kind(), pending.oldest) == (1, {("acumatica", "contact"): 1}, 109.0)
    pending.done(11)
    assert (len(pending), pending.by_kind(), pending.oldest) == (0, {}, None)
    pending.done(3)  # a group that was set back: nothing is made up
    assert len(pending) == 0


class Group:
    """One partition that ends at `end`; the group stands at `at`, the records behind that are those of `records`."""

    def __init__(self, at: int, end: int, records: list[int]) -> None:
        self.at, self.end, self.records, self.read = at, end, records, 0
        self.place = ("weighlock.links", 0)

    def committed(self, group: str) -> dict[tuple[str, int], int]:
        assert group == "streams"
        return {self.place: self.at}

    def ends(self, places: Any) -> dict[tuple[str, int], int]:
        return {place: self.end if place == self.place else 0 for place in places}

    def follow(self, settings: Any, brokers: Any, starts: dict[tuple[str, int], int]) -> Any:
        assert starts == {self.place: self.at}
        self.read += 1
        found = [offset for offset in self.records if offset >= self.at]
        messages = [SimpleNamespace(topic=lambda: "weighlock.links", partition=lambda: 0, offset=lambda at=at: at) for at in found]
        return SimpleNamespace(news=lambda: iter(messages), close=lambda: None)


def test_the_lag_of_a_worker_is_counted_in_records(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small difference of offsets is looked into, once; a large one is told as it is; what was found long ago is not told any more."""
    group, now = Group(at=4, end=9, records=[3, 4, 6, 9]), [1000.0]
    monkeypatch.setattr(lag, "Brokers", lambda _: group)
    monkeypatch.setattr(lag, "Follow", group.follow)
    monkeypatch.setattr(lag.time, "monotonic", lambda: now[0])
    asked = lag.Lag(Settings(kafka="127.0.0.1:9", registry="http://127.0.0.1:9"), "streams", [LINKS])
    assert asked.values() == {}
    asked.look()
    assert asked.values() == {("links",): 2}  # the record at 9 came after the look at the end
    asked.look()
    assert (asked.values(), group.read) == ({("links",): 2}, 1)
    group.end = 1004
    asked.look()
    assert (asked.values(), group.read) == ({("links",): 1000}, 1)
    now[0] += lag.GOOD_FOR + 1
    assert asked.values() == {}


def test_the_tables_show_every_flow_and_worker() -> None:
    """A line each, with the reason of the newest dead letter below; what is not known stays empty."""
    tally = Tally(300, 60)
    tally.letter(DeadLetter(ref=REF, stage="sink", worker="sink-hubspot", error="E", reason="no name", at=NOW, trace="t"))
    workers = [
        {"worker": "streams", "copies": 2, "lag": 1200, "oldest_seconds": 90.0, "reports": []},
        {"worker": "source-acumatica", "copies": 0, "lag": None, "oldest_seconds": None, "reports": [REPORT]},
    ]
    found = {"flows": tally.flows([CUSTOMERS], {CUSTOMERS: 1234}, NOW), "workers": workers}
    console = Console(file=io.StringIO(), width=200)
    console.print(view.flows(found), view.workers(found), *view.troubles(found))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    for part in (
        "acumatica customer → hubspot",
        "1,234",
        "1,200",
        "none",
        "no name",
        "not heard of",
        "acumatica minute 7/20",
        "refused: why",
        "acumatica minute 7/20",
        "refused: why",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("value", "shown"), [(None, ""), (0.4, "0.4 s"), (150, "2 min"), (7200, "2.0 h"), (400_000, "5 d")], ids=lambda value: str(value)
)
def test_times_for_people(value: float | None, shown: str) -> None:
    """Seconds, minutes, hours or days."""
    assert view.seconds(value) == shown


def test_why_a_reference_is_not_there() -> None:
    """The newest word of each facet counts, and of those the strongest."""
    rejected = said("rejected", 5, facet="profile", detail="no name")
    itself = said("waiting", 1, facet="receivables", detail=f"for {REF} to be in hubspot")
    other = said("waiting", 2, facet="profile", detail="for acumatica:customer:z to be in hubspot")
    assert why(REF, {}) == UNKNOWN
    assert why(REF, {"profile": rejected, "receivables": itself, None: said("read", 1)}) == "rejected: no name"
    assert why(REF, {None: said("out_of_scope", detail="a prospect")}) == "out of scope: a prospect"
    assert why(REF, {"receivables": itself, None: said("read", 1)}) == "read, and not written yet"
    assert why(REF, {"profile": other, None: said("read", 1)}) == "waits itself: for acumatica:customer:z to be in hubspot"
