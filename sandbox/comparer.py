"""Are the two sandboxes in agreement? Judged from their dumps and docs/agreement.md alone; imports nothing else of this project.

python -m sandbox.comparer --acumatica http://127.0.0.1:8081 --hubspot hubspot.json --tenant demo
"""

import argparse
import dataclasses
import json
import sys
import urllib.request
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from sandbox.compare.verdict import Verdict, compare

__all__ = ["Verdict", "compare", "load", "main"]


def load(source: str, what: str = "dump") -> dict[str, Any]:
    """The dump (or the `books`) of a running sandbox, by its address, or a file with it. Raises OSError or ValueError."""
    if source.startswith(("http://", "https://")):
        # a sandbox is on this machine: whatever proxy the environment names is not for it
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(f"{source.rstrip('/')}/__sandbox__/{what}", timeout=60) as answer:
            body = answer.read()
    else:
        body = Path(source).read_bytes()
    found = json.loads(body, parse_float=Decimal)
    if not isinstance(found, dict):
        raise ValueError("it is not a JSON object")
    return found


def read(system: str, source: str) -> dict[str, Any]:
    """`load`, and a check that it is the right system's; ends the process with status 2 and a reason if not."""
    try:
        dump = load(source)
        if dump.get("system") == "acumatica" and source.startswith(("http://", "https://")):
            dump["books"] = load(source, "books")
    except (OSError, ValueError) as error:
        print(f"cannot read the {system} dump from {source}: {error}", file=sys.stderr)
        raise SystemExit(2) from error
    if dump.get("system") != system:
        print(f"{source} is no dump of the {system} sandbox: its `system` is {dump.get('system')!r}", file=sys.stderr)
        raise SystemExit(2)
    return dump


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the findings and the verdict. 0: in agreement, 1: not, 2: a dump could not be read."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.comparer", description="Compare the two sandboxes, as docs/agreement.md says.")
    parser.add_argument("--acumatica", required=True, metavar="URL|FILE", help="the sandbox's address, or a file with its dump")
    parser.add_argument("--hubspot", required=True, metavar="URL|FILE", help="the same for HubSpot")
    parser.add_argument("--tenant", default="demo", help="the tenant part of our keys (demo)")
    parser.add_argument("--json", action="store_true", help="print the whole verdict as one JSON object instead")
    options = parser.parse_args(arguments)
    verdict = compare(read("acumatica", options.acumatica), read("hubspot", options.hubspot), options.tenant)
    if options.json:
        print(json.dumps(dataclasses.asdict(verdict) | {"agreed": verdict.agreed, "line": verdict.line}, ensure_ascii=False, indent=1))
    else:
        report(verdict)
    return 0 if verdict.agreed else 1


def report(verdict: Verdict) -> None:
    for kind in ("excused", "missing", "doubled", "stale", "altered"):
        for finding in getattr(verdict, kind):
            print(f"{kind}: {finding}")
    print(verdict.line)


if __name__ == "__main__":
    sys.exit(main())
