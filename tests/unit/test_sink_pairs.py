"""Pairs of HubSpot's records, against a portal in memory."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from sinks.hubspot_pairs import CONTACT_COMPANY, Pairs
from weighlock.clients.hubspot_answers import Item
from weighlock.errors import RejectedError

NO = RejectedError("One or more associations are invalid")


class Portal:
    """The companies that are there; whoever is to be associated with another one, or with `refused`, is refused."""

    def __init__(self, *companies: str, refused: str = "") -> None:
        self.companies, self.refused, self.made = companies, refused, set[tuple[str, str]]()
        self.associations = SimpleNamespace(make=self._make, held=self._held)

    def _make(self, between: Any, pairs: Any) -> dict[tuple[str, str], RejectedError]:
        bad = {pair: NO for pair in pairs if pair[1] not in self.companies or pair[1] == self.refused}
        self.made |= set(pairs) - bad.keys()
        return bad

    def _held(self, between: Any, ids: Any) -> dict[str, dict[str, bool]]:
        return {id: {company: True for contact, company in self.made if contact == id} for id in ids}

    def read(self, kind: str, ids: Any, properties: Any) -> list[Item]:
        return [Item(id, {}) for id in ids if id in self.companies]


def refusals(portal: Portal, *pairs: tuple[str, str]) -> set[tuple[str, str]]:
    made = Pairs(portal, lambda call, wishes=None, **_: call(), CONTACT_COMPANY)  # type: ignore[arg-type]
    return set(made.make(dict.fromkeys(pairs)))  # type: ignore[arg-type]


@pytest.mark.parametrize(("portal", "refused"), [(Portal("1"), set()), (Portal("1", "2", refused="2"), {("b", "2")})])
def test_who_is_gone_refuses_nobody(portal: Portal, refused: set[tuple[str, str]]) -> None:
    """A contact is not refused because its company was deleted a moment ago; because of one that is there and may not be, it is."""
    assert refusals(portal, ("a", "1"), ("b", "2")) == refused
    assert portal.made == {("a", "1")}
