"""`weighlock links`: what a person sees and says about who a record is."""

from __future__ import annotations

from typing import Annotated

import typer

from weighlock.cli import output
from weighlock.cli.output import Json
from weighlock.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Who a record is in another system: see it, or decide it (docs/identity.md).")
Own = Annotated[str, typer.Argument(help="acumatica:customer:<NoteID>, a linked hubspot:company:<id>, or a customer's or contact's number")]


@app.command("show")
def show(ref: Own, as_json: Json = False) -> None:
    """Its links, what the ledger holds, what it waits for and its newest dead letter with the candidates."""
    from weighlock import linking

    output.mapping(linking.show(Settings.load(), ref), as_json)


@app.command("set")
def set_link(ref: Own, peer: Annotated[str, typer.Argument(help="hubspot:company:<id> or hubspot:contact:<id>")]) -> None:
    """This record is that one: the newest wish for it is written there, whatever a match would say."""
    from weighlock import linking

    output.console().print(linking.decide(Settings.load(), ref, peer))


@app.command("unset")
def unset(ref: Own) -> None:
    """It is none: our key goes from the record, which stays as it is; the next change of it looks for a match anew."""
    from weighlock import linking

    output.console().print(linking.decide(Settings.load(), ref, None))
