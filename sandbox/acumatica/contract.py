"""The contract-based API over the tables: what a path, a method and the query options ask for (facts/acumatica.md §2.3, §4)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sandbox.acumatica.actions import Operations, invoke
from sandbox.acumatica.ar.entities import DOCUMENTS
from sandbox.acumatica.ar.parts import Site
from sandbox.acumatica.ar.put import DocumentWriter
from sandbox.acumatica.ar.views import DocumentTable
from sandbox.acumatica.entities import SERVED
from sandbox.acumatica.filter import compile_filter
from sandbox.acumatica.lists import Lists
from sandbox.acumatica.openapi import WRITABLE, document
from sandbox.acumatica.query import Query, Rendering, optimizable, parse
from sandbox.acumatica.schema import CUSTOMER, Entity
from sandbox.acumatica.store import Store, Table, with_linked
from sandbox.acumatica.switches import Switches
from sandbox.acumatica.wire import Refusal, answer, garbled, message, no_entity
from sandbox.acumatica.write import Writer
from sandbox.data import Row, credentials
from sandbox.faults import fired

Spoilt = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Contract:
    """Answers calls. Raises the Refusal that answers them otherwise."""

    store: Store
    switches: Switches
    zone: tzinfo
    versions: list[str]
    lists: Lists
    operations: Operations

    def table(self, entity: Entity) -> Table | DocumentTable:
        if entity.name not in DOCUMENTS:
            return self.store.tables[entity.name]
        switches = self.switches
        negative = switches.voided_payment_amount == "negative"
        site = Site(self.zone, switches.date_form == "plain", negative, switches.sales_invoices == "all")
        return DocumentTable(entity, self.store.books, self.store.customer_numbers, site)

    def dispatch(self, request: Request) -> Response:
        """What the path and the method ask for (§2.3)."""
        self.store.books_actor = "api"
        try:
            return self._dispatch(request)
        finally:
            self.store.books_actor = "person"

    def _dispatch(self, request: Request) -> Response:
        parts = request.path_params["rest"].split("/")
        endpoint, version, name, *keys = parts if len(parts) > 2 else ("", "", "")
        if self.switches.path_case == "any":
            names = {known.lower(): known for known in (*SERVED, credentials.ACUMATICA_ENDPOINT)}
            endpoint, name = (names.get(text.lower(), text) for text in (endpoint, name))
        base = f"{self.switches.root}/entity/{endpoint}/{version}"
        known = endpoint == credentials.ACUMATICA_ENDPOINT and version in self.versions
        if known and (name, keys, request.method) == ("swagger.json", [], "GET"):
            return answer(document(f"{request.url.scheme}://{request.url.netloc}{base}"))
        if not known or name not in SERVED:
            if self.switches.not_found_body == "empty":
                raise Refusal(Response(status_code=404))
            raise message(404, f"No HTTP resource was found that matches the request URI '{request.url.path}'.")
        entity = SERVED[name]
        if name in [text.strip() for text in self.switches.forbidden.split(",")]:
            raise message(403, f"You have insufficient rights to access the {entity.form} form.")
        self.operations.settle()
        if (keys[1:2] == ["status"] and len(keys) == 3) or (request.method == "POST" and keys):
            return self._action(request, entity, keys, base)
        if request.method == "POST":
            raise message(406, "The requested resource does not support POST.")
        self.operations.check(name, request.state.session)
        query = parse(entity, dict(request.query_params))
        rendering = Rendering(entity, query, self.zone, base)
        if request.method == "GET":
            hidden = set(map(str, fault.args.get("keys", ()))) if (fault := fired(request.scope, "hidden-rows")) else set()
            spoilt = fault.args.get("rows", {}) if (fault := fired(request.scope, "garbled")) else {}
            return self._one(rendering, keys, hidden, spoilt) if keys else self._list(rendering, hidden, spoilt)
        if entity.name not in WRITABLE or request.method == "PATCH" or bool(keys) != (request.method == "DELETE"):
            raise message(405, f"The requested resource does not support http method '{request.method}'.")
        return self._write(request, rendering, keys)

    def _action(self, request: Request, entity: Entity, keys: list[str], base: str) -> Response:
        table = self.table(entity)
        if not isinstance(table, DocumentTable):
            raise message(404, "No action with this name.")
        return invoke(request, self.operations, table, self.store.books, keys, base)

    def _write(self, request: Request, rendering: Rendering, keys: list[str]) -> Response:
        """PUT to a collection, DELETE of a record (§4.8, §4.9)."""
        entity, query, silent = rendering.entity, rendering.query, fired(request.scope, "silent") is not None
        table = self.table(entity)
        writer: Writer | DocumentWriter
        if isinstance(table, DocumentTable):
            writer = DocumentWriter(self.store, table, self.switches, rendering.base)
        else:
            writer = Writer(self.store, table, self.switches, rendering.base)
        if request.method == "DELETE":
            if self.switches.missing_delete == "404" and table.find(_key(entity, keys)) is None:
                raise message(404, "No entity satisfies the condition.")
            writer.delete(self._row(entity, keys), silent)
            return Response(status_code=204)
        done = writer.put(request.state.body, query, self._fits(entity, query), request.headers, silent)
        return answer(replace(rendering, query=done.query).record(self._full(table, done.row, done.query), 1))

    def _row(self, entity: Entity, keys: list[str]) -> Row:
        row = self.table(entity).find(_key(entity, keys))
        if row is None:
            raise no_entity()
        return row

    def _fits(self, entity: Entity, query: Query) -> Callable[[dict[str, Any]], bool] | None:
        switches = self.switches
        return compile_filter(query.filter, entity, switches.cross_view, switches.detail_filter) if query.filter else None

    def _one(self, rendering: Rendering, keys: list[str], hidden: set[str], spoilt: Spoilt) -> Response:
        """A record by its key or its NoteID (§4.4)."""
        entity = rendering.entity
        row = self._row(entity, keys)
        if {str(row[entity.key]), row["id"]} & hidden:
            raise no_entity()
        return answer(garbled(rendering.record(self._full(self.table(entity), row, rendering.query), 1), spoilt.get(row["id"], {})))

    def _list(self, rendering: Rendering, hidden: set[str], spoilt: Spoilt) -> Response:
        """The rows as they are now, in key order (§4.1, §4.7)."""
        entity, query = rendering.entity, rendering.query
        optimizable(entity, query)
        fits = self._fits(entity, query)
        rows = self.table(entity)
        if isinstance(rows, DocumentTable) and "/" in (query.filter or ""):  # a filter may ask for a linked entity's field
            found = [row for row in rows if fits is None or fits(rows.full(row, entity.shape.links))]
        else:
            found = [row for row in rows if fits is None or fits(row)]
        if hidden:
            found = [row for row in found if not {str(row[entity.key]), row["id"]} & hidden]
        end = None if query.top is None else query.skip + query.top
        page = found[query.skip : end]
        self.lists.count(entity, query, len(page))
        records = [rendering.record(self._full(rows, row, query), number) for number, row in enumerate(page, start=1)]
        return answer([garbled(record, spoilt.get(record["id"], {})) for record in records])

    def _full(self, rows: Table | DocumentTable, row: Row, query: Query) -> Row:
        wanted = {path[0] for path in query.expand}
        if isinstance(rows, DocumentTable):
            return rows.full(row, wanted)
        return with_linked(row, wanted, self.store) if rows.entity is CUSTOMER else row


def _key(entity: Entity, keys: list[str]) -> str:
    """A document's key has two parts; any other has one."""
    return "/".join(keys) if entity.name in DOCUMENTS else keys[0] if len(keys) == 1 else ""
