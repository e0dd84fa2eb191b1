"""The agents of the engine tests: each `(app, prefix, report)`. They read `in`, write `out`, and report offsets as they handle them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from streams.engine import table, topics


def _once(app: Any, name: str) -> bool:
    """True for the first caller of all workers of a test."""
    path = Path(app.conf.datadir).parent / f"once.{name}"
    if path.exists():
        return False
    path.write_text("")
    return True


def forward(app: Any, prefix: str, report: Any) -> None:
    """As ours: an output for each event, handed over, then acknowledged."""

    @app.agent(topics(app, [prefix + "in"]))  # type: ignore[untyped-decorator]
    async def agent(stream: Any) -> None:
        async for event in stream.noack().events():
            producer = await app.maybe_start_producer()
            await producer.send(prefix + "out", event.key, event.value, 0, None, None)
            report(event.message.offset)
            event.ack()


def read(app: Any, prefix: str, report: Any) -> None:
    """Reports the values, acknowledges."""

    @app.agent(topics(app, [prefix + "in"]))  # type: ignore[untyped-decorator]
    async def agent(stream: Any) -> None:
        async for event in stream.noack().events():
            report(event.value.decode())
            event.ack()


def hold_first(app: Any, prefix: str, report: Any) -> None:
    """Acknowledges everything but the first event of partition 0, the first time."""
    first = _once(app, "held")

    @app.agent(topics(app, [prefix + "in"]))  # type: ignore[untyped-decorator]
    async def agent(stream: Any) -> None:
        async for event in stream.noack().events():
            message = event.message
            if first and message.partition == 0 and message.offset == 0:
                continue
            report(f"{message.partition}/{message.offset}")
            event.ack()


def fail_at_3(app: Any, prefix: str, report: Any) -> None:
    """Fails at offset 3, the first time."""

    @app.agent(topics(app, [prefix + "in"]))  # type: ignore[untyped-decorator]
    async def agent(stream: Any) -> None:
        async for event in stream.noack().events():
            if event.message.offset == 3 and _once(app, "failed"):
                raise RuntimeError("on purpose")
            report(event.message.offset)
            event.ack()


def fail_at_3_auto_ack(app: Any, prefix: str, report: Any) -> None:
    """The same in Faust's own way: the event is acknowledged when the next one is asked for, or when the body fails."""

    @app.agent(topics(app, [prefix + "in"]))  # type: ignore[untyped-decorator]
    async def agent(stream: Any) -> None:
        async for event in stream.events():
            if event.message.offset == 3 and _once(app, "failed"):
                raise RuntimeError("on purpose")
            report(event.message.offset)


def fail_in_take(app: Any, prefix: str, report: Any) -> None:
    """Fails with the batch that holds offset 3, the first time, before it handled any of it."""

    @app.agent(topics(app, [prefix + "in"]))  # type: ignore[untyped-decorator]
    async def agent(stream: Any) -> None:
        async for values in stream.take(4, within=0.5):
            if b"3" in values and _once(app, "failed"):
                raise RuntimeError("on purpose")
            for value in values:
                report(value.decode())


def slow_first(app: Any, prefix: str, report: Any) -> None:
    _slow_first(app, prefix, report, 1)


def slow_first_concurrent(app: Any, prefix: str, report: Any) -> None:
    _slow_first(app, prefix, report, 2)


def _slow_first(app: Any, prefix: str, report: Any, concurrency: int) -> None:
    """The first event takes until the second one is done, or two seconds; longer, where that may be long in coming."""
    second, longest = asyncio.Event(), 2 if concurrency == 1 else 60

    @app.agent(topics(app, [prefix + "in"]), concurrency=concurrency)  # type: ignore[untyped-decorator]
    async def agent(stream: Any) -> None:
        async for event in stream.noack().events():
            if event.message.offset == 0:
                await asyncio.wait([asyncio.ensure_future(second.wait())], timeout=longest)
            else:
                second.set()
            report(event.message.offset)
            event.ack()


def tombstone_by_faust(app: Any, prefix: str, report: Any) -> None:
    """Passes an event on with Faust's topics and their serializers."""
    out = app.topic(prefix + "out", value_type=bytes)

    @app.agent(topics(app, [prefix + "in"]))  # type: ignore[untyped-decorator]
    async def agent(stream: Any) -> None:
        async for event in stream.noack().events():
            await out.send(key=event.key, value=event.value)
            report(event.message.offset)
            event.ack()


def written_by_agent(app: Any, prefix: str, report: Any) -> None:
    """Writes its table where it may: while it handles an event."""
    state = table(app, "state", 1)

    @app.agent(topics(app, [prefix + "in"]))  # type: ignore[untyped-decorator]
    async def agent(stream: Any) -> None:
        async for event in stream.noack().events():
            state[b"k"] = event.value
            report("written")
            event.ack()


def looks_up(app: Any, prefix: str, report: Any) -> None:
    """Reports what its table holds under the key of each event."""
    state = table(app, "state", 1)

    @app.agent(topics(app, [prefix + "in"]))  # type: ignore[untyped-decorator]
    async def agent(stream: Any) -> None:
        async for event in stream.noack().events():
            report(state.get(event.key, b"nothing").decode())
            event.ack()


