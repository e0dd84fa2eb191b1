"""A data set from a folder of CSV or JSON files (docs/sandboxes.md describes the form)."""

import csv
import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from sandbox.acumatica.schema import BUSINESS_ACCOUNT, CONTACT, CUSTOMER, Entity, Kind, Shape
from sandbox.data.book import BadData, Book, Row

NAMES = uuid.UUID("a3f1c1de-52a4-4a5e-9d59-6a5f0b6d0c11")  # NoteIDs that a file leaves out are made from this and the key
SINCE = datetime(2025, 1, 1, tzinfo=UTC)
NESTED = {"Customer": ("MainContact", "MainContact.Address"), "Contact": ("Address",), "BusinessAccount": ()}
DEFAULTS: dict[str, Row] = {
    "Customer": {"Status": "Active"},
    "Contact": {"Type": "Contact", "Active": True, "Status": "Active"},
    "BusinessAccount": {"Type": "Business Account", "Status": "Prospect"},
}


def folder(path: Path) -> Book:
    """The Book of that folder. Raises BadData, naming file, row and column, for what cannot be read."""
    customers = _entity(path, "customers", CUSTOMER)
    if customers is None:
        raise BadData(f"{path} has no customers.csv or customers.json")
    accounts = _entity(path, "business_accounts", BUSINESS_ACCOUNT) or []
    contacts = _entity(path, "contacts", CONTACT) or []
    for number, row in enumerate(customers):
        row.setdefault("BAccountID", 7000 + number)
        row["Email"] = row["MainContact"].setdefault("Email", row.get("Email"))
        row["MainContact"].setdefault("ContactID", 900_000_000 + number)
    known = {row["CustomerID"] for row in customers} | {row["BusinessAccountID"] for row in accounts}
    for number, row in enumerate(contacts, start=1):
        row.setdefault("BusinessAccount", None)
        row["DisplayName"] = " ".join(part for part in (row.get("FirstName"), row.get("LastName")) if part)
        row["Status"] = "Active" if row["Active"] else "Inactive"
        if row["BusinessAccount"] is not None and row["BusinessAccount"] not in known:
            raise BadData(f"contacts, row {number}: no customer or business account {row['BusinessAccount']!r}")
    companies = _portal(path, "hubspot_companies")
    people = _people(path, companies)
    return Book(customers, contacts, accounts, companies, people, _deals(path, companies, people))


def _entity(path: Path, name: str, entity: Entity) -> list[Row] | None:
    """The rows of one file as Acumatica's rows, with NoteIDs and stamps; None where there is no such file."""
    records = _records(path, name)
    if records is None:
        return None
    rows: list[Row] = []
    seen: set[Any] = set()
    for number, record in enumerate(records, start=1):
        where = f"{name}, row {number}"
        row = _row(record, entity, where)
        if entity is CONTACT:
            row.setdefault("ContactID", 100_000 + number)
        key = row.get(entity.key)
        if key is None:
            raise BadData(f"{where}: {entity.key} is missing")
        if key in seen:
            raise BadData(f"{where}: a second {entity.key} {key!r}")
        seen.add(key)
        row["id"] = row["NoteID"] = str(row.get("NoteID") or uuid.uuid5(NAMES, f"{entity.name} {key}")).lower()
        row.setdefault("LastModifiedDateTime", SINCE)
        for way in NESTED[entity.name]:
            inner = row
            for step in way.split("."):
                inner = inner.setdefault(step, {})
            inner["id"] = str(uuid.uuid5(NAMES, f"{entity.name} {key} {way}"))
        rows.append(row)
    return rows


