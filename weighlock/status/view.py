"""A status as tables for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table

Found = Mapping[str, Any]


def flows(found: Found) -> Table:
    """A line for each flow."""
    table = Table("flow", box=None)
    for heading in ("read/s", "written/s", "lag", "waiting", "dead letters", "fresh p50", "p95", "polled"):
        table.add_column(heading, justify="right")
    for row in found["flows"]:
        table.add_row(
            name(row),
            f"{row['read_per_second']:g}",
            f"{row['written_per_second']:g}",
            *(f"{row[figure]:,}" for figure in ("lag", "waiting", "dead_letters")),
            seconds(row["freshness_p50"]),
            seconds(row["freshness_p95"]),
            "" if row["checkpoint_seconds"] is None else f"{seconds(row['checkpoint_seconds'])} ago",
        )
    return table


def lines(found: Found) -> list[str]:
    """A sentence for each flow in which something happens, or stands still."""
    figures = (("read_per_second", "read/s"), ("written_per_second", "written/s"), ("lag", "to do"), ("waiting", "waiting"))
    said = []
    for row in found["flows"]:
        parts = [f"{row[figure]:g} {what}" for figure, what in (*figures, ("dead_letters", "dead letters")) if row[figure]]
        if row["freshness_p95"] is not None:
            parts.append(f"fresh p95 {seconds(row['freshness_p95'])}")
        said += [f"{name(row)}: {', '.join(parts)}"] if parts else []
    return said


def workers(found: Found) -> Table:
    """A line for each worker."""
    table = Table("worker", box=None)
    for heading in ("copies", "lag", "oldest"):
        table.add_column(heading, justify="right")
    table.add_column("budgets used")
    for row in found["workers"]:
        lag = "" if row["lag"] is None else f"{row['lag']:,}"
        table.add_row(row["worker"], str(row["copies"] or "none"), lag, seconds(row["oldest_seconds"]), budgets(row))
    return table


def budgets(row: Found) -> str:
    """Of each process that says so; it is said where none does."""
    if row["copies"] and not row["reports"]:
        return "not heard of for a minute: not known, nor is its last error"
    told = (f"{one['system']} {one['name']} {one['used']:,}/{one['limit']:,}" for report in row["reports"] for one in report["budgets"])
    return ", ".join(told)


def troubles(found: Found) -> list[str]:
    """The newest dead letter of each flow, and the newest warning or error of each process, unless it is about a dead letter again."""
    letters = [("last dead letter of " + name(row), row["last_error"]) for row in found["flows"]]
    for row in found["workers"]:
        letters += [(f"{row['worker']} {one['member']} at {one['host']}", one["last_error"]) for one in row["reports"]]
    return [f"{who}, {what['at']}: {what['said']}" for who, what in letters if what and not what["said"].startswith("dead letter:")]


def name(row: Found) -> str:
    """Such as `acumatica customer → hubspot company`."""
    return f"{row['source']} {row['entity']} → {row['target']} {'/'.join(row['objects'])}".rstrip()


def seconds(value: float | None) -> str:
    """A time that a person takes in at a glance; nothing for None."""
    if value is None:
        return ""
    if value < 100:
        return f"{value:.1f} s"
    if value < 6000:
        return f"{value / 60:.0f} min"
    return f"{value / 3600:.1f} h" if value < 360_000 else f"{value / 86_400:.0f} d"
