"""Bad input while all of it runs: each is answered in its right place, says what to do, and its neighbours go on."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Producer

from schemas.records import Audit, DeadLetter
from schemas.topics import AUDIT, DEAD_LETTERS, SOURCE_CUSTOMER, UPSERTS_HUBSPOT, Topic
from tests.harness.forwarder import Forwarder
from tests.harness.system import Broker, System, eventually, running

NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def system(stack: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with running(stack, tmp_path_factory.mktemp("bad"), "--customers", "20", "--contacts", "40", "--seed", "41") as one:
        one.start()
        one.agree(180)
        yield one


@pytest.fixture(autouse=True)
def neighbours_go_on(system: System) -> Iterator[None]:
    """Whatever a test did: afterwards all workers run, a new customer and a new contact arrive, and the two systems agree."""
    yield
    for worker in system.workers.values():
        if worker.status is not None:
            worker.start()
    number = next(NUMBERS)
    system.erp.edit(entity="customer", create={"CustomerID": f"GOOD{number}", "CustomerName": f"Good neighbour {number}"})
    system.erp.edit(entity="contact", create={"BusinessAccount": f"GOOD{number}", "LastName": "Fence", "Email": f"n{number}@good.example"})
    system.agree()


def letters(system: System) -> list[DeadLetter]:
    found = (system.wire.decode(DeadLetter, message) for message in system.wire.read(DEAD_LETTERS))
    return [letter for letter in found if letter is not None]


def letter_about(system: System, words: str) -> DeadLetter:
    """The dead letter whose reason has these words; it is waited for. One more than one is one too many."""
    found: list[DeadLetter] = eventually(
        f"a dead letter about {words!r}", lambda: [letter for letter in letters(system) if words in letter.reason], every=0.5
    )
    assert len(found) == 1, [letter.reason for letter in found]
    return found[0]


def rejections(system: System, ref: str | None) -> int:
    """How many the audit has; the first one is waited for, for the streams send it after the dead letter, in no transaction."""

    def count() -> int:
        found = (system.wire.decode(Audit, message) for message in system.wire.read(AUDIT))
        return sum(entry is not None and entry.ref == ref and entry.event == "rejected" for entry in found)

    return int(eventually(f"{ref} is rejected in the audit", count, every=0.5))


def arrived(system: System, kind: str, **properties: str) -> bool:
    return any(properties.items() <= row["properties"].items() for row in system.crm.get("/dump")[kind])


def send(system: System, topic: Topic, key: bytes, value: bytes) -> None:
    """Something that is not ours, onto a topic of ours."""
    producer = Producer({"bootstrap.servers": system.settings.kafka, "partitioner": "murmur2_random"})
    producer.produce(system.wire.name(topic), value, key)
    assert producer.flush(30) == 0


@pytest.mark.parametrize(("topic", "stage"), [(SOURCE_CUSTOMER, "normalise"), (UPSERTS_HUBSPOT, "sink")], ids=["source", "upserts"])
def test_a_record_that_does_not_decode(system: System, topic: Topic, stage: str) -> None:
    """It is a dead letter with its bytes and its place, and an entry in the audit."""
    value = b"\x00\x00\x00\x00\x01" + stage.encode()
    send(system, topic, b"acumatica:customer:garbage", value)
    letter: DeadLetter = eventually(
        "a dead letter with these bytes",
        lambda: next((one for one in letters(system) if (one.value or b"").endswith(stage.encode())), None),
    )
    assert (letter.stage, letter.topic, letter.key) == (stage, topic.name, b"acumatica:customer:garbage")
    assert letter.offset is not None
    assert rejections(system, "acumatica:customer:garbage") >= 1


def test_a_customer_without_a_name(system: System) -> None:
    """It is a dead letter that says what to do, and arrives once it has a name."""
    before = {letter.trace for letter in letters(system)}
    system.erp.edit(entity="customer", create={"CustomerID": "NAMELESS"})
    found = eventually("its dead letter", lambda: [one for one in letters(system) if one.trace not in before], every=0.5)
    assert len(found) == 1
    assert "CustomerName" in found[0].reason
    assert found[0].stage == "normalise"
    assert rejections(system, found[0].ref) == 1
    system.erp.edit(entity="customer", key="NAMELESS", fields={"CustomerName": "Named at last"})
    eventually("it arrives", lambda: arrived(system, "companies", name="Named at last"))


def test_an_email_that_hubspot_refuses(system: System) -> None:
    """It is a dead letter with HubSpot's own words; the contact arrives once the address is one."""
    row = contact(system, Email="no@@where.example", LastName="Refused")
    letter = letter_about(system, "no@@where.example")
    assert letter.stage == "sink"
    assert letter.ref == f"acumatica:contact:{row['id']}"
    assert letter.response is not None
    system.erp.edit(entity="contact", key=row["ContactID"], fields={"Email": "now@where.example"})
    eventually(
        "it arrives", lambda: any(row["properties"].get("email") == "now@where.example" for row in system.crm.get("/dump")["contacts"])
    )


