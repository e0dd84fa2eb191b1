"""HubSpot's associations, in batches: pairs of records that are made, taken apart and read (facts/hubspot.md §5)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from weighlock.clients.hubspot_answers import Json, error_of
from weighlock.errors import RejectedError

#: Pairs of one batch that are made, and records whose pairs are read; taken apart are a hundred (§5.1).
PAIRS, PAIRED = 2000, 1000
PLURAL = {"company": "companies", "contact": "contacts", "invoice": "invoices", "line_item": "line_items", "deal": "deals"}
#: Two kinds of objects, and two ids of theirs.
Between = tuple[str, str]
Pair = tuple[str, str]
#: The types that a pair is made with (§5.3): a contact's company, and a deal's, is its primary one. All others have their default type.
LABELLED: Mapping[Between, tuple[int, ...]] = {("contact", "company"): (1, 279), ("deal", "company"): (5, 341)}


class Associations:
    """`call` is the client's, `path` where the version has its associations."""

    def __init__(self, call: Callable[[str, str, Json], Json], path: str) -> None:
        self._call, self._path = call, path

    def make(self, between: Between, pairs: Sequence[Pair]) -> dict[Pair, RejectedError]:
        """Makes each pair; gives those that were refused, and why.

        With labels the whole label set of a pair is replaced, and the label Primary moves (§5.2, §14.7). Whether the others are there
        shows in `held` only: an answer says what was asked for, and of a merged record under another id.
        """
        labels = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": type} for type in LABELLED.get(between, ())]
        inputs: list[Json] = [{"from": {"id": one}, "to": {"id": other}} for one, other in pairs]
        path = self._of(between, "create" if labels else "associate/default")
        answer = self._call("POST", path, {"inputs": [row | ({"types": labels} if labels else {}) for row in inputs]})
        ends = [(_end(row, "from"), _end(row, "to")) for row in answer.get("results") or []]
        told = {pair for one, other in ends for pair in ((one, other), (other, one))}  # a row for each direction is possible
        refused: dict[Pair, RejectedError] = {}
        for error in answer.get("errors") or []:
            found = error_of(400, error, f"POST {path}")
            if not isinstance(found, RejectedError):
                raise found
            blamed = {str(one) for ids in (error.get("context") or {}).values() for one in ids}
            refused |= {pair: found for pair in pairs if pair not in told and blamed & set(pair)}
        return refused

    def part(self, between: Between, pairs: Sequence[Pair]) -> None:
        """Takes each pair apart, with all labels. A pair that is none any more is fine."""
        inputs = [{"from": {"id": one}, "to": [{"id": other}]} for one, other in pairs]
        self._call("POST", self._of(between, "archive"), {"inputs": inputs})

    def held(self, between: Between, ids: Iterable[str]) -> dict[str, dict[str, bool]]:
        """For each of up to 1,000 records the others' ids, each with whether the pair is as we make them (of a contact's or a deal's
        companies: the primary one); without any: empty.

        A record without any is an error of a 207 (§5.2). One with many of them takes a further call.
        """
        path, label = self._of(between, "read"), LABELLED.get(between, (None,))[0]
        found: dict[str, dict[str, bool]] = {id: {} for id in ids}
        inputs: list[Json] = [{"id": id} for id in found]
        while inputs:
            answer = self._call("POST", path, {"inputs": inputs})
            for error in answer.get("errors") or []:
                if error.get("category") != "OBJECT_NOT_FOUND":
                    raise error_of(400, error, f"POST {path}")
            inputs = []
            for row in answer.get("results") or []:
                id = _end(row, "from")
                types = {str(one["toObjectId"]): {int(type["typeId"]) for type in one["associationTypes"]} for one in row.get("to") or []}
                found.setdefault(id, {}).update({other: label is None or label in held for other, held in types.items()})
                if after := ((row.get("paging") or {}).get("next") or {}).get("after"):
                    inputs.append({"id": id, "after": after})
        return found

    def _of(self, between: Between, what: str) -> str:
        return f"{self._path}/{PLURAL[between[0]]}/{PLURAL[between[1]]}/batch/{what}"


def _end(row: Json, end: str) -> str:
    """HubSpot gives numbers on some paths and texts on others (§5.2)."""
    nested = row.get(end)
    return str(nested.get("id") if isinstance(nested, dict) else row.get(f"{end}ObjectId"))
