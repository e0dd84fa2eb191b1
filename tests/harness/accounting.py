"""Is everything accounted for? From the topics alone: each change that was read against the audit and the dead letters.

A change is one record of a source topic, named by its ref and its version (its offset there). It ends in exactly one of written,
out_of_scope, rejected, unchanged, superseded, counted (a payment or memo that is in the sums of its customer); in waiting as long as there
is none of these. An invoice ends so in each of its facets. The sums of a company are no change: they have versions of their own.
The engine may deliver a record again after a crash: the delivery that did nothing is audited as `unchanged` or `superseded` beside the one
that did, and a refusal may be said twice. What was written and may have been overwritten by a call of ours that took effect late is written
once more, as `rewritten`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from schemas.records import Audit, DeadLetter, Wish
from schemas.topics import AUDIT, DEAD_LETTERS, SOURCE_CONTACT, SOURCE_CUSTOMER, SOURCE_INVOICE, SOURCE_PAYMENT, UPSERTS_HUBSPOT
from weighlock.kafka.wire import Wire

FINAL = frozenset({"written", "unchanged", "superseded", "out_of_scope", "rejected", "counted"})
SUMS = "receivables"
HARMLESS = frozenset({"unchanged", "superseded"})
#: What a person decided with `weighlock links`: the newest change is done once more after it.
DECIDED = frozenset({"linked", "unlinked"})
ON_THE_WAY = frozenset({"read", "released", "waiting", "replayed", *DECIDED, "rewritten", "noted"})


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
    """What the topics say of one change."""

    trace: str
    reads: int = 0
    events: list[Audit] = field(default_factory=list)
    letters: int = 0


def account(wire: Wire) -> Account:
    """Reads the source topics, `audit` and `dead-letters` from their beginning."""
    stories = _changes(wire)
    by_trace = {story.trace: story for story in stories.values()}
    found = Account()
    for message in wire.read(AUDIT):
        entry = wire.decode(Audit, message)
        assert entry is not None, "audit has a tombstone"
        if entry.event not in FINAL | ON_THE_WAY:
            found.problems.append(f"{entry.ref}: an event nobody knows: {entry.event}")
        if entry.event == "read":
            if entry.trace in by_trace:
                by_trace[entry.trace].reads += 1
            else:
                found.problems.append(f"{entry.ref}: `read` in the audit, yet no record on a source topic")
        elif entry.facet == SUMS:
            continue
        elif (entry.ref, entry.version) in stories:
            stories[entry.ref, entry.version].events.append(entry)
        elif entry.version is not None:
            found.problems.append(f"{entry.ref}: {entry.event} of version {entry.version}, which was never read")
    for message in wire.read(DEAD_LETTERS):
        letter = wire.decode(DeadLetter, message)
        if letter is not None and letter.trace in by_trace and not _is_of_sums(wire, letter):
            by_trace[letter.trace].letters += 1
    for (ref, version), story in stories.items():
        end, problems = _judge(story)
        found.ends[end] += 1
        found.problems += [f"{ref} version {version}: {problem}" for problem in problems]
    return found


def _changes(wire: Wire) -> dict[tuple[str, int | None], Story]:
    stories: dict[tuple[str, int | None], Story] = {}
    for topic in (SOURCE_CUSTOMER, SOURCE_CONTACT, SOURCE_INVOICE, SOURCE_PAYMENT):
        for message in wire.read(topic):
            trace = dict(message.headers() or ()).get("weighlock-trace", b"").decode()
            stories[(message.key() or b"").decode(), message.offset()] = Story(trace)
    return stories


def _judge(story: Story) -> tuple[str, list[str]]:
    ended = [entry for entry in story.events if entry.event in FINAL]
    problems = []
    if story.reads != 1:
        problems.append(f"`read` {story.reads} times")
    refused = sum(entry.event == "rejected" for entry in ended)
    if refused != story.letters:
        problems.append(f"{refused} times rejected, {story.letters} dead letters")
    if not ended:
        if any(entry.event == "waiting" for entry in story.events):
            return "waiting", problems
        return "lost", [*problems, "no end in the audit"]
    for facet in {entry.facet for entry in ended if entry.facet is not None} or {None}:
        problems += _twice(story, [entry for entry in ended if entry.facet in (facet, None)])
    did = [entry for entry in ended if entry.event not in HARMLESS]
    return (did or ended)[0].event, problems


def _twice(story: Story, ended: list[Audit]) -> list[str]:
    """What ended in more than one way."""
    decided = max((place for place, entry in enumerate(story.events) if entry.event in DECIDED), default=-1)
    after = [entry for entry in story.events[decided + 1 :] if entry in ended]
    did = [entry for entry in after or ended if entry.event not in HARMLESS]
    if len({entry.event for entry in did}) > 1 or [entry.event for entry in did].count("written") > 1:
        way = " -> ".join(f"{one.event} {one.at:%T.%f} ({one.detail})" for one in story.events)
        return [f"ended in more than one way: {way}"]
    return []


def _is_of_sums(wire: Wire, letter: DeadLetter) -> bool:
    if letter.topic != UPSERTS_HUBSPOT.name or letter.value is None:
        return False
    return wire.codec.decode(Wish, letter.value).facet == SUMS


def twice_created(log: list[dict[str, str | None]]) -> list[str]:
    """Of HubSpot's log: the keys of records that were created more than once by the API."""
    made: dict[str, int] = defaultdict(int)
    for entry in log:
        if entry["op"] == "create" and entry["actor"] == "api" and entry["key"]:
            made[f"{entry['entity']} {entry['key']}"] += 1
    return [key for key, times in made.items() if times > 1]
