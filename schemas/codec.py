"""Avro in Confluent's wire format: a zero byte, the schema's id in four, then the record. Ids come from whoever is asked (the registry)."""

from __future__ import annotations

import io
import json
import struct
from functools import cache
from pathlib import Path
from typing import Any, Protocol, TypeVar

import fastavro

from schemas.records import Record
from schemas.topics import Topic

MAGIC = 0
HEADER = struct.Struct(">bI")
FOLDER = Path(__file__).parent / "avro"
R = TypeVar("R", bound=Record)
Schema = dict[str, Any]


class SchemaIds(Protocol):
    """What the codec asks of a registry: see weighlock.kafka.registry."""

    def id_of(self, subject: str, schema: Schema) -> int: ...
    def schema(self, schema_id: int) -> Schema: ...


class Undecodable(ValueError):
    """These bytes are no record of ours: says which and why."""


@cache
def schema_of(name: str) -> Schema:
    """The Avro schema of that record as it stands in schemas/avro."""
    found: Schema = json.loads((FOLDER / f"{name}.avsc").read_text())
    return found


@cache
def _parsed(name: str) -> Any:
    return fastavro.parse_schema(schema_of(name))


def subject_of(topic: str) -> str:
    """The topic-name strategy. `topic` with its prefix."""
    return f"{topic}-value"


class Codec:
    """Encodes and decodes the records of our topics; ids and writers' schemas are asked for once and kept."""

    def __init__(self, ids: SchemaIds, prefix: str) -> None:
        self.ids, self.prefix = ids, prefix
        self._heads: dict[str, bytes] = {}
        self._writers: dict[int, Any] = {}

    def encode(self, topic: Topic, record: Record) -> bytes:
        """Raises what `ids` raises, and ValueError/TypeError where the record does not fit its schema."""
        if record.schema_name != topic.record:
            raise TypeError(f"{topic.name} carries {topic.record}, not {record.schema_name}")
        head = self._heads.get(topic.name)
        if head is None:
            schema_id = self.ids.id_of(subject_of(self.prefix + topic.name), schema_of(record.schema_name))
            head = self._heads[topic.name] = HEADER.pack(MAGIC, schema_id)
        buffer = io.BytesIO()
        buffer.write(head)
        fastavro.schemaless_writer(buffer, _parsed(record.schema_name), record.to_avro())
        return buffer.getvalue()

    def decode(self, kind: type[R], value: bytes) -> R:
        """The record as our schema reads it, whatever schema it was written with. `Undecodable` for anything else."""
        if len(value) < HEADER.size or value[0] != MAGIC:
            raise Undecodable(f"not in Confluent's wire format (no zero byte and schema id in front): {value[:16]!r}")
        (_, schema_id) = HEADER.unpack_from(value)
        buffer = io.BytesIO(value[HEADER.size :])
        writer = self._writer(schema_id)
        try:
            found = fastavro.schemaless_reader(buffer, writer, _parsed(kind.schema_name))
            if buffer.read(1):
                raise Undecodable(f"bytes left over after a {kind.schema_name} of schema {schema_id}")
            return kind.from_avro(found)
        except Undecodable:
            raise
        except (
            Exception
        ) as error:  # fastavro raises what its innards raise: EOFError, UnicodeDecodeError, IndexError, SchemaResolutionError …
            raise Undecodable(f"no {kind.schema_name} of schema {schema_id}: {type(error).__name__}: {error}") from error

    def _writer(self, schema_id: int) -> Any:
        if schema_id not in self._writers:
            try:
                self._writers[schema_id] = fastavro.parse_schema(self.ids.schema(schema_id))
            except LookupError as error:
                raise Undecodable(f"the registry knows no schema {schema_id}") from error
        return self._writers[schema_id]
