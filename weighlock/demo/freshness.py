"""How fresh: from an edit's instant in one sandbox's log to the visible write in the other's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from weighlock.status.figures import percentile as percentile

PAIRS = {"customer": ("customers", "company"), "contact": ("contacts", "contact")}


@dataclass(frozen=True)
class Arrival:
    """One edit that arrived: what, and how many seconds later."""

    entity: str
    number: str
    what: str
    seconds: float


def key_of(dump: dict[str, Any], tenant: str, entry: dict[str, Any]) -> str:
    """The value of our key property that the edited record has in HubSpot."""
    code = "CustomerID" if entry["entity"] == "customer" else "ContactID"
    rows = dump[PAIRS[entry["entity"]][0]]
    record = next(row for row in rows if str(row[code]).strip() == str(entry["key"]).strip())
    return f"{tenant}|{record['id']}".lower()


def arrivals(
    edits: list[dict[str, Any]], keys: dict[int, str], written: list[dict[str, Any]]
) -> tuple[list[Arrival], list[dict[str, Any]]]:
    """Which edits were followed by a visible write of that record, and which are still on their way.

    `edits`: entries of the ERP's log; `keys`: their `seq` to the record's key; `written`: the CRM's log.
    """
    there, missing = [], []
    for edit in edits:
        made = datetime.fromisoformat(edit["at"])
        entity = PAIRS[edit["entity"]][1]
        later = (datetime.fromisoformat(e["at"]) for e in written if e["entity"] == entity and e["key"] == keys[edit["seq"]])
        seen = min((at for at in later if at >= made), default=None)
        if seen is None:
            missing.append(edit)
        else:
            what = "new" if edit["op"] == "create" else ", ".join(field for field in edit["fields"] if field != "LastModifiedDateTime")
            there.append(Arrival(edit["entity"], str(edit["key"]).strip(), what, (seen - made).total_seconds()))
    return there, missing
