"""Records, a codec without a registry, and the stages in memory, for the tests of streams."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, TypeVar

from schemas.codec import Codec, Schema
from schemas.headers import Headers, Passage
from schemas.records import Record
from schemas.sources import SourceAcumaticaContact, SourceAcumaticaCustomer
from schemas.topics import by_name
from streams.accounts import Accounts
from streams.contract import Context, Links, Sendable
from streams.domains import free_mail
from streams.memory import Memory

R = TypeVar("R", bound=Record)
AT = datetime(2026, 3, 4, 5, 6, 7, 8000, UTC)
PASSAGE = Passage("t" * 32, "acumatica", AT)
ALICE, BOB = "acumatica:customer:a1", "acumatica:contact:b2"


class LocalIds:
    """Numbers the schemas as they come."""

    def __init__(self) -> None:
        self.known: list[Schema] = []

    def id_of(self, subject: str, schema: Schema) -> int:
        if schema not in self.known:
            self.known.append(schema)
        return self.known.index(schema)

    def schema(self, schema_id: int) -> Schema:
        return self.known[schema_id]


def codec() -> Codec:
    return Codec(LocalIds(), "weighlock.")


def memory() -> Memory:
    own = codec()
    return Memory(Context("demo", free_mail(), Links({}, own), Accounts({}, own)), own)


def feed(stages: Memory, topic: str, record: Record | None, key: str, headers: Headers | None = None) -> list[Sendable]:
    value = None if record is None else stages.codec.encode(by_name(topic), record)
    return stages.feed(topic, key.encode(), value, PASSAGE.headers() if headers is None else headers)


def read(stages: Memory, kind: type[R], outputs: list[Sendable], topic: str) -> list[R]:
    """The records among the outputs that went to that topic, tombstones left out."""
    return [stages.codec.decode(kind, out.value) for out in outputs if out.topic == topic and out.value is not None]


def a_customer(**words: Any) -> SourceAcumaticaCustomer:
    given = {"ref": ALICE, "change": "upsert", "modified_at": AT, "read_at": AT, "CustomerName": "Alice & Co"}
    return SourceAcumaticaCustomer.model_validate(given | words)


def a_contact(**words: Any) -> SourceAcumaticaContact:
    given = {"ref": BOB, "change": "upsert", "modified_at": AT, "read_at": AT, "party": ALICE, "Type": "Contact", "ContactID": 7}
    return SourceAcumaticaContact.model_validate(given | words)
