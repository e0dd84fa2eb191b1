"""How many records a second the stream worker takes from the source topic to the wish, beside the least that Kafka and Avro cost.

    python -m bench.streams --records 20000

One process each, one after the other, over the same records. A broker is started unless WEIGHLOCK_KAFKA and WEIGHLOCK_REGISTRY name one.
"""

from __future__ import annotations

import argparse
import io
import secrets
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import NamedTuple

import fastavro
import psutil
from confluent_kafka import OFFSET_BEGINNING, KafkaException, Message, TopicPartition
from rich.console import Console
from rich.table import Table

from bench.place import Broker, broker, machine
from schemas.codec import HEADER, schema_of
from schemas.headers import Passage
from schemas.sources import SourceAcumaticaCustomer
from schemas.topics import CUSTOMER, SOURCE_CUSTOMER, UPSERTS_HUBSPOT, Topic
from streams.accounts import Accounts
from streams.contract import Context, Links
from streams.domains import free_mail
from streams.memory import Memory
from tests.integration.streams_lab import Lab, lab, until
from weighlock.kafka.admin import Wanted, apply_topics
from weighlock.kafka.wire import consumer, producer

AT = datetime(2026, 3, 4, 5, 6, 7, 8000, UTC)
COPY = "bench.copy"
LIMIT = "bare loop, topic to topic: consume, fastavro, produce"


def customer(number: int) -> SourceAcumaticaCustomer:
    """One of a firm's customers, with about as many values as real ones have."""
    site = f"firm-{number:06d}.example"
    address = {"AddressLine1": f"{number} Main Street", "City": "Springfield", "State": "IL", "PostalCode": "62701", "Country": "US"}
    main = {"Email": f"info@{site}", "WebSite": f"https://www.{site}", "Phone1": "+1 555 0100", "Address": address}
    words = {"CustomerID": f"C{number:06d}", "CustomerName": f"Firm {number}", "CustomerClass": "LOCAL", "Status": "Active", "Terms": "30D"}
    papers = {"ref": f"acumatica:customer:{number:08d}", "change": "upsert", "modified_at": AT, "read_at": AT}
    return SourceAcumaticaCustomer.model_validate({**papers, **words, "CreditLimit": Decimal("1000.50"), "MainContact": main})


def fill(own: Lab, records: int) -> None:
    """So many records on the source topic, and a topic for the bare loops to write to."""
    for number in range(records):
        own.send(customer(number), headers=Passage(f"{number:032x}", "acumatica", AT).headers())
    own.producer.flush()
    apply_topics(own.admin, [Wanted(own.settings.prefix + COPY, own.settings.partitions, {})])


class Speed(NamedTuple):
    """Records by the clock, and by the processor's own seconds, which other work on the machine changes little."""

    by_clock: float
    by_processor: float


def bare(own: Lab, records: int, work: Callable[[bytes], bytes]) -> Speed:
    """A loop that does nothing but consume, `work` and produce, from the first record to the last acknowledgement."""
    reader, writer = consumer(own.settings, f"bare-{secrets.token_hex(3)}"), producer(own.settings)
    reader.assign([TopicPartition(tp.topic, tp.partition, OFFSET_BEGINNING) for tp in own.wire.partitions(SOURCE_CUSTOMER)])
    writer.list_topics(timeout=30)  # connected before the clock runs
    try:
        done, began, used = 0, 0.0, 0.0
        while done < records:
            messages = reader.consume(500, 5.0)
            began, used = began or time.perf_counter(), used or time.process_time()
            for message in messages:
                if error := message.error():
                    raise KafkaException(error)
                headers = message.headers() or []
                writer.produce(
                    own.settings.prefix + COPY, work(message.value() or b""), message.key(), message.partition(), headers=headers
                )
            writer.poll(0)
            done += len(messages)
        writer.flush()
        return Speed(done / (time.perf_counter() - began), done / (time.process_time() - used))
    finally:
        reader.close()


