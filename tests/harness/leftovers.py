"""What the topics and HubSpot's sandbox say at the end of a campaign, beside the account."""

from __future__ import annotations

from schemas.records import Audit, Result
from schemas.topics import AUDIT, RESULTS_HUBSPOT
from tests.harness.system import System


def left_out(system: System) -> int:
    """How many invoices were left out because the portal took none just then."""
    said = (system.wire.decode(Audit, message) for message in system.wire.read(AUDIT))
    return sum(one is not None and one.stage == "sink" and one.event == "out_of_scope" for one in said)


def orphans(system: System) -> list[str]:
    """Live records that the API made in HubSpot and that no ledger entry of ours knows."""
    known = set()
    for message in system.wire.read(RESULTS_HUBSPOT):
        result = system.wire.decode(Result, message)
        if result is not None and result.target is not None:
            known.add(result.target)
    dump = system.crm.get("/dump")
    rows = (("company", dump["companies"]), ("contact", dump["contacts"]), ("invoice", dump["invoices"]))
    live = {f"hubspot:{kind}:{row['id']}" for kind, found in rows for row in found if not row["archived"] and not row["seeded"]}
    return sorted(live - known)
