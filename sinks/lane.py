"""One owned partition of upserts: its ledger, and the producer whose transactional id fences every earlier owner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from schemas.codec import Undecodable
from schemas.records import Doubt, Result, Waiting, Wish, now
from schemas.refs import Ref
from schemas.topics import AUDIT, DEAD_LETTERS, LINKS, by_name
from sinks.contract import Resolved, Written
from sinks.creates import intent_of
from sinks.entries import Entries
from sinks.inbox import Inbox
from sinks.ledger import Fate, Ledger, Received, Verdict, called_for, fold
from sinks.loop import Loop
from sinks.member import UNTIL, Moved, Place
from sinks.patience import bounded
from sinks.tenure import Tenure
from sinks.transactions import Transactions
from sinks.watch import Watch
from weighlock import failpoints
from weighlock.errors import RejectedError, TransientError

log = structlog.get_logger(__name__)
#: Seconds to read a ledger that may be large; each step of it has a limit of its own.
LONG = 600.0
#: So often the question where the group stands may remain without an answer: a transaction of before ends within some seconds.
UNDECIDED = 3


@dataclass
class Portion:
    """Some messages of one lane, from `first` up to `end`. `todo` is what has to be written; `called`: some of that may have been."""

    lane: Lane
    entries: Entries
    todo: list[tuple[Received, Verdict]]
    first: int
    end: int
    called: bool = False


class Lane:
    """Made by the loop when the partition is assigned; `open` before anything else."""

    def __init__(self, loop: Loop, partition: int) -> None:
        self.loop, self.partition = loop, partition
        self.system = loop.target.system
        self.upserts, self.results, self.waiting = (by_name(f"{kind}.{self.system}") for kind in ("upserts", "results", "waiting"))
        self.inbox = Inbox(loop.wire, self.upserts, partition, loop.target.objects)
        self.live = True
        self.broken = False  # the end of its last transaction is unknown: to be opened anew
        self.stale = False  # something read was not done: to be rewound
        self.watch = Watch(self)
        self.ledger = Ledger()
        self._doubtful: list[Wish] = []  # written perhaps, while the partition was perhaps another's
        self._undecided = 0  # so many times in a row nobody could say where the group stands
        self.tenure = Tenure(loop.batch, loop.target.longest_call)

    def take(self) -> int:
        """From the owner before; says where to go on. `KafkaException` while the broker is away."""
        self.open()
        at, end, clean = self._committed()
        self.tenure.begin(at, end, clean)
        self.watch.inherited = True
        known, waiting = len(self.ledger.results), len(self.ledger.waiting)
        log.info("partition taken", partition=self.partition, known=known, waiting=waiting, at=at, clean=clean)
        return at

    def _committed(self) -> Place:
        """Where the group stands. Where the broker says again and again that this is not decided, an empty transaction decides it; who
        cannot make one takes a new seat, and opens all anew."""
        try:
            found = self.loop.member.committed(self.partition)
        except KafkaException as error:
            self._undecided += error.args[0].code() == KafkaError._TIMED_OUT
            if self._undecided >= UNDECIDED and self.broken:
                self.loop.member.give_up()
            elif self._undecided >= UNDECIDED:
                self._transactions.free(self.at(0), self.loop.member.anybody())
            raise
        self._undecided = 0
        return found

    def open(self) -> None:
        """Fences whoever wrote here before, and reads what is committed. `KafkaException` while the broker is away."""
        written = (self.upserts, self.results, self.waiting, LINKS, AUDIT, DEAD_LETTERS)
        self._transactions = Transactions(self.loop.wire, f"sink.{self.system}.{self.partition}", written, self.loop.stop)
        self._transactions.open()  # the last owner's open transaction ends now: nothing is pending any more
        self.ledger = bounded("reading the ledger", self._read, self.loop.stop, LONG)
        self.watch.unsure = True

    def _read(self) -> Ledger:
        ledger, wire = Ledger(), self.loop.wire
        for message in wire.read(self.results, [self.partition]):
            result = wire.decode(Result, message)
            if result is not None:
                ledger.put_result(result)
        for message in wire.read(self.waiting, [self.partition]):
            ledger.put_waiting((message.key() or b"").decode(), wire.decode(Waiting, message))
        return ledger

    def at(self, offset: int, end: int = -1) -> TopicPartition:
        """That place, for the group's offset too: with what may have been called for, and will be before `end`."""
        under_way = f"{UNTIL}{self.tenure.under_way(end)}"
        return TopicPartition(self.loop.wire.name(self.upserts), self.partition, offset, under_way)

    def recover(self) -> None:
        """Back to what is committed. Only who is still a member may fence what was there before: `Moved` if we are not."""
        if not self.live:
            return
        member = self.loop.member
        member.forget_lease()
        member.hold([self.at(max(self._committed().at, 0))])
        self._doubtful.clear()  # it was ours all the time: what is read again is written in its turn
        if self.broken:
            self.open()
            self.broken = False
        at = self._committed().at
        member.seek(self.at(at))
        self.stale, self.watch.unsure = False, True
        self.tenure.resume(at)

    def give_away(self) -> int | None:
        """The next owner may have written something newer before our last call took effect. The offset, if nothing is under way."""
        if self.live:
            log.info("partition given away", partition=self.partition)
        self.live = False
        self.loop.again.owe(self._doubtful)
        self._doubtful.clear()
        self.loop.again.hand_over(self._is_mine, self._doubt_recorded)
        return None if self.stale or self.broken or self.watch.inherited else self.tenure.clean

    def _is_mine(self, subject: str) -> bool:
        return self.loop.wire.partition(self.upserts, subject) == self.partition

    def _doubt_recorded(self, subject: str) -> Doubt | None:
        result = self.ledger.results.get(subject)
        return result.doubt if result else None

    def judge(self, messages: Sequence[Any]) -> Portion:
        """What is to be done about them, up to the calls. Whatever is raised (`Moved`, `KafkaException`, ours): nothing was committed."""
        if not self.live:
            raise Moved("the partition was given away")
        entries = Entries(self.system, self.ledger)
        received = [one for one in (self._receive(message, entries) for message in messages) if one is not None]
        if self.tenure.is_untold(messages):
            received = called_for(received, self.tenure.in_doubt(messages) or now())
        newest, older = fold(received)
        for one in older:
            entries.audit(one.wish, "superseded", "by a newer one read with it")
        portion = Portion(self, entries, self._judge(newest, entries), messages[0].offset(), messages[-1].offset() + 1)
        self._note_doubts(newest, portion, self.tenure.in_doubt(messages))
        if failpoints.mutant("ack-before-write"):
            portion.first = portion.end
            self.loop.member.commit(self.at(portion.first))
        return portion

    def record(self, portion: Portion) -> None:
        """All that became of it, and the offset behind it. What is raised: nothing was committed."""
        try:
            if not self.live:
                raise Moved("the partition was given away")
            portion.entries.note_doubts(self.loop.again.doubts())
            self.transact(portion.entries, portion.end)
        except (Moved, KafkaException, TransientError):
            self.doubt(portion)
            raise

    def doubt(self, portion: Portion) -> None:
        """It was written perhaps, and is not recorded."""
        if portion.called:
            self._doubtful += [one.wish for one, _ in portion.todo]
            if not self.live:
                self.give_away()

    def resolved(self, one: Received, verdict: Verdict) -> Resolved:
        wish = one.wish
        known = self.ledger.results.get(wish.subject)
        linked = self.loop.links.peer(wish.subject, self.system) or wish.target
        strays = one.doubt.references if one.doubt else []
        return Resolved(
            wish=wish,
            references=verdict.references,
            written=Ref.parse(known.target).id if known and known.target else None,
            linked=Ref.parse(linked).id if linked else None,
            decided=Ref.parse(one.decided).id if one.decided else one.decided,
            associations=known.associations if known else {},
            again=one.again,
            intent=intent_of(self.ledger, wish.subject),
            strays=frozenset(peer for ref in strays if (peer := self.loop.links.peer(ref, self.system)) is not None),
            stray_parts=frozenset(one.doubt.parts if one.doubt else ()) - {part.key for part in wish.parts},
            arrived=verdict.arrived,
        )

    def link_is_new(self, one: Received, answer: Written) -> bool:
        """What a person linked is linked already, whether or not we have read it yet."""
        wish, target = one.wish, str(Ref(self.system, one.wish.object, answer.id))
        links, own = self.loop.links, Ref.parse(wish.subject).system
        return one.decided != target and (links.peer(wish.subject, self.system) != target or links.peer(target, own) != wish.subject)

    def transact(self, entries: Entries, offset: int | None) -> None:
        """All of it or nothing, and the consumer's offset with it (None: the offset stays)."""
        member = self.loop.member
        self._transactions.carry_out(entries.outgoing(), None if offset is None else (self.at(offset), member.metadata()))
        entries.apply()
        if offset is not None:
            self.tenure.recorded(offset)

    def _note_doubts(self, newest: Sequence[Received], portion: Portion, until: datetime | None) -> None:
        """What a call may still go over is written once more when it cannot any longer."""
        for one in newest:
            if one.doubt is not None and one.doubt.until > now():
                self.loop.again.doubt([one.wish], one.doubt.until, one.doubt)
        if until is not None:
            self.loop.again.doubt([one.wish for one, _ in portion.todo], until)

    def _receive(self, message: Any, entries: Entries) -> Received | None:
        try:
            return self.inbox.receive(message, self.ledger)
        except (Undecodable, RejectedError) as error:
            entries.dead_letter(message, None, error)
            return None

    def _judge(self, newest: Sequence[Received], entries: Entries) -> list[tuple[Received, Verdict]]:
        todo: list[tuple[Received, Verdict]] = []
        writing: set[str] = set()
        for one in newest:
            left_out = self.loop.target.left_out(one.wish.object, one.wish)
            if left_out is None and one.wish.subject not in writing:
                left_out = entries.with_what_is_left_out(one.wish)
            verdict = self.ledger.judge(one, self.resolve, left_out, writing)
            if self.ends(one, verdict, entries):
                continue
            todo.append((one, verdict))
            if not one.wish.further:
                writing.add(one.wish.subject)
        return todo

    def ends(self, one: Received, verdict: Verdict, entries: Entries) -> bool:
        """There is nothing to be called for: the entries say why."""
        if verdict.fate is Fate.SUPERSEDED:
            entries.audit(one.wish, "superseded", "a newer one was here before")
        elif verdict.fate is Fate.UNCHANGED:
            entries.unchanged(one, verdict.hash)
        elif verdict.reason is not None:
            entries.left_out(one, verdict.reason)
        elif verdict.missing is not None:
            entries.waits(one.wish, verdict.missing)
        return verdict.fate is not Fate.WRITE

    def judge_again(self, one: Received, made: Mapping[str, str], entries: Entries) -> Verdict:
        """With what was made since, by ref."""
        left_out = self.loop.target.left_out(one.wish.object, one.wish) or entries.with_what_is_left_out(one.wish)
        return self.ledger.judge(one, lambda ref: made.get(ref) or self.resolve(ref), left_out)

    def resolve(self, ref: str) -> str | None:
        peer = self.loop.links.peer(ref, self.system)
        return Ref.parse(peer).id if peer is not None else None