def by_fastavro() -> Callable[[bytes], bytes]:
    """Avro to plain values and back."""
    schema = fastavro.parse_schema(schema_of("SourceAcumaticaCustomer"))

    def work(value: bytes) -> bytes:
        found = fastavro.schemaless_reader(io.BytesIO(value[HEADER.size :]), schema, schema)
        buffer = io.BytesIO()
        buffer.write(value[: HEADER.size])
        fastavro.schemaless_writer(buffer, schema, found)
        return buffer.getvalue()

    return work


def by_codec(own: Lab) -> Callable[[bytes], bytes]:
    """Avro to a validated record of ours and back."""
    codec = own.wire.codec
    return lambda value: codec.encode(SOURCE_CUSTOMER, codec.decode(SourceAcumaticaCustomer, value))


def in_memory(own: Lab) -> Speed:
    """Through both stages, with their Avro, without Kafka."""
    codec = own.wire.codec
    stages = Memory(Context(own.settings.tenant, free_mail(()), Links({}, codec), Accounts({}, codec)), codec, own.settings.partitions)
    messages = own.all(SOURCE_CUSTOMER)
    began, used = time.perf_counter(), time.process_time()
    for message in messages:
        stages.feed(SOURCE_CUSTOMER.name, message.key(), message.value(), message.headers() or [], message.partition() or 0)
    return Speed(len(messages) / (time.perf_counter() - began), len(messages) / (time.process_time() - used))


def worker(own: Lab, records: int) -> Speed:
    """`weighlock run streams` without its start: by the clock from the first normalized record to the last wish, by its own time stamps on
    what it wrote; by the processor from the assignment on."""
    process = own.start()
    times = psutil.Process(process.pid).cpu_times
    try:
        until(lambda: "assigned: partitions" in own.log(), "an assignment")
        used = sum(times()[:2])
        until(lambda: _written(own, UPSERTS_HUBSPOT) >= records, f"{records} wishes", 600)
        used = sum(times()[:2]) - used
    finally:
        process.terminate()
        process.wait(30)
    first = min(map(_at, own.all(CUSTOMER)))
    last = max(map(_at, own.all(UPSERTS_HUBSPOT)))
    return Speed(records / (last - first), records / used)


def _written(own: Lab, topic: Topic) -> int:
    reader = consumer(own.settings, "ends")
    try:
        return sum(reader.get_watermark_offsets(tp, 30)[1] for tp in own.wire.partitions(topic))
    finally:
        reader.close()


def _at(message: Message) -> float:
    return float(message.timestamp()[1]) / 1000


def measure(place: Broker, folder: Path, records: int) -> dict[str, Speed]:
    """What was measured, over topics of its own; the first is the limit."""
    with lab(place.kafka, place.registry, f"b{secrets.token_hex(4)}.", folder) as own:
        own.apply()
        fill(own, records)
        return {
            LIMIT: bare(own, records, by_fastavro()),
            "the same loop with validated records of ours": bare(own, records, by_codec(own)),
            "both stages in memory, without Kafka": in_memory(own),
            "the stream worker: both stages, source to wish": worker(own, records),
        }


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser("python -m bench.streams", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3, help="all four in turn, so often")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name, broker(Path(name)) as place:
        rounds = []
        for number in range(given.rounds):
            (folder := Path(name) / f"round{number}").mkdir()
            rounds.append(measure(place, folder, given.records))
    title = f"{given.records} customers, {given.rounds} rounds; {machine()}"
    columns = ("what", "records/s", "lowest", "highest", "records per CPU second", "of the limit")
    table = Table(*columns, title=title, title_justify="left", box=None)
    limit = median(one[LIMIT].by_processor for one in rounds)
    for what in rounds[0]:
        clock, processor = ([one[what][i] for one in rounds] for i in (0, 1))
        rates = (median(clock), min(clock), max(clock), median(processor))
        table.add_row(what, *(f"{rate:,.0f}" for rate in rates), f"{median(processor) / limit:.1%}")
    Console(width=None if sys.stdout.isatty() else 140).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
