"""docs/grafana/weighlock.json, and the alerts of docs/operations.md: they ask for what there is."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from weighlock import metrics

DOCS = Path(__file__).parents[2] / "docs"
DASHBOARD: dict[str, Any] = json.loads((DOCS / "grafana" / "weighlock.json").read_text("utf-8"))
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
QUERIES = [target["expr"] for panel in PANELS for target in panel["targets"]]
TABLE = (DOCS / "operations.md").read_text("utf-8").partition("Alerts that matter")[2]
ALERTS = [line.split("`")[1] for line in TABLE.splitlines() if line.startswith("| `") and "weighlock_" in line]
#: What Prometheus adds to every sample, and a histogram to its buckets.
GIVEN = {"instance", "job", "le"}


def labels() -> set[str]:
    """Of all our metrics."""
    own = (metrics.RECORDS, metrics.FRESHNESS, metrics.CALLS, metrics.POLLED, metrics.LOGGED, metrics.LAST_ERROR, metrics.WORKER)
    asked = (metrics.PARTITIONS, metrics.LAG, metrics.WAITING, metrics.USED, metrics.LIMIT)
    return {label for metric in own for label in metric._labelnames} | {label for metric in asked for label in metric._labels}


@pytest.mark.parametrize("query", [*QUERIES, *ALERTS])
def test_every_query_is_about_metrics_and_labels_that_exist(query: str) -> None:
    """A metric that was renamed would leave an empty panel, or an alert that never comes."""
    named = re.findall(r"weighlock_[a-z_]+", query)
    assert named
    assert {*named} <= {*metrics.NAMES}
    used = {name.strip() for group in re.findall(r"by \(([^)]*)\)", query) for name in group.split(",")}
    used |= set(re.findall(r"[{,]\s*([a-z_]+)\s*=", query))
    assert used <= labels() | GIVEN
    assert query.count("(") == query.count(")")


def test_every_metric_is_shown() -> None:
    """What is measured can be seen; of a histogram its buckets."""
    shown = {name for query in QUERIES for name in re.findall(r"weighlock_[a-z_]+", query)}
    assert {*metrics.NAMES} - shown == {"weighlock_freshness_seconds_sum"}


def test_the_data_source_is_chosen_at_the_import() -> None:
    """A variable, used by every panel and every query: no name of somebody's Prometheus."""
    (variable,) = DASHBOARD["templating"]["list"]
    assert (variable["type"], variable["query"]) == ("datasource", "prometheus")
    for part in (*PANELS, *(target for panel in PANELS for target in panel["targets"])):
        assert part["datasource"] == {"type": "prometheus", "uid": f"${{{variable['name']}}}"}


def test_panels_have_places_of_their_own() -> None:
    """No two panels overlap, and no id comes twice."""
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in PANELS)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)


def test_the_names_are_those_of_the_registry() -> None:
    """`NAMES` is what a scrape gives, and nothing of ours is missing in it."""
    families = {family.name for family in REGISTRY.collect() if family.name.startswith("weighlock_")}
    assert families == {re.sub(r"_(total|bucket|count|sum)$", "", name) for name in metrics.NAMES}
