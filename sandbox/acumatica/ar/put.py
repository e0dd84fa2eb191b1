"""PUT and DELETE of AR documents (facts/acumatica.md §3.4, §4.8, §4.9, §6.2, §13.2, S11, S12): what is not released can be written."""

import copy
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from sandbox.acumatica.ar.books import Books
from sandbox.acumatica.ar.clerk import ENTERED, bill_to
from sandbox.acumatica.ar.codes import LABELS, RATES, TYPES, money
from sandbox.acumatica.ar.history import ITEMS
from sandbox.acumatica.ar.records import Document, Line, NotAllowed
from sandbox.acumatica.ar.views import DocumentTable
from sandbox.acumatica.query import Query
from sandbox.acumatica.schema import Shape
from sandbox.acumatica.store import Store
from sandbox.acumatica.switches import Switches
from sandbox.acumatica.wire import Refusal, answer, failure
from sandbox.acumatica.write import NEW, Written, cast, only, parsed, precondition, unreadable
from sandbox.data import Row

Json = dict[str, Any]
LENGTHS = {
    "Description": 512,
    **dict.fromkeys(("CustomerOrder", "ExternalRef", "PaymentRef"), 40),
    **dict.fromkeys(("TransactionDescr", "TransactionDescription"), 256),
}
# The entities' names for a document's own fields, as far as they can be written.
FIELDS = {"Description": "description", "CustomerOrder": "reference", "PaymentRef": "reference", "ExternalRef": "external_ref",
          "Terms": "terms", "PaymentMethod": "method", "Date": "day", "ApplicationDate": "day", "DueDate": "due"}  # fmt: skip
GOODS = {item: (text, uom, Decimal(price)) for item, text, uom, price in ITEMS}


@dataclass
class Sent:
    """A body, read: the header's values, its details as they came, and what is wrong, by the way to it."""

    values: Row = field(default_factory=dict)
    errors: dict[tuple[str | int, ...], str] = field(default_factory=dict)


