"""What the lists asked for, for tests of how much that is."""

import re
from collections import Counter
from typing import Any

from sandbox.acumatica.query import Query
from sandbox.acumatica.schema import Entity

_LITERAL = re.compile(r"datetimeoffset'[^']*'|'(?:[^']|'')*'|(?<= )-?\d+(?:\.\d+)?[mM]?(?![\w.])")
_REPEATED = re.compile(r"(\w+ eq \?)(?: or \1)+")


class Lists:
    """Calls and rows by entity, fields and form of filter: its values are `?`, and one term stands for several with `or`."""

    def __init__(self) -> None:
        self._calls: Counter[tuple[str, str, str]] = Counter()
        self._rows: Counter[tuple[str, str, str]] = Counter()

    def count(self, entity: Entity, query: Query, rows: int) -> None:
        select = ",".join(sorted("/".join(path) for path in query.select or ()))
        form = _REPEATED.sub(r"\1 or ...", _LITERAL.sub("?", query.filter or ""))
        self._calls[entity.name, select, form] += 1
        self._rows[entity.name, select, form] += rows

    def as_json(self) -> list[dict[str, Any]]:
        found = sorted(self._calls.items())
        return [dict(zip(("entity", "select", "filter"), key, strict=True), calls=calls, rows=self._rows[key]) for key, calls in found]
