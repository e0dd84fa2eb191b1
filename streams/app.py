"""The stream worker: the stages under Faust. `run` is what `weighlock run streams` calls."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

import faust
import mode

from schemas.codec import Codec
from schemas.topics import LINKS, STREAMS_APP
from streams import guards
from streams.accounts import Accounts
from streams.contract import Context, Incoming, Links, Sendable, Stage
from streams.domains import free_mail
from streams.engine import engine, table, topics
from streams.logs import quieten
from streams.ready import wait_until_ready
from streams.routes import STAGES
from streams.stage import process
from weighlock import metrics
from weighlock.errors import TransientError
from weighlock.settings import Settings

log = logging.getLogger(__name__)
#: The stage and the event in the metrics, of an output on such a topic.
COUNTED = {"normalized": ("normalise", "normalised"), "upserts": ("route", "wished")}
#: How long a registry that is away holds up a record before the worker gives up and is started again.
PATIENCE_SECONDS = 60.0
#: How long a worker that crashed may take to stop.
STOP_SECONDS = 10.0


def run(settings: Settings, codec: Codec, worker: str = "0") -> None:
    """Works until SIGTERM or SIGINT, then ends the process with status 0, or with another one after a crash. Several on one machine need
    different `worker` names. Waits for broker, topics and registry first; `ConfigError` where the topics are not as they should be."""
    guards.install(_off())
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # until Faust has its own
    quieten()
    wait_until_ready(settings, codec)
    settings.state.mkdir(parents=True, exist_ok=True)  # Faust makes only the last folder of its own
    app = build(settings, codec, worker)
    engine_worker = app.Worker(override_logging=False, quiet=True, workdir=".")
    engine_worker.spinner = None
    end_after_crash(engine_worker)
    engine_worker.execute_from_commandline()


def end_after_crash(worker: Any, seconds: float = STOP_SECONDS) -> None:
    """A crash in the midst of much work may leave Faust waiting for its own agents for ever, and nobody starts such a worker again: it is
    ended the hard way, as if it had been killed. What was not committed is done again."""
    crash = worker._crash

    def crashed(reason: BaseException) -> None:
        crash(reason)
        last = threading.Timer(seconds, _end)
        last.daemon = True
        last.start()

    worker._crash = crashed


def _end() -> None:
    log.critical("a crashed worker did not stop by itself: it is ended")
    os._exit(1)


def build(settings: Settings, codec: Codec, worker: str = "0", **changed: Any) -> faust.App:
    """The app with its agents: one for each stage; `route` owns the tables. `changed` is for the tests of the engine's rules."""
    app = engine(settings, STREAMS_APP, worker, **changed)
    links = Links(table(app, LINKS.name, settings.partitions), codec)
    accounts = Accounts(table(app, "receivables", settings.partitions), codec)
    context = Context(settings.tenant, free_mail(settings.free_mail_domains), links, accounts, settings.deals)
    for stage in STAGES:
        _agent(app, stage, settings.prefix, _handler(app, stage, settings, codec, context))
    app.on_partitions_assigned.connect(_say_assigned, weak=False)
    return app


def _agent(app: faust.App, stage: Stage, prefix: str, handle: Callable[[Any], Any]) -> None:
    channel = topics(app, [prefix + flow.topic.name for flow in stage.flows])

    @app.agent(channel, name=stage.name, supervisor_strategy=mode.CrashingSupervisor)  # type: ignore[untyped-decorator]
    async def agent(stream: Any) -> None:
        async for event in stream.noack().events():
            await handle(event)
            event.ack()


def _handler(app: faust.App, stage: Stage, settings: Settings, codec: Codec, context: Context) -> Callable[[Any], Any]:
    """Hands all outputs of an event to the producer; the guard holds the commit back until the broker has acknowledged them."""
    prefix = settings.prefix

    async def handle(event: Any) -> None:
        message = incoming(event, prefix)
        for out in await _patiently(lambda: process(stage, message, context, codec, settings.partitions)):
            producer = await app.maybe_start_producer()
            await producer.send(prefix + out.topic, out.key, out.value, out.partition, None, out.headers)
            _count(out)

    return handle


def _count(out: Sendable) -> None:
    """After a crash what was not committed is done, and counted, again: by a new process, from nothing."""
    kind = out.topic.partition(".")[0]
    if out.said is not None:
        metrics.said(out.said)
    elif kind in COUNTED and out.value is not None:
        stage, event = COUNTED[kind]
        metrics.counted(stage, out.key.decode(errors="replace"), event)


def incoming(event: Any, prefix: str) -> Incoming:
    """A Faust event as the stages take it: the bytes as they came."""
    message = event.message
    headers = [(name, value) for name, value in message.headers or ()]
    return Incoming(message.topic.removeprefix(prefix), message.partition, message.offset, message.key, message.value, headers)


async def _patiently(step: Callable[[], list[Sendable]]) -> list[Sendable]:
    """The registry may be away for a moment: the record waits, and everything behind it."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + PATIENCE_SECONDS
    while True:
        try:
            return step()
        except TransientError as error:
            if clock() > deadline:
                raise
            log.warning("waiting: %s", error)
            await asyncio.sleep(random.uniform(0.5, 2))


async def _say_assigned(app: faust.App, assigned: set[Any], **_: Any) -> None:
    partitions = sorted({tp.partition for tp in assigned})
    metrics.partitions(STREAMS_APP, lambda: len(partitions))
    log.info("assigned: %s", f"partitions {', '.join(map(str, partitions))} of each topic" if partitions else "nothing")


def _off() -> frozenset[str]:
    """Guards that a test switches off in a worker of its own; never outside a test."""
    named = os.environ.get("WEIGHLOCK_ENGINE_OFF", "") if os.environ.get("WEIGHLOCK_TESTING") == "1" else ""
    return frozenset(name for name in named.split(",") if name)
