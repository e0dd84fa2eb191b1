"""Collects the cases of each rule, and gives the tests their bench: a mock broker, worker processes, and what they saw."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.engine.rules import OFF, ON, lacking
from tests.integration.engine.workbench import Bench

FOLDER = Path(__file__).parent


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "engine_rule(name): a test of one engine rule, once with it on and once off")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A rule without both of its cases fails the collection, as soon as the whole folder is collected."""
    if any(".py" in argument for argument in config.args):
        return
    lacks = lacking(case for item in items if FOLDER in item.path.parents for case in _cases(item))
    if lacks:
        raise pytest.UsageError("; ".join(lacks))


def _cases(item: pytest.Item) -> list[tuple[str, str]]:
    spec = getattr(item, "callspec", None)
    case = None if spec is None else spec.params.get("on")
    return [(mark.args[0], ON if case else OFF) for mark in item.iter_markers("engine_rule") if case is not None]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    found = Bench(tmp_path)
    try:
        yield found
    finally:
        found.close()
