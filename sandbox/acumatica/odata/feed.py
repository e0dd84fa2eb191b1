"""The DAC feeds over HTTP: paths, sign-in, query options, pages and refusals (facts/acumatica.md §5.9, §8, §13.4)."""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import Response

from sandbox.acumatica.ar.records import Document
from sandbox.acumatica.filter import collate
from sandbox.acumatica.odata.edmx import edmx
from sandbox.acumatica.odata.filter import Side, Wrong, compile_filter
from sandbox.acumatica.odata.sets import BY_NAME, SETS, EntitySet, Feeds
from sandbox.acumatica.switches import Switches
from sandbox.acumatica.wire import Garbled, Refusal, answer
from sandbox.data import Row, credentials
from sandbox.faults import fired

OPTIONS = ("$select", "$expand", "$filter", "$orderby", "$top", "$skip")
DEEPEST = 3
HEADERS = {"OData-Version": "4.0"}
KEYED = re.compile(r"(?P<name>[^()]+)\((?P<keys>.*)\)")
KEY = re.compile(r"\s*(?:(?P<name>\w+)\s*=\s*)?(?:'(?P<text>(?:[^']|'')*)'|(?P<bare>[^,']+))\s*(?:,|$)")


@dataclass(frozen=True)
class Query:
    """`select` None: all fields. `expand`: what is asked of each way that is followed."""

    select: tuple[str, ...] | None = None
    expand: Mapping[str, "Query"] = field(default_factory=dict)


def refused(status: int, text: str) -> Refusal:
    return Refusal(answer({"error": {"code": "", "message": text}}, status, HEADERS))


