"""`$filter` in OData 4.01 as the DAC feeds read it (facts/acumatica.md §5.9, §13.4). What they refuse raises `Wrong`: a 400."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from operator import eq, ge, gt, le, lt, ne
from typing import Any

from sandbox.acumatica.filter import EDM, collate
from sandbox.data import Row

TOKEN = re.compile(
    r"\s*(?:'(?P<string>(?:[^']|'')*)'|(?P<guid>[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})"
    r"|(?P<date>\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,7})?)?(?:Z|[+-]\d\d:\d\d))|(?P<day>\d{4}-\d\d-\d\d)(?![\dT])"
    r"|(?P<number>-?\d+(?:\.\d+)?)(?![\w.-])|(?P<word>[A-Za-z_][\w.]*(?:/[A-Za-z_]\w*)*)|(?P<mark>[(),])|(?P<end>$))"
)
OPERATORS: dict[str, Callable[[Any, Any], bool]] = {"eq": eq, "ne": ne, "gt": gt, "ge": ge, "lt": lt, "le": le}
FUNCTIONS: dict[str, Callable[[str, str], bool]] = {
    "contains": lambda text, part: part in text,
    "startswith": lambda text, part: text.startswith(part),
    "endswith": lambda text, part: text.endswith(part),
}
Test = Callable[[Row], bool]


class Wrong(Exception):
    """A query that the feed cannot answer: a 400 with this text."""


@dataclass(frozen=True)
class Side:
    kind: str
    get: Callable[[Row], Any]


Resolve = Callable[[str], Side]


def compile_filter(text: str, resolve: Resolve) -> Test:
    """A test of a row. `resolve` gives the property of a path, or raises Wrong."""
    parser = _Parser(text, resolve)
    test = parser.either()
    if parser.kind != "end":
        raise Wrong(f"Syntax error: unexpected '{parser.value}' in '{text}'.")
    return test


class _Parser:
    """either = both {or both}; both = single {and single}; single = not single | (either) | comparison | call."""

    def __init__(self, text: str, resolve: Resolve) -> None:
        self.text, self.resolve, self.position = text, resolve, 0
        self.advance()

    def advance(self) -> None:
        match = TOKEN.match(self.text, self.position)
        if match is None:
            raise Wrong(f"Syntax error at position {self.position} in '{self.text}'.")
        self.position, self.kind = match.end(), str(match.lastgroup)
        self.value: str = match[self.kind]

    def word(self, *words: str) -> bool:
        return self.kind == "word" and self.value in words

    def take(self, mark: str) -> None:
        if self.kind != "mark" or self.value != mark:
            raise Wrong(f"Syntax error: '{mark}' expected at position {self.position} in '{self.text}'.")
        self.advance()

    def either(self) -> Test:
        tests = [self.both()]
        while self.word("or"):
            self.advance()
            tests.append(self.both())
        return tests[0] if len(tests) == 1 else lambda row: any(test(row) for test in tests)

    def both(self) -> Test:
        tests = [self.single()]
        while self.word("and"):
            self.advance()
            tests.append(self.single())
        return tests[0] if len(tests) == 1 else lambda row: all(test(row) for test in tests)

    def single(self) -> Test:
        if self.word("not"):
            self.advance()
            inner = self.single()
            return lambda row: not inner(row)
        if self.kind == "mark" and self.value == "(":
            self.advance()
            inside = self.either()
            self.take(")")
            return inside
        if self.kind == "word" and self.value in FUNCTIONS:
            return self.call()
        left = self.side()
        if self.word("in"):
            self.advance()
            return self.among(left)
        if not self.word(*OPERATORS):
            raise Wrong(f"The $filter expression must evaluate to a single boolean value: '{self.text}'.")
        name = self.value
        self.advance()
        return compared(left, name, self.side())

    def call(self) -> Test:
        name = self.value
        self.advance()
        self.take("(")
        left = self.side()
        self.take(",")
        right = self.side()
        self.take(")")
        if {left.kind, right.kind} != {"string"}:
            raise Wrong(f"No function signature for the function with name '{name}' matches the specified arguments.")
        holds = FUNCTIONS[name]

        def test(row: Row) -> bool:
            whole, part = left.get(row), right.get(row)
            return whole is not None and part is not None and holds(whole.rstrip(" ").casefold(), part.casefold())

        return test

    def among(self, left: Side) -> Test:
        self.take("(")
        tests = [compared(left, "eq", self.side())]
        while self.kind == "mark" and self.value == ",":
            self.advance()
            tests.append(compared(left, "eq", self.side()))
        self.take(")")
        return lambda row: any(test(row) for test in tests)

    def side(self) -> Side:
        kind, value = self.kind, self.value
        self.advance()
        constant: Any
        match kind:
            case "string":
                constant = value.replace("''", "'")
            case "number":
                constant, kind = Decimal(value), "decimal"
            case "guid":
                constant = value.lower()
            case "date":
                constant = datetime.fromisoformat(value)
            case "day":
                constant = value
            case "word" if value in ("true", "false"):
                constant, kind = value == "true", "bool"
            case "word" if value == "null":
                constant, kind = None, "null"
            case "word":
                if self.kind == "mark" and self.value == "(":
                    raise Wrong(f"An unknown function with name '{value}' was found.")
                return self.resolve(value)
            case _:
                raise Wrong(f"Syntax error at position {self.position} in '{self.text}'.")
        return Side(kind, lambda row: constant)


def compared(left: Side, name: str, right: Side) -> Test:
    """As SQL compares: nothing holds of what is empty but `eq null`; texts without case or blanks at the end."""
    holds = OPERATORS[name]
    if "null" in (left.kind, right.kind):
        if name not in ("eq", "ne"):
            raise Wrong(f"Operator '{name}' cannot be used with null.")
        return lambda row: (left.get(row) is None and right.get(row) is None) == (name == "eq")
    kinds = {"number" if kind in ("int", "decimal") else kind for kind in (left.kind, right.kind)}
    if len(kinds) > 1:
        names = " and ".join(f"'{EDM.get(side.kind, 'Edm.Date')}'" for side in (left, right))
        raise Wrong(f"A binary operator with incompatible types was detected. Found operand types {names} for operator kind '{name}'.")
    text = "string" in kinds

    def test(row: Row) -> bool:
        one, other = left.get(row), right.get(row)
        if one is None or other is None:
            return False
        return holds(collate(one), collate(other)) if text else holds(one, other)

    return test
