"""Places where a test may kill this process, and faults it may switch on. Both are dead unless WEIGHLOCK_TESTING=1.

The environment alone arms them, so a test can arm a worker that runs as a process of its own:

    WEIGHLOCK_TESTING=1 WEIGHLOCK_FAILPOINT=output-before-commit:3 weighlock run streams
    WEIGHLOCK_TESTING=1 WEIGHLOCK_MUTANT=skip-paging weighlock run acumatica-producer

Fail-points:

- `page-before-checkpoint`: a producer has produced a page and not yet its checkpoint.
- `output-before-commit`: a stream worker's outputs are acknowledged and its offsets are not committed.
- `intent-before-call`: a sink has told the ledger that it is about to make a record, and has made no call.
- `answer-before-result`: a sink holds the API's answer and has produced nothing about it.
- `result-before-commit`: a sink has produced its results and its transaction is open.

Mutants (wrong on purpose, to prove that the tests would see it):

- `ack-before-write`: a sink commits offsets before the API call.
- `no-checkpoint-transaction`: a producer writes its checkpoint on its own, before the page.
- `skip-paging`: a poller pages with `$skip` over the live table.
- `no-scrub`: messages and logs keep the secrets that a vendor's answer echoes.
"""

import os
import signal

FAILPOINTS = frozenset(
    {"page-before-checkpoint", "output-before-commit", "intent-before-call", "answer-before-result", "result-before-commit"}
)
MUTANTS = frozenset({"ack-before-write", "no-checkpoint-transaction", "skip-paging", "no-scrub"})

_arrivals: dict[str, int] = {}


def reach(name: str) -> None:
    """Kill this process with SIGKILL if `name` is armed and this is its n-th arrival here (`name:n`; n is 1 if left out).

    Raises ValueError for a name that is not in the list above, in the code or in the environment: a test with a misspelt
    name would otherwise pass without having killed anything.
    """
    if name not in FAILPOINTS:
        raise ValueError(f"no fail-point is called {name!r}; there are {sorted(FAILPOINTS)}")
    armed, nth = _armed()
    if armed != name:
        return
    _arrivals[name] = _arrivals.get(name, 0) + 1
    if _arrivals[name] == nth:
        os.kill(os.getpid(), signal.SIGKILL)


def mutant(name: str) -> bool:
    """True if the mutant `name` is switched on. Raises ValueError for an unknown name, as `reach` does."""
    if name not in MUTANTS:
        raise ValueError(f"no mutant is called {name!r}; there are {sorted(MUTANTS)}")
    chosen = _variable("WEIGHLOCK_MUTANT")
    if chosen and chosen not in MUTANTS:
        raise ValueError(f"WEIGHLOCK_MUTANT={chosen}: no such mutant; there are {sorted(MUTANTS)}")
    return chosen == name


def _armed() -> tuple[str, int]:
    value = _variable("WEIGHLOCK_FAILPOINT")
    name, colon, nth = value.partition(":")
    if value and (name not in FAILPOINTS or (colon and not (nth.isascii() and nth.isdigit() and int(nth) > 0))):
        raise ValueError(f"WEIGHLOCK_FAILPOINT={value}: want NAME or NAME:N with N from 1, NAME one of {sorted(FAILPOINTS)}")
    return name, int(nth or "1")


def _variable(name: str) -> str:
    # read at each call: a test in the same process can set it, and it costs about a microsecond
    return os.environ.get(name, "") if os.environ.get("WEIGHLOCK_TESTING") == "1" else ""
