"""A sink and what is around it, for tests on a real Kafka: the HubSpot sandbox, wishes, workers to kill, and an account of all of it."""

from __future__ import annotations

import copy
import os
import re
import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from subprocess import Popen
from threading import Event, Thread
from typing import Any, TypeVar

import httpx
from confluent_kafka import Producer

from sandbox.data.credentials import HUBSPOT_TOKEN
from schemas.codec import Codec
from schemas.headers import new_trace
from schemas.records import Audit, DeadLetter, Link, Match, Part, Record, Reference, Result, Wish
from schemas.refs import link_key
from schemas.topics import AUDIT, DEAD_LETTERS, LINKS, RESULTS_HUBSPOT, TOPICS, UPSERTS_HUBSPOT, Topic
from sinks.base import run
from sinks.contract import Target
from sinks.entries import passage
from sinks.hubspot import HubSpotTarget
from sinks.hubspot_setup import setup
from streams.mappings import hubspot as table
from weighlock import processes
from weighlock import settings as config
from weighlock.clients.hubspot import HubSpot
from weighlock.kafka.admin import admin_client, apply
from weighlock.kafka.registry import Registry
from weighlock.kafka.wire import Outgoing, Wire
from weighlock.settings import Settings

R = TypeVar("R", bound=Record)
ROOT = Path(__file__).parents[2]
TENANT = "t"
#: A wish's end; `waiting` and `released` are on the way.
ENDS = ("written", "rewritten", "unchanged", "superseded", "rejected", "out_of_scope")
COMPANY_PROPERTIES = dict.fromkeys(field.vendor for field in table.COMPANY.fields)
CONTACT_PROPERTIES = dict.fromkeys(field.vendor for field in table.CONTACT.fields)


def definitions() -> dict[str, list[dict[str, Any]]]:
    return {target.object: table.definitions(target) for target in table.TARGETS}


def gathering(settings: Settings) -> Producer:
    """What it is given goes out at `flush`, in one piece for each partition: whoever reads some of that reads all of it at once."""
    room = max(topic.room for topic in TOPICS)
    return Producer(
        {"bootstrap.servers": settings.kafka, "enable.idempotence": True, "linger.ms": 60_000, "message.max.bytes": room, "log_level": 2}
    )


def eventually(truth: Callable[[], Any], seconds: float = 60.0, what: str = "") -> Any:
    """What `truth` gives as soon as it is true."""
    until = time.monotonic() + seconds
    while not (found := truth()):
        assert time.monotonic() < until, f"did not come about in {seconds} s: {what or truth}"
        time.sleep(0.05)
    return found


