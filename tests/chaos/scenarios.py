"""What goes wrong, and when: used with a worker as it is and with one that is wrong on purpose (a mutant)."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

from tests.harness.system import System, eventually

#: Path of HubSpot's calls that write companies and contacts. (The sink tries at its start whether it may write invoices.)
WRITES = "(companies|contacts)/batch/(upsert|update|create)"


def killed_at(system: System, worker: str, point: str, change: Callable[[], Any], **env: str) -> None:
    """`worker` is down while `change` is made, starts, and dies at the fail-point. It is not started again here."""
    victim = system.workers[worker]
    victim.stop()
    change()
    victim.start(WEIGHLOCK_FAILPOINT=point, **env)
    status = victim.wait(120)
    assert status == -signal.SIGKILL, f"{worker} ended with {status}:\n{victim.tail()}"


def first_sync_with_a_lost_page(system: System, **env: str) -> None:
    """The producer dies in the first full read, after the second page went out and before its end."""
    system.start("streams", "sink-hubspot")
    killed_at(system, "source-acumatica", "page-before-checkpoint:2", lambda: None, WEIGHLOCK_ACUMATICA__PAGE_SIZE="10", **env)
    system.source.start()


def first_sync_with_a_call_that_fails(system: System, **env: str) -> None:
    """HubSpot answers 503 to every write until the sink is killed over it. Then one more customer comes: that one is lost by nobody."""
    system.fault(system.crm, kind="status", method="POST", path=WRITES, times=10**6, args={"status": 503})
    system.start("source-acumatica", "streams")
    system.sink.start(**env)
    eventually("a write that failed", lambda: any(rule["fired"] for rule in system.crm.get("/faults")))
    system.sink.kill()
    system.heal()
    system.sink.start()
    system.erp.edit(entity="customer", create={"CustomerID": "LATER", "CustomerName": "Came Later"})


def first_sync_while_rows_vanish(system: System, **env: str) -> None:
    """In the midst of the customers the site fails; until it is well again rows before the producer's place are deleted: 30 without a
    name, so that nobody misses them."""
    codes = [f"000VOID{number:02d}" for number in range(30)]
    for code in codes:
        system.erp.edit(entity="customer", create={"CustomerID": code})
    system.start("streams", "sink-hubspot")
    system.fault(system.erp, kind="status", method="GET", path="/Customer$", skip=6, times=10**6, args={"status": 503})
    system.source.start(WEIGHLOCK_ACUMATICA__PAGE_SIZE="10", **env)
    eventually("a page that fails", lambda: any(rule["fired"] for rule in system.erp.get("/faults")))
    for code in codes:
        system.erp.edit(entity="customer", key=code, delete=True)
    system.heal()
