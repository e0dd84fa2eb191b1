"""`weighlock waiting` and `weighlock status --watch`: what is listed, in which order, and how it ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from schemas.records import Audit, Waiting, Wish
from schemas.topics import AUDIT, WAITING_HUBSPOT, Topic
from weighlock import logs, waiting, wiring
from weighlock.cli.app import app
from weighlock.settings import Settings
from weighlock.status import watch

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
COMPANY = "acumatica:customer:a"


def wish(subject: str, facet: str = "profile") -> Wish:
    asked = {"subject": subject, "object": "contact", "facet": facet, "version": 1, "key_property": "k", "key_value": "v"}
    return Wish(**asked, properties={}, source_system="acumatica", source_at=NOON, trace="t")  # type: ignore[arg-type]


def held(subject: str, minutes: float, *facets: str) -> Waiting:
    since = NOON + timedelta(minutes=minutes)
    return Waiting(subject=subject, waits_for=COMPANY, since=since, wishes=[wish(subject, facet) for facet in facets or ("profile",)])


class Wire:
    """Topics in memory: (key, record), no record being a tombstone."""

    def __init__(self, topics: dict[Topic, list[tuple[str, Any]]]) -> None:
        self.topics, self.read_partitions = topics, dict[Topic, list[int] | None]()

    def read(self, topic: Topic, partitions: list[int] | None = None) -> list[Any]:
        self.read_partitions[topic] = partitions
        return [SimpleNamespace(key=lambda key=key: key.encode(), record=record) for key, record in self.topics.get(topic, [])]

    def decode(self, kind: Any, message: Any) -> Any:
        assert message.record is None or isinstance(message.record, kind)
        return message.record

    def partition(self, topic: Topic, by: str) -> int:
        return topic.partition(by, 4)


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(logs, "configure", lambda *_: None)  # a command sets the whole process's logs
    return Settings(kafka="127.0.0.1:9", registry="http://127.0.0.1:9", wait_limit_hours=2)


def listed(settings: Settings, monkeypatch: pytest.MonkeyPatch, wire: Wire, limit: int | None = None) -> list[dict[str, Any]]:
    monkeypatch.setattr(wiring, "wire", lambda _: wire)
    return waiting.listed(settings, limit)


def test_the_oldest_first_and_what_was_released_not(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest record of each subject counts, a tombstone is its end; `limit` leaves the younger ones out."""
    records = [("b", held("b", 5)), ("a", held("a", 9)), ("gone", held("gone", 0)), ("b", held("b", 7, "profile", "lines")), ("gone", None)]
    wire = Wire({WAITING_HUBSPOT: records})
    assert [one["subject"] for one in listed(settings, monkeypatch, wire)] == ["b", "a"]
    (found,) = listed(settings, monkeypatch, wire, 1)
    assert (found["subject"], found["system"], found["wishes"]) == ("b", "hubspot", 2)
    assert found["facets"] == "contact/lines, contact/profile"
    assert (found["since"], found["until"]) == ("2026-11-21T12:07:00+00:00", "2026-11-21T14:07:00+00:00")


def test_the_reason_is_the_references_own(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Out of the audit of what is waited for, and of the partitions that can hold it only."""
    said = Audit(ref=COMPANY, event="rejected", stage="normalise", worker="streams", at=NOON, detail="it has no name", trace="t")
    other = said.model_copy(update={"ref": "acumatica:customer:b", "detail": "another's"})
    wire = Wire({WAITING_HUBSPOT: [("c", held("c", 0))], AUDIT: [(said.ref, said), (other.ref, other)]})
    assert [one["why"] for one in listed(settings, monkeypatch, wire)] == ["rejected: it has no name"]
    assert wire.read_partitions[AUDIT] == [wire.partition(AUDIT, COMPANY)]


def test_nothing_waits(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The audit, which may be long, is not read then; a script gets an empty list, a person a sentence."""
    wire = Wire({})
    assert listed(settings, monkeypatch, wire) == []
    assert AUDIT not in wire.read_partitions
    monkeypatch.setattr(Settings, "load", classmethod(lambda _: settings))
    assert CliRunner().invoke(app, ["waiting"]).stdout == "nothing waits\n"
    assert json.loads(CliRunner().invoke(app, ["waiting", "--json"]).stdout) == []


def test_watching_goes_on_until_ctrl_c(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a script one line each; Ctrl-C is its good end."""

    def three(*_: Any) -> Iterator[dict[str, Any]]:
        yield from ({"flows": [], "workers": [], "at": number} for number in (1, 2))
        raise KeyboardInterrupt

    monkeypatch.setattr(Settings, "load", classmethod(lambda _: settings))
    monkeypatch.setattr(watch, "watching", three)
    done = CliRunner().invoke(app, ["status", "--watch", "--json"])
    assert done.exit_code == 0
    assert [json.loads(line)["at"] for line in done.stdout.splitlines()] == [1, 2]
