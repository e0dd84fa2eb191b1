"""What a person says about links, through the topics: both ends of the link, an audit record, and the newest wish once more with the
decision in its header, in one transaction. The sink does the rest (docs/identity.md)."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from typing import Any

from schemas.headers import new_trace
from schemas.records import Audit, DeadLetter, Link, Result, Waiting, Wish, now
from schemas.refs import Ref, link_key
from schemas.topics import AUDIT, DEAD_LETTERS, LINKS, RESULTS_HUBSPOT, UPSERTS_HUBSPOT, WAITING_HUBSPOT, Topic
from sinks.again import AGAIN, DECIDED
from sinks.entries import passage
from weighlock import wiring
from weighlock.errors import ConfigError
from weighlock.kafka.wire import Outgoing, Wire, producer
from weighlock.settings import Settings
from weighlock.tracing import own_ref

SYSTEM = "hubspot"
#: What may be what.
PEERS = {"customer": "company", "contact": "contact"}


def show(settings: Settings, asked: str) -> dict[str, Any]:
    """The links of a record, its ledger entry, what it waits for and its newest dead letter. `ConfigError` if no topic knows it."""
    wire = wiring.wire(settings)
    ref = _own(wire, asked)
    link = _newest(wire, LINKS, Link, link_key(ref, SYSTEM), by=ref)
    back = _newest(wire, LINKS, Link, link_key(link.peer, Ref.parse(ref).system), by=link.peer) if link else None
    ledger = _newest(wire, RESULTS_HUBSPOT, Result, ref)
    waiting = _newest(wire, WAITING_HUBSPOT, Waiting, ref)
    letter = _newest(wire, DEAD_LETTERS, DeadLetter, ref)
    facets = ledger.facets.items() if ledger else ()
    return {
        "ref": ref,
        "link": f"{link.peer} ({link.origin}, {link.at:%Y-%m-%d %H:%M:%S} UTC)" if link else None,
        "link back": back.peer if back else None,
        "ledger": ledger.target if ledger else None,
        "outcome": "; ".join(f"{name}: {state.outcome}, version {state.version}" for name, state in facets) or None,
        "waits for": waiting.waits_for if waiting else None,
        "last dead letter": f"{letter.at:%Y-%m-%d %H:%M:%S} UTC: {letter.reason}" if letter else None,
        "candidates": ", ".join(letter.candidates) or None if letter else None,
    }


def decide(settings: Settings, asked: str, peer: str | None) -> str:
    """`asked` is `peer` from now on, or (None) nobody. A sentence about what was sent. `ConfigError` where that cannot be meant."""
    wire = wiring.wire(settings)
    ref = _own(wire, asked)
    before = _newest(wire, LINKS, Link, link_key(ref, SYSTEM), by=ref)
    if peer is not None:
        _admit(wire, ref, peer)
    wishes = _newest_wishes(wire, ref)
    trace = wishes[0].trace if wishes else new_trace()
    sent = [*_links(ref, before.peer if before else None, peer, trace), _audit(ref, peer, wishes, trace)]
    for wish in wishes:
        headers = [*passage(wish).headers(), (AGAIN, b"1"), (DECIDED, (peer or "").encode())]
        sent.append(Outgoing(UPSERTS_HUBSPOT, ref, wish, headers))
    sender = producer(settings, "links")
    sender.init_transactions(30)
    sender.begin_transaction()
    for one in sent:
        wire.produce(sender, one)
    sender.commit_transaction(30)
    asked_again = "its newest state is on its way there" if wishes else "nothing was to be written yet: the link waits for it"
    return f"{ref} is {peer} now; {asked_again}" if peer else f"{ref} is linked to nothing now; its next change is matched anew"


def _own(wire: Wire, asked: str) -> str:
    ref = own_ref(wire, asked)
    if ref is None:
        raise ConfigError(f"{asked}: no topic knows it: give acumatica:customer:<NoteID>, a linked record's ref, or a number")
    if Ref.parse(ref).entity not in PEERS:
        raise ConfigError(f"{ref}: links are of {' and '.join(PEERS)}")
    return ref


def _admit(wire: Wire, ref: str, peer: str) -> None:
    try:
        there = Ref.parse(peer)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    wanted = PEERS[Ref.parse(ref).entity]
    if (there.system, there.entity) != (SYSTEM, wanted) or not there.id.isdigit():
        raise ConfigError(f"{peer}: a {Ref.parse(ref).entity} is a {SYSTEM}:{wanted}:<record id>")
    holder = _newest(wire, LINKS, Link, link_key(peer, Ref.parse(ref).system), by=peer)
    if holder is not None and holder.peer != ref:
        raise ConfigError(f"{peer} is {holder.peer}'s: `weighlock links unset {holder.peer}` first")


def _links(ref: str, before: str | None, peer: str | None, trace: str) -> Iterator[Outgoing]:
    """Both ends; the end of what was linked before goes."""
    own, at = Ref.parse(ref).system, now()
    if before is not None and before != peer:
        yield Outgoing(LINKS, link_key(before, own), None, [], by=before)
    if peer is None:
        yield Outgoing(LINKS, link_key(ref, SYSTEM), None, [], by=ref)
        return
    for one, other in ((ref, peer), (peer, ref)):
        link = Link(ref=one, peer=other, origin="set", at=at, trace=trace)
        yield Outgoing(LINKS, link_key(one, Ref.parse(other).system), link, [], by=one)


def _audit(ref: str, peer: str | None, wishes: list[Wish], trace: str) -> Outgoing:
    event, version = ("linked" if peer else "unlinked"), (wishes[0].version if wishes else None)
    said = f"by {getpass.getuser()} with `weighlock links`"
    entry = Audit(ref=ref, event=event, stage="links", worker="links", version=version, target=peer, detail=said, trace=trace)
    return Outgoing(AUDIT, ref, entry, [("weighlock-trace", trace.encode())])


def _newest_wishes(wire: Wire, ref: str) -> list[Wish]:
    """The newest one of each facet."""
    found: dict[str, Wish] = {}
    for message in wire.read(UPSERTS_HUBSPOT, [wire.partition(UPSERTS_HUBSPOT, ref)]):
        wish = wire.decode(Wish, message) if message.key() == ref.encode() else None
        if wish is not None and (wish.facet not in found or wish.version >= found[wish.facet].version):
            found[wish.facet] = wish
    return list(found.values())


def _newest(wire: Wire, topic: Topic, kind: Any, key: str, by: str | None = None) -> Any:
    """The last record of that key, None where there is none or it was deleted."""
    last = None
    for message in wire.read(topic, [wire.partition(topic, by or key)]):
        last = message if message.key() == key.encode() else last
    return wire.decode(kind, last) if last is not None else None
