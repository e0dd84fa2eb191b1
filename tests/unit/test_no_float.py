"""No float touches an amount: not in the schemas, not in the records, not in what computes with them."""

from __future__ import annotations

import ast
import importlib
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

from schemas.records import Record

ROOT = Path(__file__).parents[2]
#: What reads, books, sums and shows amounts.
PLACES = ("schemas/entities.py", "schemas/state.py", "schemas/sources.py", "streams/documents.py", "streams/receivables.py")
PLACES += (
    "streams/accounts.py",
    "streams/copies.py",
    "streams/route_receivables.py",
    "streams/route_invoices.py",
    "streams/mappings/table.py",
)


def parts(kind: Any) -> set[Any]:
    """The type and all that it is made of."""
    return {kind}.union(*(parts(one) for one in get_args(kind)))


def test_no_schema_has_a_float() -> None:
    """No record of ours can hold a float: amounts are decimals."""
    schemas = ROOT / "schemas" / "avro"
    files = [*schemas.glob("*.avsc"), *schemas.glob("released/*.avsc")]
    assert len(files) > 30
    for path in files:
        assert '"float"' not in path.read_text(), path.name
        assert '"double"' not in path.read_text(), path.name


@pytest.mark.parametrize("place", PLACES)
def test_no_type_is_a_float(place: str) -> None:
    """No field of a record or of a value that is computed is a float."""
    module = importlib.import_module(place.removesuffix(".py").replace("/", "."))
    own = [one for one in vars(module).values() if isinstance(one, type) and one.__module__ == module.__name__]
    kinds = [one for one in own if issubclass(one, Record) or is_dataclass(one)]
    for kind in kinds:
        for name, hint in get_type_hints(kind).items():
            assert float not in parts(hint), f"{kind.__name__}.{name}"


@pytest.mark.parametrize("place", PLACES)
def test_no_code_makes_a_float(place: str) -> None:
    """What computes with amounts has no number with a point, does not call float, and divides nothing by the sign for it."""
    for node in ast.walk(ast.parse((ROOT / place).read_text())):
        assert not (isinstance(node, ast.Constant) and isinstance(node.value, float)), f"{place}:{node.lineno}"
        assert not (isinstance(node, ast.Name) and node.id == "float"), f"{place}:{node.lineno}"
        assert not isinstance(node, ast.Div), place
