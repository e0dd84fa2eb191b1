"""weighlock/tracing.py: whose number it is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from schemas.topics import CUSTOMER, Topic
from weighlock.tracing import own_ref

A, B = "acumatica:customer:a", "acumatica:customer:b"


class Wire:
    """Messages of normalized.customer: (ref, code), no code being a tombstone."""

    def __init__(self, *messages: tuple[str, str | None]) -> None:
        self.messages = messages

    def read(self, topic: Topic) -> list[Any]:
        found = self.messages if topic is CUSTOMER else ()
        return [SimpleNamespace(key=lambda ref=ref: ref.encode(), code=code) for ref, code in found]

    def decode(self, kind: Any, message: Any) -> Any:
        return None if message.code is None else SimpleNamespace(code=message.code)


@pytest.mark.parametrize(
    ("messages", "holder"),
    [
        ([(A, "X")], A),
        ([(A, "X"), (A, "Y"), (B, "X")], B),
        ([(B, "X"), (A, "X"), (A, "Y")], B),
        ([(A, "X"), (A, "Y")], A),
        ([(A, "X"), (A, None)], A),
        ([(A, "Y")], None),
    ],
)
def test_whose_number_it_is(messages: list[tuple[str, str | None]], holder: str | None) -> None:
    """Who has the number now, whoever had it before; where nobody has it, who had it last (renamed or deleted)."""
    assert own_ref(Wire(*messages), "X") == holder  # type: ignore[arg-type]
