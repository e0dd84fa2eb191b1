"""What a lane does about the intents of its records (sinks/intents.py): writes and knows them, and lets go on what waited for their end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from schemas.records import Wish
from sinks.entries import Entries
from sinks.intents import Intent
from sinks.ledger import Ledger

if TYPE_CHECKING:
    from sinks.lane import Lane


def intent_of(ledger: Ledger, subject: str) -> Intent | None:
    """The open one."""
    known = ledger.results.get(subject)
    return Intent.parse(known.intent) if known and known.intent else None


def intend(lane: Lane, wishes: Sequence[Wish], intents: Mapping[str, Intent]) -> None:
    """That their records are about to be made stands in the ledger. What is raised: it does not, or nobody knows."""
    entries = Entries(lane.system, lane.ledger)
    for wish in wishes:
        entries.intends(wish, intents[wish.subject])
    lane.transact(entries, None)


def release_due(lane: Lane) -> None:
    """What waits for its own intent to be over goes back to upserts when it is."""
    entries, longest = Entries(lane.system, lane.ledger), lane.loop.target.longest_call
    due = [one for one in lane.ledger.postponed() if (intent := intent_of(lane.ledger, one.subject)) is None or intent.over(longest)]
    for waiting in due:
        entries.released(waiting, "no call can make its record any more")
    if due:
        lane.transact(entries, None)
