"""PUT and DELETE of customers and contacts (facts/acumatica.md §3.4, §4.8, §4.9, §6.2, §13.2).

Only their own fields, a customer's MainContact and the addresses are written; what else is sent is ignored, as names that nobody knows are.
"""

import copy
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from sandbox.acumatica.person import READ_ONLY, blank, filled
from sandbox.acumatica.query import Path, Query
from sandbox.acumatica.schema import CONTACT, CUSTOMER, Entity, Kind, Shape
from sandbox.acumatica.store import Store, Table, settle
from sandbox.acumatica.switches import Switches
from sandbox.acumatica.wire import Refusal, answer, failure
from sandbox.data import Row

Json = dict[str, Any]

LENGTHS = {
    **dict.fromkeys(("CustomerName", "CompanyName", "FullName", "Email", "JobTitle", "WebSite"), 255),
    **dict.fromkeys(("AccountRef", "FirstName", "Phone1", "Phone2", "Phone3", "Fax", "City", "State", "TaxRegistrationID"), 50),
    **dict.fromkeys(("AddressLine1", "AddressLine2"), 50),
    **dict.fromkeys(("CustomerClass", "Terms", "TaxZone", "PriceClassID", "StatementCycleID"), 10),
    "CustomerID": 30, "CurrencyID": 5, "LastName": 100, "ExtRefNbr": 40, "LocationName": 60, "PostalCode": 20, "Country": 2,
}  # fmt: skip
_KEPT = (*READ_ONLY, "ContactID", "DisplayName", "PrimaryContactID")  # 200 with the old value (§4.8)
_LINKS = ("MainContact", "Address")
_FRAME = ("id", "rowNumber", "note", "custom", "error", "files", "_links", "delete")
NEW = "<NEW>"


@dataclass
class Sent:
    """A request's body, read: what to save by dotted names, the known fields and linked entities in it, and what is wrong with it."""

    values: Row = field(default_factory=dict)
    links: set[Path] = field(default_factory=set)
    fields: set[Path] = field(default_factory=set)
    errors: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Written:
    """The row as it is now, and the query that shows of it what the answer of a PUT shows."""

    row: Row
    query: Query


class Writer:
    """Writes one request into the tables, whole or not at all. Raises the Refusal that answers it."""

    def __init__(self, store: Store, table: Table, switches: Switches, links: str) -> None:
        self.store, self.table, self.switches, self.links = store, table, switches, links
        self.entity: Entity = table.entity

    def put(self, raw: bytes, query: Query, fits: Callable[[Row], bool] | None, headers: Mapping[str, str], silent: bool) -> Written:
        """Upsert by `id`, else by key, else by $filter; 200 for both. `silent` (a fault) answers and saves nothing."""
        body = parsed(raw)
        row = self._target(body, fits)
        precondition(headers, row is not None)
        sent = Sent()
        self._read(self.entity.shape, body, (), sent)
        key = sent.values.pop(self.entity.key, None) if self.entity is CUSTOMER else None
        self._check(row, sent, key)
        if sent.errors:
            raise self._invalid(body, row, sent.errors)
        changes = settle(self.table, row or {}, sent.values)
        row = self._insert(key, changes, silent) if row is None else self._update(row, changes, silent)
        return Written(row, _shown(self.entity, sent, changes, query))

    def delete(self, row: Row, silent: bool) -> None:
        if not silent:
            self.store.delete(self.table, row, "api")

    def _target(self, body: Json, fits: Callable[[Row], bool] | None) -> Row | None:
        if isinstance(body.get("id"), str):
            return self.table.by_id.get(body["id"].lower())
        wrapper = body.get(self.entity.key)
        if isinstance(wrapper, dict) and wrapper.get("value") not in (None, "", NEW):
            return self.table.find(wrapper["value"])
        return only(self.table, fits)

    def _read(self, shape: Shape, body: Json, way: Path, sent: Sent) -> None:
        for name, wrapper in body.items():
            path = (*way, name)
            if name in shape.links and name in _LINKS and isinstance(wrapper, dict):
                sent.links.add(path)
                self._read(shape.links[name], wrapper, path, sent)
            elif name in shape.fields:
                if not isinstance(wrapper, dict):
                    raise unreadable(".".join(path))
                sent.fields.add(path)
                if "value" in wrapper and name not in _KEPT:  # `{}` leaves a field alone
                    self._take(path, wrapper["value"], shape.fields[name], sent)
            elif self.switches.unknown_fields == "refused" and name not in (*shape.links, *shape.details, *_FRAME):
                raise unreadable(".".join(path))

    def _take(self, path: Path, value: Any, kind: Kind, sent: Sent) -> None:
        name = ".".join(path)
        value = None if value == "" else cast(name, value, kind)
        most = LENGTHS.get(path[-1])
        if most and isinstance(value, str) and len(value) > most:
            if self.switches.too_long == "error":
                sent.errors[name] = f"The string value provided exceeds the field '{path[-1]}' length of {most}."
            value = value[:most]
        sent.values[name] = value

    def _check(self, row: Row | None, sent: Sent, key: Any) -> None:
        """What the form asks for, and references to what is not there."""
        new = row is None
        for name in ("CustomerName",) if self.entity is CUSTOMER else ("LastName",):
            if (new or name in sent.values) and not sent.values.get(name):
                sent.errors.setdefault(name, f"'{name}' cannot be empty.")
        if self.entity is CUSTOMER and new and not key and self.switches.customer_numbering == "manual":
            sent.errors["CustomerID"] = "'CustomerID' cannot be empty."
        if self.entity is CUSTOMER and new and key and self.store.accounts.find(key) is not None:
            sent.errors["CustomerID"] = f"The '{key}' business account exists and is no customer."
        account = sent.values.get("BusinessAccount")
        if self.entity is CONTACT and account is not None:
            found = self.store.accounts.find(account)
            if found is None:
                sent.errors["BusinessAccount"] = "'Business Account' cannot be found in the system."
            else:
                sent.values["BusinessAccount"] = found["BusinessAccountID"]

    def _insert(self, key: Any, values: Row, silent: bool) -> Row:
        row = blank(self.store, self.table)
        if self.entity is CUSTOMER and key and self.switches.customer_numbering == "manual":
            row["CustomerID"] = key.upper().rstrip()  # the input mask
        row = filled(row, values)
        if silent:
            return {**row, "id": "00000000-0000-0000-0000-000000000000"}
        return self.store.create(self.table, row, "api")

    def _update(self, row: Row, changes: Row, silent: bool) -> Row:
        if silent:
            return copy.deepcopy(row)
        self.store.update(self.table, row, changes, "api")
        return row

    def _invalid(self, body: Json, row: Row | None, errors: dict[str, str]) -> Refusal:
        """422: the entity itself with the errors in it; by switch a 500 (§6.2)."""
        doing = "Updating" if row is not None else "Inserting "
        text = f"{doing} '{self.entity.name}' record raised at least one error. Please review the errors."
        if self.switches.validation_shape == "500":
            lines = "\n".join(f"{name}: {error}" for name, error in errors.items())
            kind = "PX.Api.ContractBased.OutcomeEntityHasErrorsException"
            return failure(f"{text}\n{lines}", kind, "PX.Api.ContractBased.EntityService.Put(EntityImpl entity)")
        note_id = row["id"] if row is not None else "00000000-0000-0000-0000-000000000000"
        out: Json = {"id": note_id, "rowNumber": 1, "error": text, self.entity.key: {"value": row[self.entity.key] if row else NEW}}
        out |= {name: copy.deepcopy(value) for name, value in body.items() if isinstance(value, dict)}
        for name, error in errors.items():
            *way, last = name.split(".")
            inner = out
            for step in way:
                inner = inner[step]
            inner.setdefault(last, {})
            inner[last] = {**inner[last], "error": error}
        return Refusal(answer({**out, "_links": {"self": f"{self.links}/{self.entity.name}/{note_id}"}}, 422))


