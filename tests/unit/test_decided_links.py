"""When a sink writes links anew."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from schemas.records import Wish, now
from sinks.contract import Written
from sinks.lane import Lane
from sinks.ledger import Received

REF, THERE, OTHER = "acumatica:customer:1", "hubspot:company:10", "hubspot:company:11"


@pytest.mark.parametrize(
    ("decided", "there", "back", "new"),
    [
        (None, THERE, REF, False),
        (None, None, None, True),
        (None, OTHER, REF, True),
        (None, THERE, "acumatica:customer:2", True),
        (THERE, None, None, False),
        (OTHER, OTHER, REF, True),
    ],
    ids=["known", "unknown", "another one", "another one's", "set and not read yet", "set to one that was merged"],
)
def test_links_are_written_where_they_are_new(decided: str | None, there: str | None, back: str | None, new: bool) -> None:
    """Unless both ends say so already; what a person has just set stays theirs, though the sink may not have read it yet."""
    peers = {(REF, "hubspot"): there, (THERE, "acumatica"): back}
    lane = SimpleNamespace(system="hubspot", loop=SimpleNamespace(links=SimpleNamespace(peer=lambda ref, system: peers.get((ref, system)))))
    wish = Wish(
        subject=REF,
        object="company",
        facet="profile",
        version=1,
        key_property="k",
        key_value="v",
        source_system="acumatica",
        source_at=now(),
        properties={},
        trace="t",
    )
    assert Lane.link_is_new(cast(Any, lane), Received(wish, 0, decided=decided), Written("10", "adopted")) is new
