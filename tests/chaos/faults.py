"""The faults of the campaign that the sandboxes do: one rule for each kind, armed again and again, counted when they fire."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.harness.system import System

WRITES = "/batch/(upsert|update|create)"
RATE = {"status": "error", "errorType": "RATE_LIMIT", "message": "You have reached your secondly limit.", "policyName": "SECONDLY"}
BROKEN = {"status": "error", "category": "INTERNAL_ERROR", "message": "internal error"}


@dataclass(frozen=True)
class Fault:
    """`kind` and `args` as the sandbox takes them (docs/sandboxes.md); `times` for each arming. `path` is a regular expression."""

    name: str
    system: str
    kind: str
    path: str
    times: int = 2
    args: dict[str, Any] = field(default_factory=dict)


def _crm(name: str, kind: str, path: str = WRITES, times: int = 2, **args: Any) -> Fault:
    return Fault(f"hubspot: {name}", "hubspot", kind, path, times, args)


def _erp(name: str, kind: str, path: str = "^/entity/Default", times: int = 1, **args: Any) -> Fault:
    return Fault(f"acumatica: {name}", "acumatica", kind, path, times, args)


#: The waits are longer than the clients' patience (`PATIENCE` in campaign.py) where a call is to time out.
FAULTS = (
    _crm("429 with Retry-After", "status", status=429, body=RATE, headers={"Retry-After": "1"}),
    _crm("429 without Retry-After", "status", status=429, body=RATE),
    _crm("500", "status", status=500, body=BROKEN),
    _crm("502 as a page", "html", status=502),
    _crm("503", "status", status=503, body=BROKEN),
    _crm("connection reset", "reset", "/batch/"),
    _crm("connection reset after the commit", "reset-after"),
    _crm("time-out after the commit", "timeout-after", times=1, seconds=5),
    _crm("late commit", "late", times=1, seconds=5),
    _crm("a 200 that saved nothing", "silent", f"/objects/.*{WRITES}"),
    _crm("associations: a 200 that saved nothing", "silent", "/associations/.*/batch/(create|archive)", times=1),
    _crm("slow", "slow", "/crm/", seconds=1.5),
    _crm("associations: reset after the commit", "reset-after", "/associations/"),
    _crm("search behind", "stale-search", "/search"),
    _crm("search minutes late", "late-search", "/search", seconds=120),
    _crm("expired token", "expire-token", "/batch/", times=1),
    _erp("429 with Retry-After", "status", status=429, headers={"Retry-After": "1"}),
    _erp("429 without Retry-After", "status", status=429),
    _erp("500", "status", status=500, body={"message": "An error has occurred."}),
    _erp("502 as a page", "html", status=502),
    _erp("503", "status", status=503),
    _erp("connection reset", "reset"),
    _erp("connection reset after the answer was made", "reset-after"),
    _erp("time-out", "timeout-after", seconds=5),
    _erp("slow", "slow", times=2, seconds=1.5),
    _erp("expired token", "expire-token"),
    _erp("lost seat", "lost-seat", seconds=2),
)
REFUSED = "hubspot: 207 with some refused"
LEFT_OUT = "hubspot: invoices taken away"


class Faults:
    """Arms rules in the sandboxes of a system, and knows how often each kind has fired."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._boxes = {"acumatica": system.erp, "hubspot": system.crm}
        self._armed: Counter[str] = Counter()

    def arm(self, fault: Fault, skip: int) -> None:
        """It fires after so many calls of its kind: several in a row would only make the client wait."""
        self._armed[fault.name] += 1
        rule = {"id": f"{fault.name} #{self._armed[fault.name]}", "kind": fault.kind, "path": fault.path, "args": fault.args}
        self._system.fault(self._boxes[fault.system], times=fault.times, skip=skip, **rule)

    def portal(self, how: str) -> str:
        """The portal takes invoices (`ok`), or not any more; what was done."""
        self._system.crm.http.post("/portal", json={"invoices": how}).raise_for_status()
        return f"the portal's invoices: {how}"

    def fired(self) -> Counter[str]:
        """By name, those that never did with 0."""
        found = Counter({fault.name: 0 for fault in FAULTS})
        for box in self._boxes.values():
            for rule in box.get("/faults"):
                found[rule["id"].rpartition(" #")[0]] += rule["fired"]
        return found

    def refused(self) -> int:
        """How many batches were partly refused. That is no rule: the edits make it (`edits_going_on`)."""
        routes = self._system.crm.get("/calls")["routes"]
        return sum(counts.get("207", 0) for route, counts in routes.items() if "/batch/" in route and "read" not in route)
