"""The local stack: it dies with its owner, keeps its ports, data and schema ids, and needs no network once it is cached."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from confluent_kafka import Consumer, Producer

from tests.conftest import Brokers
from weighlock import processes
from weighlock.errors import ConfigError
from weighlock.kafka.admin import Wanted, apply_topics
from weighlock.kafka.registry import Registry
from weighlock.stack import Stack, down, status, up
from weighlock.stack.ready import quiet_admin
from weighlock.stack.state import claim, is_running, load

Find = Callable[[str], list[psutil.Process]]
OWNER = """
import sys, threading
from pathlib import Path
from weighlock.stack import Stack
with Stack(Path(sys.argv[1])) as stack:
    print(stack.kafka, stack.registry, flush=True)
    threading.Event().wait()
"""
CLOSED = "http://127.0.0.1:9"  # nothing listens on the discard port
NETWORK_SETTINGS = (
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"),
    *("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "UV_INDEX_URL", "UV_DEFAULT_INDEX"),
)


def boat(name: str, kind: str = "string") -> dict[str, object]:
    return {"type": "record", "name": name, "namespace": "weighlock.test", "fields": [{"name": "name", "type": kind}]}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One folder through all tests of this file, in their order: each finds what the one before left behind."""
    folder = tmp_path_factory.mktemp("stack")
    yield folder
    down(folder)


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every proxy and index setting points at a port on which nobody listens; so does jgo's repository."""
    for name in NETWORK_SETTINGS:
        monkeypatch.setenv(name, CLOSED)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "jgo.conf").write_text(f"[repositories]\ncentral = {CLOSED}\n")
    monkeypatch.setenv("JGO_CONFIG_FILE", str(tmp_path / "jgo.conf"))


IDS: dict[str, int] = {}


def test_kill_9_of_the_owner_leaves_nothing(data: Path, processes_of: Find, prefix: str) -> None:
    """After SIGKILL of a process inside `with Stack`, no process of the machine carries its mark any more."""
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, str(data)], stdout=subprocess.PIPE, text=True, env={**os.environ, processes.RUN: prefix}
    ) as owner:
        assert owner.stdout is not None
        _, address = owner.stdout.readline().split()
        registry = Registry(address)
        for name in ("First", "Second", "Third"):
            registry.set_compatibility(f"{name}-value", "BACKWARD")
            IDS[name] = registry.register(f"{name}-value", boat(name))
            with pytest.raises(ConfigError):  # an id may be used up by what is refused
                registry.register(f"{name}-value", boat(name, "int"))
        alive = processes_of(prefix)
        assert len([process for process in alive if "java" in process.name()]) == 2
        with pytest.raises(ConfigError, match=f"already running .process {owner.pid}"), Stack(data):
            pytest.fail("two owners")
        owner.kill()
    _, left = psutil.wait_procs(alive, timeout=60)
    assert not left
    assert processes_of(prefix) == []
    assert not is_running(data)


@pytest.mark.usefixtures("no_network")
def test_up_without_a_network_keeps_ports_and_ids(data: Path, monkeypatch: pytest.MonkeyPatch, processes_of: Find, prefix: str) -> None:
    """With nothing but the cache, `up` starts over the files that a kill left, on the same ports, and every schema has its id."""
    monkeypatch.setenv(processes.RUN, prefix)
    before = load(data)
    assert before is not None
    started = up(data)
    assert (started["ready"], started["started"]) == (True, True)
    assert (started["kafka"], started["registry"]) == (before.kafka, before.registry)
    assert started["registry"] is not None
    registry = Registry(started["registry"])
    assert {name: registry.id_of(f"{name}-value", boat(name)) for name in IDS} == IDS
    assert {registry.compatibility(f"{name}-value") for name in IDS} == {"BACKWARD"}
    IDS["Fourth"] = registry.register("Fourth-value", boat("Fourth"))
    assert IDS["Fourth"] > max(IDS[name] for name in ("First", "Second", "Third"))
    assert {process.pid for process in processes_of(prefix)} == set(started["pids"].values())


def test_a_second_up_finds_the_first(data: Path) -> None:
    """`up` of a running stack starts nothing and says so; its answer is what `status` gives, and JSON."""
    first = status(data)
    assert first["ready"]
    assert up(data) == {**first, "started": False}
    assert json.loads(json.dumps(first)) == first
    assert all(psutil.pid_exists(pid) for pid in first["pids"].values())


