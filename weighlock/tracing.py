"""The way of one record, told from the topics alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from confluent_kafka import Message

from schemas import entities, records, sources, topics
from schemas.codec import Undecodable
from schemas.headers import Passage
from schemas.refs import Ref, link_key
from weighlock import wiring
from weighlock.kafka.wire import Wire
from weighlock.settings import Settings

Step = dict[str, str]


def way_of(settings: Settings, asked: str) -> list[Step]:
    """Every record on any topic that speaks of it, in the order of time.

    `asked`: an own ref, a linked record's ref in another system, or a customer's or contact's number. Each step has `at` (UTC, ISO),
    `after` (seconds since the change was made in the source system), `where` (topic/partition/offset), `what` and `more`.
    """
    wire = wiring.wire(settings)
    ref = own_ref(wire, asked)
    if ref is None:
        return []
    told = [topic for topic in topics.TOPICS if topic not in topics.CHANGELOGS]  # the engine's state is no step of a record's way
    found = [step for topic in told for step in _steps(wire, topic, ref)]
    return sorted(found, key=lambda step: step["at"])


def own_ref(wire: Wire, asked: str) -> str | None:
    """See `way_of`; of a record that is linked to none of Acumatica it is its own. None for a number that no topic knows."""
    try:
        ref = Ref.parse(asked)
    except ValueError:
        return _by_number(wire, asked)
    if ref.system == "acumatica":
        return asked
    key, partition = link_key(asked, "acumatica"), wire.partition(topics.LINKS, asked)
    links = [m for m in wire.read(topics.LINKS, [partition]) if m.key() == key.encode()]
    link = wire.decode(records.Link, links[-1]) if links else None
    return link.peer if link else asked


def _by_number(wire: Wire, number: str) -> str | None:
    """Whose number it is now, or was last: a customer's may have been another's before (Change ID)."""
    return _holder(wire, topics.CUSTOMER, entities.Customer, "code", number) or _holder(
        wire, topics.CONTACT, entities.Contact, "number", number
    )


def _holder(wire: Wire, topic: topics.Topic, kind: type[records.Record], field: str, number: str) -> str | None:
    holders: set[str] = set()
    last = None
    for message in wire.read(topic):
        key, record = (message.key() or b"").decode(), wire.decode(kind, message)
        if record is not None and getattr(record, field) == number:
            holders.add(key)
            last = key
        else:
            holders.discard(key)
    return max(holders, default=last)


def _steps(wire: Wire, topic: topics.Topic, ref: str) -> Iterator[Step]:
    kind: type[records.Record] = records.Record.kinds[topic.record or ""]
    partitions = None if topic.partition_by == "party" else [wire.partition(topic, ref)]  # whose it is, only the record says
    for message in wire.read(topic, partitions):
        key = (message.key() or b"").decode(errors="replace")
        if key == ref or (topic is topics.LINKS and key.startswith(ref + "|")):
            yield _step(wire, topic, message, kind)


def _step(wire: Wire, topic: topics.Topic, message: Message, kind: type[records.Record]) -> Step:
    at = datetime.fromtimestamp(message.timestamp()[1] / 1000, UTC)
    try:
        record = wire.decode(kind, message)
    except Undecodable as error:
        return _row(topic, message, at, None, "undecodable", str(error))
    what, more = ("deleted", "") if record is None else _tell(record)
    more = more or _called(record)
    return _row(topic, message, at, _source_at(message, record), what, more)


def _row(topic: topics.Topic, message: Message, at: datetime, since: datetime | None, what: str, more: str) -> Step:
    after = "" if since is None else f"{(at - since).total_seconds():+.3f} s"
    where = f"{topic.name}/{message.partition()}/{message.offset()}"
    return {"at": at.isoformat(timespec="milliseconds"), "after": after, "where": where, "what": what, "more": more}


def _source_at(message: Message, record: Any) -> datetime | None:
    try:
        return Passage.read(message.headers()).source_at
    except ValueError:
        return getattr(record, "source_at", None)


def _tell(record: records.Record) -> tuple[str, str]:
    """What happened, and the details worth a line."""
    match record:
        case records.Wish():
            return "wished", f"{record.object}/{record.facet} version {record.version}, {len(record.properties)} properties"
        case records.Result():
            facets = ", ".join(f"{name}: {state.outcome} version {state.version}" for name, state in record.facets.items())
            making = f"; being made since {record.intent.partition(' ')[0]}" if record.intent else ""
            return "ledger", f"{record.target or 'no target yet'}; {facets}{making}"
        case records.Waiting():
            return "waits", f"for {record.waits_for} since {record.since.isoformat(timespec='seconds')}"
        case records.Link():
            return "link", f"{record.peer} ({record.origin})"
        case records.Audit():
            return record.event, "; ".join(part for part in (record.target, record.detail) if part)
        case records.DeadLetter():
            return "dead letter", f"{record.stage}: {record.reason}"
    return (f"read ({record.change})", "") if isinstance(record, sources.AcumaticaRow | sources.SourceHubspotDeal) else ("normalised", "")


def _called(record: records.Record | None) -> str:
    """What people call a source record or an entity by."""
    match record:
        case sources.SourceAcumaticaCustomer():
            return f"{record.CustomerID} {record.CustomerName}"
        case sources.SourceAcumaticaContact():
            return f"{record.ContactID} {record.DisplayName} of {record.BusinessAccount}"
        case sources.AcumaticaDocument():
            return f"{record.DocType} {record.RefNbr} of {record.AcctCD}: {record.CuryDocBal} {record.CuryID} open"
        case sources.SourceHubspotDeal():
            return f"{record.dealname} in {record.stage_label or record.dealstage}"
        case entities.Deal():
            return f"{record.name} of {record.party}"
        case entities.Customer():
            return f"{record.code} {record.name}"
        case entities.Contact():
            return f"{record.number} of {record.party}"
        case entities.Invoice() | entities.Payment():
            return f"{record.kind} {record.number} of {record.party}: {record.balance} {record.currency} open"
    return ""