def parsed(raw: bytes) -> Json:
    """The body as JSON with exact numbers; a 400 if it is none, or no object."""
    try:
        body = json.loads(raw, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise unreadable("entity") from error
    if not isinstance(body, dict):
        raise unreadable("entity")
    return body


def precondition(headers: Mapping[str, str], there: bool) -> None:
    """`If-Match: *` changes only, `If-None-Match: *` makes only (§4.8): a 412 otherwise."""
    if not there and headers.get("If-Match") == "*":
        raise failure("No entity satisfies the condition.", "PX.Api.ContractBased.PreconditionFailed", "If-Match", 412)
    if there and headers.get("If-None-Match") == "*":
        raise failure("The record already exists.", "PX.Api.ContractBased.PreconditionFailed", "If-None-Match", 412)


def only(rows: Iterable[Row], fits: Callable[[Row], bool] | None) -> Row | None:
    """The one row that a PUT's $filter names; more than one are refused."""
    found = [] if fits is None else [row for row in rows if fits(row)]
    if len(found) > 1:
        raise failure("More than one entity satisfies the condition.", "PX.Api.ContractBased.AmbiguousEntity", "PUT")
    return found[0] if found else None


def unreadable(name: str) -> Refusal:
    refusal = {"message": "An exception occurred during input parsing.", "modelState": {name: ["The value is invalid."]}}
    return Refusal(answer(refusal, 400))


def cast(name: str, value: Any, kind: Kind) -> Any:
    if value is None or kind in ("string", "guid"):
        return value if value is None or isinstance(value, str) else str(value)
    try:
        if kind == "bool" and str(value).lower() in ("true", "false"):
            return str(value).lower() == "true"
        if kind == "int" and not isinstance(value, bool):
            return int(str(value))
        if kind == "decimal" and not isinstance(value, bool) and Decimal(str(value)).is_finite():
            return Decimal(str(value))
        if kind == "date":
            moment = datetime.fromisoformat(value)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (InvalidOperation, TypeError, ValueError):
        pass
    raise unreadable(name)


def _shown(entity: Entity, sent: Sent, changes: Row, query: Query) -> Query:
    """The fields sent, those that changed along with them, the key, and what $select and $expand ask for: no more (§3.4)."""
    along = {path for name in changes if (path := tuple(name.split(".")))[:-1] in {(), *sent.links}}
    asked = query.select if query.select is not None else query.expand
    select = sent.fields | along | asked | {(entity.key,)}
    return Query(frozenset(select), query.expand | sent.links, query.filter, None, 0)