def test_kill_9_of_the_keeper_leaves_nothing(data: Path, processes_of: Find) -> None:
    """After SIGKILL of the keeper nothing of its run is left, and status takes no notice of the pids in the file."""
    pids = status(data)["pids"]
    marker = psutil.Process(pids["owner"]).environ()[processes.RUN]
    alive = processes_of(marker)
    assert {process.pid for process in alive} == set(pids.values())
    psutil.Process(pids["owner"]).kill()
    _, left = psutil.wait_procs(alive, timeout=60)
    assert not left
    assert processes_of(marker) == []
    assert (status(data)["running"], status(data)["pids"], down(data)) == (False, {}, False)


def test_the_ids_of_all_starts_are_there_and_down_ends_it(data: Path) -> None:
    """The start after the keeper's end has the ids of every start before; `down` ends keeper, broker and registry."""
    started = up(data)
    assert started["registry"] is not None
    registry = Registry(started["registry"])
    assert {name: registry.id_of(f"{name}-value", boat(name)) for name in IDS} == IDS
    assert len(IDS) == 4
    alive = [psutil.Process(pid) for pid in started["pids"].values()]
    assert down(data)
    _, left = psutil.wait_procs(alive, timeout=60)
    assert not left


def test_the_broker_comes_back_with_its_data(local_stack: Stack, prefix: str) -> None:
    """After `kill_kafka` and `start_kafka`: same address, and a record acknowledged before the kill is still there."""
    topic, address = f"{prefix}boats", local_stack.kafka
    apply_topics(quiet_admin(address), [Wanted(topic, 1, {})])
    producer = Producer({"bootstrap.servers": address})
    producer.produce(topic, b"heavy")
    assert producer.flush(60) == 0
    pid = local_stack.kill_kafka()
    assert not psutil.pid_exists(pid)
    local_stack.start_kafka()
    assert local_stack.kafka == address
    consumer = Consumer({"bootstrap.servers": address, "group.id": prefix, "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    (message,) = consumer.consume(1, timeout=90)
    assert message.value() == b"heavy"
    consumer.close()


def test_the_registry_without_its_broker(local_stack: Stack, prefix: str) -> None:
    """While the broker is away the registry still reads, from memory; ids asked for then are right."""
    registry = Registry(local_stack.registry)
    registered = registry.register(f"{prefix}boats-value", boat("Away"))
    local_stack.kill_kafka()
    try:
        assert Registry(local_stack.registry).id_of(f"{prefix}boats-value", boat("Away")) == registered
        assert Registry(local_stack.registry).schema(registered) == boat("Away")
    finally:
        local_stack.start_kafka()


def test_the_shared_fixture_answers(stack: Brokers) -> None:
    """Whatever gave the tests their Kafka and registry: both answer, and topics are not created by asking for them."""
    metadata = quiet_admin(stack.kafka).list_topics("no-such-topic", timeout=10)
    assert metadata.topics["no-such-topic"].error is not None
    assert Registry(stack.registry).versions("no-such-subject") == []


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    """Another program on the broker's port: a ConfigError with the port, before anything is started."""
    import socket

    with claim(tmp_path) as state:
        port = state.kafka_port
    with socket.create_server(("127.0.0.1", port)), pytest.raises(ConfigError, match=f"port {port}.*another program"), Stack(tmp_path):
        pytest.fail("started on a taken port")
    assert not list(tmp_path.glob("*.log"))
    assert not is_running(tmp_path)


def test_damaged_state_is_named(tmp_path: Path) -> None:
    """A stack.json that cannot be read is a ConfigError with its path and the way out."""
    (tmp_path / "stack.json").write_text('{"kafka_port": ')
    with pytest.raises(ConfigError, match=r"stack.json is damaged .* remove the folder"):
        status(tmp_path)
    with pytest.raises(ConfigError, match=r"stack.json is damaged"):
        up(tmp_path)


def test_a_broker_that_does_not_start_says_why(tmp_path: Path) -> None:
    """A broker that ends at once: a ConfigError with its status and its log, and nothing is left running."""
    with pytest.raises(ConfigError, match=r"did not start: kafka has ended with status 1: see .*kafka.log"), Stack(tmp_path, heap="wrong"):
        pytest.fail("started with a wrong heap")
    assert not is_running(tmp_path)
