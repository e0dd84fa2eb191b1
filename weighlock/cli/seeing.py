"""`weighlock status` and `weighlock waiting`: what the flows do, and what stands still."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from weighlock.cli import output
from weighlock.cli.output import Json
from weighlock.settings import Settings

EVERY = 2.0


def status(
    as_json: Json = False, watch: Annotated[bool, typer.Option("--watch", help="again every two seconds, until Ctrl-C")] = False
) -> None:
    """Each flow and each worker: rates, lag, freshness, what waits, dead letters, the last error. Read from the topics."""
    from weighlock.status.watch import Watch, watching

    settings = Settings.load()
    if not watch:
        with Watch(settings) as once:
            _show(once.see(), as_json)
        return
    console = output.console()
    try:
        if as_json or not console.is_terminal:
            for found in watching(settings, EVERY):
                _show(found, as_json, one_line=True)
            return
        with Live(console=console, auto_refresh=False) as live:
            for found in watching(settings, EVERY):
                live.update(_view(found), refresh=True)
    except KeyboardInterrupt:
        return


def waiting(
    as_json: Json = False, limit: Annotated[int | None, typer.Option("--limit", min=1, help="the oldest ones only")] = None
) -> None:
    """What waits in the sinks: for which record, since when, until when, and why that record is not there."""
    from weighlock import waiting as room

    found = room.listed(Settings.load(), limit)
    if not found and not as_json:
        output.console().print("nothing waits")
        return
    output.rows(found, as_json)


def _show(found: dict[str, Any], as_json: bool, one_line: bool = False) -> None:
    if as_json:
        typer.echo(json.dumps(found, indent=None if one_line else 2, default=str))
    else:
        output.console().print(_view(found))


def _view(found: dict[str, Any]) -> Group:
    from weighlock.status import view

    workers: Table = view.workers(found)
    return Group(view.flows(found), Text(), workers, *(Text(line) for line in view.troubles(found)))