def test_a_value_that_is_too_long(system: System) -> None:
    """It is a dead letter that names the field, before it costs a call; what HubSpot holds stays."""
    row = contact(system, LastName="Long", Email="long@where.example")
    system.agree()
    system.erp.edit(entity="contact", key=row["ContactID"], fields={"JobTitle": "x" * 65_537})
    letter = letter_about(system, "too long")
    assert "jobtitle" in letter.reason
    assert letter.ref == f"acumatica:contact:{row['id']}"


def contact(system: System, **fields: Any) -> dict[str, Any]:
    """A new contact of some customer, as Acumatica has it."""
    firm = next(row["CustomerID"] for row in system.erp.get("/dump")["customers"] if (row["CustomerName"] or "").strip())
    [entry] = system.erp.edit(entity="contact", create={"BusinessAccount": firm, **fields})
    row: dict[str, Any] = next(row for row in system.erp.get("/dump")["contacts"] if row["id"] == entry["id"])
    return row


REFUSALS = [
    ("source-acumatica", {"WEIGHLOCK_ACUMATICA__VERSION": "17.200.001"}, 2, ["17.200.001", "24.200.001", "version"]),
    ("source-acumatica", {"WEIGHLOCK_ACUMATICA__CLIENT_SECRET": "wrong-one"}, 3, ["client"]),
    ("source-acumatica", {"WEIGHLOCK_ACUMATICA__PASSWORD": "wrong-one"}, 3, ["password"]),
    ("sink-hubspot", {"WEIGHLOCK_HUBSPOT__TOKEN": "pat-wrong-one"}, 3, ["token"]),
    ("streams", {"WEIGHLOCK_PARTITIONS": "7"}, 2, ["partitions", "7", "normalized.customer"]),
    (
        "streams",
        {"WEIGHLOCK_PARTITIONS": "0", "WEIGHLOCK_HUBSPOT__VERSION": "yesterday", "WEIGHLOCK_ACUMATICA__URL": "acumatica"},
        2,
        ["partitions", "hubspot.version", "acumatica.url"],
    ),
]

WRONG = ["version", "secret", "password", "token", "partitions", "three mistakes"]


@pytest.mark.parametrize(("name", "env", "status", "words"), REFUSALS, ids=WRONG)
def test_refuses_to_start(system: System, name: str, env: dict[str, str], status: int, words: list[str]) -> None:
    """The worker ends at once with the status that operations.md gives, names all that is wrong and no secret, and is not asked twice."""
    worker = system.workers[name]
    worker.stop()
    before = worker.log.stat().st_size
    asked = sign_ins(system)
    worker.start(**env)
    assert worker.wait(120) == status, worker.tail()
    said = worker.log.read_text()[before:]
    assert all(word.lower() in said.lower() for word in words), said
    assert "Traceback" not in said
    assert "wrong-one" not in said
    assert sign_ins(system) - asked <= 1, "an account is locked by trying again"


def sign_ins(system: System) -> int:
    routes: dict[str, dict[str, int]] = system.erp.get("/calls")["routes"]
    return sum(
        count for route, counts in routes.items() if "/connect/token" in route for status, count in counts.items() if status != "200"
    )


def test_topics_with_another_partition_count(system: System) -> None:
    """`topics apply` and `topics check` refuse, name each of them and say why; nothing is changed."""
    for command, status in (("apply", 2), ("check", 1)):
        done = system.command("topics", command, WEIGHLOCK_PARTITIONS="7")
        assert done.returncode == status, done.stdout + done.stderr
        said = done.stdout + done.stderr
        assert f"{system.settings.prefix}upserts.hubspot" in said
        assert "4 partitions" in " ".join(said.split())


@pytest.mark.parametrize("name", ["source-acumatica", "streams", "sink-hubspot"])
@pytest.mark.parametrize("part", ["kafka", "registry"])
def test_what_is_away_is_waited_for(system: System, name: str, part: str) -> None:
    """A worker that starts while the broker or the registry is away names what it waits for, and works once it is back."""
    worker = system.workers[name]
    worker.stop()
    before = worker.log.stat().st_size
    real = system.settings.kafka if part == "kafka" else system.settings.registry.removeprefix("http://").partition("/")[0]
    with Forwarder(real) as away:
        registry = system.settings.registry.replace(real, away.address)
        worker.start(**({"WEIGHLOCK_KAFKA": away.address} if part == "kafka" else {"WEIGHLOCK_REGISTRY": registry}))
        try:
            system.erp.edit(random=3, seed=next(NUMBERS))
            eventually("it says what it waits for", lambda: says_it_waits(worker.log.read_text()[before:], part), 120)
            assert worker.status is None, worker.tail()
            away.open()
            system.agree()
        finally:
            worker.stop()


def says_it_waits(log: str, part: str) -> bool:
    return re.search(rf"{part}[^\n]* (does not answer|is away|no answer|cannot be reached)", log, re.IGNORECASE) is not None
