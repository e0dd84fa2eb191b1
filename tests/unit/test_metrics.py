"""What the workers count, and how they show it."""

from __future__ import annotations

import logging
import re
import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from prometheus_client import REGISTRY

from schemas.records import Audit, WorkerState, now
from weighlock import logs, metrics, presence, redact
from weighlock.clients.acumatica import Budget as PerMinute
from weighlock.clients.hubspot import Budget as PerWindow
from weighlock.clients.hubspot_daily import DailyBudget
from weighlock.processes import free_port
from weighlock.settings import Settings
from weighlock.wiring import WORKERS

REF = "acumatica:customer:a"


def value(name: str, **labels: str) -> float:
    """As a scrape would give it; 0 where there is none."""
    return REGISTRY.get_sample_value(name, labels) or 0.0


def audit(event: str, **more: Any) -> Audit:
    told = {"ref": REF, "event": event, "stage": "sink", "worker": "sink-hubspot", "facet": "profile", "trace": "t"}
    return Audit(**(told | more))


@pytest.mark.parametrize(
    ("entry", "labels"),
    [
        (audit("written"), {"stage": "sink", "source": "acumatica", "entity": "customer", "facet": "profile", "event": "written"}),
        (
            audit("read", stage="source", facet=None),
            {"stage": "source", "source": "acumatica", "entity": "customer", "facet": "", "event": "read"},
        ),
        (
            audit("rejected", ref="no ref, {of} \xff anything"),
            {"stage": "sink", "source": "?", "entity": "?", "facet": "profile", "event": "rejected"},
        ),
    ],
    ids=["sink", "source", "no ref"],
)
def test_what_the_audit_says_is_counted(entry: Audit, labels: dict[str, str]) -> None:
    """By stage, source, entity, facet and event; what is no ref makes no label of its own."""
    before = value("weighlock_records_total", **labels)
    metrics.said(entry)
    assert value("weighlock_records_total", **labels) == before + 1


def test_freshness_is_of_changes_made_since_the_worker_began() -> None:
    """From the change to the write; a first reading finds changes of years ago, and what was not written says nothing."""
    labels = {"source": "acumatica", "entity": "customer", "target": "hubspot"}
    count, total = (value(f"weighlock_freshness_seconds_{part}", **labels) for part in ("count", "sum"))
    at = max(now(), metrics.BEGAN + timedelta(seconds=3))
    metrics.said(audit("written", at=at, source_at=at - timedelta(seconds=2)))
    metrics.said(audit("written", at=at, source_at=metrics.BEGAN - timedelta(days=900)))
    metrics.said(audit("unchanged", at=at, source_at=at - timedelta(seconds=2)))
    assert value("weighlock_freshness_seconds_count", **labels) == count + 1
    assert value("weighlock_freshness_seconds_sum", **labels) == total + 2


def test_calls_are_counted_by_what_was_answered() -> None:
    """Each answer by its status; a call without an answer too."""
    answers = iter((httpx.Response(200, json={}), httpx.Response(429, json={})))
    client = httpx.Client(transport=httpx.MockTransport(lambda _: next(answers)), event_hooks={"response": [metrics.answered("nobody")]})
    for _ in range(2):
        client.get("http://nobody.example")
    metrics.unanswered("nobody")
    assert [value("weighlock_calls_total", system="nobody", status=status) for status in ("200", "429", "none")] == [1, 1, 1]


def test_budgets_tell_what_is_used_of_what_there_is() -> None:
    """Of a window only what still counts in it; of the day nothing until the vendor said how many there are."""
    clock = [100.0]
    minute, window = PerMinute(5, lambda: clock[0]), PerWindow(3, 10, "burst", lambda: clock[0])
    minute.note()
    window.take()
    clock[0] += 30
    minute.note()
    window.take()
    assert (minute.spent(), window.spent()) == ((2, 5), (1, 3))
    day = DailyBudget(0.1, now)
    assert day.spent() == (0, 0)
    day.learn({"x-hubspot-ratelimit-daily": "1000", "x-hubspot-ratelimit-daily-remaining": "990"})
    day.take()
    assert day.spent() == (11, 1000)


