"""The tables of the site: live rows in key order, and every change of them."""

import copy
import uuid
from bisect import bisect_left, insort
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any

from sandbox.acumatica.ar.books import Books
from sandbox.acumatica.ar.history import history
from sandbox.acumatica.ar.records import Rules, balance
from sandbox.acumatica.ar.rows import midnight
from sandbox.acumatica.filter import collate
from sandbox.acumatica.schema import BUSINESS_ACCOUNT, CONTACT, CUSTOMER, Entity
from sandbox.data import Book, Row

Log = Callable[[str, str, str, str, str | None, list[str]], None]  # actor, op, entity, id, key, fields


class Table:
    """Rows of one entity by NoteID, listed in ascending key order as the database sorts it (§4.1, §4.7)."""

    def __init__(self, entity: Entity, rows: list[Row]) -> None:
        self.entity = entity
        self.by_id: dict[str, Row] = {row["id"]: row for row in rows}
        self._order = sorted((self._sort(row[entity.key]), row["id"]) for row in rows)

    def __iter__(self) -> Iterator[Row]:
        return (self.by_id[row_id] for _, row_id in self._order)

    def _sort(self, key: Any) -> Any:
        return collate(key) if isinstance(key, str) else key

    def find(self, key: Any) -> Row | None:
        """The row with that key (or that NoteID), or None."""
        text = str(key)
        if text.lower() in self.by_id:
            return self.by_id[text.lower()]
        if self.entity.shape.fields[self.entity.key] == "int":
            if not text.isdecimal():
                return None
            wanted: Any = int(text)
        else:
            wanted = collate(text)
        place = bisect_left(self._order, (wanted, ""))
        if place < len(self._order) and self._order[place][0] == wanted:
            return self.by_id[self._order[place][1]]
        return None

    def add(self, row: Row) -> None:
        self.by_id[row["id"]] = row
        insort(self._order, (self._sort(row[self.entity.key]), row["id"]))

    def remove(self, row: Row) -> None:
        del self.by_id[row["id"]]
        self._order.remove((self._sort(row[self.entity.key]), row["id"]))