def written_by_timer(app: Any, prefix: str, report: Any) -> None:
    """Writes its table from a timer."""
    state = table(app, "state", 1)

    @app.agent(topics(app, [prefix + "in"]))  # type: ignore[untyped-decorator]
    async def agent(stream: Any) -> None:
        async for event in stream.noack().events():
            event.ack()

    @app.timer(0.2)  # type: ignore[untyped-decorator]
    async def write() -> None:
        try:
            state[b"k"] = b"v"
            report("written")
        except Exception as error:
            report(f"refused: {type(error).__name__}")
            raise


def own_expiry(app: Any, prefix: str, report: Any) -> None:
    """Keeps instants in a plain table and takes out what is older than a second, at each event."""
    state = table(app, "state", 1)

    @app.agent(topics(app, [prefix + "in"]))  # type: ignore[untyped-decorator]
    async def agent(stream: Any) -> None:
        async for event in stream.noack().events():
            stamp = event.message.timestamp
            for key in [key for key in state if float(key) < stamp - 1]:
                del state[key]
            state[str(stamp).encode()] = event.value
            report(f"{event.value.decode()}:{len(list(state))}")
            event.ack()


def window_expiry(app: Any, prefix: str, report: Any) -> None:
    """The same with a window of a second that expires after another one."""
    state = app.Table("state", default=int, partitions=1).tumbling(1.0, expires=1.0)

    @app.agent(topics(app, [prefix + "in"]))  # type: ignore[untyped-decorator]
    async def agent(stream: Any) -> None:
        async for event in stream.noack().events():
            state["k"] += 1
            report(f"{event.value.decode()}:{len(list(state.table.data))}")
            event.ack()


def personal(app: Any, prefix: str, report: Any) -> None:
    """A table with something personal in it, in Faust's own words."""
    state = app.Table("state", partitions=1, key_type=str, value_type=str)

    @app.agent(topics(app, [prefix + "in"]))  # type: ignore[untyped-decorator]
    async def agent(stream: Any) -> None:
        async for event in stream.noack().events():
            state["k"] = event.value.decode()
            report(event.value.decode())
            event.ack()


def one_table(app: Any, prefix: str, report: Any) -> None:
    _tables(app, prefix, report, 1)


def many_tables(app: Any, prefix: str, report: Any) -> None:
    _tables(app, prefix, report, 12)


def _tables(app: Any, prefix: str, report: Any, count: int) -> None:
    """So many tables, each written at each event."""
    states = [table(app, f"state{n}", 4) for n in range(count)]

    @app.agent(topics(app, [prefix + "in"]))  # type: ignore[untyped-decorator]
    async def agent(stream: Any) -> None:
        async for event in stream.noack().events():
            for state in states:
                state[event.key] = event.value
            report(event.value.decode())
            event.ack()


def no_position(app: Any, prefix: str, report: Any) -> None:
    """At its first event it takes away a partition's position, as a rebalance does for a moment, and lets Faust look at all partitions."""

    @app.agent(topics(app, [prefix + "in"]))  # type: ignore[untyped-decorator]
    async def agent(stream: Any) -> None:
        async for event in stream.noack().events():
            state = _state(app, event.message)
            if event.message.offset == 0:
                position, state._position = state._position, None
                try:
                    await app.consumer.verify_all_partitions_active()
                finally:
                    state._position = position
            report(event.message.offset)
            event.ack()


def _state(app: Any, message: Any) -> Any:
    from aiokafka import TopicPartition

    subscription = app.consumer._thread._consumer._fetcher._subscriptions.subscription
    return subscription.assignment.state_value(TopicPartition(message.topic, message.partition))


def joined(app: Any, prefix: str, report: Any) -> None:
    """Two topics and a RocksDB table, as `route` has them; reports topic, partition and offset of each event it was given."""
    state = table(app, "state", 2)

    @app.agent(topics(app, [prefix + "in", prefix + "side"]))  # type: ignore[untyped-decorator]
    async def agent(stream: Any) -> None:
        async for event in stream.noack().events():
            message = event.message
            state[event.key] = event.value
            await asyncio.sleep(0.002)  # so that some events stand in the queue, which Faust empties when it resumes
            report(f"{message.topic.removeprefix(prefix)}/{message.partition}/{message.offset}")
            event.ack()


def fetch_before_seek() -> None:
    """Hook: after a recovery partitions are resumed first and sought then; here a fetch always gets its records in between."""
    from faust.transport.drivers import aiokafka as driver

    from streams.guards import GuardedConsumer

    class Straddling(GuardedConsumer):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            self._fetched = asyncio.Event()

        async def _getmany(self, active_partitions: Any, timeout: float) -> Any:
            records = await super()._getmany(active_partitions, timeout)
            if any(not self._is_changelog_tp(tp) for tp in records or {}):
                self._fetched.set()
            return records

        async def perform_seek(self) -> None:
            self._fetched.clear()
            await asyncio.wait([asyncio.ensure_future(self._fetched.wait())], timeout=1.5)
            await super().perform_seek()

    driver.Transport.Consumer = Straddling


def refuse_first_output() -> None:
    """Hook: the first output is refused by the broker for good, as one that is too large or not allowed is."""
    import aiokafka
    from aiokafka.errors import TopicAuthorizationFailedError

    send = aiokafka.AIOKafkaProducer.send

    async def refusing(self: Any, *args: Any, **options: Any) -> Any:
        aiokafka.AIOKafkaProducer.send = send
        refused = asyncio.get_running_loop().create_future()
        refused.set_exception(TopicAuthorizationFailedError("on purpose"))
        return refused

    aiokafka.AIOKafkaProducer.send = refusing
