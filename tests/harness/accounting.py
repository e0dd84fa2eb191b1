"""Is everything accounted for? From the topics alone: each change that was read against the audit and the dead letters.

A change is one record of a source topic; its trace goes with all that is made of it. What it asks for ends, for each record and facet, in
exactly one of written, out_of_scope, rejected, unchanged, superseded; in waiting as long as there is none of these. A payment or memo has
no record of its own at the target: it is `counted` into its customer's receivables, which are written.

The engine may deliver a record again after a crash: the delivery that did nothing is audited as `unchanged` or `superseded` beside the one
that did, a sum that is made again has a version of its own, and a refusal may be said twice. What was written and may have been overwritten
by a call of ours that took effect late is written once more, as `rewritten`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from schemas.records import Audit, DeadLetter
from schemas.sources import SourceAcumaticaInvoice
from schemas.topics import AUDIT, DEAD_LETTERS, SOURCE_DAY, SOURCE_INVOICE, TOPICS, Topic
from weighlock.kafka.wire import Wire

FINAL = frozenset({"written", "unchanged", "superseded", "out_of_scope", "rejected", "counted"})
HARMLESS = frozenset({"unchanged", "superseded"})
#: What a person decided with `weighlock links`: the newest change is done once more after it.
DECIDED = frozenset({"linked", "unlinked"})
ON_THE_WAY = frozenset({"read", "released", "waiting", "replayed", "noted", *DECIDED, "rewritten"})
#: How a sink says that what was out of scope is judged anew.
ANEW = " takes it now"
#: Of the facets of one change, those whose end is the change's own.
FIRST = ("profile", "document", "seed", None)
#: A new day is no change of a record: it ends with the customers whom it concerns, and often there are none.
SOURCES = tuple(topic for topic in TOPICS if topic.name.startswith("source.") and topic is not SOURCE_DAY)


@dataclass
class Account:
    """`ends` counts changes by how they ended, `problems` has a line for each that did not end in exactly one way."""

    ends: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        return self.ends.total()


@dataclass
class Story:
    """What the topics say of one change. `billed`: an invoice, which is written or says why not; to be counted is not enough."""

    ref: str
    version: int | None
    billed: bool
    reads: int = 0
    events: list[Audit] = field(default_factory=list)
    letters: int = 0


def account(wire: Wire) -> Account:
    """Reads the source topics, `audit` and `dead-letters` from their beginning; what is read from the vendor meanwhile is left out."""
    stories, days = _changes(wire), _traces(wire, (SOURCE_DAY,))
    found = Account()
    strange: list[Audit] = []
    for message in wire.read(AUDIT):
        entry = wire.decode(Audit, message)
        assert entry is not None, "audit has a tombstone"
        story = stories.get(entry.trace)
        if entry.event not in FINAL | ON_THE_WAY:
            found.problems.append(f"{entry.ref}: an event nobody knows: {entry.event}")
        if story is None and entry.trace not in days and (entry.event == "read" or entry.version is not None):
            strange.append(entry)
        elif story is not None and entry.event == "read":
            story.reads += 1
        elif story is not None:
            story.events.append(entry)
    new = _traces(wire, SOURCES) if strange else set()
    for entry in (entry for entry in strange if entry.trace not in new):
        found.problems.append(f"{entry.ref}: {entry.event} of version {entry.version}, yet no record on a source topic")
    for message in wire.read(DEAD_LETTERS):
        letter = wire.decode(DeadLetter, message)
        if letter is not None and letter.trace in stories:
            stories[letter.trace].letters += 1
    for story in stories.values():
        end, problems = _judge(story)
        found.ends[end] += 1
        found.problems += [f"{story.ref} version {story.version}: {problem}" for problem in problems]
    return found


def _changes(wire: Wire) -> dict[str, Story]:
    """By trace."""
    stories: dict[str, Story] = {}
    for topic in SOURCES:
        for message in wire.read(topic):
            trace = dict(message.headers() or ()).get("weighlock-trace", b"").decode()
            assert trace not in stories, f"two changes have the trace {trace}"
            billed = topic is SOURCE_INVOICE and _is_billed(wire.decode(SourceAcumaticaInvoice, message))
            stories[trace] = Story((message.key() or b"").decode(), message.offset(), billed)
    return stories


def _is_billed(invoice: SourceAcumaticaInvoice | None) -> bool:
    return invoice is not None and invoice.DocType in ("INV", "DRM", "FCH")


def _traces(wire: Wire, topics: Iterable[Topic]) -> set[str]:
    return {dict(message.headers() or ()).get("weighlock-trace", b"").decode() for topic in topics for message in wire.read(topic)}


def _judge(story: Story) -> tuple[str, list[str]]:
    problems = []
    if story.reads != 1:
        problems.append(f"`read` {story.reads} times")
    refused = sum(entry.event == "rejected" for entry in story.events)
    if refused != story.letters:
        problems.append(f"{refused} times rejected, {story.letters} dead letters")
    wishes = dict.fromkeys((one.ref, one.facet, one.version) for one in story.events if one.event not in DECIDED)
    parts = {
        wish: [one for one in story.events if (one.ref, one.facet, one.version) == wish or (one.event in DECIDED and one.ref == wish[0])]
        for wish in wishes
    }
    ends = {}
    for (ref, facet, version), events in parts.items():
        end, found = _end(events)
        ends[ref != story.ref and facet != "seed", FIRST.index(facet) if facet in FIRST else len(FIRST), str(facet), version or 0] = end
        problems += found
    own = [end for (others, *_), end in sorted(ends.items()) if end and not others and not (story.billed and end == "counted")]
    if not own:
        return "lost", [*problems, "no end in the audit"]
    return own[0], problems


def _end(events: list[Audit]) -> tuple[str | None, list[str]]:
    """Of one wish: how it ended (None: not at all, it was only spoken of)."""
    ended = [entry for entry in events if entry.event in FINAL]
    if not ended:
        return ("waiting" if any(entry.event == "waiting" for entry in events) else None), []
    anew = (place for place, one in enumerate(events) if one.event in DECIDED or (one.event == "released" and ANEW in (one.detail or "")))
    decided = max(anew, default=-1)
    after = [entry for entry in events[decided + 1 :] if entry in ended]
    did = [entry for entry in after or ended if entry.event not in HARMLESS]
    problems = []
    if len({entry.event for entry in did}) > 1 or [entry.event for entry in did].count("written") > 1:
        way = " -> ".join(f"{one.event} {one.at:%T.%f} ({one.detail})" for one in events)
        problems.append(f"ended in more than one way: {way}")
    return (did or ended)[0].event, problems


def twice_created(log: list[dict[str, str | None]]) -> list[str]:
    """Of HubSpot's log: the keys of records that were created more than once by the API."""
    made: dict[str, int] = defaultdict(int)
    for entry in log:
        if entry["op"] == "create" and entry["actor"] == "api" and entry["key"]:
            made[f"{entry['entity']} {entry['key']}"] += 1
    return [key for key, times in made.items() if times > 1]
