"""Tables for people, JSON for scripts."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

Json = Annotated[bool, typer.Option("--json", help="for scripts: JSON on standard output")]


def console() -> Console:
    """Standard output; where no terminal gives a width, lines are not broken."""
    return Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 240)


def rows(found: Iterable[Mapping[str, Any]], as_json: bool) -> None:
    """One line each; the first one's keys are the columns."""
    listed = [dict(row) for row in found]
    if as_json:
        typer.echo(json.dumps(listed, indent=2, default=str))
        return
    if listed:
        table = Table(*listed[0], box=None)
        for row in listed:
            table.add_row(*(str("" if value is None else value) for value in row.values()))
        console().print(table)


def mapping(found: Mapping[str, Any], as_json: bool) -> None:
    """One line a key."""
    if as_json:
        typer.echo(json.dumps(found, indent=2, default=str))
        return
    table = Table(box=None, show_header=False)
    for key, value in found.items():
        table.add_row(key, str(value))
    console().print(table)
