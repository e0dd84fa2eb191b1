"""What makes Faust safe: seven guards around its consumer, its producer and its recovery, put in place before the app starts.

They reach into private names of faust-streaming, mode-streaming and aiokafka, so those are pinned exactly and `install` refuses any other
version. Why each is needed: facts/faust.md §0 and §3.6. Each can be left out by its name, for the tests that show what then is lost.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Iterable, Mapping
from importlib.metadata import version
from typing import Any

from faust.exceptions import ProducerSendError
from faust.tables import manager
from faust.tables.recovery import Recovery
from faust.transport.consumer import ensure_TP
from faust.transport.drivers import aiokafka as driver
from mode import Service

from weighlock import failpoints
from weighlock.errors import ConfigError

#: Guards by name: what each holds.
GUARDS: Mapping[str, str] = {
    "commit-in-order": "a commit never passes an offset that is delivered and not acknowledged",
    "commit-after-produce": "a commit waits until everything produced so far is acknowledged; a lost one crashes the worker",
    "coordinator-watchdog": "a failed group coordinator crashes the worker",
    "read-committed": "only committed records are read",
    "no-fetch-across-seek": "no fetched batch straddles a seek",
    "no-livelock-detector": "a partition whose position is not known yet does not crash the worker",
    "recovery-ends": "recovery ends where there is nothing more to read, even if the last offset of a changelog is no record",
}
#: The versions that the guards were written for; pyproject.toml pins the same.
PINS: Mapping[str, str] = {"faust-streaming": "0.15.3", "mode-streaming": "0.7.1", "aiokafka": "0.14.0"}
WATCHDOG_SECONDS = 5.0
#: A recovery is looked at so often; one that stood still at so many looks, with all read, is over.
LOOK_SECONDS, LOOKS = 1.0, 3


def install(off: frozenset[str] = frozenset()) -> None:
    """Put the guards in place for every Faust app of this process, apart from those named in `off` (for tests).

    `ConfigError` if the engine is not of the pinned versions; ValueError for the name of no guard."""
    if off - GUARDS.keys():
        raise ValueError(f"no such guard: {', '.join(sorted(off - GUARDS.keys()))}; there are {', '.join(GUARDS)}")
    found = {name: version(name) for name in PINS}
    moved = [f"{name} is {found[name]}, the guards were written for {PINS[name]}" for name in PINS if found[name] != PINS[name]]
    if moved:
        raise ConfigError(*moved, "install what requirements.lock says")
    GuardedConsumer.off = off
    driver.Transport.Consumer = GuardedConsumer
    driver.Transport.Producer = GuardedProducer
    manager.Recovery = GuardedRecovery


class _Forgetful(dict[Any, Any]):
    """Faust drops a record below the highest offset it has seen; after a seek that loses what it had not processed."""

    def __missing__(self, key: Any) -> None:
        return None

    def __getitem__(self, key: Any) -> None:
        return None


class GuardedThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]
    """The thread that owns the Kafka consumer."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        if "read-committed" not in GuardedConsumer.off:  # Faust sets it only for its own transactions
            consumer._isolation_level = "read_committed"
        return consumer


