"""`python -m sandbox acumatica|hubspot`: one simulated vendor, in memory, on the loopback address."""

from __future__ import annotations

import argparse
import importlib
import sys
from typing import Any

from pydantic import BaseModel, ValidationError

from sandbox.control import DataSet, Sandbox
from sandbox.data import BadData, Book, load
from sandbox.server import serve

SYSTEMS = ("acumatica", "hubspot")


def main(arguments: list[str] | None = None) -> int:
    """Serves until a signal ends it. Exit status 2: the arguments, the data or the port cannot be used (said on stderr)."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = _parser(arguments).parse_args(arguments)
    package = importlib.import_module(f"sandbox.{options.system}.app")
    start = DataSet(options.data, options.customers, options.contacts, options.seed, options.invoices)
    try:
        settings = dict(_setting(text) for text in options.set)
        if options.licence_per_minute is not None:
            settings["licence_per_minute"] = options.licence_per_minute
        vendor = package.build(_load(start), _switches(package.Switches, settings))
        serve(Sandbox(vendor, start, _load), options.system, options.port, options.host)
    except (ValueError, OSError) as error:
        print(f"sandbox {options.system}: {error}", file=sys.stderr)
        return 2
    return 0


def _load(wanted: DataSet) -> Book:
    try:
        return load(wanted.data, customers=wanted.customers, contacts=wanted.contacts, seed=wanted.seed, invoices=wanted.invoices)
    except BadData as error:
        raise ValueError(str(error)) from error


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"--set takes NAME=VALUE, not {text!r}")
    return name, value


def _switches(model: type[BaseModel], settings: dict[str, str]) -> BaseModel:
    if unknown := sorted(set(settings) - set(model.model_fields)):
        raise ValueError(f"no switch {', '.join(unknown)}; there are {', '.join(model.model_fields)}")
    try:
        return model.model_validate(settings)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in error.errors())
        raise ValueError(f"bad switch: {wrong}") from error


def _parser(arguments: list[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m sandbox", description="A simulated vendor API; all state is in memory.")
    systems = parser.add_subparsers(dest="system", required=True)
    for system in SYSTEMS:
        sub = systems.add_parser(
            system,
            description=f"The {system} sandbox. Its control API is under /__sandbox__/ (docs/sandboxes.md).",
            epilog=_switch_list(system) if system in arguments else None,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        sub.add_argument("--port", type=int, required=True, help="0 picks a free one; the line on stdout names it")
        sub.add_argument("--host", default="127.0.0.1", help="the address to listen on; in a container 0.0.0.0 (127.0.0.1)")
        sub.add_argument("--data", default="demo", help="demo, empty, or a folder of CSV or JSON (default: demo)")
        sub.add_argument("--customers", type=int, default=250, help="how many customers (250)")
        sub.add_argument("--contacts", type=int, help="how many contacts (2.4 for each customer)")
        sub.add_argument("--invoices", type=int, help="how many invoices in Acumatica (12 for each customer)")
        sub.add_argument("--seed", type=int, default=1, help="another seed is another, repeatable data set (1)")
        if system == "acumatica":
            sub.add_argument("--licence-per-minute", metavar="N", help="the licence's API calls a minute (none)")
        else:
            sub.set_defaults(licence_per_minute=None)
        sub.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="change a switch, see below")
    return parser


def _switch_list(system: str) -> str:
    fields: dict[str, Any] = importlib.import_module(f"sandbox.{system}.app").Switches.model_fields
    return "switches:\n" + "\n".join(f"  {name}={field.default!r}\n      {field.description}" for name, field in fields.items())


if __name__ == "__main__":
    sys.exit(main())