class DocumentWriter:
    """Writes one request into the books, whole or not at all. Raises the Refusal that answers it."""

    def __init__(self, store: Store, table: DocumentTable, switches: Switches, links: str) -> None:
        self.store, self.table, self.switches, self.links = store, table, switches, links
        self.shape = table.entity.shape

    def put(self, raw: bytes, query: Query, fits: Callable[[Row], bool] | None, headers: Mapping[str, str], silent: bool) -> Written:
        """Upsert by `id`, else by type and number, else by $filter; 200 for both. A released document keeps what it has (§4.8)."""
        body = parsed(raw)
        found = self._target(body, fits)
        precondition(headers, found is not None)
        sent = self._read(body)
        save = self._insert(body, sent) if found is None else self._update(found, body, sent)
        if sent.errors:
            raise self._invalid(body, found, sent)
        select = {(name,) for name in body if name in self.shape.fields} | {("Type",), ("ReferenceNbr",)}
        asked = query.select if query.select is not None else query.expand
        row = self._silent(found, save) if silent else self.table.row(save(self.store.books))
        return Written(row, Query(frozenset(select) | asked, query.expand, query.filter, None, 0))

    def delete(self, row: Row, silent: bool) -> None:
        if not silent:
            try:
                self.store.books.delete(self.store.books.by_id[row["id"]])
            except NotAllowed as refused:
                raise failure(str(refused), "PX.Data.PXException", "PX.Data.PXGraph.Persist()") from refused

    def _target(self, body: Json, fits: Callable[[Row], bool] | None) -> Document | None:
        if isinstance(body.get("id"), str):
            return self.table.document(body["id"])
        number = _value(body, "ReferenceNbr")
        if number not in (None, "", NEW):
            return self.table.document(f"{self.table.label(str(_value(body, 'Type') or self._default()))}/{number}")
        row = only(self.table, fits)
        return None if row is None else self.store.books.by_id[row["id"]]

    def _default(self) -> str:
        return "Payment" if self.table.entity.name == "Payment" else "Invoice"

    def _read(self, body: Json) -> Sent:
        """The header's values. What nobody knows is left out in silence, or a 400 by switch."""
        sent = Sent()
        known = (*self.shape.fields, *self.shape.links, *self.shape.details, "id", "custom", "note", "rowNumber", "files", "_links")
        for name, wrapper in body.items():
            if name not in known and self.switches.unknown_fields == "refused":
                raise unreadable(name)
            if name in self.shape.fields and "value" in _wrapper(name, wrapper):
                sent.values[name] = self._take((name,), wrapper["value"], self.shape, sent)
        return sent

    def _take(self, way: tuple[str | int, ...], value: Any, shape: Shape, sent: Sent) -> Any:
        name = str(way[-1])
        value = None if value == "" else cast(".".join(map(str, way)), value, shape.fields[name])
        most = LENGTHS.get(name)
        if most and isinstance(value, str) and len(value) > most:
            if self.switches.too_long == "error":
                sent.errors[way] = f"The string value provided exceeds the field '{name}' length of {most}."
            value = value[:most]
        return value

    def _own(self, sent: Sent) -> Row:
        """The values under the names of a Document."""
        own = {FIELDS[name]: value for name, value in sent.values.items() if name in FIELDS}
        for name in ("day", "due"):
            if own.get(name) is not None:
                own[name] = own[name].date()
        return {name: value for name, value in own.items() if value is not None or name not in ("day", "due")}

    def _insert(self, body: Json, sent: Sent) -> Callable[[Books], Document]:
        name = "Customer" if self.table.entity.name == "Invoice" else "CustomerID"
        code = str(sent.values.get("Type") or self._default())
        code = LABELS.get(code, code)
        if code not in ENTERED or not (TYPES[code].payment if self._default() == "Payment" else TYPES[code].invoice):
            sent.errors["Type",] = f"'{code}' is not in the list of allowed values."
        key = sent.values.get(name)
        firm = None if key is None else self.store.customers.find(key)
        if firm is None:
            sent.errors[name,] = "'Customer' cannot be found in the system." if key else f"'{name}' cannot be empty."
            return _nothing
        if firm["Status"] == "Inactive" or (firm["Status"] == "Credit Hold" and code == "INV"):
            sent.errors[()] = f"The customer status is '{firm['Status']}'."
        currency = sent.values.get("CurrencyID") or sent.values.get("Currency") or firm.get("CurrencyID") or "USD"
        if currency not in RATES:
            sent.errors["CurrencyID" if self._default() == "Payment" else "Currency",] = "'Currency' cannot be found in the system."
        fields: Row = {"day": self.store.stamp().date(), **self._own(sent), "currency": currency}
        hold = sent.values.get("Hold") is True
        if self._default() == "Payment":
            return self._payment(body, sent, code, firm, hold, fields)
        lines = self._lines((), body, sent)
        fields |= {"due": fields.get("due") or fields["day"] + timedelta(days=30), "lines": lines, "bill_to": bill_to(firm, {})}
        fields["origin"] = "SO" if self.table.entity.name == "SalesInvoice" else "AR"
        total = sum((line.amount for line in lines), Decimal(0))
        if total < 0:
            sent.errors[()] = "The document total cannot be negative."
        return lambda books: books.enter(code, firm["BAccountID"], total, hold=hold, **fields)

    def _payment(self, body: Json, sent: Sent, code: str, firm: Row, hold: bool, fields: Row) -> Callable[[Books], Document]:
        shares: list[tuple[Document, Decimal]] = []
        for place, one in enumerate(_rows(body, "DocumentsToApply")):
            kind, number = str(_value(one, "DocType") or "Invoice"), _value(one, "ReferenceNbr")
            found = self.store.books.find((LABELS.get(kind, kind), str(number)))
            if found is None or found.customer != firm["BAccountID"]:
                sent.errors["DocumentsToApply", place, "ReferenceNbr"] = "'Reference Nbr.' cannot be found in the system."
                continue
            share = cast("AmountPaid", _value(one, "AmountPaid"), "decimal")
            share = found.balance if share is None else share
            if not found.open or not 0 < share <= found.balance or found.currency != fields["currency"] or found.type.sign < 0:
                sent.errors["DocumentsToApply", place, "AmountPaid"] = "The amount exceeds the balance of the document."
            shares.append((found, share))
        total = sum((share for _, share in shares), Decimal(0))
        amount = sent.values.get("PaymentAmount")
        amount = total if amount is None else amount
        if amount < total or amount < 0 or amount != money(amount):
            sent.errors["PaymentAmount",] = "The payment amount is less than what is applied."

        def save(books: Books) -> Document:
            payment = books.enter(code, firm["BAccountID"], amount, hold=hold, **fields)
            for found, share in shares if books is self.store.books else ():
                books.apply(payment, found, share)
            return payment

        return save

    def _update(self, found: Document, body: Json, sent: Sent) -> Callable[[Books], Document]:
        firm = self.store.customer(found.customer)
        if firm is not None and firm["Status"] == "Inactive":
            sent.errors[()] = "The customer status is 'Inactive'."
        if found.released:
            return lambda books: found
        changes = self._own(sent)
        if self._default() == "Invoice" and _rows(body, "Details"):
            changes["lines"] = self._lines(found.lines, body, sent)
        if isinstance(sent.values.get("Hold"), bool):
            changes["status"] = "H" if sent.values["Hold"] else "B"
        return lambda books: books.revise(found, **changes)

    def _lines(self, old: tuple[Line, ...], body: Json, sent: Sent) -> tuple[Line, ...]:
        """The rows as they are to be: changed by `id` or LineNbr, added without, gone by `delete`; the others stay (§3.4)."""
        shape = self.shape.details["Details"]
        assert isinstance(shape, Shape)
        lines = {line.number: line for line in old}
        for place, one in enumerate(_rows(body, "Details")):
            way = ("Details", place)
            given = {name: self._take((*way, name), wrapper.get("value"), shape, sent)
                     for name, wrapper in one.items() if name in shape.fields and "value" in _wrapper(name, wrapper)}  # fmt: skip
            before = next((line for line in lines.values() if line.note_id == one.get("id") or line.number == given.get("LineNbr")), None)
            if one.get("delete") is True:
                if before is not None:
                    del lines[before.number]
                continue
            item = given.get("InventoryID", before.item if before else None)
            if item is not None and item not in GOODS and (before is None or item != before.item):
                sent.errors[(*way, "InventoryID")] = "'Inventory ID' cannot be found in the system."
            number = before.number if before else max(lines, default=0) + 1
            lines[number] = _line(number, before, item, given)
        return tuple(lines[number] for number in sorted(lines))

    def _silent(self, found: Document | None, save: Callable[[Books], Document]) -> Row:
        """What a save would show that saves nothing: the old row, or a new one that is nowhere."""
        if found is not None:
            return self.table.row(found)
        nowhere = Books(self.store.stamp, lambda *entry: None)
        return {**self.table.row(save(nowhere)), "id": str(uuid.UUID(int=0)), "ReferenceNbr": NEW}

    def _invalid(self, body: Json, found: Document | None, sent: Sent) -> Refusal:
        """422: the entity itself with the errors in it, where they are; by switch a 500 (§6.2)."""
        doing = "Updating" if found is not None else "Inserting "
        text = f"{doing} '{self.table.entity.name}' record raised at least one error. Please review the errors."
        lines = [": ".join((*(str(step) for step in way[-1:]), error)) for way, error in sent.errors.items()]
        if self.switches.validation_shape == "500":
            kind = "PX.Api.ContractBased.OutcomeEntityHasErrorsException"
            raise failure("\n".join((text, *lines)), kind, "PX.Api.ContractBased.EntityService.Put(EntityImpl entity)")
        note_id = found.note_id if found is not None else str(uuid.UUID(int=0))
        out: Json = {"id": note_id, "rowNumber": 1, "error": sent.errors.get((), text)}
        out["ReferenceNbr"] = {"value": found.number if found else NEW}
        out |= {name: copy.deepcopy(value) for name, value in body.items() if isinstance(value, (dict, list))}
        for way, error in sent.errors.items():
            if way:
                *steps, last = way
                inner: Any = out
                for step in steps:
                    inner = inner[step]
                if "id" not in inner:  # a new row of a detail
                    inner |= {"id": str(uuid.uuid4()), "rowNumber": int(steps[-1]) + 1}
                inner[last] = {**inner.get(last, {}), "error": error}
        return Refusal(answer({**out, "_links": {"self": f"{self.links}/{self.table.entity.name}/{note_id}"}}, 422))