def _row(record: dict[str, Any], entity: Entity, where: str) -> Row:
    row: Row = dict(DEFAULTS[entity.name])
    for column, value in _flat(record, "").items():
        *way, last = column.split(".")
        if ".".join(way) not in ("", *NESTED[entity.name]) or last not in _shape(entity.shape, way).fields:
            raise BadData(f"{where}: unknown column {column!r}; the columns are Acumatica's fields (docs/sandboxes.md)")
        kind = _shape(entity.shape, way).fields[last]
        inner = row
        for step in way:
            inner = inner.setdefault(step, {})
        if value is not None and value != "":
            inner[last] = _value(value, kind, f"{where}: {column}")
        else:
            inner.setdefault(last, None)
    if isinstance(row.get(entity.key), str):
        row[entity.key] = row[entity.key].upper().rstrip()
    if isinstance(row.get("BusinessAccount"), str):
        row["BusinessAccount"] = row["BusinessAccount"].upper().rstrip()
    return row


def _flat(record: dict[str, Any], prefix: str) -> Row:
    out: Row = {}
    for name, value in record.items():
        out |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return out


def _shape(shape: Shape, way: list[str]) -> Shape:
    for step in way:
        shape = shape.links[step]
    return shape


def _value(value: Any, kind: Kind, where: str) -> Any:
    read: dict[Kind, Callable[[str], Any]] = {
        "string": str,
        "guid": uuid.UUID,
        "int": int,
        "decimal": Decimal,
        "date": datetime.fromisoformat,
        "bool": lambda text: {"true": True, "false": False}[text.lower()],
    }
    try:
        known = read[kind](str(value))
    except (ValueError, KeyError, InvalidOperation) as error:
        raise BadData(f"{where}: {value!r} is no {kind}") from error
    if isinstance(known, datetime) and known.tzinfo is None:
        known = known.replace(tzinfo=UTC)
    return str(known) if kind == "guid" else known


def _records(path: Path, name: str) -> list[dict[str, Any]] | None:
    """The records of `name`.json or `name`.csv; texts are kept as they are, blanks too."""
    as_json, as_csv = path / f"{name}.json", path / f"{name}.csv"
    if as_json.exists() and as_csv.exists():
        raise BadData(f"{path} has both {as_json.name} and {as_csv.name}: keep one")
    if as_json.exists():
        try:
            records = json.loads(as_json.read_text("utf-8"), parse_float=Decimal)
        except ValueError as error:
            raise BadData(f"{as_json.name} is no JSON: {error}") from error
        if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
            raise BadData(f"{as_json.name} must be a list of objects")
        return records
    if not as_csv.exists():
        return None
    with as_csv.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    for number, row in enumerate(rows, start=1):
        if None in row or None in row.values():
            raise BadData(f"{as_csv.name}, row {number}: it has another number of cells than the heading")
    return [dict(row) for row in rows]


def _portal(path: Path, name: str) -> list[Row]:
    """HubSpot records: a column is a property; an empty cell is no property."""
    records = _records(path, name) or []
    properties = [{column: str(value) for column, value in record.items() if value is not None and value != ""} for record in records]
    return [{"properties": one, "company": None} for one in properties]


def _people(path: Path, companies: list[Row]) -> list[Row]:
    """HubSpot contacts; `associated_company` names a company of the other file by its domain or its name."""
    people = _portal(path, "hubspot_contacts")
    _associate(people, "hubspot_contacts", "company", companies, ("name", "domain"))
    return people


def _deals(path: Path, companies: list[Row], people: list[Row]) -> list[Row]:
    """HubSpot deals; `associated_company` as for contacts, `associated_contact` names a contact by its e-mail address."""
    deals = _portal(path, "hubspot_deals")
    _associate(deals, "hubspot_deals", "company", companies, ("name", "domain"))
    _associate(deals, "hubspot_deals", "contact", people, ("email",))
    return deals


def _associate(rows: list[Row], file: str, kind: str, others: list[Row], names: tuple[str, ...]) -> None:
    """Puts the index of the named company or contact into each row."""
    places = {other["properties"][name]: index for index, other in enumerate(others) for name in names if name in other["properties"]}
    for number, row in enumerate(rows, start=1):
        named = row["properties"].pop(f"associated_{kind}", None)
        if named is not None and named not in places:
            raise BadData(f"{file}, row {number}: no {kind} with the {' or '.join(reversed(names))} {named!r}")
        row[kind] = places.get(named)
