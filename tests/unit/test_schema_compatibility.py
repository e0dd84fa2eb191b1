"""What was ever written must be readable: today's schemas against the released ones, without a registry.

The rule is the registry's BACKWARD: today's schema, as reader, reads what the released schema, as writer, wrote. So: a new field needs a
default, a field may go, a type may only widen, and nothing is renamed. `schemas/avro/released` is the copy that went out last; a release
copies schemas/avro over it, and a new record gets its first copy with it.
"""

from __future__ import annotations

import copy
import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import fastavro
import pytest
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from avro.schema import parse

from schemas.codec import FOLDER, HEADER, MAGIC, Codec
from schemas.entities import Customer
from schemas.records import Record
from schemas.topics import CUSTOMER
from tests.unit.streams_kit import ALICE, AT, LocalIds

NAMES = sorted(path.stem for path in FOLDER.glob("*.avsc"))
RELEASED = FOLDER / "released"


def schema(name: str, released: bool = False) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(((RELEASED if released else FOLDER) / f"{name}.avsc").read_text())
    return found


def objections(reader: dict[str, Any], writer: dict[str, Any]) -> list[str]:
    """What keeps `reader` from reading what `writer` wrote; empty if nothing does."""
    found = ReaderWriterCompatibilityChecker().get_compatibility(parse(json.dumps(reader)), parse(json.dumps(writer)))
    return [] if found.compatibility is SchemaCompatibilityType.compatible else list(found.messages) or ["incompatible"]


@pytest.mark.parametrize("name", NAMES)
def test_todays_schema_reads_what_was_released(name: str) -> None:
    """No schema changed so that what is on the topics could no longer be read."""
    assert (RELEASED / f"{name}.avsc").exists(), f"a new record: copy {name}.avsc to schemas/avro/released as its first form"
    assert objections(schema(name), schema(name, released=True)) == []


def test_no_released_schema_is_gone() -> None:
    """A record that was released is still known, for its topic may be replayed."""
    assert {path.stem for path in RELEASED.glob("*.avsc")} <= set(NAMES)


def records(found: Any) -> Iterator[dict[str, Any]]:
    """Every record that a schema names, however deep."""
    if isinstance(found, dict):
        if found.get("type") == "record":
            yield found
        for value in found.values():
            yield from records(value)
    elif isinstance(found, list):
        for value in found:
            yield from records(value)


@pytest.mark.parametrize("name", NAMES)
def test_a_record_travels_whole_wherever_it_is(name: str) -> None:
    """Avro drops what a schema does not name: a record inside of another (a wish that waits) has every field of its class, too."""
    for found in records(schema(name)):
        if found["name"] in Record.kinds:
            assert {one["name"] for one in found["fields"]} == Record.kinds[found["name"]].model_fields.keys(), found["name"]


def field(found: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in found["fields"] if one["name"] == name)


BREAKING: dict[str, Callable[[dict[str, Any]], Any]] = {
    "a new field without a default": lambda s: s["fields"].append({"name": "segment", "type": "string"}),
    "a renamed field": lambda s: field(s, "name").update(name="title"),
    "another type": lambda s: field(s, "name").update(type="long"),
    "no null any more": lambda s: (field(s, "code").update(type="string"), field(s, "code").pop("default")),
    "a new field without a default in a record inside": lambda s: field(s, "address")["type"][1]["fields"].append(
        {"name": "county", "type": "string"}
    ),
    "another name of the record": lambda s: s.update(name="Client"),
}
HARMLESS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "a new field with a default": lambda s: s["fields"].append({"name": "segment", "type": ["null", "string"], "default": None}),
    "a field less": lambda s: s["fields"].remove(field(s, "parent")),
    "another order": lambda s: s["fields"].reverse(),
    "null as well": lambda s: field(s, "name").update(type=["null", "string"]),
}


def changed(change: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    found = copy.deepcopy(schema("Customer"))
    change(found)
    return found


@pytest.mark.parametrize("what", BREAKING)
def test_breaking_change_is_seen(what: str) -> None:
    """A change after which old records could not be read fails here, offline."""
    assert objections(changed(BREAKING[what]), schema("Customer"))


@pytest.mark.parametrize("what", HARMLESS)
def test_harmless_change_passes(what: str) -> None:
    """A change after which old records can be read is no objection."""
    assert objections(changed(HARMLESS[what]), schema("Customer")) == []


def test_codec_reads_an_older_writer() -> None:
    """A record written with an older schema is read by its id, the new fields at their defaults."""
    ids = LocalIds()
    older = changed(lambda s: s["fields"].remove(field(s, "parent")))
    ids.known.append(older)
    written = Codec(ids, "").encode(CUSTOMER, Customer(ref=ALICE, name="A", parent="P", modified_at=AT))
    buffer = io.BytesIO()
    buffer.write(HEADER.pack(MAGIC, 0))  # the writer of older days
    fastavro.schemaless_writer(buffer, fastavro.parse_schema(older), Customer(ref=ALICE, name="A", modified_at=AT).to_avro())
    found = Codec(ids, "").decode(Customer, buffer.getvalue())
    assert (found.name, found.parent) == ("A", None)
    assert Codec(ids, "").decode(Customer, written).parent == "P"