class GuardedConsumer(driver.Consumer):  # type: ignore[misc]
    """Faust's consumer with the guards that are not off."""

    off: frozenset[str] = frozenset()

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._pending: dict[Any, deque[int]] = defaultdict(deque)  # partition -> offsets handed to streams, in order
        self._fetching = asyncio.Lock()
        self._seeks = self._seeks_at_fetch = 0
        if "no-fetch-across-seek" not in self.off:
            self._read_offset = _Forgetful()
        deliver: Any = self.callback
        self.callback: Any = self._remembering(deliver)

    def _remembering(self, deliver: Any) -> Any:
        acks = self.app.topics.acks_enabled_for

        async def callback(message: Any) -> None:
            if acks(message.topic):
                self._pending[message.tp].append(message.offset)
            await deliver(message)

        return callback

    def _new_consumer_thread(self) -> Any:
        return GuardedThread(self, loop=self.loop, beacon=self.beacon)

    # --- commit-in-order

    def _new_offset(self, tp: Any) -> int | None:
        """The oldest offset that is delivered and not acknowledged, if it moved. Stock Faust commits over it by one (faust #606)."""
        if "commit-in-order" in self.off:
            return super()._new_offset(tp)  # type: ignore[no-any-return]
        acked = self._acked[tp]
        if not acked:
            return None
        pending, done, popped, committed = self._pending[tp], set(acked), [], self._committed_offset[tp]
        while pending and (pending[0] in done or (committed is not None and pending[0] < committed)):
            popped.append(pending.popleft())
        if not popped:
            return None
        done.difference_update(popped)
        acked[:] = sorted(done)
        self._acked_index[tp].difference_update(popped)
        return popped[-1] + 1

    async def _add_gap(self, tp: Any, offset_from: int, offset_to: int) -> None:
        if "commit-in-order" in self.off:
            await super()._add_gap(tp, offset_from, offset_to)
        # else: what was never delivered is not in _pending, so gaps need no books of their own

    async def on_partitions_revoked(self, revoked: Iterable[Any]) -> None:
        for tp in revoked:
            self._pending.pop(tp, None)
        await super().on_partitions_revoked(revoked)

    # --- no-fetch-across-seek

    async def perform_seek(self) -> None:
        """Faust resumes the partitions first and seeks then: what was fetched in between must not be delivered."""
        if "no-fetch-across-seek" in self.off:
            self._pending.clear()
            await super().perform_seek()
            return
        async with self._fetching:
            self._seeks += 1
            self._pending.clear()
            offsets = {ensure_TP(tp): offset for tp, offset in (await self.seek_to_committed()).items()}
            self._committed_offset.update({tp: offset for tp, offset in offsets.items() if offset is not None})
            fresh = [tp for tp, offset in offsets.items() if not offset and not self._is_changelog_tp(tp)]
            if fresh:  # nothing committed yet: Faust would go on from what it had fetched
                await self._thread.seek_to_beginning(*map(driver.ensure_aiokafka_TP, fresh))

    async def _wait_next_records(self, timeout: float) -> tuple[Any, Any]:
        if "no-fetch-across-seek" in self.off:
            return await super()._wait_next_records(timeout)  # type: ignore[no-any-return]
        if not self.flow_active:
            await self.wait(self.can_resume_flow)
        async with self._fetching:
            if not self.flow_active:
                return None, None
            self._seeks_at_fetch = self._seeks
            return await super()._wait_next_records(timeout)  # type: ignore[no-any-return]

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[Any, Any]]:
        async for tp, message in super().getmany(timeout):
            if "no-fetch-across-seek" not in self.off and self._seeks != self._seeks_at_fetch:
                break  # fetched before the seek, which rereads it
            yield tp, message

    # --- commit-after-produce

    async def _commit_offsets(self, offsets: Mapping[Any, int], start_new_transaction: bool = True) -> bool:
        if "commit-after-produce" in self.off:
            return await super()._commit_offsets(offsets, start_new_transaction)  # type: ignore[no-any-return]
        before = {tp: self._committed_offset[tp] for tp in offsets}
        try:
            await self.app.producer.barrier()
        except ProducerSendError as error:
            await self.crash(error)
            return False
        failpoints.reach("output-before-commit")
        done: bool = await super()._commit_offsets(offsets, start_new_transaction=start_new_transaction)
        if not done:  # Faust records it as committed all the same
            for tp, old in before.items():
                if self._committed_offset[tp] == offsets[tp]:
                    self._committed_offset[tp] = old
        return done

    # --- coordinator-watchdog

    @Service.task  # type: ignore[untyped-decorator]
    async def _watch_coordinator(self) -> None:
        """aiokafka keeps a failed join to itself until somebody asks; Faust never does, and would consume nothing for ever."""
        while not self.should_stop and "coordinator-watchdog" not in self.off:
            await self.sleep(WATCHDOG_SECONDS)
            coordinator = getattr(self._thread._consumer, "_coordinator", None)
            if coordinator is None:
                continue
            try:
                await self._thread.call_thread(_check, coordinator)
            except Exception as error:
                if self.should_stop:  # the stop ended the sleep, and the consumer's thread may be gone already
                    return
                self.log.error("the group coordinator failed: %r", error)
                await self.crash(error)

    # --- no-livelock-detector

    async def verify_all_partitions_active(self) -> None:
        """Faust only logs what it finds here, but asserts on a partition without a position, as each has after a rebalance."""
        if "no-livelock-detector" in self.off:
            await super().verify_all_partitions_active()