class Sandbox:
    """The HubSpot sandbox as a process of its own, empty unless `arguments` say otherwise, and its control API."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self._log = folder / f"hubspot-{new_trace()[:6]}.log"
        chosen = () if "--data" in arguments else ("--data", "empty")
        command = [sys.executable, "-m", "sandbox", "hubspot", "--port", "0", *chosen, *arguments]
        self._process = processes.spawn(command, env={"PYTHONPATH": str(ROOT)}, log_path=self._log)
        line = eventually(lambda: re.search(r"sandbox at (\S+)", self._log.read_text() if self._log.exists() else ""), 90, "the sandbox")
        self.url = line[1]
        self._http = httpx.Client(base_url=self.url, timeout=60, trust_env=False)

    def client(self, **more: Any) -> HubSpot:
        return HubSpot(config.HubSpot(url=self.url, token=HUBSPOT_TOKEN, **more))

    def get(self, what: str) -> Any:
        return self._http.get(f"/__sandbox__/{what}").raise_for_status().json()

    def fault(self, **rule: Any) -> None:
        self._http.post("/__sandbox__/faults", json=rule).raise_for_status()

    def portal(self, **values: Any) -> None:
        """What the token may do, or the portal has."""
        self._http.post("/__sandbox__/portal", json=values).raise_for_status()

    def no_faults(self) -> None:
        self._http.delete("/__sandbox__/faults").raise_for_status()

    def edit(self, **change: Any) -> Any:
        answer = self._http.post("/__sandbox__/edit", json=change)
        assert answer.is_success, answer.text
        return answer.json()

    def live(self, kind: str) -> list[dict[str, Any]]:
        """The records that are there, each with its properties."""
        return [row for row in self.get("dump")[kind] if not row["archived"]]

    def held(self, kind: str, key: str) -> dict[str, Any]:
        """Key value to properties; two records with one key fail here."""
        found: dict[str, Any] = {}
        for row in self.live(kind):
            value = row["properties"].get(key)
            if value:
                assert value not in found, f"doubled: {value}"
                found[value] = row["properties"] | {"id": row["id"]}
        return found

    def searchable(self, kind: str, domain: str) -> bool:
        """Does the index have it? It is seconds behind."""
        with self.client() as client:
            return bool(client.search(kind, [{"propertyName": "domain", "operator": "EQ", "value": domain}], ["domain"])[0])

    def calls(self, path: str) -> int:
        """How many calls of that path were answered, by any status."""
        return sum(sum(by_status.values()) for route, by_status in self.get("calls")["routes"].items() if path in route)

    def close(self) -> None:
        self._http.close()
        processes.stop(self._process, 5)


class Desk:
    """One deployment's topics: wishes in, and an account of what became of them."""

    upserts = UPSERTS_HUBSPOT

    def __init__(self, kafka: str, registry: str, prefix: str, sandbox: Sandbox | None, folder: Path, **more: Any) -> None:
        self.folder = folder
        section = {"url": sandbox.url if sandbox else "http://127.0.0.1:9", "token": HUBSPOT_TOKEN, **more.pop("hubspot", {})}
        self.settings = Settings(
            kafka=kafka, registry=registry, prefix=prefix, tenant=TENANT, state=folder, hubspot=section, **{"partitions": 4, **more}
        )
        self.registry = Registry(registry)
        apply(self.settings, admin_client(self.settings), self.registry)
        self.wire = Wire(self.settings, Codec(self.registry, prefix))
        if sandbox is not None:
            self.sandbox = sandbox
            with sandbox.client() as client:
                setup(client, (table.GROUP["name"], table.GROUP["label"]), definitions())
        self._producer = gathering(self.settings)
        self._workers: dict[str, Popen[bytes]] = {}

    def send(self, *wishes: Wish, headers: tuple[tuple[str, bytes], ...] = ()) -> None:
        for wish in wishes:
            self.wire.produce(self._producer, Outgoing(UPSERTS_HUBSPOT, wish.subject, wish, [*passage(wish).headers(), *headers]))
        assert self._producer.flush(30) == 0

    def encoded(self, wish: Wish) -> bytes:
        return self.wire.codec.encode(UPSERTS_HUBSPOT, wish)

    def elsewhere(self, prefix: str) -> Wire:
        """A wire to topics that nobody made."""
        settings = self.settings.model_copy(update={"prefix": prefix})
        return Wire(settings, Codec(self.registry, prefix))

    def with_settings(self, settings: Settings) -> Desk:
        found = copy.copy(self)
        found.settings, found.wire = settings, Wire(settings, self.wire.codec)
        return found

    def send_raw(self, key: str, value: bytes | None, partition: int = 0) -> None:
        self._producer.produce(self.wire.name(UPSERTS_HUBSPOT), value, key.encode(), partition)
        assert self._producer.flush(30) == 0

    def send_link(self, ref: str, peer: str, system: str) -> None:
        link = Link(ref=ref, peer=peer, origin="set", at=datetime.now(UTC), trace=new_trace())
        self.wire.produce(self._producer, Outgoing(LINKS, link_key(ref, system), link, [], by=ref))
        assert self._producer.flush(30) == 0

    def start(self, member: str, **environment: str) -> Popen[bytes]:
        """A sink worker as a process of its own; its log is `<member>.log`."""
        settings = self.settings
        env = {"WEIGHLOCK_KAFKA": settings.kafka, "WEIGHLOCK_REGISTRY": settings.registry, "WEIGHLOCK_PREFIX": settings.prefix}
        section = settings.need_hubspot()
        env |= {"WEIGHLOCK_HUBSPOT__BURST_PER_10_SECONDS": str(section.burst_per_10_seconds)}
        env |= {"WEIGHLOCK_HUBSPOT__SEARCH_PER_SECOND": str(section.search_per_second)}
        env |= {"WEIGHLOCK_TENANT": TENANT, "WEIGHLOCK_HUBSPOT__URL": self.sandbox.url, "WEIGHLOCK_HUBSPOT__TOKEN": HUBSPOT_TOKEN}
        env |= {"WEIGHLOCK_PARTITIONS": str(settings.partitions), "PYTHONPATH": str(ROOT), "WEIGHLOCK_TESTING": "1", **environment}
        command = [sys.executable, "-m", "tests.integration.sink_worker", member]
        self._workers[member] = processes.spawn(command, env=env, log_path=self.folder / f"{member}.log")
        return self._workers[member]

    def worker(self, member: str) -> Popen[bytes]:
        return self._workers[member]

    def owned(self, member: str) -> list[int]:
        """The partitions that the member has, by its log."""
        last: dict[int, str] = {}
        for event, partition in re.findall(r"partition (taken|given away).*? partition=(\d+)", self.log(member)):
            last[int(partition)] = event
        return sorted(partition for partition, event in last.items() if event == "taken")

    def kill(self, member: str) -> None:
        self._workers[member].kill()
        self._workers[member].wait()

    def stop_all(self) -> None:
        for worker in self._workers.values():
            if worker.poll() is None:
                os.kill(worker.pid, signal.SIGCONT)
                assert processes.stop(worker, 60) == 0, "a worker did not end in good order"

    def log(self, member: str) -> str:
        return (self.folder / f"{member}.log").read_text(errors="replace")

    def records(self, topic: Topic, kind: type[R]) -> list[R]:
        found = (self.wire.decode(kind, message) for message in self.wire.read(topic))
        return [record for record in found if record is not None]

    def audit(self) -> dict[str, Counter[str]]:
        """Subject to its events, counted."""
        found: dict[str, Counter[str]] = defaultdict(Counter)
        for one in self.records(AUDIT, Audit):
            found[one.ref][one.event] += 1
        return found

    def entries(self) -> list[Audit]:
        return self.records(AUDIT, Audit)

    def ends(self) -> int:
        return sum(count for events in self.audit().values() for event, count in events.items() if event in ENDS)

    def wait_for_ends(self, count: int, seconds: float = 120.0) -> None:
        """Until so many wishes have ended."""
        eventually(lambda: self.ends() >= count, seconds, f"{count} wishes ended")

    def dead_letters(self) -> list[DeadLetter]:
        return self.records(DEAD_LETTERS, DeadLetter)

    def results(self) -> dict[str, Result]:
        return {one.subject: one for one in self.records(RESULTS_HUBSPOT, Result)}

    def links(self) -> dict[str, str]:
        return {one.ref: one.peer for one in self.records(LINKS, Link)}


