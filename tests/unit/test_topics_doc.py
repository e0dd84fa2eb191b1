"""docs/topics.md names what there is."""

from pathlib import Path

import pytest

from schemas.headers import Passage
from schemas.topics import TOPICS
from streams.mappings import acumatica, hubspot
from tests.unit.streams_kit import AT

DOC = (Path(__file__).parents[2] / "docs" / "topics.md").read_text("utf-8")


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_every_topic_is_named_with_its_record(topic: object) -> None:
    """Each topic has its row, with the record that it carries."""
    name, record = topic.name, topic.record  # type: ignore[attr-defined]
    (row,) = (line for line in DOC.splitlines() if line.startswith(f"| `{name}` |"))
    assert record is None or f"`{record}`" in row


def test_every_header_is_named() -> None:
    """Each header that travels has its row."""
    for name, _ in Passage("t", "acumatica", AT, 1).headers():
        assert f"| `{name}` |" in DOC


def test_every_field_has_its_row() -> None:
    """The tables of fields are those of the mappings, row by row."""
    for field in (*acumatica.CUSTOMER, *acumatica.CONTACT, *acumatica.INVOICE, *acumatica.LINE, *acumatica.PAYMENT, *acumatica.SEED):
        assert f"| `{field.canonical}` | `{field.vendor}` | {field.kind} | {field.length or ''} | {field.owner} |" in DOC
    for target in hubspot.TARGETS:
        for definition in hubspot.definitions(target):
            assert f"| `{definition['name']}` |" in DOC
        for field in (*target.fields, *target.receivables):
            made = "yes" if field.vendor.startswith(hubspot.OURS) else ""
            assert f"| `{field.vendor}` | `{field.canonical}` | {field.kind} | {made} |" in DOC
