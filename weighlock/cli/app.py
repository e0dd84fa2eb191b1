"""The commands; each is thin, what it does lives in the room it names."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from weighlock import logs
from weighlock.cli import links, output, secrets, seeing
from weighlock.cli.output import Json
from weighlock.errors import ConfigError
from weighlock.kafka.admin import Plan
from weighlock.processes import asked_to_stop
from weighlock.settings import Settings

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Keeps Acumatica, Salesforce and HubSpot in agreement through Kafka.\n\n"
    "Settings: weighlock.toml, the environment over it (WEIGHLOCK_…).",
    epilog="Exit status: 0 done, 1 not as it should be, 2 wrong settings or arguments, 3 credentials refused, 4 something is away.",
)
stack = typer.Typer(no_args_is_help=True, help="A Kafka and a schema registry on this machine, without Docker.")
topics = typer.Typer(no_args_is_help=True, help="The topics and their schemas.")
setup = typer.Typer(no_args_is_help=True, help="Prepare a target system for what we write.")
app.add_typer(stack, name="stack")
app.add_typer(topics, name="topics")
app.add_typer(setup, name="setup")
app.add_typer(secrets.app, name="secrets")
app.add_typer(links.app, name="links")
app.command()(seeing.status)
app.command()(seeing.waiting)
console = output.console()


@app.callback()
def begin() -> None:
    # standard output belongs to what was asked for; of the rooms' own log lines only trouble is worth a line to whoever typed a command
    logs.configure(logging.WARNING)


Data = Annotated[Path, typer.Option("--data", help="the folder for its data, ports and logs")]
STACK = Path(".weighlock/stack")


@stack.command("up")
def stack_up(data: Data = STACK, as_json: Json = False) -> None:
    """Start it (or find the one that runs) and return; ports and data are kept across restarts."""
    from weighlock.stack import up

    output.mapping(up(data, Console(stderr=True, highlight=False)), as_json)  # downloads and steps do not mix with the JSON


@stack.command("down")
def stack_down(data: Data = STACK) -> None:
    """Stop it; its data stays."""
    from weighlock.stack import down

    down(data)


@stack.command("status")
def stack_status(data: Data = STACK, as_json: Json = False) -> None:
    """What runs, where; exit status 1 if it is not ready."""
    from weighlock.stack import status

    found = status(data)
    output.mapping(found, as_json)
    if not found["ready"]:
        raise typer.Exit(1)


@topics.command("apply")
def topics_apply(as_json: Json = False) -> None:
    """Create what is missing, set what differs, register the schemas. A changed partition count is refused."""
    from weighlock import wiring

    done = {"missing": "made", "differs": "altered"}
    found = _findings(wiring.topics(Settings.load(), apply=True))
    output.rows((row | {"state": done.get(row["state"], row["state"])} for row in found), as_json)


@topics.command("check")
def topics_check(as_json: Json = False) -> None:
    """Compare the cluster and the registry with what we declare; exit status 1 where they differ."""
    from weighlock import wiring

    plan = wiring.topics(Settings.load(), apply=False)
    output.rows(_findings(plan), as_json)
    if not plan.clean:
        raise typer.Exit(1)


def _findings(plan: Plan) -> list[dict[str, str]]:
    return [{"kind": f.kind, "name": f.name, "state": f.state, "details": "; ".join(f.details)} for f in plan.findings]


@setup.command("hubspot")
def setup_hubspot(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what would be made")] = False, as_json: Json = False
) -> None:
    """Make the property group and the properties that we write; doing it again changes nothing."""
    from weighlock import wiring

    steps = wiring.setup_hubspot(Settings.load(), dry_run=dry_run)
    output.rows(({"object": s.kind, "name": s.name, "state": s.state, "details": s.detail} for s in steps), as_json)


@app.command()
def run(
    worker: Annotated[str, typer.Argument(help="such as source-acumatica, streams, sink-hubspot; docs/operations.md has all")],
    member: Annotated[str, typer.Option(help="tells copies of one worker apart; two live ones must not share it")] = "0",
) -> None:
    """Run one worker in the foreground until SIGTERM or Ctrl-C."""
    from weighlock import presence, wiring

    if worker not in wiring.WORKERS:
        raise ConfigError(f"no worker {worker!r}: there are {', '.join(wiring.WORKERS)}")
    settings = Settings.load()
    stopping = asked_to_stop()
    logs.configure()
    with presence.shown(settings, wiring.WORKERS[worker], member):
        wiring.WORKERS[worker].run(settings, member, stopping)


@app.command()
def up(folder: Annotated[Path, typer.Option("--logs", help="a folder for the workers' logs")] = Path(".weighlock/logs")) -> None:
    """All workers on this machine, supervised: one that dies is started again."""
    from weighlock import wiring
    from weighlock.supervise import Supervisor

    names = [worker.name for worker in wiring.workers(Settings.load())]
    stopping = asked_to_stop()
    supervisor = Supervisor(names, {}, folder, console.print)
    console.print(f"{len(names)} workers run ({', '.join(names)}); their logs are in {folder}. Ctrl-C stops them.")
    try:
        supervisor.run(stopping)
    finally:
        supervisor.close()
    if supervisor.lost:
        raise typer.Exit(max(child.process.returncode for child in supervisor.lost))


@app.command()
def check(as_json: Json = False) -> None:
    """Settings, and a live probe of every system: all that is wrong at once."""
    from weighlock import probes

    found = probes.all_of(Settings.load())
    output.rows(found, as_json)
    if any(row["state"] != "ok" for row in found):
        raise typer.Exit(1)


@app.command()
def trace(
    ref: Annotated[str, typer.Argument(help="acumatica:customer:<NoteID>, hubspot:company:<id>, or a customer's or contact's number")],
    as_json: Json = False,
) -> None:
    """The whole way of one record, read from the topics."""
    from weighlock import tracing

    steps = tracing.way_of(Settings.load(), ref)
    if as_json:
        output.rows(steps, True)
    else:
        console.print(_way(steps))
    if not steps:
        raise typer.Exit(1)


def _way(steps: list[dict[str, str]]) -> Table | str:
    if not steps:
        return "no topic has it: is the ref right? (weighlock trace --help)"
    table = Table("at", "after", "where", "what", "more", box=None)
    for step in steps:
        table.add_row(step["at"], step["after"], step["where"], step["what"], step["more"])
    return table


@app.command()
def demo(
    customers: Annotated[int, typer.Option(min=1, help="how many customers the sandbox ERP has")] = 250,
    seed: Annotated[int, typer.Option(help="another seed, another company")] = 1,
    edits: Annotated[int, typer.Option(min=0, help="how many records are edited after the first sync")] = 20,
    stay: Annotated[bool | None, typer.Option("--stay/--leave", help="go on running after the comparison (default: on a terminal)")] = None,
) -> None:
    """Everything on this machine: Kafka, registry, two sandboxes, all workers; a first sync, edits, a comparison."""
    from weighlock.demo import Demo

    agreed = Demo(customers, seed, edits, stay=sys.stdout.isatty() if stay is None else stay).run()
    raise typer.Exit(0 if agreed else 1)
