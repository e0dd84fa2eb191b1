"""The fault campaign: load, edits, every fault, kills, zombies, a broker and a registry that die; then the account of it all.

    python -m tests.chaos.campaign --minutes 10 --seed 1

What is done in which order, to whom and for how long comes from the seed; when it happens to a program depends on the machine. Exit
status 0 only if nothing is missing, doubled, stale, unaccounted or an orphan, and every kind of fault has fired. docs/reliability.md.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psutil
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from tests.chaos.crew import DEALERS, Crew
from tests.chaos.faults import FAULTS, LEFT_OUT, REFUSED, Fault, Faults
from tests.harness.accounting import account, twice_created
from tests.harness.leftovers import left_out, orphans
from tests.harness.system import WORKERS, System, eventually, running
from weighlock import processes
from weighlock.demo.sandboxes import DEALS
from weighlock.stack import Stack

#: Longer than the sessions of all groups (6 s): who sleeps so long has been replaced.
SLEEP = (8.0, 11.0)
#: Seconds that the clients wait for an answer. So many attempts: here one record may meet more faults in a row than in a bad year.
PATIENCE = {"WEIGHLOCK_HUBSPOT__TIMEOUT_SECONDS": "3", "WEIGHLOCK_ACUMATICA__TIMEOUT_SECONDS": "3", "WEIGHLOCK_ATTEMPTS": "20"}
PATIENCE |= {"PYTHONFAULTHANDLER": "1"}  # who does not stop tells why (`Copy.stop`)
#: A round: each role killed so often, paused so often; broker and registry once.
KILLS, PAUSES = 2, 1


@dataclass
class Outcome:
    """What the last line says, and why it is not as it should be."""

    seed: int
    kills: int = 0
    in_flight: int = 0
    zombies: int = 0
    deaths: int = 0
    edits: int = 0
    fired: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    missing: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    unaccounted: list[str] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def findings(self) -> list[str]:
        kinds = ("missing", "doubled", "stale", "unaccounted", "orphans", "problems")
        never = [f"never fired: {name}" for name, times in self.fired.items() if not times]
        return [f"{kind}: {one}" for kind in kinds for one in getattr(self, kind)] + never

    @property
    def line(self) -> str:
        counts = ", ".join(f"{len(getattr(self, kind))} {kind}" for kind in ("missing", "doubled", "stale", "unaccounted", "orphans"))
        kinds = f"{len(self.fired)} fault kinds x {min(self.fired.values(), default=0)} or more"
        return (
            f"chaos: seed {self.seed}, {self.kills} kills ({self.in_flight} with work in flight), {self.zombies} zombies, {kinds}, "
            f"{self.ends.total()} changes, {counts}"
        )


class Campaign:
    """On a system whose workers are not started yet; `stack` is killed and started."""

    def __init__(self, system: System, stack: Stack, seed: int, progress: Progress) -> None:
        self.system, self.stack, self.seed, self.progress = system, stack, seed, progress
        system.env.update(PATIENCE)
        self.crew, self.faults = Crew(system), Faults(system)
        self.choice = random.Random(seed)
        self._cards: list[tuple[str, str | Fault]] = []
        self._packs = 0
        self._began = time.monotonic()

    def run(self, minutes: float) -> Outcome:
        outcome = Outcome(self.seed)
        self.crew.start()
        eventually("contacts arrive: everybody is at work", lambda: self._arrived("contact"), 120, every=0.5)
        self._began = time.monotonic()
        bar = self.progress.add_task("chaos", total=minutes * 60)
        until = self._began + minutes * 60
        with edits_going_on(self.system, self.seed) as made:
            while (now := time.monotonic()) < until or (self._packs == 1 and now < until + 180):  # a slow machine ends the first pack
                self.progress.update(bar, completed=now - self._began, description=self._score())
                self._act(*self._draw())
                self._rest(self.choice.uniform(0.2, 0.8))
            self._last_ones(30)
        outcome.edits = sum(made)
        self._settle(outcome)
        return outcome

    def _arrived(self, entity: str) -> bool:
        return any(entry["entity"] == entity and entry["actor"] == "api" for entry in self.system.crm.get("/log"))

    def _last_ones(self, seconds: float) -> None:
        """Rules that were armed just now need calls that they can spoil."""
        until = time.monotonic() + seconds
        while not all(self.faults.fired().values()) and time.monotonic() < until:
            self._rest(0.5)

    def _draw(self) -> tuple[str, str | Fault]:
        """From a shuffled pack that holds each fault and each blow; a new one when it is empty."""
        if not self._cards:
            self._packs += 1
            roles = [(what, role) for what, times in (("kill", KILLS), ("pause", PAUSES)) for role in WORKERS for _ in range(times)]
            roles += [("kill", role) for role in DEALERS]
            portal = [("portal", how) for how in ("no-scope", "ok", "absent", "ok")]
            self._cards = [*(("arm", fault) for fault in FAULTS), *roles, ("kill", "broker"), ("kill", "registry"), *portal]
            self.choice.shuffle(self._cards)
        return self._cards.pop()

    def _act(self, what: str, whom: str | Fault) -> None:
        chance, soon, later, sleep = (self.choice.random() for _ in range(4))
        if isinstance(whom, Fault):
            self.faults.arm(whom, int(chance * (10 if whom.system == "acumatica" else 3)))
            self._say(f"armed {whom.name}")
            return
        if what == "portal":
            self._say(self.faults.portal(whom))
            return
        if whom in ("broker", "registry"):
            self._restart(whom, 0.5 + 2 * later)
            return
        until = time.monotonic() + 15  # where all copies are down or asleep, or a rebalance is under way
        while (copy := self.crew.choose(whom, chance)) is None and time.monotonic() < until:
            self._rest(0.2)
        if copy is None:
            self._say(f"no {whom} holds anything")
        elif what == "kill":
            self._say(self.crew.kill(copy, 0.0 if soon < 0.5 else 2 + 7 * later))
        else:
            self._say(self.crew.pause(copy, SLEEP[0] + sleep * (SLEEP[1] - SLEEP[0])))

    def _restart(self, name: str, away: float) -> None:
        busy = any(self.crew._work(copy) for copy in self.crew.copies if copy.running)
        pid = self.stack.kill_kafka() if name == "broker" else self.stack.kill_registry()
        self.crew.kills += 1
        self.crew.kills_in_flight += busy
        self._say(f"killed the {name} (pid {pid}), back in {away:.1f} s")
        self._rest(away)
        if name == "broker":
            self.stack.start_kafka()
        else:
            self.stack.start_registry()
        self._say(f"the {name} is back")

    def _rest(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while True:
            for line in self.crew.tend():
                self._say(line)
            if time.monotonic() >= until:
                return
            time.sleep(0.05)

    def _settle(self, outcome: Outcome) -> None:
        """No faults and no edits any more; whoever owes something pays; then all is counted."""
        crew, system = self.crew, self.system
        outcome.fired = self.faults.fired()
        outcome.kills, outcome.in_flight, outcome.zombies, outcome.deaths = crew.kills, crew.kills_in_flight, crew.zombies, crew.deaths
        system.heal()
        self.faults.portal("ok")
        crew.everybody_up()
        self._say("no more faults: everything settles")
        self._rest(8)  # the last late commit has taken effect by now
        for copy in crew.copies:  # a stop hands over what is owed, and a new start takes it up
            if copy.role == "sink-hubspot":
                outcome.problems += copy.stop()
                copy.start()
        eventually_agreed(system, outcome, crew)
        outcome.problems += crew.problems
        outcome.fired |= {REFUSED: self.faults.refused(), LEFT_OUT: left_out(system)}
        found = account(system.wire)
        outcome.ends = found.ends
        outcome.unaccounted = found.problems
        outcome.doubled += [f"made twice by the API: {key}" for key in twice_created(system.crm.get("/log"))]
        outcome.orphans = orphans(system)

    def _score(self) -> str:
        crew = self.crew
        return f"{crew.kills} kills, {crew.kills_in_flight} in flight, {crew.zombies} zombies"

    def _say(self, text: str) -> None:
        self.progress.console.print(f"{time.monotonic() - self._began:7.1f} s  {text}", highlight=False, markup=False, soft_wrap=True)


def eventually_agreed(system: System, outcome: Outcome, crew: Crew, quiet: float = 150, seconds: float = 900) -> None:
    """Until the two agree and nobody has anything left to read; what is still wrong when HubSpot was not written to for so long goes into
    `outcome`. A late call is repeated within 100 s."""
    began, seen = time.monotonic(), -1
    until = began + quiet
    while not (verdict := system.compare())["agreed"] and time.monotonic() < min(began + seconds, until):
        crew.tend()
        if (last := sum(entry["actor"] == "api" for entry in system.crm.get("/log"))) != seen:
            seen, until = last, time.monotonic() + quiet
        time.sleep(1)
    outcome.missing, outcome.doubled = verdict["missing"], verdict["doubled"]
    outcome.stale = [*verdict["stale"], *(f"altered: {one}" for one in verdict["altered"])]
    try:
        eventually("nothing is left to read", crew.tower.idle, 60, every=1)
    except AssertionError as error:
        outcome.problems.append(str(error))


@contextmanager
def edits_going_on(system: System, seed: int) -> Iterator[list[int]]:
    """A person who edits without rest, and now and then types an address that no mail system takes; how many edits each round made."""
    made: list[int] = []
    done = threading.Event()
    customer = next(row["CustomerID"] for row in system.erp.get("/dump")["customers"] if (row["CustomerName"] or "").strip())

    def edit() -> None:
        with httpx.Client(base_url=f"{system.erp.url}/__sandbox__", trust_env=False, timeout=60) as http:
            while not done.wait(0.3):
                turn = seed * 10_000 + len(made)
                changes: list[dict[str, object]] = [{"random": 16, "seed": turn}, {"ar": "random", "count": 6, "seed": turn}]
                if len(made) % 10 == 0:
                    typo = {"LastName": "Typo", "Email": f"no address {len(made)}", "BusinessAccount": customer}
                    changes.append({"entity": "contact", "create": typo})
                if len(made) % 5 == 0:
                    win_a_deal(system, turn)
                made.append(sum(len(http.post("/edit", json=change).raise_for_status().json()) for change in changes))

    person = threading.Thread(target=edit, name="editor")
    person.start()
    try:
        yield made
    finally:
        done.set()
        person.join()


def win_a_deal(system: System, number: int) -> None:
    """With a company that is no customer yet, and does not look like one."""
    crm = system.crm
    firm = {"name": f"Won {number} Joinery", "domain": f"won-{number}.example", "hs_country_code": "US"}
    company = next(entry["id"] for entry in crm.edit(entity="company", create=firm) if entry["entity"] == "company")
    deal = {"dealname": f"Deal {number}", "dealstage": "closedwon"}
    for _ in range(1 + number % 2):  # every second company wins two at once
        crm.edit(entity="deal", create=deal, company=company)


def campaign(stack: Stack, folder: Path, minutes: float, seed: int, progress: Progress) -> Outcome:
    """Everything of one run but the stack: started, judged and ended."""
    data = ("--customers", "300", "--contacts", "600", "--seed", str(seed))
    deals = DEALS.format(today=datetime.now(UTC).date())
    with running(stack, folder, *data, acumatica=("--set", "latency_seconds=0.05"), more=deals) as system:
        return Campaign(system, stack, seed, progress).run(minutes)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.campaign", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0, help="how long there are faults and edits (10)")
    parser.add_argument("--seed", type=int, default=1, help="chooses what happens to whom (1)")
    parser.add_argument("--keep", type=Path, help="a new folder for all logs (else they are removed at the end)")
    options = parser.parse_args()
    console, mark = Console(), processes.run_id()
    columns = (BarColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with tempfile.TemporaryDirectory() as temporary, Progress(*columns, console=console, transient=True) as progress:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        with Stack(folder / "stack", console) as stack:
            outcome = campaign(stack, folder / "system", options.minutes, options.seed, progress)
    left = [process.pid for process in psutil.process_iter() if process.pid != os.getpid() and _mark(process) == mark]
    if left:
        outcome.problems.append(f"processes left: {left}")
    report(outcome, console)
    return 1 if outcome.findings else 0


def report(outcome: Outcome, console: Console) -> None:
    """The counts, what is wrong, and the line at the end."""

    def say(text: str) -> None:
        console.print(text, highlight=False, markup=False, soft_wrap=True)

    for name, times in sorted(outcome.fired.items()):
        say(f"  {times:5} x {name}")
    say(f"  {outcome.edits} edits; ends: {', '.join(f'{times} {end}' for end, times in sorted(outcome.ends.items()))}")
    say(f"  {outcome.deaths} workers ended by themselves and were started again")
    for finding in outcome.findings[:50]:
        say(f"  {finding}")
    say(outcome.line)


def _mark(process: psutil.Process) -> str | None:
    try:
        return process.environ().get(processes.RUN) if process.status() != psutil.STATUS_ZOMBIE else None
    except (psutil.Error, OSError):
        return None


if __name__ == "__main__":
    sys.exit(main())
