"""One message through one stage: decode, step, encode. What cannot go on becomes a dead letter, whole, and its neighbours go on.

The same function runs under Faust (app.py) and in memory (memory.py).
"""

from __future__ import annotations

from dataclasses import replace

from schemas.codec import Codec
from schemas.headers import Headers, Passage, new_trace
from schemas.records import Audit, DeadLetter, now
from schemas.topics import AUDIT, DEAD_LETTERS, LINKS, TOPICS
from streams.contract import WORKER, Arrival, Context, Flow, Incoming, Outputs, Sendable, Stage
from weighlock.errors import RejectedError, brief, sayable
from weighlock.kafka.wire import Outgoing

SOURCES = frozenset(topic for topic in TOPICS if topic.name.startswith("source."))
#: What a pure step, or Avro, raises about the record itself. Anything else (the registry is away, the disk is full) is not its fault.
FAULTS_OF_THE_RECORD = (RejectedError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError)


def process(stage: Stage, message: Incoming, context: Context, codec: Codec, partitions: int) -> list[Sendable]:
    """All that goes out for this message. Raises what the registry raises (TransientError, ConfigError): then nothing was done."""
    try:
        return _encode(_outputs(stage.flow(message.topic), message, context, codec), codec, partitions)
    except FAULTS_OF_THE_RECORD as error:
        return _encode(_rejected(stage, message, error), codec, partitions)


def _outputs(flow: Flow, message: Incoming, context: Context, codec: Codec) -> Outputs:
    passage = _passage(flow, message)
    if message.key is None:
        raise RejectedError(f"a record on {flow.topic.name} has no key: it must be the {flow.topic.key}")
    record = None if message.value is None else codec.decode(flow.kind, message.value)
    if record is None and flow.topic in SOURCES:
        raise RejectedError("a source topic carries no tombstones: a deletion is a record whose change is delete")
    return flow.step(Arrival(message.key.decode(), record, passage), context)


def _passage(flow: Flow, message: Incoming) -> Passage:
    """The papers. On a source topic the record's offset becomes its version, from here on; one that is there already is a redrive's."""
    if flow.topic is LINKS:  # a link makes no output that would need papers, and a person may set one by hand
        return Passage(new_trace(), WORKER, now())
    passage = Passage.read(message.headers)
    if flow.topic in SOURCES and passage.version is None:
        return replace(passage, version=message.offset)
    return passage


def _encode(outputs: Outputs, codec: Codec, partitions: int) -> list[Sendable]:
    return [
        Sendable(
            topic=out.topic.name,
            partition=out.topic.partition(out.key if out.by is None else out.by, partitions),
            key=out.key.encode(),
            value=None if out.value is None else codec.encode(out.topic, out.value),
            headers=out.headers,
            said=out.value if isinstance(out.value, Audit) else None,
        )
        for out in outputs
    ]


def _rejected(stage: Stage, message: Incoming, error: Exception) -> Outputs:
    """The dead letter with the original bytes, and the end of the record's way in the audit."""
    key, said = message.text_key(), sayable(brief(str(error), 2000))
    reason = error.reason if isinstance(error, RejectedError) else f"{type(error).__name__}: {said}"
    passage, headers = _papers(stage.flow(message.topic), message)
    trace = passage.trace if passage else dict(headers)["weighlock-trace"].decode("utf-8", "replace")
    letter = DeadLetter(
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        key=message.key,
        value=message.value,
        headers=_headers(message.headers),
        ref=key,
        stage=stage.name,
        worker=WORKER,
        error=type(error).__name__,
        reason=reason,
        trace=trace,
    )
    audit = Audit(
        ref=key,
        event="rejected",
        stage=stage.name,
        worker=WORKER,
        source_at=passage.source_at if passage else None,
        version=passage.version if passage else None,
        detail=reason,
        trace=trace,
    )
    return [Outgoing(DEAD_LETTERS, key, letter, headers), Outgoing(AUDIT, key, audit, headers)]


def _papers(flow: Flow, message: Incoming) -> tuple[Passage | None, Headers]:
    """The passage and its headers; where it cannot be read, at least a trace."""
    try:
        passage = _passage(flow, message)
        return passage, passage.headers()
    except ValueError:
        return None, [("weighlock-trace", dict(message.headers).get("weighlock-trace") or new_trace().encode())]


def _headers(headers: Headers) -> dict[str, bytes]:
    """All of them; a name that comes again gets a number, for a map has each name once."""
    found: dict[str, bytes] = {}
    for name, value in headers:
        again = sum(1 for known in found if known == name or known.startswith(f"{name} ("))
        found[f"{name} ({again + 1})" if again else name] = value or b""
    return found
