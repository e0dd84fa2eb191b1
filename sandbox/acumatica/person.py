"""Edits as a person makes them on the forms of the site: past the API and its limits (`POST /__sandbox__/edit`)."""

import random
import uuid
from collections import Counter
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from sandbox.acumatica.schema import Kind, Shape
from sandbox.acumatica.store import Store, Table
from sandbox.data import Row, words
from sandbox.data.demo import address, contact, credit_limit, customer

READ_ONLY = ("NoteID", "LastModifiedDateTime", "CreatedDateTime", "BAccountID")
TABLES = {"customer": "Customer", "contact": "Contact", "business_account": "BusinessAccount"}
EDIT = "an edit is {entity, key, fields}, {entity, key, delete: true}, {entity, create: {...}} or {random: N, seed: S}"


def edit(store: Store, request: dict[str, Any]) -> None:
    """Makes one edit, or N at random. ValueError says what is wrong with the request; nothing is changed then."""
    if set(request) <= {"random", "seed"} and "random" in request:
        for _ in range(int(request["random"])):
            _at_random(store, random.Random(f"{request.get('seed', 1)} {store.next_number()}"))
        return
    entity = request.get("entity")
    if entity not in TABLES:
        raise ValueError(f"{EDIT}; entity is one of {', '.join(TABLES)}")
    table = store.tables[TABLES[entity]]
    match sorted(set(request) - {"entity"}):
        case ["create"]:
            _create(store, table, request["create"])
        case ["fields", "key"]:
            store.update(table, _row(table, request["key"]), _values(store, table, request["fields"]), "person")
        case ["delete", "key"] if request["delete"] is True:
            store.delete(table, _row(table, request["key"]), "person")
        case _:
            raise ValueError(EDIT)


def _row(table: Table, key: Any) -> Row:
    row = table.find(key)
    if row is None:
        raise ValueError(f"no {table.entity.name} with the key or NoteID {key!r}")
    return row


def _create(store: Store, table: Table, given: dict[str, Any]) -> None:
    store.create(table, filled(blank(store, table), _values(store, table, given)), "person")


def filled(row: Row, values: Row) -> Row:
    """The row with these values, by dotted names."""
    for name, value in values.items():
        *way, last = name.split(".")
        inner = row
        for step in way:
            inner = inner[step]
        inner[last] = value
    return row


def blank(store: Store, table: Table) -> Row:
    """A new record as the form shows it before anything is typed."""
    where: Row = {"id": str(uuid.uuid4()), "AddressLine1": None, "AddressLine2": None, "City": None, "State": None}
    where |= {"PostalCode": None, "Country": "US", "Validated": False}
    number = store.next_number()
    if table is store.contacts:
        row: Row = {"ContactID": store.next_contact_id(), "Type": "Contact", "BusinessAccount": None, "ContactClass": "ENDCUST"}
        row |= {"FirstName": None, "LastName": None, "JobTitle": None, "Email": None, "Fax": None, "FaxType": "Fax"}
        row |= {"Phone1": None, "Phone1Type": "Business 1", "Phone2": None, "Phone2Type": "Cell", "Phone3": None, "Phone3Type": "Home"}
        return {**row, "DisplayName": None, "Active": True, "Status": "Active", "Address": where}
    if table is store.accounts:
        return {"BusinessAccountID": f"B{number:07d}", "Name": None, "Type": "Business Account", "Status": "Prospect"}
    row = {"CustomerID": f"C{number:07d}", "BAccountID": number, "CustomerName": None, "CustomerClass": "DEFAULT", "Status": "Active"}
    row |= {"Terms": "30D", "CurrencyID": "USD", "CreditLimit": Decimal("0.00"), "Email": None}
    main: Row = {"id": str(uuid.uuid4()), "ContactID": store.next_contact_id(), "Email": None, "Phone1": None, "WebSite": None}
    return {**row, "MainContact": {**main, "Phone1Type": "Business 1", "Address": where}}


def _values(store: Store, table: Table, given: Any) -> Row:
    """The request's nested fields, checked, with dotted names."""
    if not isinstance(given, dict):
        raise ValueError(EDIT)
    out = _typed(table.entity.shape, given, "")
    key = table.entity.key
    if isinstance(out.get(key), str):
        out[key] = out[key].upper().rstrip()
    if key in out and not out[key]:
        raise ValueError(f"{key} cannot be empty")
    if out.get("BusinessAccount") is not None and table is store.contacts:
        account = store.accounts.find(out["BusinessAccount"])
        if account is None:
            raise ValueError(f"there is no business account {out['BusinessAccount']!r}")
        out["BusinessAccount"] = account["BusinessAccountID"]
    return out