def test_what_is_asked_for_at_a_look() -> None:
    """Budgets, partitions and what waits are as they are now; who cannot answer is left out, and the look goes on."""
    waiting, spent = [REF, REF.replace("customer", "contact"), REF + "b"], (0, 0)
    metrics.waiting("nowhere", lambda: waiting)
    metrics.partitions("nobody", lambda: 3)
    metrics.partitions("closing", lambda: 1 // 0)
    metrics.budget("nobody", "hour", lambda: spent)
    assert value("weighlock_waiting_records", target="nowhere", source="acumatica", entity="customer") == 2
    assert value("weighlock_partitions", worker="nobody") == 3
    assert ("nobody", "hour") not in metrics.LIMIT.values()  # nobody knows it yet
    waiting, spent = [], (4, 9)
    assert not any(labels[0] == "nowhere" for labels in metrics.WAITING.values())
    assert (value("weighlock_budget_used", system="nobody", budget="hour"), metrics.LIMIT.values()["nobody", "hour"]) == (4, 9)


@pytest.fixture
def listener() -> Iterator[metrics.Listener]:
    root, found, before = logging.getLogger(), metrics.Listener(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    logs.configure()
    root.addHandler(found)
    yield found
    root.handlers[:], root.level = handlers, level
    structlog.configure(**before)


def test_the_newest_warning_is_the_last_error(listener: metrics.Listener) -> None:
    """Of ours and of the libraries' loggers, with its reason and without any secret; what is said for information is none."""
    redact.guard("hush-hush-7")
    structlog.get_logger("ours").warning("waiting", reason="the token hush-hush-7 is refused", seconds=1)
    assert listener.last is not None
    assert listener.last.said == "waiting: the token [secret] is refused"
    logging.getLogger("theirs").error("broken: %s", "pipe")
    structlog.get_logger("ours").info("page")
    assert listener.last.said == "broken: pipe"
    assert value("weighlock_log_lines_total", level="error") >= 1
    assert value("weighlock_last_error_timestamp_seconds") == pytest.approx(listener.last.at.timestamp(), rel=0, abs=0.01)


def settings(port: int | None) -> Settings:
    return Settings(kafka="127.0.0.1:9", registry="http://127.0.0.1:9", metrics_port=port)


def test_each_worker_has_a_port_of_its_own() -> None:
    """One after the other from `metrics_port` on; without it nobody serves anything."""
    assert [presence.port_of(settings(9400), name) for name in WORKERS] == [9400 + number for number in range(len(WORKERS))]
    assert presence.port_of(settings(None), "streams") is None


def test_a_port_that_is_taken_is_tried_again() -> None:
    """A worker that cannot show itself works on: it is said, and served as soon as the port is free."""
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        port = taken.getsockname()[1]
        shown = presence.Presence(settings(port), WORKERS["source-acumatica"], "0")
        shown._try("metrics", shown._serve)
        assert shown.state().metrics is None
    shown._try("metrics", shown._serve)
    assert (shown.state().metrics or "").endswith(f":{port}")
    assert 'weighlock_worker_info{member="0",worker="source-acumatica"} 1.0' in (
        httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
    )


def test_a_worker_tells_of_itself() -> None:
    """Its budgets and its last error are in the record from which `weighlock status` knows them."""
    metrics.budget("somebody", "minute", lambda: (7, 20))
    shown = presence.Presence(settings(None), WORKERS["streams"], "3")
    shown.listener.last = metrics.Trouble(now(), "refused: why")
    state = WorkerState.from_avro(shown.state().to_avro())
    assert (state.worker, state.member, state.metrics, state.error) == ("streams", "3", None, "refused: why")
    assert [(one.used, one.limit) for one in state.budgets if one.system == "somebody"] == [(7, 20)]


def test_every_metric_has_its_row_in_the_docs() -> None:
    """docs/operations.md names all of them, and none that is not there."""
    text = (Path(__file__).parents[2] / "docs" / "operations.md").read_text("utf-8")
    named = set(re.findall(r"weighlock_[a-z_]+", text))
    families = {re.sub(r"_(bucket|count|sum)$", "", name) for name in metrics.NAMES}
    assert families == {re.sub(r"_(bucket|count|sum)$", "", name) for name in named}
