"""`weighlock demo`, as its user runs it."""

import re
import sys
from pathlib import Path

import pytest

from tests.harness.system import eventually
from weighlock import demo as demo_room
from weighlock.demo import Demo
from weighlock.processes import RUN, spawn

ROOT = Path(__file__).parents[2]
CLOSED = "http://127.0.0.1:9"
COUNTS = r"(\d+) companies, (\d+) contacts, (\d+) invoices, 0 missing, 0 doubled, 0 stale"
LINE = re.compile(rf"demo: in agreement: {COUNTS}; freshness p95 \d+\.\d s$", re.MULTILINE)


def start(folder, marker, *arguments):
    proxies = {name: CLOSED for pair in ("http_proxy", "https_proxy", "all_proxy") for name in (pair, pair.upper())}
    env = {**proxies, "PIP_INDEX_URL": CLOSED, "NO_PROXY": "", "PYTHONPATH": str(ROOT), RUN: marker}
    return spawn([sys.executable, "-m", "weighlock", "demo", *arguments], env, folder / "said")


def test_demo_agrees_and_leaves_nothing_behind(stack, tmp_path, processes_of, monkeypatch):
    """Without a terminal it ends by itself with status 0, with figures of its own company, no network, and no process left."""
    monkeypatch.chdir(tmp_path)
    demo = start(tmp_path, "demo-agrees", "--customers", "31", "--seed", "7", "--edits", "4")
    status = demo.wait(360)
    said = (tmp_path / "said").read_text()
    assert status == 0, said
    assert said.count("arrived") == 4
    assert said.count("there after") == 4
    companies, contacts, invoices = map(int, LINE.search(said).groups())
    assert 32 <= companies <= 36  # one of a won deal, and new customers among the edits
    assert invoices > 300
    assert 62 <= contacts <= 78
    assert processes_of("demo-agrees") == []


def test_a_killed_demo_takes_everything_along(stack, tmp_path, processes_of, monkeypatch):
    """After kill -9 of the demo neither broker, registry, sandbox nor worker runs on."""
    monkeypatch.chdir(tmp_path)
    demo = start(tmp_path, "demo-killed", "--customers", "20", "--stay")
    eventually("all of it runs", lambda: "workers run" in (tmp_path / "said").read_text(), 300)
    assert len(processes_of("demo-killed")) >= 7  # itself, two JVMs, two sandboxes and at least two of the workers
    demo.kill()
    demo.wait(60)
    eventually("nothing of it runs on", lambda: not processes_of("demo-killed"), 60)


@pytest.mark.parametrize(("agreed", "late", "status"), [(True, [], True), (False, [], False), (True, [{"seq": 1}], False)])
def test_the_verdict_is_the_comparers(agreed, late, status, monkeypatch, tmp_path, capsys):
    """The demo succeeds only if the comparer says so and every edit arrived."""
    monkeypatch.setattr(demo_room, "PATIENCE_SECONDS", 0.0)
    verdict = {"agreed": agreed, "line": "the comparer's line", "missing": ["one"], "doubled": [], "stale": [], "altered": []}
    demo = Demo(1, 1, 0, stay=False, folder=tmp_path)
    monkeypatch.setattr(demo, "compare", lambda: verdict)
    assert demo._verdict([], late) is status
    assert "the comparer's line" in capsys.readouterr().out
