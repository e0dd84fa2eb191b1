"""`weighlock secrets`: values come in by standard input or a hidden prompt, and never out."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from weighlock import secrets, settings
from weighlock.cli import output
from weighlock.cli.output import Json
from weighlock.errors import ConfigError

app = typer.Typer(no_args_is_help=True, help="The credentials, encrypted in the folder `state`.")


@app.command("set")
def set_secret(
    name: Annotated[str, typer.Argument(help=", ".join(settings.SECRETS))],
    as_json: Json = False,
) -> None:
    """Keep a secret: asked for without showing it, or read from standard input. Workers that are refused look here again by themselves."""
    if name not in settings.SECRETS:
        raise ConfigError(f"no secret {name!r}: there are {', '.join(settings.SECRETS)}")
    value = typer.prompt(name, hide_input=True, confirmation_prompt=True, err=True) if sys.stdin.isatty() else sys.stdin.read()
    if not (value := value.strip()):
        raise ConfigError(f"{name}: nothing was given: write the value to standard input, or run this on a terminal")
    where = settings.Whereabouts.load()
    secrets.SecretStore(where.state).put(name, value)
    output.mapping({"name": name, "state": "set", "used": where.used(name, True)}, as_json)


@app.command("list")
def list_secrets(as_json: Json = False) -> None:
    """Which there are, since when, and which one counts: that of the settings, where they have one. Never a value."""
    where = settings.Whereabouts.load()
    times = secrets.SecretStore(where.state).times()
    names = [*settings.SECRETS, *sorted(set(times) - set(settings.SECRETS))]
    rows = [{"name": name, "stored": times.get(name), "used": where.used(name, name in times)} for name in names]
    output.rows(rows, as_json)


@app.command("rotate")
def rotate(as_json: Json = False) -> None:
    """A new key: everything is encrypted anew. Broken off, it is done again; workers go on."""
    output.rows([{"file": name, "state": "encrypted anew"} for name in secrets.rotate(settings.Whereabouts.load().state)], as_json)
