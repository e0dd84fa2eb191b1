"""What a sink tells Kafka about a wish: audit, dead letter, result, links, waiting. Built in memory, sent in one transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from schemas.headers import Passage, new_trace
from schemas.records import Audit, DeadLetter, Doubt, FacetState, Link, Result, Waiting, Wish, now
from schemas.refs import Ref, link_key
from schemas.topics import AUDIT, DEAD_LETTERS, LINKS, Topic, by_name
from sinks.contract import Written
from sinks.intents import Intent
from sinks.ledger import LEFT_OUT, Ledger, Received, Verdict
from weighlock import metrics
from weighlock.errors import RejectedError, brief
from weighlock.kafka.wire import Outgoing

LONGEST_TALK = 20_000
S = TypeVar("S", str, str | None)


def passage(wish: Wish) -> Passage:
    return Passage(wish.trace, wish.source_system, wish.source_at, wish.version)


def _short(text: S) -> S:
    """The record itself is kept whole; what was said about it must not make the dead letter too large for Kafka."""
    return text if text is None else brief(text, LONGEST_TALK)


class Entries:
    """One transaction's records, and what they change in the ledger once they are committed."""

    def __init__(self, system: str, ledger: Ledger) -> None:
        self.system, self._ledger = system, ledger
        self.worker = f"sink-{system}"
        self.upserts, self._results, self._waiting = (by_name(f"{kind}.{system}") for kind in ("upserts", "results", "waiting"))
        self._outgoing: list[Outgoing] = []
        self._changed_results: dict[str, Result] = {}
        self._changed_waiting: dict[str, Waiting | None] = {}

    def outgoing(self) -> list[Outgoing]:
        """Everything, each subject's result and waiting record once, in its last state."""
        found = list(self._outgoing)
        for subject, result in self._changed_results.items():
            found.append(Outgoing(self._results, subject, result, [("weighlock-trace", result.trace.encode())]))
        for subject, waiting in self._changed_waiting.items():
            found.append(Outgoing(self._waiting, subject, waiting, []))
        return found

    def apply(self) -> None:
        """After the commit: the ledger is what the topics say."""
        for result in self._changed_results.values():
            self._ledger.put_result(result)
        for subject, waiting in self._changed_waiting.items():
            self._ledger.put_waiting(subject, waiting)
        for out in self._outgoing:
            if isinstance(out.value, Audit):
                metrics.said(out.value)

    def note_doubts(self, doubts: Mapping[str, Doubt]) -> None:
        """Each result says what calls may still do to its subject."""
        for subject, result in self._changed_results.items():
            self._changed_results[subject] = result.model_copy(update={"doubt": doubts.get(subject)})

    def audit(self, wish: Wish, event: str, detail: str | None = None, target: str | None = None) -> None:
        said = Audit(
            ref=wish.subject,
            event=event,
            stage="sink",
            worker=self.worker,
            source_at=wish.source_at,
            version=wish.version,
            facet=wish.facet,
            target=target,
            detail=detail,
            trace=wish.trace,
        )
        self._add(AUDIT, wish.subject, said, wish)

    def written(self, received: Received, verdict: Verdict, answer: Written) -> None:
        """The ledger entry and the audit: `rewritten` where it was `written` before, for a change ends only once. What waited for this very
        record goes on."""
        wish = received.wish
        before = self._result(wish)
        target = str(Ref(self.system, wish.object, answer.id))
        state = before.facets.get(wish.facet)
        facets = dict(before.facets)
        if state is None or wish.version >= state.version:
            facets[wish.facet] = FacetState(version=wish.version, hash=verdict.hash, outcome="written", at=now(), offset=received.offset)
        associations = before.associations if answer.associations is None else dict(answer.associations)
        if wish.further:  # the record that it was added to, under the object's own name
            associations = {**associations, wish.object: answer.id}
        missing = sorted({*before.missing} - {one.ref for one in wish.references} | {*verdict.absent})
        changed = {"target": target, "facets": facets, "associations": associations, "missing": missing, "intent": None}
        self._changed_results[wish.subject] = before.model_copy(update={**changed, "at": now(), "trace": wish.trace})
        note = answer.note
        if before.target not in (None, target):
            note = f"{note + '; ' if note else ''}was {before.target} before"
        told = (
            (received.again or verdict.arrived or (state and state.outcome == LEFT_OUT))
            and state is not None
            and state.offset is not None
            and wish.version <= state.version
        )
        self.audit(wish, "rewritten" if told else "written", f"{answer.origin}{': ' + note if note else ''}", target)
        self._settle_waiting(wish)
        waiting = self._waiting_of(wish.subject)
        if waiting is not None and not wish.further and all(one.further for one in waiting.wishes):
            self.released(waiting, "it is there")

    def link(self, wish: Wish, answer: Written) -> None:
        """Both ends, so that either finds the other."""
        target, at = Ref(self.system, wish.object, answer.id), now()
        for ref, peer in ((wish.subject, str(target)), (str(target), wish.subject)):
            link = Link(ref=ref, peer=peer, origin="adopted" if answer.origin == "adopted" else "created", at=at, trace=wish.trace)
            self._add(LINKS, link_key(ref, Ref.parse(peer).system), link, wish, by=ref)

    def intends(self, wish: Wish, intent: Intent) -> None:
        self._changed_results[wish.subject] = self._result(wish).model_copy(
            update={"intent": intent.text(), "at": now(), "trace": wish.trace}
        )

    def rejected(self, received: Received, hash: str | None, error: Exception, attempts: int = 1, *, settled: bool = False) -> None:
        """`settled`: no call may have made its record, so there is no intent any more."""
        wish = received.wish
        before = self._result(wish).model_copy(update={"intent": None} if settled else {})
        state = before.facets.get(wish.facet)
        if state is None or wish.version >= state.version:
            offset = state.offset if state else None
            decided = FacetState(version=wish.version, hash=hash, outcome="rejected", at=now(), offset=offset)
            self._changed_results[wish.subject] = before.model_copy(
                update={"facets": {**before.facets, wish.facet: decided}, "at": now(), "trace": wish.trace}
            )
        self.dead_letter(received.message, wish, error, attempts)
        self.audit(wish, "rejected", _short(str(error)))
        self._settle_waiting(wish)

    def left_out(self, received: Received, reason: str) -> None:
        """It is written when the target can hold it. What waits for this very record has the same end."""
        wish = received.wish
        before = self._result(wish)
        state = before.facets.get(wish.facet)
        if state is None or wish.version >= state.version:
            decided = FacetState(version=wish.version, outcome=LEFT_OUT, at=now(), offset=received.offset)
            facets = {**before.facets, wish.facet: decided}
            self._changed_results[wish.subject] = before.model_copy(update={"facets": facets, "at": now(), "trace": wish.trace})
        ended = state is not None and wish.version <= state.version  # a change ends only once
        self.audit(wish, "unchanged" if ended else "out_of_scope", _short(reason))
        self._settle_waiting(wish)
        waiting = self._waiting_of(wish.subject)
        if waiting is not None and not wish.further and any(one.further for one in waiting.wishes):
            self.released(waiting, "the record that it belongs to is left out")

    def with_what_is_left_out(self, wish: Wish) -> str | None:
        """Why a further facet is left out: the record that it adds to is, and is not on its way."""
        result, waiting = self._result(wish), self._waiting_of(wish.subject)
        if not wish.further or result.target is not None or (waiting is not None and not all(one.further for one in waiting.wishes)):
            return None
        others = [state for facet, state in result.facets.items() if facet != wish.facet and state.outcome == LEFT_OUT]
        return "the record that it belongs to is left out" if others else None

    def unlinked(self, received: Received) -> None:
        """As a person decided. The next wish, even the same one, looks for a record anew."""
        wish = received.wish
        before = self._result(wish)
        if before.target is not None:
            for ref, peer in ((wish.subject, self.system), (before.target, Ref.parse(wish.subject).system)):
                self._add(LINKS, link_key(ref, peer), None, wish, by=ref)
        state = FacetState(version=wish.version, outcome="unlinked", at=now())
        self._changed_results[wish.subject] = before.model_copy(
            update={"target": None, "facets": {**before.facets, wish.facet: state}, "associations": {}, "at": now()}
        )
        self.audit(wish, "unlinked", "as a person decided; the record there keeps what it holds, without our key", before.target)
        self._settle_waiting(wish)

    def unchanged(self, received: Received, hash: str | None) -> None:
        """What is there already costs no call; the version moves on, so that what is older stays older."""
        wish = received.wish
        before = self._result(wish)
        state = before.facets[wish.facet]
        if wish.version > state.version:
            moved = state.model_copy(update={"version": wish.version, "hash": hash, "offset": received.offset})
            self._changed_results[wish.subject] = before.model_copy(update={"facets": {**before.facets, wish.facet: moved}})
        self.audit(wish, "unchanged", target=before.target)
        self._settle_waiting(wish)

    def waits(self, wish: Wish, missing: str, why: str | None = None) -> None:
        before = self._waiting_of(wish.subject)
        held = before.wishes if before else []
        older = [one for one in held if one.facet == wish.facet and one.version <= wish.version]
        for one in older:
            self.audit(one, "superseded", f"by version {wish.version} while it waited")
        wishes = [one for one in held if one.facet != wish.facet] + [wish]
        self.audit(wish, "waiting", why or f"for {missing} to be in {self.system}")
        if before and wish.further and missing == wish.subject:  # and that one for what it waits for
            missing = before.waits_for
        since = before.since if before and before.waits_for == missing else now()
        self._changed_waiting[wish.subject] = Waiting(subject=wish.subject, waits_for=missing, since=since, wishes=wishes)

    def back_to_upserts(self, wish: Wish, because: str) -> None:
        """What was answered goes to the end of upserts, for now there is more to it."""
        self._add(self.upserts, wish.subject, wish, wish)
        self.audit(wish, "released", because)

    def no_longer_without(self, subject: str, refs: Collection[str]) -> None:
        before = self._changed_results.get(subject) or self._ledger.results[subject]
        self._changed_results[subject] = before.model_copy(update={"missing": [ref for ref in before.missing if ref not in refs]})

    def released(self, waiting: Waiting, because: str) -> None:
        """Its wishes go back to the end of upserts, in the order of their versions, and are judged like any other there."""
        for wish in sorted(waiting.wishes, key=lambda one: one.version):
            self._add(self.upserts, wish.subject, wish, wish)
            self.audit(wish, "released", because)
        self._changed_waiting[waiting.subject] = None

    def expired(self, waiting: Waiting, reason: str) -> None:
        for wish in waiting.wishes:
            self.dead_letter(None, wish, RejectedError(reason))
            self.audit(wish, "rejected", reason)
        self._changed_waiting[waiting.subject] = None

    def dead_letter(self, message: Any, wish: Wish | None, error: Exception, attempts: int = 1) -> None:
        """`message` is Kafka's, whole; None where only the wish is left of it."""
        headers = dict(message.headers() or ()) if message is not None else {}
        trace = wish.trace if wish else (headers.get("weighlock-trace") or b"").decode(errors="replace") or new_trace()
        key = message.key() if message is not None else wish.subject.encode() if wish else None
        letter = DeadLetter(
            topic=self.upserts.name,
            partition=message.partition() if message is not None else None,
            offset=message.offset() if message is not None else None,
            key=key,
            value=message.value() if message is not None else wish.model_dump_json().encode() if wish else None,
            headers={name: value or b"" for name, value in headers.items()},
            ref=wish.subject if wish else None,
            stage="sink",
            worker=self.worker,
            error=type(error).__name__,
            reason=_short(str(error)),
            attempts=attempts,
            request=_short(getattr(error, "request", None)),
            response=_short(getattr(error, "response", None)),
            candidates=list(getattr(error, "candidates", ())),
            trace=trace,
        )
        text = (key or b"").decode(errors="replace")
        self._outgoing.append(Outgoing(DEAD_LETTERS, text, letter, [("weighlock-trace", trace.encode())]))
        if wish is None:
            said = Audit(ref=text or "?", event="rejected", stage="sink", worker=self.worker, detail=_short(str(error)), trace=trace)
            self._outgoing.append(Outgoing(AUDIT, said.ref, said, [("weighlock-trace", trace.encode())]))

    def _add(self, topic: Topic, key: str, value: Any, wish: Wish, by: str | None = None) -> None:
        self._outgoing.append(Outgoing(topic, key, value, passage(wish).headers(), by))

    def _result(self, wish: Wish) -> Result:
        known = self._changed_results.get(wish.subject) or self._ledger.results.get(wish.subject)
        return known or Result(subject=wish.subject, object=wish.object, at=now(), trace=wish.trace)

    def _waiting_of(self, subject: str) -> Waiting | None:
        return self._changed_waiting[subject] if subject in self._changed_waiting else self._ledger.waiting.get(subject)

    def _settle_waiting(self, wish: Wish) -> None:
        """A wish that was answered ends the wait of what is older than it."""
        before = self._waiting_of(wish.subject)
        if before is None:
            return
        rest = [one for one in before.wishes if one.facet != wish.facet or one.version > wish.version]
        for one in before.wishes:
            if one not in rest:
                self.audit(one, "superseded", f"by version {wish.version} while it waited")
        if rest != before.wishes:
            self._changed_waiting[wish.subject] = before.model_copy(update={"wishes": rest}) if rest else None
