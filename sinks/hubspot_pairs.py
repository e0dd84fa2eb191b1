"""Pairs of HubSpot's records that are to be associated, or not: made, taken apart, and read back.

HubSpot's answer names the pairs that were asked for; whether they were saved only shows in a read (a call for 1,000 records).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import NoReturn

from schemas.records import Wish
from sinks.contract import Ask
from sinks.hubspot_match import MERGED, portions
from weighlock.clients.hubspot import BATCH, HubSpot
from weighlock.clients.hubspot_answers import Item
from weighlock.clients.hubspot_associations import PAIRED, PAIRS, Between, Pair
from weighlock.errors import RejectedError, TransientError

#: So often what was answered and is not there is done at once; then as after any failure.
ROUNDS = 2
CONTACT_COMPANY: Between = ("contact", "company")


class Pairs:
    """For one batch. `TransientError` where HubSpot says again and again that it is done, and it is not."""

    def __init__(self, client: HubSpot, ask: Ask, between: Between) -> None:
        self._client, self._ask, self.between = client, ask, between
        self.seen: dict[str, dict[str, bool]] = {}  # what was read of each, last

    def make(self, pairs: Mapping[Pair, Wish]) -> dict[Pair, RejectedError]:
        """The refusals. A record that people merged may be refused under its old id (facts/hubspot.md does not know). One that people
        deleted just now is no reason to refuse the other: when it is made again, its link moves, and the pair is made with that one."""
        refused = self._make_as_named(pairs)
        now = self.now(other for _, other in refused) if refused else {}
        refused = {pair: refusal for pair, refusal in refused.items() if pair[1] in now}
        moved = {(one, other): (one, now.get(other, other)) for one, other in refused}
        again = {new: pairs[old] for old, new in moved.items() if new != old}
        still = self._make_as_named(again)
        return {pair: still.get(moved[pair], refusal) for pair, refusal in refused.items() if moved[pair] == pair or moved[pair] in still}

    def _make_as_named(self, pairs: Mapping[Pair, Wish]) -> dict[Pair, RejectedError]:
        refused: dict[Pair, RejectedError] = {}
        left = list(pairs)
        for _ in range(ROUNDS):
            if not left:
                return refused
            for some in portions(left, PAIRS):
                refused |= self._ask(partial(self._client.associations.make, self.between, some), [pairs[pair] for pair in some])
            left = [pair for pair in left if pair not in refused]
            held = self.held(one for one, _ in left)
            left = [(one, other) for one, other in left if not held[one].get(other)]
            left = self._not_merged(left, held) if left else []
        if left:
            self._complain("associate", left)
        return refused

    def _not_merged(self, pairs: Sequence[Pair], held: Mapping[str, Mapping[str, bool]]) -> list[Pair]:
        """Those that are not there under the id of the record that theirs was merged into, either."""
        now = self.now(other for _, other in pairs)
        return [(one, other) for one, other in pairs if not held[one].get(now.get(other, other))]

    def part(self, pairs: Mapping[Pair, Wish]) -> None:
        """Those that are there are not any more."""
        left = list(pairs)
        for _ in range(ROUNDS):
            for some in portions(left, BATCH):
                self._ask(partial(self._client.associations.part, self.between, some), [pairs[pair] for pair in some])
            held = self.held(one for one, _ in left)
            left = [(one, other) for one, other in left if other in held[one]]
        if left:
            self._complain("take apart", left)

    def held(self, ids: Iterable[str]) -> dict[str, dict[str, bool]]:
        """What each is associated with, and whether as we do it."""
        held: dict[str, dict[str, bool]] = {}
        for some in portions(list(dict.fromkeys(ids)), PAIRED):
            held |= self._ask(partial(self._client.associations.held, self.between, some), ())
        self.seen |= held
        return held

    def now(self, others: Iterable[str]) -> dict[str, str]:
        """The id that each of the others has today, of those that are there."""
        found: list[Item] = []
        for some in portions(list(dict.fromkeys(others)), BATCH):
            found += self._ask(partial(self._client.read, self.between[1], some, [MERGED]), ())
        return {id: item.id for item in found for id in item.ids()}

    def _complain(self, what: str, pairs: Sequence[Pair]) -> NoReturn:
        some = ", ".join("-".join(pair) for pair in pairs[:3])
        said = f"HubSpot was asked {ROUNDS} times to {what} {len(pairs)} pairs of {' and '.join(self.between)}, and has not: {some}"
        raise TransientError(said, ambiguous=True)
