"""weighlock.failpoints: armed by the environment of a test, dead everywhere else."""

import os
import signal
import subprocess
import sys

import pytest

from weighlock import failpoints

LOOP = "from weighlock import failpoints\nfor n in range(1, 6):\n    print(n, flush=True)\n    failpoints.reach('{}')\n"


def run(name: str, **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("WEIGHLOCK_")}
    command = [sys.executable, "-c", LOOP.format(name)]
    return subprocess.run(command, env=kept | variables, capture_output=True, text=True, check=False)


def test_kills_at_the_nth_arrival() -> None:
    """An armed fail-point kills its own process with SIGKILL at exactly the n-th arrival."""
    done = run("result-before-commit", WEIGHLOCK_TESTING="1", WEIGHLOCK_FAILPOINT="result-before-commit:3")
    assert (done.returncode, done.stdout.split()) == (-signal.SIGKILL, ["1", "2", "3"])


def test_kills_at_the_first_arrival_without_a_number() -> None:
    """A fail-point without a number kills at the first arrival."""
    done = run("page-before-checkpoint", WEIGHLOCK_TESTING="1", WEIGHLOCK_FAILPOINT="page-before-checkpoint")
    assert (done.returncode, done.stdout.split()) == (-signal.SIGKILL, ["1"])


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"WEIGHLOCK_FAILPOINT": "answer-before-result"},
        {"WEIGHLOCK_FAILPOINT": "answer-before-result", "WEIGHLOCK_TESTING": "0"},
        {"WEIGHLOCK_FAILPOINT": "output-before-commit", "WEIGHLOCK_TESTING": "1"},
    ],
)
def test_does_nothing_unless_armed_for_a_test(variables: dict[str, str]) -> None:
    """Without WEIGHLOCK_TESTING=1, or armed for another place, a fail-point is a no-op."""
    done = run("answer-before-result", **variables)
    assert (done.returncode, done.stdout.split()) == (0, ["1", "2", "3", "4", "5"])


@pytest.mark.parametrize("value", ["page-before-chekpoint", "page-before-checkpoint:0", "page-before-checkpoint:", ":2"])
def test_misspelt_failpoint_is_an_error(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unknown name or number in the environment is refused, so that no test passes because nothing was armed."""
    monkeypatch.setenv("WEIGHLOCK_TESTING", "1")
    monkeypatch.setenv("WEIGHLOCK_FAILPOINT", value)
    with pytest.raises(ValueError, match="WEIGHLOCK_FAILPOINT"):
        failpoints.reach("page-before-checkpoint")


def test_unknown_names_in_code_are_errors() -> None:
    """Code cannot name a fail-point or a mutant that no test can arm."""
    with pytest.raises(ValueError, match="no fail-point"):
        failpoints.reach("elsewhere")
    with pytest.raises(ValueError, match="no mutant"):
        failpoints.mutant("elsewhere")


def test_mutants(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mutant is on only if it is the named one and this is a test; a misspelt one is refused."""
    monkeypatch.setenv("WEIGHLOCK_MUTANT", "skip-paging")
    monkeypatch.delenv("WEIGHLOCK_TESTING", raising=False)
    assert not failpoints.mutant("skip-paging")
    monkeypatch.setenv("WEIGHLOCK_TESTING", "1")
    assert failpoints.mutant("skip-paging")
    assert not failpoints.mutant("ack-before-write")
    monkeypatch.setenv("WEIGHLOCK_MUTANT", "skip-pagin")
    with pytest.raises(ValueError, match="WEIGHLOCK_MUTANT"):
        failpoints.mutant("skip-paging")
