"""Invoices and payments: from the vendor's words to the canonical entity. Pure, like normalise.py.

Only what is released counts: until then a document may change altogether, or go. What is not a document for us leaves by a tombstone and a
sentence in the audit; what cannot be right is a dead letter that says what to put right in the ERP.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from schemas.entities import Application, Invoice, InvoiceLine, Payment
from schemas.sources import AcumaticaApplication, AcumaticaDocument, AcumaticaTran
from schemas.topics import INVOICE, PAYMENT, Topic
from streams.contract import Arrival, Context, Outputs
from streams.mappings import acumatica
from streams.mappings.table import Field, plain, text, total
from streams.normalise import GONE, STAGE, leave, said, words_of
from weighlock.errors import RejectedError
from weighlock.kafka.wire import Outgoing

KINDS: Mapping[str, str] = {**acumatica.INVOICE_KINDS, **acumatica.PAYMENT_KINDS}
#: Those kinds whose money came in: applied to something that is voided they are somebody's to put right.
MONEY = frozenset({"payment", "prepayment"})
#: What a document cannot be without: our name and Acumatica's.
NEEDED = (("number", "number (RefNbr)"), ("date", "date"), ("currency", "currency (CuryID)"))


def invoice(arrival: Arrival, context: Context) -> Outputs:
    """SourceAcumaticaInvoice to Invoice, to the partition of its customer. `RejectedError` where something is missing or negative."""
    source, passage = arrival.record, arrival.passage
    reason = _out_of_scope(source, acumatica.INVOICE_KINDS)
    if reason is not None:
        return _leave(INVOICE, arrival, reason)
    words = _words(source, acumatica.INVOICE, ("total", "balance"), context)
    found = Invoice(
        ref=source.ref,
        party=source.party,
        modified_at=source.modified_at,
        **words,
        original=_document(source.OrigDocType, source.OrigRefNbr),
        lines=[_line(number, row, context) for number, row in enumerate(source.Lines, 1)],
        applications=_applications(source),
    )
    doubt = _doubt(found)
    note = [] if doubt is None else [said(STAGE, "noted", source.ref, passage, doubt)]
    return [Outgoing(INVOICE, source.ref, found, passage.headers(), source.party), *note]


def payment(arrival: Arrival, context: Context) -> Outputs:
    """SourceAcumaticaPayment to Payment, to the partition of its customer. `RejectedError` where something is missing or negative."""
    source, passage = arrival.record, arrival.passage
    reason = _out_of_scope(source, acumatica.PAYMENT_KINDS)
    if reason is not None:
        return _leave(PAYMENT, arrival, reason)
    words = _words(source, acumatica.PAYMENT, ("amount", "balance"), context)
    found = Payment(ref=source.ref, party=source.party, modified_at=source.modified_at, **words, applications=_applications(source))
    return [Outgoing(PAYMENT, source.ref, found, passage.headers(), source.party)]


def _out_of_scope(source: AcumaticaDocument, kinds: Mapping[str, str]) -> str | None:
    if source.change == "delete":
        return GONE
    if source.scope is not None:
        return source.scope
    code = text(source.DocType)
    if code not in kinds:
        return f"documents of type {code or '(none)'} are not mirrored"
    if not source.Released:
        status = text(source.Status)
        return f"it is not released yet (status {acumatica.UNRELEASED.get(status or '', status or 'unknown')})"
    return None if source.party is not None else "it belongs to no customer"


def _leave(topic: Topic, arrival: Arrival, reason: str) -> Outputs:
    """Without a customer nobody knows in which partition it was, if it ever was in one: then only the sentence goes out."""
    party = arrival.record.party
    outputs = leave(topic, arrival.record.ref, arrival.passage, reason, party)
    return outputs if party is not None else outputs[1:]


def _words(source: AcumaticaDocument, fields: tuple[Field, ...], amounts: tuple[str, str], context: Context) -> dict[str, Any]:
    words = words_of(source, fields, context)
    kind = KINDS[text(source.DocType) or ""]
    name = f"{kind.replace('_', ' ')} {words['number'] or '(no number)'}"
    for ours, theirs in NEEDED:
        if words[ours] is None:
            raise RejectedError(f"{name} has no {theirs}: correct it in Acumatica")
    for ours, given in zip(amounts, (source.CuryOrigDocAmt, source.CuryDocBal), strict=True):
        if given is None:
            raise RejectedError(f"{name} has no {'balance' if ours == 'balance' else 'amount'}: correct it in Acumatica")
        if given < 0 and source.DocType not in acumatica.EITHER_SIGN:
            what = "balance" if ours == "balance" else "amount"
            raise RejectedError(
                f"{name} has a negative {what}, {plain(given)} {words['currency']}: it says nothing certain about what is owed. "
                "Validate the balances of that customer in Acumatica"
            )
    return words | {"kind": kind, "status": _status(source)}


def _status(source: AcumaticaDocument) -> str:
    status = text(source.Status)
    if source.Voided:
        return "voided"
    if status is None:
        return "open" if source.CuryDocBal else "closed"
    return acumatica.STATUSES.get(status, status)


def _line(place: int, row: AcumaticaTran, context: Context) -> InvoiceLine:
    return InvoiceLine(number=place if row.LineNbr is None else row.LineNbr, **words_of(row, acumatica.LINE, context))


def _document(code: str | None, number: str | None) -> str | None:
    """`payment 000012`; None where half of it is missing."""
    kind, number = text(code), text(number)
    return None if kind is None or number is None else f"{KINDS.get(kind, kind).replace('_', ' ')} {number}"


def _applications(source: AcumaticaDocument) -> list[Application]:
    """What the released rows come to for each other document, with their signs: a reversal is a row of its own, with a minus. What comes to
    nothing is left out, and a row in which a document stands on both sides."""
    own = (text(source.DocType), text(source.RefNbr))
    rows: dict[str, list[tuple[date | None, Decimal, Decimal, Decimal]]] = {}
    for row in source.Applications:
        adjusted, adjusting = (text(row.AdjdDocType), text(row.AdjdRefNbr)), (text(row.AdjgDocType), text(row.AdjgRefNbr))
        if not row.Released or adjusted == adjusting or own not in (adjusted, adjusting):
            continue
        other = _document(*(adjusting if own == adjusted else adjusted))
        if other is not None:
            rows.setdefault(other, []).append((row.AdjgDocDate, *_taken(row, own == adjusted)))
    found = [_sum(other, taken) for other, taken in rows.items()]
    return [one for one in found if one.amount or one.discount or one.write_off]


def _taken(row: AcumaticaApplication, adjusted: bool) -> tuple[Decimal, Decimal, Decimal]:
    """In this document's currency. Discount and write-off are the adjusted document's: what a payment loses of itself is its amount."""
    nothing = Decimal(0)
    if adjusted:
        return row.CuryAdjdAmt or nothing, row.CuryAdjdDiscAmt or nothing, row.CuryAdjdWOAmt or nothing
    return row.CuryAdjgAmt or nothing, nothing, nothing


def _sum(other: str, taken: Iterable[tuple[date | None, Decimal, Decimal, Decimal]]) -> Application:
    days, amounts, discounts, write_offs = zip(*taken, strict=True)
    return Application(
        document=other,
        date=max((day for day in days if day is not None), default=None),
        amount=total(amounts),
        discount=total(discounts),
        write_off=total(write_offs),
    )


def _doubt(found: Invoice) -> str | None:
    """What a person should look at, though nothing keeps us from going on."""
    if found.status not in ("voided", "canceled"):
        return None
    paid = [one for one in found.applications if one.document.rpartition(" ")[0] in MONEY and one.amount > 0]
    if not paid:
        return None
    what = ", ".join(f"{plain(one.amount)} {found.currency} of {one.document}" for one in paid)
    return f"{found.kind.replace('_', ' ')} {found.number} is {found.status}, and yet {what} is applied to it: reverse that in Acumatica"
