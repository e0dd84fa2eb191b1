"""The query options of a GET, and records as they go out (facts/acumatica.md §3, §4.1, §4.3)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal
from typing import Any

from sandbox.acumatica.schema import Entity, Kind, Shape
from sandbox.acumatica.wire import bad_query, cannot_optimize
from sandbox.data import Row

Path = tuple[str, ...]


@dataclass(frozen=True)
class Query:
    """What is asked for. `select` None: every field. `expand` holds each level of each path, `custom` has `View.Field`s."""

    select: frozenset[Path] | None
    expand: frozenset[Path]
    filter: str | None
    top: int | None
    skip: int
    custom: tuple[str, ...] = ()


def parse(entity: Entity, options: Mapping[str, str]) -> Query:
    """The options of one request. Unknown names in `$select` are left out in silence; in `$expand` they are a 500 (§13.5)."""
    expand: set[Path] = set()
    for path in _paths(options.get("$expand", "")):
        shape: Shape | None = entity.shape
        for depth, step in enumerate(path, start=1):
            if shape is None or (step not in shape.links and step not in shape.details):
                raise bad_query(f"Cannot expand '{'/'.join(path)}': no such entity in {entity.name}.")
            shape = shape.links.get(step)
            expand.add(path[:depth])
    select = options.get("$select")
    chosen = None if not select else frozenset(_paths(select))
    custom = tuple(name.strip() for name in options.get("$custom", "").split(","))
    return Query(chosen, frozenset(expand), options.get("$filter"), _count(options, "$top"), _count(options, "$skip") or 0, custom)


def optimizable(entity: Entity, query: Query) -> None:
    """Refuses a list that asks for a field with a delegate behind it (§4.3)."""
    for name in sorted(entity.delegates):
        named = [".".join(path) for path in sorted(query.select or ()) if path[0] == name]
        if (name,) in query.expand and (query.select is None or named):
            shape = entity.shape.links.get(name) or entity.shape.details[name]
            columns = [f"{name}.{column}" for column in shape.fields] if isinstance(shape, Shape) else [name]
            raise cannot_optimize([path for path in named if "." in path] or columns, entity.view(name))


def _paths(text: str) -> list[Path]:
    return [tuple(part.strip().split("/")) for part in text.split(",") if part.strip()]


def _count(options: Mapping[str, str], name: str) -> int | None:
    text = options.get(name)
    if text is None:
        return None
    if not text.strip().isdecimal():
        raise bad_query(f"Invalid value '{text}' for {name} query option.")
    return int(text)


@dataclass(frozen=True)
class Rendering:
    """How records of one request are written."""

    entity: Entity
    query: Query
    zone: tzinfo
    base: str

    def record(self, row: Row, number: int) -> dict[str, Any]:
        """A top-level record; `number` counts from 1 in this answer."""
        out = {"id": row["id"], "rowNumber": number, "note": {"value": ""}}
        out |= self._body(row, self.entity.shape, ())
        out["custom"] = self._custom(row)
        here = f"{self.base}/{self.entity.name}/{row['id']}"
        out["_links"] = {"self": here, "files:put": f"{self.base}/files/{self.entity.files}/{row['id']}/{{filename}}"}
        return out

    def _custom(self, row: Row) -> dict[str, dict[str, Any]]:
        """By view and field what was asked for (§3.3); of our entities the texts that they name."""
        out: dict[str, dict[str, Any]] = {}
        for name in self.query.custom:
            if name in self.entity.customs:
                view, _, column = name.partition(".")
                value = row.get(self.entity.customs[name])
                out.setdefault(view, {})[column] = {"type": "CustomStringField"} | ({} if value is None else {"value": value})
        return out

    def _body(self, row: Row, shape: Shape, path: Path) -> dict[str, Any]:
        select = self.query.select
        whole = select is None or path in select
        out: dict[str, Any] = {
            name: self._field(row.get(name), kind) for name, kind in shape.fields.items() if whole or self._named((*path, name))
        }
        for name, linked in shape.links.items():
            if whole or self._named((*path, name)):
                out[name] = self._linked(row.get(name), linked, (*path, name))
        for name, detail in sorted(shape.details.items()):
            expanded = (*path, name) in self.query.expand
            if expanded and self._named((*path, name)):
                rows = enumerate(row.get(name) or (), start=1)
                out[name] = [self._detail(item, n, detail, (*path, name)) for n, item in rows] if isinstance(detail, Shape) else []
            elif select is None:
                out[name] = []
        return out

    def _named(self, path: Path) -> bool:
        return self.query.select is None or any(chosen[: len(path)] == path for chosen in self.query.select)

    def _linked(self, row: Row | None, shape: Shape, path: Path) -> dict[str, Any] | None:
        if row is None or path not in self.query.expand or not self._named(path):
            return None
        return {"id": row["id"], "rowNumber": 1, "note": {"value": ""}, **self._body(row, shape, path), "custom": {}}

    def _detail(self, row: Row, number: int, shape: Shape, path: Path) -> dict[str, Any]:
        return {"id": row["id"], "rowNumber": number, "note": None, **self._body(row, shape, path), "custom": {}}

    def _field(self, value: Any, kind: Kind) -> dict[str, Any]:
        if value is None:
            return {}
        return {"value": iso(value, self.zone) if kind == "date" else value}


class PlainDay(datetime):
    """A day that newer builds write without a time (§13.2)."""


def iso(moment: datetime, zone: tzinfo) -> str:
    """A time as the API writes it: with the site's offset, the fraction without trailing zeros."""
    if isinstance(moment, PlainDay):
        return moment.date().isoformat()
    local = moment.astimezone(zone)
    fraction = f".{local.microsecond:06d}".rstrip("0").rstrip(".")
    return local.strftime(f"{local.year:04d}-%m-%dT%H:%M:%S") + fraction + (local.strftime("%z")[:3] + ":" + local.strftime("%z")[3:5])


def dumped(value: Any) -> Any:
    """A row for the dump: plain values, decimals as text, times in ISO form and UTC."""
    if isinstance(value, dict):
        return {name: dumped(item) for name, item in value.items()}
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, (datetime, date)):
        return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value.isoformat()
    return value
