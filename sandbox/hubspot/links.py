"""Associations between records: labels are numbers, each has its twin for the other direction (§5.3)."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from sandbox.hubspot.errors import ApiError, bad_request
from sandbox.hubspot.kinds import COMPANIES, CONTACTS, DEALS, INVOICES, KIND, LINE_ITEMS, Kind

_COMPANY, _CONTACT, _DEAL, _INVOICE, _LINE = COMPANIES.name, CONTACTS.name, DEALS.name, INVOICES.name, LINE_ITEMS.name
PRIMARY = {(_CONTACT, _COMPANY): 1, (_COMPANY, _CONTACT): 2, (_DEAL, _COMPANY): 5, (_COMPANY, _DEAL): 6}
DEFAULT = {(_COMPANY, _COMPANY): 450}
_TWIN = {1: 2, 2: 1, 5: 6, 6: 5, 931: 930, 930: 931, 450: 450, 13: 14, 14: 13}
for _pair, _there, _back in (
    ((_CONTACT, _COMPANY), 279, 280),
    ((_DEAL, _COMPANY), 341, 342),
    ((_DEAL, _CONTACT), 3, 4),
    ((_DEAL, _LINE), 19, 20),
    ((_INVOICE, _CONTACT), 177, 178),
    ((_INVOICE, _COMPANY), 179, 180),
    ((_INVOICE, _DEAL), 175, 176),
    ((_INVOICE, _LINE), 409, 410),
):
    DEFAULT |= {_pair: _there, _pair[::-1]: _back}
    _TWIN |= {_there: _back, _back: _there}
_MORE: dict[tuple[str, str], dict[int, str | None]] = {
    (_CONTACT, _COMPANY): {931: "Billing"},
    (_COMPANY, _CONTACT): {930: "Billing"},
    (_COMPANY, _COMPANY): {13: "Child Company", 14: "Parent Company"},
}
LABELS: dict[tuple[str, str], dict[int, str | None]] = {
    pair: {type: None} | ({PRIMARY[pair]: "Primary"} if pair in PRIMARY else {}) | _MORE.get(pair, {}) for pair, type in DEFAULT.items()
}
#: v3 calls a label so: where a pair has a primary one, that has the plain name (§5.2).
NAMES = {
    type: f"{KIND[one].singular}_to_{KIND[other].singular}{'_unlabeled' if PRIMARY.get((one, other), type) != type else ''}"
    for (one, other), labels in LABELS.items()
    for type in labels
    if (one, other) != (_COMPANY, _COMPANY) and (one, other) in DEFAULT and type in (DEFAULT[one, other], PRIMARY.get((one, other)))
}

_RANK = {kind: place for place, kind in enumerate((_COMPANY, _CONTACT, _DEAL, _INVOICE, _LINE))}

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

    def ends(self, end: End) -> list[End]:
        """All records that this one is associated with."""
        return list(self._pairs.get(end, {}))

    def primary(self, end: End) -> str | None:
        """The id of a contact's or deal's primary company."""
        label = PRIMARY[end[0], _COMPANY]
        return next((id for id, types in self.of(end, COMPANIES).items() if label in types), None)

    def parent(self, line: End) -> End | None:
        """The invoice or deal that a line item belongs to; there is only one (§6.3)."""
        return next((end for end in self._pairs.get(line, {}) if end[0] in (_INVOICE, _DEAL)), None)

    def associate(self, one: End, other: End) -> list[Change]:
        """The default association; it leaves the labels of a pair that is there. A first company becomes the primary one."""
        if other in self._pairs.get(one, {}):
            return []
        return self.label(one, other, frozenset({default_type(one[0], other[0])}))

    def label(self, one: End, other: End, types: frozenset[int]) -> list[Change]:
        """Sets the labels of a pair to exactly these; the unlabelled type is always among them, a primary label moves here."""
        pair = (one[0], other[0])
        types |= {DEFAULT[pair]}
        if pair not in PRIMARY:
            return self._set(one, other, types)
        holder, company = (other, one) if one[0] == _COMPANY else (one, other)
        if not (set(self.of(holder, COMPANIES)) - {company[1]}) and other not in self._pairs.get(one, {}):
            types |= {PRIMARY[pair]}
        changes = []
        if PRIMARY[pair] in types:
            label = PRIMARY[holder[0], _COMPANY]
            for id, held in self.of(holder, COMPANIES).items():
                if label in held and id != company[1]:
                    changes += self._set(holder, (_COMPANY, id), held - {label})
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
            if other == new:
                continue
            primary = PRIMARY.get((new[0], other[0]))
            holder = other if new[0] == _COMPANY else new
            if primary is not None and self.primary(holder) is not None:
                types -= {primary}
            self._set(new, other, self._pairs.get(new, {}).get(other, frozenset()) | types)

    def rows(self) -> list[dict[str, Any]]:
        """Every pair once, for the dump: contacts before companies, invoices and deals before both, line items before all."""
        return [
            {"from": _word(one[0]), "from_id": one[1], "to": _word(other[0]), "to_id": other[1], "types": sorted(types)}
            for one, others in self._pairs.items()
            for other, types in others.items()
            if _RANK[one[0]] > _RANK[other[0]] or (one[0] == other[0] and int(one[1]) < int(other[1]))
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


def rank(end: End) -> int:
    """Of two ends of a pair the one that ranks higher comes first in the dump and in the log."""
    return _RANK[end[0]]


def _word(kind: str) -> str:
    return KIND[kind].singular
