"""Invoices and payments of Acumatica for the tests of streams, and the books that they come from."""

from __future__ import annotations

from datetime import date
from typing import Any

from schemas.sources import SourceAcumaticaInvoice, SourceAcumaticaPayment
from tests.unit.streams_kit import ALICE, AT

DAY = date(2026, 3, 4)


def invoice_ref(number: object) -> str:
    return f"acumatica:invoice:i{number}"


def payment_ref(number: object) -> str:
    return f"acumatica:payment:p{number}"


def _given(ref: str, code: str, number: object, words: dict[str, Any]) -> dict[str, Any]:
    given = {"ref": ref, "change": "upsert", "modified_at": AT, "read_at": AT, "party": ALICE, "DocType": code, "RefNbr": str(number)}
    given |= {"DocDate": DAY, "CuryID": "USD", "CuryOrigDocAmt": "100.00", "CuryDocBal": "100.00", "Status": "N", "Released": True}
    return given | words


def an_invoice(number: object = "000001", code: str = "INV", **words: Any) -> SourceAcumaticaInvoice:
    due = {} if code in ("CRM", "SMC") else {"DueDate": date(2026, 4, 3)}
    return SourceAcumaticaInvoice.model_validate(_given(invoice_ref(number), code, number, due | words))


def a_payment(number: object = "000009", code: str = "PMT", **words: Any) -> SourceAcumaticaPayment:
    return SourceAcumaticaPayment.model_validate(_given(payment_ref(number), code, number, words))


def an_application(adjusted: str, adjusting: str, amount: str, **words: Any) -> dict[str, Any]:
    """A released row: `INV/000001` was paid by `PMT/000009`."""
    (of, of_number), (by, by_number) = adjusted.split("/"), adjusting.split("/")
    row = {"AdjdDocType": of, "AdjdRefNbr": of_number, "AdjgDocType": by, "AdjgRefNbr": by_number, "AdjNbr": 1, "AdjgDocDate": DAY}
    return row | {"CuryAdjdAmt": amount, "CuryAdjgAmt": amount, "Released": True} | words
