"""`weighlock waiting`: what waits in the sinks, for what, and why that is not there. Read from the topics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from schemas.records import Audit, Waiting
from schemas.topics import AUDIT, TOPICS
from weighlock import wiring
from weighlock.kafka.wire import Wire
from weighlock.settings import Settings

#: What may keep a record from being there, the stronger one first, and how a person would say it.
REASONS = {
    "rejected": "rejected",
    "out_of_scope": "out of scope",
    "unlinked": "unlinked",
    "waiting": "waits itself",
    "read": "read, and not written yet",
}
UNKNOWN = "no topic knows it: it was never read"

Last = Mapping[str | None, Audit]


def listed(settings: Settings, limit: int | None = None) -> list[dict[str, Any]]:
    """What waits, the oldest first, `limit` of them at the most: `system` (where it is to be written), `subject`, `waits_for`, `why` (that
    is not there), `since` and `until` (UTC, ISO; then it is a dead letter), `wishes` (how many) and `facets`."""
    wire = wiring.wire(settings)
    found = [(topic.name.partition(".")[2], one) for topic in TOPICS if topic.name.startswith("waiting.") for one in _all(wire, topic)]
    found.sort(key=lambda item: item[1].since)
    found = found[:limit]
    last = _last_words(wire, {waiting.waits_for for _, waiting in found})
    longest = timedelta(hours=settings.wait_limit_hours)
    return [
        {
            "system": system,
            "subject": waiting.subject,
            "waits_for": waiting.waits_for,
            "why": why(waiting.waits_for, last.get(waiting.waits_for, {})),
            "since": waiting.since.isoformat(timespec="seconds"),
            "until": (waiting.since + longest).isoformat(timespec="seconds"),
            "wishes": len(waiting.wishes),
            "facets": ", ".join(sorted(f"{wish.object}/{wish.facet}" for wish in waiting.wishes)),
        }
        for system, waiting in found
    ]


def why(ref: str, last: Last) -> str:
    """Why `ref` is not there, given the newest audit record of each of its facets (None: what was said before it had any).

    A record that waits for itself (a part of it is written once the record is there) is told by its other facets."""
    told = [one for one in last.values() if not (one.event == "waiting" and f"for {ref} " in f"{one.detail} ")]
    for event, said in REASONS.items():
        if entry := max((one for one in told if one.event == event), key=lambda one: one.at, default=None):
            return f"{said}: {entry.detail}" if entry.detail else said
    return "read, and not written yet" if last else UNKNOWN


def _all(wire: Wire, topic: Any) -> list[Waiting]:
    found: dict[bytes | None, Waiting | None] = {message.key(): wire.decode(Waiting, message) for message in wire.read(topic)}
    return [waiting for waiting in found.values() if waiting is not None]


def _last_words(wire: Wire, refs: Iterable[str]) -> dict[str, dict[str | None, Audit]]:
    """For each of these refs the newest audit record of each facet."""
    wanted = {ref.encode(): ref for ref in refs}
    found: dict[str, dict[str | None, Audit]] = {}
    if not wanted:
        return found
    partitions = sorted({wire.partition(AUDIT, ref) for ref in wanted.values()})
    for message in wire.read(AUDIT, partitions):
        ref = wanted.get(message.key() or b"")
        entry = wire.decode(Audit, message) if ref is not None else None
        if entry is not None:
            found.setdefault(entry.ref, {})[entry.facet] = entry
    return found
