"""The registry client against the real registry."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import stamina

from tests.conftest import Brokers
from weighlock import processes
from weighlock.errors import ConfigError, TransientError
from weighlock.kafka.registry import Registry


@pytest.fixture
def registry(stack: Brokers) -> Iterator[Registry]:
    client = Registry(stack.registry)
    yield client
    client.close()


def record(*fields: dict[str, Any], name: str = "Boat") -> dict[str, Any]:
    return {"type": "record", "name": name, "namespace": "weighlock.test", "fields": list(fields)}


NAME = {"name": "name", "type": "string"}
WEIGHT = {"name": "weight", "type": ["null", "int"], "default": None}


def test_register_finds_again_what_is_there(registry: Registry, prefix: str) -> None:
    """Registering twice gives one id; another subject with the same content shares it; the schema comes back as it went."""
    schema = record(NAME, name="Boat" + prefix[1:9])
    first = registry.register(f"{prefix}a-value", schema)
    assert registry.register(f"{prefix}a-value", schema) == first
    assert registry.register(f"{prefix}b-value", schema) == first
    assert registry.id_of(f"{prefix}a-value", schema) == first
    assert registry.schema(first) == schema
    assert registry.versions(f"{prefix}a-value") == [1]


def test_the_rule_may_come_before_the_first_version(registry: Registry, prefix: str) -> None:
    """BACKWARD set on a subject without versions holds for the second version."""
    subject = f"{prefix}boats-value"
    assert registry.compatibility(subject) is None
    registry.set_compatibility(subject, "BACKWARD")
    registry.register(subject, record(NAME))
    assert registry.compatibility(subject) == "BACKWARD"
    assert registry.check(subject, record(NAME, WEIGHT)) == []
    assert registry.check(subject, record(NAME, {"name": "weight", "type": "int"})) != []
    second = registry.register(subject, record(NAME, WEIGHT))
    assert registry.versions(subject) == [1, 2]
    assert registry.find(subject, record(NAME, WEIGHT)) == second


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        (record(NAME, {"name": "weight", "type": "int"}), "weight.*give a new field a default"),
        (record({"name": "name", "type": "int"}), "INT not compatible with writer type: STRING"),
        (record({"name": "name", "type": "nope"}), "correct the file in schemas/avro"),
    ],
)
def test_a_refused_schema_is_named(registry: Registry, prefix: str, schema: dict[str, Any], says: str) -> None:
    """An incompatible or invalid schema is a ConfigError that names subject, reason and way out, and nothing is registered."""
    subject = f"{prefix}boats-value"
    registry.set_compatibility(subject, "BACKWARD")
    registry.register(subject, record(NAME))
    with pytest.raises(ConfigError, match=f"{subject}: .*{says}"):
        registry.register(subject, schema)
    assert registry.versions(subject) == [1]


def test_what_is_not_there(registry: Registry, prefix: str) -> None:
    """An unregistered schema says which command registers it; an unknown id is a LookupError."""
    with pytest.raises(ConfigError, match="weighlock topics apply"):
        registry.id_of(f"{prefix}boats-value", record(NAME))
    assert registry.find(f"{prefix}boats-value", record(NAME)) is None
    with pytest.raises(LookupError, match="2000000000"):
        registry.schema(2_000_000_000)


def test_another_address(stack: Brokers, prefix: str) -> None:
    """A server that is no registry, and an unknown path of one, are ConfigErrors that say what the address looks like."""
    for wrong in (stack.registry.removesuffix("/ccompat/v7"), stack.registry.replace("v7", "v99")):
        with pytest.raises(ConfigError, match="/apis/ccompat/v7"):
            Registry(wrong).register(f"{prefix}boats-value", record(NAME))


def test_a_registry_that_is_away() -> None:
    """Nobody listening is a TransientError that says what to look at, after a few tries and not for ever."""
    with stamina.set_testing(True, attempts=2), pytest.raises(TransientError, match="is it running"):
        Registry(f"http://127.0.0.1:{processes.free_port()}/apis/ccompat/v7").schema(1)


@pytest.mark.parametrize(("status", "error"), [(500, TransientError), (503, TransientError), (429, TransientError), (401, ConfigError)])
def test_what_an_answer_means(status: int, error: type[Exception]) -> None:
    """Server errors and 429 are worth another try; refused credentials are not. HTML instead of JSON changes nothing."""
    seen = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(status, html="<h1>no</h1>")

    client = Registry("http://127.0.0.1:1")
    client._http = httpx.Client(transport=httpx.MockTransport(answer))
    with stamina.set_testing(True, attempts=2), pytest.raises(error, match=str(status)):
        client.schema(1)
    assert len(seen) == (2 if error is TransientError else 1)


def test_a_schema_is_asked_for_once() -> None:
    """Ids and schemas are kept: decoding a million records asks once."""
    seen = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"schema": '{"type": "string"}', "id": 7})

    client = Registry("http://127.0.0.1:1")
    client._http = httpx.Client(transport=httpx.MockTransport(answer))
    assert [client.schema(7) for _ in range(3)] == [{"type": "string"}] * 3
    assert [client.id_of("a-value", {"type": "string"}) for _ in range(3)] == [7] * 3
    assert len(seen) == 2
