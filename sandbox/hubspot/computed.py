"""The properties that HubSpot computes (§6.2, §6.3, §14.4, §14.5): they follow whatever else changes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from sandbox.hubspot.kinds import CONTACTS, DEALS, INVOICES, LINE_ITEMS
from sandbox.hubspot.stages import stage_of
from sandbox.hubspot.values import instant

if TYPE_CHECKING:
    from sandbox.hubspot.portal import Portal, Properties, Record


def computed(portal: Portal, record: Record, properties: Properties, now: datetime) -> dict[str, str | None]:
    """What these properties make of the record; None empties one. Amounts are exact, without an exponent or zeros at the end."""
    rule = _RULES.get(record.kind.name)
    return {} if rule is None else rule(portal, record, properties, now)


def _contact(portal: Portal, record: Record, properties: Properties, now: datetime) -> dict[str, str | None]:
    return {"hs_email_domain": properties["email"].partition("@")[2] if "email" in properties else None}


def _invoice(portal: Portal, record: Record, properties: Properties, now: datetime) -> dict[str, str | None]:
    """A billable one is the sum of its lines; of one that is not, the amount is what was written."""
    held = (portal.records[LINE_ITEMS.name][id] for id in portal.links.of(record.end, LINE_ITEMS))
    if billable := properties.get("hs_invoice_billable") == "true":
        billed = sum((Decimal(line.properties.get("amount", "0")) for line in held), Decimal(0))
    else:
        billed = Decimal(properties.get("hs_amount_billed", "0"))
    status, none = properties.get("hs_invoice_status"), Decimal(0)
    return {
        "hs_amount_billed": _text(billed) if billable else properties.get("hs_amount_billed", "0"),
        "hs_amount_paid": _text(billed if status == "paid" else none),
        "hs_balance_due": _text(billed if status in ("draft", "open") else none),
    }


def _line_item(portal: Portal, record: Record, properties: Properties, now: datetime) -> dict[str, str | None]:
    """`discount` is money per unit; a percentage comes before it. Without a quantity there is one, taxes are none."""
    price, quantity = Decimal(properties.get("price", "0")), Decimal(properties.get("quantity", "1"))
    before = price * quantity
    if "hs_discount_percentage" in properties:
        off = before * Decimal(properties["hs_discount_percentage"]) / 100
    else:
        off = Decimal(properties.get("discount", "0")) * quantity
    amount = _text(before - off)
    return {
        "amount": amount,
        "hs_pre_discount_amount": _text(before),
        "hs_total_discount": _text(off),
        "hs_post_tax_amount": amount,
    }


def _deal(portal: Portal, record: Record, properties: Properties, now: datetime) -> dict[str, str | None]:
    stage = stage_of(portal.pipelines, properties.get("pipeline", ""), properties.get("dealstage", ""))
    metadata = {"probability": "0", "isClosed": "false"} if stage is None else stage["metadata"]
    closed, chance = metadata["isClosed"] == "true", Decimal(metadata["probability"])
    won = closed and chance == 1
    since = properties.get("hs_closed_won_date") or instant(now)
    return {
        "hs_is_closed": _flag(closed),
        "hs_is_closed_won": _flag(won),
        "hs_is_closed_lost": _flag(closed and not won),
        "hs_deal_stage_probability": metadata["probability"],
        "hs_closed_won_date": since if won else None,
    }


_RULES: dict[str, Callable[[Portal, Record, Properties, datetime], dict[str, str | None]]] = {
    CONTACTS.name: _contact,
    DEALS.name: _deal,
    INVOICES.name: _invoice,
    LINE_ITEMS.name: _line_item,
}


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _text(number: Decimal) -> str:
    return format(number.normalize(), "f") if number else "0"