@contextmanager
def sink_running(desk: Desk, target: Target | None = None) -> Iterator[Callable[[], None]]:
    """The sink in a thread of this process. Gives a function that raises what ended it, if anything did."""
    stop, ended = Event(), []
    chosen = target or HubSpotTarget(desk.settings, definitions())

    def work() -> None:
        try:
            run(desk.settings, desk.wire, chosen, "here", stop)
        except BaseException as error:
            ended.append(error)

    def complain() -> None:
        if ended:
            raise ended[0]

    thread = Thread(target=work, daemon=True)
    thread.start()
    try:
        yield complain
    finally:
        stop.set()
        thread.join(60)
        assert not thread.is_alive()


def company(number: int, version: int, **properties: str | None) -> Wish:
    """The wish for one customer's company; its domain is its first match."""
    ref = f"acumatica:customer:00000000-0000-0000-0000-{number:012d}"
    own = COMPANY_PROPERTIES | {"name": f"Customer {number}", "acumatica_customer_id": f"C{number}"} | properties
    return _wish(table.COMPANY, ref, version, own, "domain")


def receivables(number: int, version: int, **properties: str | None) -> Wish:
    """The wish for another facet of the same company: it waits until that is there."""
    profile = company(number, version)
    party = [Reference(name="company", ref=profile.subject)]
    return profile.model_copy(update={"facet": "receivables", "properties": properties, "matches": [], "references": party})


def contact(number: int, version: int, of: int | None, **properties: str | None) -> Wish:
    """The wish for one contact of customer `of`; its e-mail is its first match."""
    ref = f"acumatica:contact:00000000-0000-0000-0001-{number:012d}"
    own = CONTACT_PROPERTIES | {"firstname": f"Contact {number}", "acumatica_contact_id": str(number)} | properties
    wish = _wish(table.CONTACT, ref, version, own, "email")
    party = [] if of is None else [Reference(name="company", ref=company(of, 0).subject)]
    return wish.model_copy(update={"references": party})


def invoice(number: int, version: int, of: int, person: int | None = None, **properties: str | None) -> Wish:
    """The wish for one document of customer `of`, billed to contact `person`."""
    ref = f"acumatica:invoice:00000000-0000-0000-0002-{number:012d}"
    own = {"hs_number": f"{number:06d}", "hs_currency": "USD", "hs_invoice_billable": "false", "hs_invoice_status": "open"}
    party = [Reference(name="company", ref=company(of, 0).subject)]
    party += [] if person is None else [Reference(name="contact", ref=contact(person, 0, None).subject, optional=True)]
    return Wish(
        subject=ref,
        object="invoice",
        facet="document",
        version=version,
        key_property="acumatica_invoice_key",
        key_value=table.key_value(TENANT, ref),
        properties={**own, "hs_amount_billed": f"{number}.50", **properties},
        references=party,
        source_system="acumatica",
        source_at=datetime.now(UTC),
        trace=new_trace(),
    )


def lines(number: int, version: int, *prices: str) -> Wish:
    """The wish for the lines of that document: one for each price, numbered from 1; an empty price leaves its number out."""
    own = invoice(number, version, 0)
    parts = [
        Part(key=f"{own.key_value}|{place}", properties={"name": f"Line {place}", "price": price, "quantity": "1"})
        for place, price in enumerate(prices, 1)
        if price
    ]
    changed = {"facet": "lines", "properties": {}, "parts": parts, "references": [Reference(name="invoice", ref=own.subject)]}
    return own.model_copy(update=changed)


def _wish(target: Any, ref: str, version: int, properties: Mapping[str, str | None], match: str) -> Wish:
    value = properties.get(match)
    return Wish(
        subject=ref,
        object=target.object,
        facet="profile",
        version=version,
        key_property=target.key.vendor,
        key_value=table.key_value(TENANT, ref),
        properties=dict(properties),
        matches=[Match(property=match, value=value)] if value else [],
        source_system="acumatica",
        source_at=datetime.now(UTC),
        trace=new_trace(),
    )