class Store:
    """The three tables. A customer is a business account as well, under the same NoteID (§8)."""

    def __init__(self, book: Book, log: Log, clock_skew: float, main_contact_bumps: bool, rules: Rules | None = None) -> None:
        rows = copy.deepcopy(book)
        self.seeded = book
        self.customers = Table(CUSTOMER, rows.customers)
        self.contacts = Table(CONTACT, rows.contacts)
        self.accounts = Table(BUSINESS_ACCOUNT, rows.business_accounts + [_account(row) for row in rows.customers])
        self.tables = {table.entity.name: table for table in (self.customers, self.contacts, self.accounts)}
        self._log, self._skew, self._main_contact_bumps = log, timedelta(seconds=clock_skew), main_contact_bumps
        self._rules, self.books_actor = rules or Rules(), "person"
        contact_ids = [row["ContactID"] for row in rows.contacts] + [_main(row).get("ContactID") or 0 for row in rows.customers]
        #: The NoteIDs of what a person deleted, and of the contacts that were left without a customer by that.
        self.deleted: list[str] = []
        self._contact_id: int = max([100_000, *contact_ids])
        self._number: int = max([7000, *(row.get("BAccountID") or 0 for row in rows.customers)])

    def stamp(self) -> datetime:
        """Now, by the database's clock, which keeps milliseconds."""
        now = datetime.now(UTC) + self._skew
        return now.replace(microsecond=now.microsecond // 1000 * 1000)

    @cached_property
    def books(self) -> Books:
        """The books of accounts receivable, with the history that the data set asks for: made when somebody first looks at them."""

        def log(op: str, entity: str, id: str, key: str, fields: list[str]) -> None:
            self._log(self.books_actor, op, entity, id, key, fields)

        books = Books(self.stamp, log, self._rules)
        if self.seeded.invoices:
            history(books, self.seeded.customers, self.seeded.contacts, self.seeded.invoices, self.seeded.seed)
        return books

    def customer_numbers(self) -> dict[int, Row]:
        """The customers by BAccountID, which is what the tables of the books call them."""
        return {row["BAccountID"]: row for row in self.customers if row.get("BAccountID") is not None}

    def customer(self, key: Any) -> Row | None:
        """A customer by its key or NoteID (a text), or by its BAccountID (a number)."""
        return self.customer_numbers().get(key) if isinstance(key, int) else self.customers.find(key)

    def next_contact_id(self) -> int:
        self._contact_id += 1
        return self._contact_id

    def next_number(self) -> int:
        self._number += 1
        return self._number

    def create(self, table: Table, row: Row, actor: str) -> Row:
        """Adds a row that has its key; gives it a NoteID (if it has none yet) and stamps."""
        if table.find(row[table.entity.key]) is not None:
            raise ValueError(f"there is a {table.entity.name} {row[table.entity.key]!r} already")
        if row.get("id") is None or row["id"] in table.by_id:
            row["id"] = str(uuid.uuid4())
        row["NoteID"] = row["id"]
        row["LastModifiedDateTime"] = self.stamp()
        if table is self.customers:
            if self.accounts.find(row["CustomerID"]) is not None:
                raise ValueError(f"there is a business account {row['CustomerID']!r} already")
            row["CreatedDateTime"] = row["LastModifiedDateTime"]
            self.accounts.add(_account(row))
        table.add(row)
        self._record(table, "create", row, actor, sorted(name for name, value in flat(row).items() if value is not None and name != "id"))
        return row

    def update(self, table: Table, row: Row, changes: Row, actor: str) -> None:
        """Changes a row by `{"MainContact.Address.City": value}`; what is equal already is no change, and moves no stamp."""
        changes = settle(table, row, changes)
        before = flat(row)
        changed = [name for name, value in changes.items() if before.get(name) != value]
        if not changed:
            return
        key = table.entity.key
        if key in changed:
            self._rename(table, row, changes[key])
        for name in changed:
            *way, last = name.split(".")
            inner = row
            for step in way:
                inner = inner[step]
            inner[last] = changes[name]
        main_only = table is self.customers and all(name.startswith("MainContact.") or name == "Email" for name in changed)
        if not main_only or self._main_contact_bumps:
            row["LastModifiedDateTime"] = self.stamp()
            changed.append("LastModifiedDateTime")
        if table is self.customers:
            self.accounts.by_id[row["id"]].update(_account(row))
        self._record(table, "update", row, actor, changed)

    def delete(self, table: Table, row: Row, actor: str) -> None:
        table.remove(row)
        self.deleted.append(row["id"])
        if table is self.customers:
            self.accounts.remove(self.accounts.by_id[row["id"]])
            self.deleted += [contact["id"] for contact in self.contacts if contact["BusinessAccount"] == row[table.entity.key]]
        self._record(table, "delete", row, actor, [])

    def _rename(self, table: Table, row: Row, key: Any) -> None:
        """Change ID (§8): the NoteID stays; contacts refer to the account, so they show its new code, with their stamps unmoved."""
        if (other := table.find(key)) is not None and other is not row:
            raise ValueError(f"there is a {table.entity.name} {key!r} already")
        old = row[table.entity.key]
        table.remove(row)
        row[table.entity.key] = key
        table.add(row)
        if table is self.contacts:
            return
        if table is self.customers:
            account = self.accounts.by_id[row["id"]]
            self.accounts.remove(account)
            account["BusinessAccountID"] = key
            self.accounts.add(account)
        for contact in self.contacts:
            if contact["BusinessAccount"] == old:
                contact["BusinessAccount"] = key

    def _record(self, table: Table, op: str, row: Row, actor: str, fields: list[str]) -> None:
        name = {"Customer": "customer", "Contact": "contact", "BusinessAccount": "business_account"}[table.entity.name]
        self._log(actor, op, name, row["id"], str(row[table.entity.key]), fields)


def settle(table: Table, row: Row, changes: Row) -> Row:
    """The changes with what the form changes along with them: the display name, the status, the customer's own e-mail field."""
    new = dict(changes)
    if table.entity is CUSTOMER:
        if "Email" in new:
            new.setdefault("MainContact.Email", new["Email"])
        elif "MainContact.Email" in new:
            new["Email"] = new["MainContact.Email"]
    if table.entity is CONTACT:
        if "Active" in new:
            new["Status"] = "Active" if new["Active"] else "Inactive"
        elif "Status" in new:
            new["Active"] = new["Status"] == "Active"
        if {"FirstName", "LastName"} & set(new):
            parts = (new.get("FirstName", row.get("FirstName")), new.get("LastName", row.get("LastName")))
            new["DisplayName"] = " ".join(part for part in parts if part)
    return new


def flat(row: Row, prefix: str = "") -> Row:
    """A row with the names of nested values dotted."""
    out: Row = {}
    for name, value in row.items():
        if isinstance(value, dict):
            out |= flat(value, f"{prefix}{name}.")
        else:
            out[f"{prefix}{name}"] = value
    return out


def with_linked(row: Row, wanted: set[str], store: Store) -> Row:
    """A customer row with those of its linked entities and details that are computed only when they are asked for."""
    extra: Row = {}
    if wanted & {"BillingContact", "ShippingContact"}:  # no overrides here: both are the main contact
        extra = {"BillingContact": _main(row), "ShippingContact": _main(row)}
    if "CreditVerificationRules" in wanted:
        limit, owed = row.get("CreditLimit"), balance(row.get("BAccountID") or 0, store.books.of_customer(row.get("BAccountID") or 0))
        extra["CreditVerificationRules"] = {
            "id": row["id"],
            "CreditVerification": "Credit Limit" if limit else "Disabled",
            "CreditLimit": limit,
            "CreditDaysPastDue": 0,
            "OpenOrdersBalance": Decimal(0),
            "FirstDueDate": midnight(owed.oldest_open),  # of the oldest open invoice (§5.8)
            "RemainingCreditLimit": None if limit is None else limit - owed.current - owed.unreleased,
            "UnreleasedBalance": owed.unreleased,
        }
    if "Contacts" in wanted:
        names = ("id", "ContactID", "LastModifiedDateTime")
        extra["Contacts"] = [{name: one[name] for name in names} for one in store.contacts if one["BusinessAccount"] == row["CustomerID"]]
    return {**row, **extra} if extra else row


def _main(row: Row) -> Row:
    main: Row = row.get("MainContact") or {}
    return main


def _account(customer: Row) -> Row:
    return {
        "id": customer["id"],
        "NoteID": customer["id"],
        "BusinessAccountID": customer["CustomerID"],
        "Name": customer["CustomerName"],
        "Type": "Customer",
        "Status": customer["Status"],
        "CurrencyID": customer.get("CurrencyID"),
        "LastModifiedDateTime": customer["LastModifiedDateTime"],
    }
