"""What people do in the two systems after the first sync, one after the other, each shown when it arrives on the other side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from weighlock.demo.sandboxes import Sandbox

#: A company that nobody bills yet, and whom to write to there.
COMPANY = {"name": "Harbour Timber Yard", "domain": "harbour-timber.example", "city": "Portland", "hs_country_code": "US"}
PERSON = {"firstname": "Robin", "lastname": "Quay", "email": "robin.quay@harbour-timber.example"}


@dataclass(frozen=True)
class Scene:
    """`done`: what was done where; `there`: what stands on the other side of it by now, None while it is on its way."""

    done: str
    there: Callable[[], str | None]


def scenes(erp: Sandbox, crm: Sandbox, tenant: str) -> Iterator[Scene]:
    """Each is begun when it is asked for."""
    yield from _billed(erp, crm, tenant)
    yield _won(crm)


def _billed(erp: Sandbox, crm: Sandbox, tenant: str) -> Iterator[Scene]:
    """An invoice is billed, paid in part, and credited for the rest."""
    currency = crm.get("/dump")["currencies"][0]
    customers = (row for row in erp.get("/dump")["customers"] if (row["CustomerName"] or "").strip())
    customer = next(row for row in customers if row["Status"] == "Active" and row["CurrencyID"] == currency)
    code = customer["CustomerID"].strip()
    lines = [{"item": None, "text": "Cedar shingles", "qty": "40", "uom": "SQFT", "price": "12.50"}]
    entries = erp.edit(ar="enter", customer=code, type="INV", lines=lines, release=True)
    number, key = entries[0]["key"], f"{tenant}|{entries[0]['id']}".lower()

    def invoice(balance: str) -> Callable[[], str | None]:
        return lambda: _invoice(crm, key, balance)

    yield Scene(f"Acumatica: {number} of 500.00 {currency} for {code}", invoice("500"))
    erp.edit(ar="pay", documents={number: "200"})
    yield Scene(f"Acumatica: 200.00 {currency} of {number} are paid", invoice("300"))
    memo = erp.edit(ar="enter", customer=code, type="CRM", amount="300", release=True)[0]["key"]
    erp.edit(ar="apply", **{"from": memo, "to": number})
    yield Scene(f"Acumatica: {memo} credits the rest of {number}", invoice("0"))


def _invoice(crm: Sandbox, key: str, balance: str) -> str | None:
    found = [row["properties"] for row in crm.get("/dump")["invoices"] if row["properties"].get("acumatica_invoice_key") == key]
    if not found or found[0].get("acumatica_open_balance") != balance:
        return None
    return f"HubSpot's invoice {found[0]['hs_number']}: {found[0]['hs_invoice_status']}, {balance} open"


def _won(crm: Sandbox) -> Scene:
    """A deal is won with a company that is no customer."""
    company, person = _made(crm, "company", COMPANY), _made(crm, "contact", PERSON)
    deal = {"dealname": "New warehouse", "dealstage": "closedwon", "amount": "48000"}
    crm.edit(entity="deal", create=deal, company=company, contact=person)

    def there() -> str | None:
        rows: list[dict[str, Any]] = crm.get("/dump")["companies"]
        number = next(row["properties"].get("acumatica_customer_id") for row in rows if row["id"] == company)
        return f"customer {number} in Acumatica, and on that very company" if number else None

    return Scene(f"HubSpot: the deal {deal['dealname']!r} of {COMPANY['name']} is won", there)


def _made(crm: Sandbox, entity: str, properties: dict[str, str]) -> str:
    entries = crm.edit(entity=entity, create=properties)
    return next(str(entry["id"]) for entry in entries if entry["entity"] == entity and entry["op"] == "create")
