"""What HubSpot demands of invoices, line items and deals beyond their definitions (§6.2, §6.3, §7, §14.4, §14.5)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox.hubspot.errors import Problem, bad_request
from sandbox.hubspot.kinds import CONTACTS, DEALS, INVOICES, LINE_ITEMS
from sandbox.hubspot.links import End, Links
from sandbox.hubspot.stages import stage_of
from sandbox.hubspot.values import decimal, instant, stored

if TYPE_CHECKING:
    from sandbox.hubspot.portal import Portal, Properties, Record

#: On a billable invoice HubSpot fills these in itself.
_OF_BILLABLE = ("hs_amount_billed", "hs_number", "hs_payment_date")
#: The ways of a billable invoice; one that is not billable is not validated.
_NEXT = {"draft": ("open", "voided"), "open": ("voided",), "paid": (), "voided": ()}


@dataclass(frozen=True)
class Wish:
    """A write that is not made yet. `after` are the properties that it leads to; a rule may fill in what HubSpot would."""

    portal: Portal
    record: Record
    new: bool
    by_person: bool
    sent: frozenset[str]
    before: Properties
    after: Properties
    linked: tuple[End, ...]  # associated in the same call

    def count(self, kind: str) -> int:
        """How many records of that type the record is associated with, or will be."""
        held = {end for end in self.portal.links.ends(self.record.end) if end[0] == kind}
        return len(held | {end for end in self.linked if end[0] == kind})


def problems(wish: Wish) -> list[Problem]:
    """The properties that cannot be as they are asked for; ApiError where it is the whole record."""
    rule = _RULES.get(wish.record.kind.name)
    return [] if rule is None else rule(wish)


def _invoice(wish: Wish) -> list[Problem]:
    after, switches = wish.after, wish.portal.switches
    after.setdefault("hs_invoice_billable", "true")
    after.setdefault("hs_invoice_status", "draft")
    billable = after["hs_invoice_billable"] == "true"
    found = [] if wish.by_person or not billable else [not_writable(name) for name in _OF_BILLABLE if name in wish.sent]
    found += _currency(wish, "hs_currency")
    if billable and not found:
        _may_become(wish, after["hs_invoice_status"])
    if wish.new:
        for name in ("hs_invoice_date", "hs_due_date"):
            after.setdefault(name, instant(wish.portal.clock()))
        after.setdefault("hs_number", f"INV-{wish.record.id}")
        if switches.amount_billed_on_create == "zero" and "hs_amount_billed" in after:
            after["hs_amount_billed"] = "0"
    return found


def _may_become(wish: Wish, status: str) -> None:
    """The body of this refusal is not known, but for the word INVOICE_TO_LINE_ITEM (§6.3)."""
    held = "draft" if wish.new else wish.before.get("hs_invoice_status", "draft")
    if status != held and status not in _NEXT[held]:
        raise bad_request(f"Invoice status cannot go from {held} to {status}")
    if status == "open" != held:
        if wish.count(LINE_ITEMS.name) == 0:
            raise bad_request("Invoice cannot be opened: missing required association INVOICE_TO_LINE_ITEM")
        if wish.count(CONTACTS.name) == 0:
            raise bad_request("Invoice cannot be opened: missing required association INVOICE_TO_CONTACT")


def _line_item(wish: Wish) -> list[Problem]:
    names = ("price",) if wish.portal.switches.negative_quantity == "allowed" else ("price", "quantity")
    found = _currency(wish, "hs_line_item_currency_code")
    for name in names:  # no live answer is known: code and words are ours
        number = decimal(wish.after.get(name, "0"))
        if number is not None and number < 0:
            found.append(Problem(name, "NEGATIVE_VALUE", f"{wish.after[name]} is negative", wish.after[name]))
    if len({end for end in wish.linked if end[0] in (INVOICES.name, DEALS.name)}) > 1:
        raise bad_request("A line item belongs to one invoice or deal only")
    return found


def _deal(wish: Wish) -> list[Problem]:
    after, portal = wish.after, wish.portal
    after.setdefault("pipeline", "default")
    found = []
    if {"pipeline", "dealstage"} & wish.sent or wish.new:
        pipelines = [row["id"] for row in portal.pipelines]
        found += _one_of(wish, "pipeline", pipelines)
        if not found and "dealstage" in after and stage_of(portal.pipelines, after["pipeline"], after["dealstage"]) is None:
            stages = [stage["id"] for row in portal.pipelines if row["id"] == after["pipeline"] for stage in row["stages"]]
            found += _one_of(wish, "dealstage", stages)
    if wish.new:
        after.setdefault("deal_currency_code", portal.currencies[0])
    return found + _currency(wish, "deal_currency_code")


_RULES: dict[str, Callable[[Wish], list[Problem]]] = {INVOICES.name: _invoice, LINE_ITEMS.name: _line_item, DEALS.name: _deal}


def _currency(wish: Wish, name: str) -> list[Problem]:
    """Only currencies of the portal; how others are refused is not known: as any value that is no option (§14.4)."""
    return _one_of(wish, name, wish.portal.currencies) if name in wish.sent or wish.new else []


def _one_of(wish: Wish, name: str, values: Iterable[str]) -> list[Problem]:
    if name not in wish.after:
        return []
    options = [{"label": value, "value": value, "displayOrder": place, "hidden": False} for place, value in enumerate(values)]
    definition = {**wish.portal.definitions[wish.record.kind.name][name], "externalOptions": False, "options": options}
    _, problem = stored(definition, wish.after[name])
    return [] if problem is None else [problem]


def not_writable(name: str) -> Problem:
    return Problem(name, "READ_ONLY_VALUE", f'"{name}" is a calculated property; its value cannot be set.')


def one_parent(links: Links, one: End, other: End) -> None:
    """400 for a line item that belongs to another invoice or deal already (§6.3); how HubSpot says it is not known."""
    for line, parent in ((one, other), (other, one)):
        held = links.parent(line) if line[0] == LINE_ITEMS.name and parent[0] in (INVOICES.name, DEALS.name) else None
        if held not in (None, parent):
            raise bad_request(f"LINE_ITEM={line[1]} belongs to another record already", context={"objectId": [line[1]]})


def may_go(portal: Portal, record: Record) -> None:
    """400 for an invoice that cannot be deleted: only drafts and open ones can, and only if the portal lets them (§6.2)."""
    if record.kind is not INVOICES:
        return
    status = record.properties.get("hs_invoice_status", "draft")
    if not portal.switches.invoice_deletes or status not in ("draft", "open"):
        raise bad_request(f"Invoice {record.id} is {status} and cannot be deleted")
