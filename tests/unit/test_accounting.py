"""The account of the chaos tests: what is one end of a change, and what are two (tests/harness/accounting.py)."""

from __future__ import annotations

import pytest

from schemas.records import Audit
from tests.harness.accounting import _end


def told(*events: str) -> list[Audit]:
    """`event` or `event: detail` each."""
    parted = (one.partition(": ") for one in events)
    return [Audit(ref="a:b:1", event=event, stage="sink", worker="w", detail=said, trace="t") for event, _, said in parted]


@pytest.mark.parametrize(
    ("events", "end"),
    [
        (("read", "written"), "written"),
        (("read", "written", "rewritten", "superseded"), "written"),
        (("waiting", "released: x is there", "written"), "written"),
        (("out_of_scope", "released: hubspot takes it now", "rejected"), "rejected"),
        (("out_of_scope", "released: hubspot takes it now", "rewritten"), "out_of_scope"),
        (("written", "linked", "written"), "written"),
        (("waiting",), "waiting"),
        (("read", "noted"), None),
    ],
)
def test_one_end(events: tuple[str, ...], end: str | None) -> None:
    """A change has one end, whatever was said on its way; what a person decided, or a target takes again, is judged anew."""
    assert _end(told(*events)) == (end, [])


@pytest.mark.parametrize("events", [("written", "written"), ("out_of_scope", "rejected"), ("written", "released: x is there", "rejected")])
def test_two_ends(events: tuple[str, ...]) -> None:
    """What did something twice is told."""
    assert "ended in more than one way" in _end(told(*events))[1][0]