def _typed(shape: Shape, given: dict[str, Any], prefix: str) -> Row:
    out: Row = {}
    for name, value in given.items():
        if name in ("MainContact", "Address") and name in shape.links and isinstance(value, dict):
            out |= _typed(shape.links[name], value, f"{prefix}{name}.")
        elif name not in shape.fields or name in READ_ONLY:
            raise ValueError(f"{prefix}{name} is no field that a person can change")
        else:
            out[f"{prefix}{name}"] = _cast(f"{prefix}{name}", value, shape.fields[name])
    return out


def _cast(name: str, value: Any, kind: Kind) -> Any:
    try:
        if value is None:
            return None
        if kind == "decimal" and not isinstance(value, bool):
            return Decimal(str(value))
        if kind == "date" and datetime.fromisoformat(value).tzinfo:
            return datetime.fromisoformat(value)
    except (InvalidOperation, TypeError, ValueError):
        pass
    expected: dict[str, type] = {"string": str, "guid": str, "int": int, "bool": bool}
    if kind in expected and type(value) is expected[kind]:
        return value
    raise ValueError(f"{name}: {value!r} is no {kind}")


def _at_random(store: Store, rng: random.Random) -> None:
    """One believable edit. Nothing here makes an e-mail address shared or touches a contact that shares one: see agreement.md."""
    firms, people = list(store.customers), list(store.contacts)
    roll = rng.random()
    if roll < 0.08 or not firms:
        store.create(store.customers, customer(rng, 1_000_000 + store.next_number(), store.next_contact_id()), "person")
    elif roll < 0.2 or not people:
        row = contact(rng, rng.choice(firms), store.next_contact_id(), 1_000_000 + store.next_number())
        store.create(store.contacts, row, "person")
    elif roll < 0.55:
        row = rng.choice(firms)
        store.update(store.customers, row, _firm_change(rng, row), "person")
    else:
        held = Counter((row["Email"] or "").strip().lower() for row in people)
        fit = [row for row in people if held[(row["Email"] or "").strip().lower()] == 1 or not row["Email"]]
        fit = [row for row in fit if row["BusinessAccount"] and (row["Email"] or "@").count("@") == 1]
        if fit:
            row = rng.choice(fit)
            store.update(store.contacts, row, _person_change(store, rng, row, firms), "person")


def _firm_change(rng: random.Random, row: Row) -> Row:
    """A customer's name, terms, limit, phone, address ... The limit changes along with what lies in other tables (Contact, Address),
    for such a change alone may leave the customer's stamp as it is (facts/acumatica.md §13.1), and no poller would see it."""
    limit = credit_limit(rng) or Decimal("0.00")
    if limit == row["CreditLimit"]:
        limit += 1
    place = rng.choice(words.PLACES)
    return rng.choice(
        (
            {"CustomerName": f"{(row['CustomerName'] or 'Firm').split(' #')[0]} #{rng.randrange(2, 99)}"[:255]},
            {"Terms": rng.choice([terms for terms in words.TERMS if terms != row["Terms"]])},
            {"Status": rng.choice([status for status in words.STATUSES if status != row["Status"]])},
            {"CustomerClass": rng.choice([name for name in words.CLASSES if name != row["CustomerClass"]])},
            {"CreditLimit": limit},
            {"CreditLimit": limit, "MainContact.Phone1": f"{place[5]}{rng.randrange(10_000):04d}"},
            {"CreditLimit": limit} | _new_address(rng, "MainContact.Address."),
        )
    )


def _person_change(store: Store, rng: random.Random, row: Row, firms: list[Row]) -> Row:
    """A contact's title, phone, address, name, activity; sometimes a new e-mail address, or a new employer."""
    place = rng.choice(words.PLACES)
    first = rng.choice([name for name in words.FIRST_NAMES if name != row["FirstName"]])
    changes: list[Row] = [
        {"JobTitle": rng.choice([job for job in words.JOBS if job != row["JobTitle"]])},
        {"Phone1": f"{place[5]}{rng.randrange(10_000):04d}"},
        _new_address(rng, "Address."),
        {"FirstName": first},
        {"Active": not row["Active"]},
        {"Email": f"moved{store.next_number()}@new-desk.example"},
        {"BusinessAccount": rng.choice(firms)["CustomerID"]},
    ]
    return rng.choices(changes, weights=(4, 4, 3, 2, 2, 1, 1))[0]


def _new_address(rng: random.Random, prefix: str) -> Row:
    new = address(rng, rng.choice(words.PLACES))
    return {f"{prefix}{name}": value for name, value in new.items() if name != "id"}
