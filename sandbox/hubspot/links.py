"""Associations between records: labels are numbers, each has its twin for the other direction (§5.3)."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from sandbox.hubspot.errors import ApiError, bad_request
from sandbox.hubspot.kinds import COMPANIES, CONTACTS, Kind

PRIMARY = {(CONTACTS.name, COMPANIES.name): 1, (COMPANIES.name, CONTACTS.name): 2}
DEFAULT = {(CONTACTS.name, COMPANIES.name): 279, (COMPANIES.name, CONTACTS.name): 280, (COMPANIES.name, COMPANIES.name): 450}
LABELS: dict[tuple[str, str], dict[int, str | None]] = {
    (CONTACTS.name, COMPANIES.name): {279: None, 1: "Primary", 931: "Billing"},
    (COMPANIES.name, CONTACTS.name): {280: None, 2: "Primary", 930: "Billing"},
    (COMPANIES.name, COMPANIES.name): {450: None, 13: "Child Company", 14: "Parent Company"},
}
NAMES = {279: "contact_to_company_unlabeled", 1: "contact_to_company", 280: "company_to_contact_unlabeled", 2: "company_to_contact"}
_TWIN = {279: 280, 280: 279, 1: 2, 2: 1, 931: 930, 930: 931, 450: 450, 13: 14, 14: 13}

End = tuple[str, str]  # kind name and record id


@dataclass(frozen=True)
class Change:
    """A pair whose labels changed: `types` are those from the one end to the other now, none if the pair was parted."""

    one: End
    other: End
    types: frozenset[int]


class Links:
    """All pairs, kept from both ends. Methods return what they changed."""

    def __init__(self) -> None:
        self._pairs: defaultdict[End, dict[End, frozenset[int]]] = defaultdict(dict)

    def of(self, end: End, kind: Kind) -> dict[str, frozenset[int]]:
        """The associated records of that kind: id -> labels in the direction away from `end`, in the order of their linking."""
        return {other: types for (name, other), types in self._pairs.get(end, {}).items() if name == kind.name}

    def primary(self, end: End) -> str | None:
        """The id of a contact's primary company."""
        return next((id for id, types in self.of(end, COMPANIES).items() if 1 in types), None)

    def associate(self, one: End, other: End) -> list[Change]:
        """The default association; it leaves the labels of a pair that is there. A contact's first company becomes its primary."""
        if other in self._pairs.get(one, {}):
            return []
        return self.label(one, other, frozenset({default_type(one[0], other[0])}))

    def label(self, one: End, other: End, types: frozenset[int]) -> list[Change]:
        """Sets the labels of a pair to exactly these; the unlabelled type is always among them, a primary label moves here."""
        pair = (one[0], other[0])
        types |= {DEFAULT[pair]}
        contact = one if one[0] == CONTACTS.name else other
        company = other if contact is one else one
        if pair in PRIMARY and not (set(self.of(contact, COMPANIES)) - {company[1]}) and other not in self._pairs.get(one, {}):
            types |= {PRIMARY[pair]}
        changes = []
        if pair in PRIMARY and PRIMARY[pair] in types:
            for id, held in self.of(contact, COMPANIES).items():
                if 1 in held and id != company[1]:
                    changes += self._set(contact, (COMPANIES.name, id), held - {1})
        return changes + self._set(one, other, types)

    def part(self, one: End, other: End, types: frozenset[int] | None = None) -> list[Change]:
        """Takes these labels off a pair; without `types`, or if the unlabelled one is among them, the pair is parted."""
        held = self._pairs.get(one, {}).get(other)
        if held is None:
            return []
        left = frozenset() if types is None or default_type(one[0], other[0]) in types else held - types
        return self._set(one, other, left)

    def forget(self, end: End) -> list[Change]:
        """Parts a record from all others."""
        return [change for other in list(self._pairs.get(end, {})) for change in self.part(end, other)]

    def move(self, old: End, new: End) -> None:
        """A merge: the new record takes over the pairs of an old one; the old one's primary label drops if there is one already."""
        for other, types in list(self._pairs.get(old, {}).items()):
            self.part(old, other)
            if other == new or other in self._pairs.get(new, {}):
                continue
            primary = PRIMARY.get((new[0], other[0]))
            contact = new if new[0] == CONTACTS.name else other
            if primary is not None and self.primary(contact) is not None:
                types -= {primary}
            self._set(new, other, types)

    def rows(self) -> list[dict[str, Any]]:
        """Every pair once, for the dump: contacts before companies."""
        return [
            {"from": _word(one[0]), "from_id": one[1], "to": _word(other[0]), "to_id": other[1], "types": sorted(types)}
            for one, others in self._pairs.items()
            for other, types in others.items()
            if one[0] > other[0] or (one[0] == other[0] and int(one[1]) < int(other[1]))
        ]

    def _set(self, one: End, other: End, types: frozenset[int]) -> list[Change]:
        if self._pairs.get(one, {}).get(other, frozenset()) == types:
            return []
        if types:
            self._pairs[one][other] = types
            self._pairs[other][one] = frozenset(_TWIN[type] for type in types)
        else:
            del self._pairs[one][other]
            self._pairs[other].pop(one, None)
        return [Change(one, other, types)]


def default_type(one: str, other: str) -> int:
    """The unlabelled type between two kinds; 400 where there is none."""
    if (one, other) not in DEFAULT:
        raise bad_request(f"No default association exists between {_word(one).upper()} and {_word(other).upper()}")
    return DEFAULT[one, other]


def invalid_pair(ends: list[End]) -> ApiError:
    """400: records that are not there, or ids of another type than the association's (§5.2)."""
    kinds = [_word(kind).upper() for kind, _ in ends]
    return bad_request(
        "One or more associations are invalid",
        context={
            "INVALID_OBJECT_IDS": [f"{kind}={id} is not valid" for kind, (_, id) in zip(kinds, ends, strict=True)],
            "objectId": [id for _, id in ends],
            "objectType": kinds,
        },
    )


def _word(kind: str) -> str:
    return CONTACTS.singular if kind == CONTACTS.name else COMPANIES.singular