def basic(request: Request) -> bool:
    """Whether the call shows the user's name and password (a conventional sign-in: it takes no API seat)."""
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return False
    try:
        user, _, password = base64.b64decode(text, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return False
    return (user, password) == (credentials.ACUMATICA_USER, credentials.ACUMATICA_PASSWORD)


def serve(request: Request, feeds: Feeds, switches: Switches) -> Response:
    """One GET below `/t/{tenant}/api/odata/` (or its old names). Raises the Refusal that answers it."""
    if switches.odata == "forbidden":
        raise refused(403, "You have insufficient rights to access the feed: the OData4 User role is not assigned to the user.")
    plane, _, rest = request.path_params["rest"].removeprefix("api/").partition("/")
    if request.method != "GET":
        raise refused(405, f"The requested resource does not support http method '{request.method}'.")
    if plane.lower() == "odata":
        plane, _, rest = rest.partition("/")
    if (plane.lower(), rest) == ("gi", "$metadata"):
        return Response(edmx("GenericInquiry"), 200, HEADERS, "application/xml")
    if plane.lower() != "dac" or switches.odata == "absent":
        raise refused(404, f"No HTTP resource was found that matches the request URI '{request.url.path}'.")
    here = request.scope["path"].removesuffix(rest).rstrip("/")
    base = f"{request.url.scheme}://{request.url.netloc}{switches.root}{quote(here)}"
    try:
        return _Call(request, feeds, switches, base).answer(rest)
    except Wrong as wrong:
        raise refused(400, f"The query specified in the URI is not valid. {wrong}") from wrong


class _Call:
    def __init__(self, request: Request, feeds: Feeds, switches: Switches, base: str) -> None:
        self.request, self.feeds, self.switches, self.base = request, feeds, switches, base
        self.options = dict(request.query_params)
        hidden = fired(request.scope, "hidden-rows")
        self.hidden = set(map(str, hidden.args.get("keys", ()))) if hidden else set()
        spoilt = fired(request.scope, "garbled")
        self.spoilt: Mapping[str, Mapping[str, str]] = spoilt.args.get("rows", {}) if spoilt else {}

    def answer(self, rest: str) -> Response:
        if rest == "":
            names = sorted(one.full for one in SETS.values())
            rows = [{"name": name, "kind": "EntitySet", "url": name} for name in names]
            return self._ok({"@odata.context": f"{self.base}/$metadata", "value": rows})
        if rest == "$metadata":
            return Response(edmx("Default", SETS.values()), 200, HEADERS, "application/xml")
        name, _, function = rest.partition("/")
        keyed = KEYED.fullmatch(name)
        found = BY_NAME.get((keyed["name"] if keyed else name).lower())
        if found is None or function not in ("", "px.GetDeletedRecords()"):
            raise refused(404, f"No HTTP resource was found that matches the request URI '{self.request.url.path}'.")
        if unknown := [name for name in self.options if name.startswith("$") and name not in OPTIONS]:
            raise Wrong(f"The query option '{unknown[0]}' is not supported.")
        if function:
            return self._deleted(found)
        query = parsed(found, self.options.get("$select"), self.options.get("$expand"))
        return self._one(found, keyed["keys"], query) if keyed else self._many(found, query)

    def _many(self, found: EntitySet, query: Query) -> Response:
        rows = [row for row in self.feeds.of(found.name) if not self.hidden & {row.get("NoteID"), row.get("RefNbr")}]
        if self.options.get("$filter"):
            fits = compile_filter(self.options["$filter"], lambda path: resolve(self.feeds, found, path))
            rows = [row for row in rows if fits(row)]
        order = [*self._order(found), *((key, False) for key in found.keys)]
        if any(descending for _, descending in order):
            for path, descending in reversed(order):
                rows.sort(key=self._by(found, [path]), reverse=descending)
        else:
            rows.sort(key=self._by(found, [path for path, _ in order]))
        skip, top = self._count("$skip") or 0, self._count("$top")
        wanted = rows[skip:] if top is None else rows[skip : skip + top]
        page = wanted[: self.switches.odata_page] if self.switches.odata_page else wanted
        body: dict[str, Any] = {"@odata.context": self._context(found, query), "value": [self._shown(found, row, query) for row in page]}
        if len(page) < len(wanted):
            more = {**self.options, "$skip": str(skip + len(page))} | ({} if top is None else {"$top": str(top - len(page))})
            body["@odata.nextLink"] = f"{self.base}/{found.full}?{urlencode(more, safe='$,()')}"
        return self._ok(body)

    def _one(self, found: EntitySet, text: str, query: Query) -> Response:
        """By its key: `SOOrder(OrderType='SO',OrderNbr='000058')`."""
        given = {match["name"] or found.keys[0]: match["bare"] if match["text"] is None else match["text"] for match in KEY.finditer(text)}
        if {name.lower() for name in given} != {name.lower() for name in found.keys}:
            raise Wrong(f"The key of {found.type_name} is {', '.join(found.keys)}.")
        wanted = {name.lower(): collate(value.strip().replace("''", "'")) for name, value in given.items()}
        for row in self.feeds.of(found.name):
            if all(collate(str(row[name])) == wanted[name.lower()] for name in found.keys):
                return self._ok({"@odata.context": f"{self._context(found, query)}/$entity", **self._shown(found, row, query)})
        raise refused(404, "The resource was not found.")

    def _deleted(self, found: EntitySet) -> Response:
        """§8: the NoteIDs and times of deleted rows, of the tables that the site tracks."""
        tracked = {name.strip().lower() for name in self.switches.deleted_tracked.split(",")}
        gone = self.feeds.books.deleted if found.name.lower() in tracked else []
        rows = [{"RefNoteID": one.document.note_id, "DeleteDate": one.at} for one in gone if _is_row(found, one.document)]
        kinds = {"RefNoteID": "guid", "DeleteDate": "date"}
        if self.options.get("$filter"):

            def side(path: str) -> Side:
                if path not in kinds:
                    raise Wrong(f"Could not find a property named '{path}' on type 'PX.Api.OData.DAC.DeletedRecordResult'.")
                return Side(kinds[path], lambda row: row[path])

            fits = compile_filter(self.options["$filter"], side)
            rows = [row for row in rows if fits(row)]
        context = f"{self.base}/$metadata#Collection(PX.Api.OData.DAC.DeletedRecordResult)"
        return self._ok({"@odata.context": context, "value": [{name: _value(value) for name, value in row.items()} for row in rows]})

    def _by(self, found: EntitySet, paths: list[str]) -> Callable[[Row], list[tuple[bool, Any]]]:
        getters = [resolve(self.feeds, found, path).get for path in paths]
        return lambda row: [_sortable(get(row)) for get in getters]

    def _order(self, found: EntitySet) -> list[tuple[str, bool]]:
        out = []
        for part in self.options.get("$orderby", "").split(","):
            words = part.split()
            if words[1:] not in ([], ["asc"], ["desc"]):
                raise Wrong(f"Syntax error in '{part}'.")
            if words:
                out.append((words[0], words[1:] == ["desc"]))
        return out

    def _count(self, name: str) -> int | None:
        text = self.options.get(name)
        if text is not None and not text.isdecimal():
            raise Wrong(f"Invalid value '{text}' for {name} query option found. The {name} query option requires a non-negative integer.")
        return None if text is None else int(text)

    def _context(self, found: EntitySet, query: Query) -> str:
        def inside(one: Query) -> str:
            names = [*(one.select or ()), *(f"{name}({inside(inner)})" for name, inner in one.expand.items())]
            return ",".join(names)

        text = inside(query)
        return f"{self.base}/$metadata#{found.full}" + (f"({text})" if text else "")

    def _shown(self, found: EntitySet, row: Row, query: Query) -> Row:
        names = found.fields if query.select is None else query.select
        out = {name: _value(row.get(name)) for name in names}
        for name, text in self.spoilt.get(str(row.get("NoteID")), {}).items():
            if name in out:
                out[name] = Garbled(text)
        for name, inner in query.expand.items():
            nav = found.navs[name]
            value = nav.get(self.feeds, row)
            target = SETS[nav.target]
            many = [self._shown(target, one, inner) for one in (value if nav.many else [value]) if one is not None]
            out[name] = many if nav.many else (many[0] if many else None)
        return out

    def _ok(self, body: dict[str, Any]) -> Response:
        return Response(answer(body).body, 200, HEADERS, "application/json; odata.metadata=minimal")


def parsed(found: EntitySet, select: str | None, expand: str | None, depth: int = 1) -> Query:
    """`$select` and `$expand` with the names as they are declared. Raises Wrong."""
    names = None if not select or select.strip() == "*" else tuple(_known(found, name.strip()) for name in select.split(","))
    ways: dict[str, Query] = {}
    for item in _split(expand or "", ","):
        name, _, inner = item.partition("(")
        way = next((one for one in found.navs if one.lower() == name.strip().lower()), None)
        if way is None:
            raise Wrong(f"Could not find a property named '{name.strip()}' on type '{found.type_name}'.")
        if depth > DEEPEST:
            raise Wrong(f"The request includes a $expand path which is too deep. The maximum depth allowed is {DEEPEST}.")
        options = dict(part.strip().split("=", 1) for part in _split(inner.removesuffix(")"), ";") if "=" in part)
        ways[way] = parsed(SETS[found.navs[way].target], options.get("$select"), options.get("$expand"), depth + 1)
    return Query(names, ways)


def resolve(feeds: Feeds, found: EntitySet, path: str) -> Side:
    """The property that a path of `$filter` or `$orderby` leads to."""
    step, _, rest = path.partition("/")
    if not rest:
        name = _known(found, step)
        return Side(found.fields[name], lambda row: row.get(name))
    way = next((one for one in found.navs if one.lower() == step.lower()), None)
    if way is None or found.navs[way].many:
        raise Wrong(f"Could not find a property named '{step}' on type '{found.type_name}'.")
    inner = resolve(feeds, SETS[found.navs[way].target], rest)
    get = found.navs[way].get

    def value(row: Row) -> Any:
        other = get(feeds, row)
        return None if other is None else inner.get(other)

    return Side(inner.kind, value)


def _known(found: EntitySet, name: str) -> str:
    for known in found.fields:
        if known.lower() == name.lower():
            return known
    if name.lower() in (one.lower() for one in found.refused):
        raise Wrong(f"The property '{name}' cannot be used in the $filter or $select query option.")
    raise Wrong(f"Could not find a property named '{name}' on type '{found.type_name}'.")


def _split(text: str, mark: str) -> list[str]:
    """Parts between the marks that are outside of parentheses."""
    parts, depth = [""], 0
    for char in text:
        depth += (char == "(") - (char == ")")
        if char == mark and depth == 0:
            parts.append("")
        else:
            parts[-1] += char
    return [part for part in parts if part.strip()]


def _is_row(found: EntitySet, document: Document) -> bool:
    return {"ARRegister": True, "ARInvoice": document.type.invoice, "ARPayment": document.type.payment}.get(found.name, False)


def _sortable(value: Any) -> tuple[bool, Any]:
    """Empty values come first."""
    return (value is not None, collate(value) if isinstance(value, str) else value) if value is not None else (False, 0)


def _value(value: Any) -> Any:
    """Times in UTC with `Z`, the fraction without zeros at its end."""
    if not isinstance(value, datetime):
        return value
    text = value.astimezone(UTC).replace(tzinfo=None)
    fraction = f".{text.microsecond:06d}".rstrip("0").rstrip(".")
    return text.replace(microsecond=0).isoformat() + fraction + "Z"
