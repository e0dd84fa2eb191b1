"""`$filter`: the part of OData v3 that Acumatica reads, with its refusals (facts/acumatica.md §4.2).

`compile_filter` gives a predicate over a row; what the real server answers with a 500 raises a Refusal.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from operator import eq, ge, gt, le, lt, ne
from typing import Any

from sandbox.acumatica.schema import Entity
from sandbox.acumatica.wire import bad_query, cannot_optimize
from sandbox.data import Row

TOKEN = re.compile(
    r"\s*(?:(?P<typed>[A-Za-z]+)?'(?P<text>(?:[^']|'')*)'|(?P<number>-?\d+(?:\.\d+)?)[mMlLdDfF]?(?![\w.])"
    r"|(?P<word>[A-Za-z_]\w*(?:/[A-Za-z_]\w*)*)|(?P<mark>[(),])|(?P<end>$))"
)
OPERATORS: dict[str, Callable[[Any, Any], bool]] = {"eq": eq, "ne": ne, "gt": gt, "ge": ge, "lt": lt, "le": le}
FUNCTIONS = ("substringof", "startswith", "endswith")
EDM = {
    "string": "Edm.String", "int": "Edm.Int32", "decimal": "Edm.Decimal", "date": "Edm.DateTimeOffset",
    "bool": "Edm.Boolean", "guid": "Edm.Guid",
}  # fmt: skip

Getter = Callable[[Row], Any]


@dataclass(frozen=True)
class Operand:
    """One side of a comparison. `kind` is a schema kind, `null`, or `call` (a function's answer)."""

    kind: str
    get: Getter
    views: frozenset[str] = frozenset()
    path: str = ""  # of a field


@dataclass(frozen=True)
class Predicate:
    test: Callable[[Row], bool]
    views: frozenset[str]
    equals: tuple[str, str] | None = None  # it is only: this text field (its path) eq this text (as collated)


def collate(text: str) -> str:
    """A text as the database compares it: without regard to case or blanks at the end (§4.7)."""
    return text.rstrip(" ").casefold()


def compile_filter(text: str, entity: Entity, cross_view: str, detail_filter: str) -> Callable[[Row], bool]:
    """A predicate for rows of `entity`. `cross_view` and `detail_filter` are the switches of these names."""
    parser = _Parser(text, entity, cross_view, detail_filter)
    predicate = parser.either()
    if parser.kind != "end":
        raise bad_query(f"Syntax error: unexpected '{parser.value}' in '{text}'.")
    return predicate.test


class _Parser:
    """Recursive descent: either = both {or both}; both = single {and single}; single = (either) | comparison | call."""

    def __init__(self, text: str, entity: Entity, cross_view: str, detail_filter: str) -> None:
        self.text, self.entity, self.cross_view, self.detail_filter = text, entity, cross_view, detail_filter
        self.position = 0
        self.advance()

    def advance(self) -> None:
        match = TOKEN.match(self.text, self.position)
        if match is None:
            raise bad_query(f"Syntax error at position {self.position} in '{self.text}'.")
        self.position = match.end()
        self.prefix = match["typed"]
        self.kind = "string" if match["text"] is not None else str(match.lastgroup)
        self.value = match["text"].replace("''", "'") if match["text"] is not None else match[self.kind]

    def take(self, mark: str) -> None:
        if self.value != mark or self.kind != "mark":
            raise bad_query(f"Syntax error: '{mark}' expected at position {self.position} in '{self.text}'.")
        self.advance()

    def either(self) -> Predicate:
        parts = [self.both()]
        while self.kind == "word" and self.value == "or":
            self.advance()
            parts.append(self.both())
        if len(parts) == 1:
            return parts[0]
        tests, equals = [part.test for part in parts], [part.equals for part in parts if part.equals]
        if len(equals) == len(parts) and len({path for path, _ in equals}) == 1:  # a look-up of many keys: one comparison a row
            return Predicate(_among(equals), _views(parts))
        return Predicate(lambda row: any(test(row) for test in tests), _views(parts))

    def both(self) -> Predicate:
        parts = [self.single()]
        while self.kind == "word" and self.value == "and":
            self.advance()
            parts.append(self.single())
        if len(parts) == 1:
            return parts[0]
        tests, views = [part.test for part in parts], _views(parts)
        if self.cross_view == "empty" and len(views) > 1:
            return Predicate(lambda row: False, views)
        return Predicate(lambda row: all(test(row) for test in tests), views)

    def single(self) -> Predicate:
        if self.kind == "mark" and self.value == "(":
            self.advance()
            inside = self.either()
            self.take(")")
            return inside
        left = self.operand()
        if self.kind == "word" and self.value in OPERATORS:
            operator = self.value
            self.advance()
            return self.compare(left, operator, self.operand())
        if left.kind == "call":
            return Predicate(left.get, left.views)
        raise bad_query(f"The $filter expression must evaluate to a single boolean value: '{self.text}'.")

    def operand(self) -> Operand:
        kind, value, prefix = self.kind, self.value, self.prefix
        self.advance()
        if kind == "string":
            return _literal(prefix, value)
        if kind == "number":
            number = Decimal(value)
            return Operand("number", lambda row: number)
        if kind != "word":
            raise bad_query(f"Syntax error near '{value}' in '{self.text}'.")
        if value in ("true", "false"):
            return Operand("bool", lambda row: value == "true")
        if value == "null":
            return Operand("null", lambda row: None)
        if self.kind == "mark" and self.value == "(":
            return self.call(value)
        return self.field(value)

    def call(self, name: str) -> Operand:
        if name not in FUNCTIONS:
            raise bad_query(f"An unknown function with name '{name}' was found.")
        self.take("(")
        first = self.operand()
        self.take(",")
        second = self.operand()
        self.take(")")
        whole, part = (second, first) if name == "substringof" else (first, second)
        if whole.kind != "string" or part.kind != "string" or not whole.views:
            raise bad_query(f"No function signature for the function with name '{name}' matches the specified arguments.")
        return Operand("call", lambda row: _found(name, whole.get(row), part.get(row)), whole.views)

    def field(self, path: str) -> Operand:
        """A field by its path; names are case-sensitive."""
        shape, steps = self.entity.shape, path.split("/")
        if steps[0] in self.entity.delegates:
            raise cannot_optimize([path.replace("/", ".")], self.entity.view(path))
        if steps[0] in shape.details:
            if self.detail_filter == "empty":
                return Operand("void", lambda row: None, frozenset((steps[0],)))
            raise bad_query(f"The parent value for a property access of '{path}' is not a single value.")
        for step in steps[:-1]:
            if step not in shape.links:
                raise bad_query(f"Could not find a property named '{step}' on type '{self.entity.name}'.")
            shape = shape.links[step]
        if steps[-1] not in shape.fields:
            raise bad_query(f"Could not find a property named '{steps[-1]}' on type '{self.entity.name}'.")
        return Operand(shape.fields[steps[-1]], lambda row: _walk(row, steps), frozenset((self.entity.view(path),)), path)

    def compare(self, left: Operand, operator: str, right: Operand) -> Predicate:
        views = left.views | right.views
        if "void" in (left.kind, right.kind) or "call" in (left.kind, right.kind):
            return Predicate(lambda row: False, views)  # `substringof(...) eq true` is read, and finds nothing
        if "null" in (left.kind, right.kind):
            if operator not in ("eq", "ne"):
                raise bad_query(f"Operator '{operator}' cannot be used with null.")
            wanted = operator == "eq"
            return Predicate(lambda row: (left.get(row) is None and right.get(row) is None) == wanted, views)
        kinds = {"number" if kind in ("int", "decimal") else kind for kind in (left.kind, right.kind)}
        if len(kinds) > 1:
            names = " and ".join(f"'{EDM.get(side.kind, 'Edm.Decimal')}'" for side in (left, right))
            raise bad_query(
                f"A binary operator with incompatible types was detected. Found operand types {names} for operator '{operator}'."
            )
        simple = operator == "eq" and left.kind == "string" and left.path and not right.path
        equals = (left.path, collate(right.get({}))) if simple else None
        return Predicate(_comparison(left.get, OPERATORS[operator], right.get), views, equals)


def _views(parts: list[Predicate]) -> frozenset[str]:
    return frozenset().union(*(part.views for part in parts))


def _among(equals: list[tuple[str, str]]) -> Callable[[Row], bool]:
    """One field eq any of these texts."""
    steps, wanted = equals[0][0].split("/"), {text for _, text in equals}

    def test(row: Row) -> bool:
        value = _walk(row, steps)
        return value is not None and collate(value) in wanted

    return test


def _comparison(left: Getter, holds: Callable[[Any, Any], bool], right: Getter) -> Callable[[Row], bool]:
    def test(row: Row) -> bool:
        one, other = left(row), right(row)
        if one is None or other is None:  # as in SQL: a comparison with nothing never holds
            return False
        if isinstance(one, str):
            return holds(collate(one), collate(other))
        return holds(one, other)

    return test


def _found(name: str, whole: str | None, part: str | None) -> bool:
    if whole is None or part is None:
        return False
    text, needle = whole.casefold(), part.casefold()
    if name == "substringof":
        return needle in text
    return text.startswith(needle) if name == "startswith" else text.rstrip(" ").endswith(needle)


def _walk(row: Row, steps: list[str]) -> Any:
    value: Any = row
    for step in steps:
        value = value.get(step) if value is not None else None
    return value


def _literal(prefix: str | None, text: str) -> Operand:
    if prefix is None:
        return Operand("string", lambda row: text)
    if prefix == "guid" and re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", text):
        return Operand("guid", lambda row: text)
    if prefix == "datetimeoffset":
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            moment = None
        if moment is not None and moment.tzinfo is not None and "T" in text:
            return Operand("date", lambda row: moment)
    raise bad_query(f"Unrecognized '{prefix}' literal '{text}'.")