async def _check(coordinator: Any) -> None:
    coordinator.check_errors()


class GuardedProducer(driver.Producer):  # type: ignore[misc]
    """Faust's producer, which knows what is not acknowledged yet."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._outstanding: set[asyncio.Future[Any]] = set()
        self._failure: BaseException | None = None

    def _track(self, future: asyncio.Future[Any]) -> None:
        self._outstanding.add(future)
        future.add_done_callback(self._settle)

    def _settle(self, future: asyncio.Future[Any]) -> None:
        self._outstanding.discard(future)
        if not future.cancelled() and future.exception() is not None and self._failure is None:
            self._failure = future.exception()

    def send_soon(self, future: Any) -> None:
        """Tables write their changelogs through here."""
        self._track(future)
        super().send_soon(future)

    async def send(self, *args: Any, **options: Any) -> Any:
        future = await super().send(*args, **options)
        self._track(future)
        return future

    async def barrier(self) -> None:
        """Returns when everything sent so far is acknowledged; `ProducerSendError` if anything ever was lost."""
        outstanding = set(self._outstanding)
        if outstanding:
            await asyncio.wait(outstanding)
        if self._failure is not None:
            raise ProducerSendError(f"a produce was lost: {self._failure!r}")


class GuardedRecovery(Recovery):  # type: ignore[misc]
    """Faust's recovery, which waits for the last offset of each changelog: for ever where that one is the marker of a transaction, as after
    a copy by MirrorMaker with transactions (facts/faust.md §4.3). A compaction alone leaves the last record."""

    @Service.task  # type: ignore[untyped-decorator]
    async def _end_where_nothing_follows(self) -> None:
        stood: dict[Any, tuple[int, int]] = {}  # partition -> the offset that was applied last, and at how many looks
        while not self.should_stop and "recovery-ends" not in GuardedConsumer.off:
            await self.sleep(LOOK_SECONDS)
            waiting = [tp for tp, left in self.active_remaining().items() if left > 0] if self.in_recovery else []
            stood = {tp: self._look(tp, stood) for tp in waiting if await self._has_read_all(tp)}
            for tp, (offset, looks) in stood.items():
                if looks >= LOOKS:  # what was fetched is applied long since
                    self.log.info("the last offset of %s is no record: recovered up to %s", tp, offset)
                    self.active_highwaters[tp] = offset
            if waiting and not self.need_recovery():
                self.flush_buffers()
                self._set_recovery_ended()
                self.signal_recovery_end.set()

    def _look(self, tp: Any, stood: Mapping[Any, tuple[int, int]]) -> tuple[int, int]:
        offset, looks = stood.get(tp, (None, 0))
        now = self.active_offsets[tp]
        return now, looks + 1 if offset == now and self.tables.changelog_queue.empty() else 1

    async def _has_read_all(self, tp: Any) -> bool:
        """Does the consumer stand behind the last offset, so that whatever was there has been fetched?"""
        try:
            position = await self.app.consumer.position(tp)
        except Exception:  # no longer ours, or no position yet
            return False
        return position is not None and position > self.active_highwaters[tp]