def _nothing(books: Books) -> Document:
    raise AssertionError("there are errors: nothing is saved")


def _wrapper(name: str, wrapper: Any) -> Json:
    if not isinstance(wrapper, dict):
        raise unreadable(name)
    return wrapper


def _value(body: Json, name: str) -> Any:
    return _wrapper(name, body.get(name, {})).get("value")


def _rows(body: Json, name: str) -> list[Json]:
    rows = body.get(name, [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise unreadable(name)
    return rows


def _line(number: int, before: Line | None, item: str | None, given: Row) -> Line:
    """A row with what was sent, else what it had, else what the item brings along."""
    text, uom, price = GOODS.get(item or "", ("", None, Decimal(0)))
    if before is not None:
        text, uom, price = before.text, before.uom, before.price
    typed = given.get("TransactionDescr", given.get("TransactionDescription"))
    price = given["UnitPrice"] if given.get("UnitPrice") is not None else price
    qty = given["Qty"] if given.get("Qty") is not None else (before.qty if before else Decimal(1))
    discount = money(given.get("DiscountAmount") or (before.discount if before else Decimal(0)))
    note_id = before.note_id if before else str(uuid.uuid4())
    order = before.order if before else None
    return Line(number, note_id, item, typed or text, qty, given.get("UOM") or uom, price, discount, money(qty * price) - discount, order)
