"""streams/documents.py: Acumatica's invoices and payments to ours, and what is no document for us."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from schemas.entities import Invoice, Payment
from schemas.partitions import partition_of
from schemas.records import Audit, DeadLetter
from streams.mappings import acumatica
from tests.unit.documents_kit import DAY, a_payment, an_application, an_invoice, invoice_ref, payment_ref
from tests.unit.streams_kit import ALICE, AT, feed, memory, read


def normalised(source: Any) -> tuple[list[Any], list[Audit], list[DeadLetter]]:
    """What became of it: the canonical documents, and what was said."""
    stages = memory()
    kind, topic = (Invoice, "invoice") if "invoice" in source.ref else (Payment, "payment")
    found = feed(stages, f"source.acumatica.{topic}", source, source.ref)
    audits = [one for one in read(stages, Audit, found, "audit") if one.stage == "normalise"]
    return read(stages, kind, found, f"normalized.{topic}"), audits, read(stages, DeadLetter, found, "dead-letters")


def invoice_of(**words: Any) -> Invoice:
    ((found,), _, _) = normalised(an_invoice(**words))
    return found  # type: ignore[no-any-return]


def payment_of(**words: Any) -> Payment:
    ((found,), _, _) = normalised(a_payment(**words))
    return found  # type: ignore[no-any-return]


def test_invoice_field_by_field() -> None:
    """Every canonical field of an invoice comes from its own field of Acumatica; texts are trimmed, amounts exact."""
    found = invoice_of(
        number="000012 ",
        contact="acumatica:contact:b2",
        CuryID="EUR ",
        CuryOrigDocAmt="160.10",
        CuryDocBal="60.1",
        CuryTaxTotal="10",
        TermsID="30D",
        InvoiceNbr=" PO 7",
        DocDesc="Yard order",
        OrigDocType="INV",
        OrigRefNbr="000003",
    )
    assert (found.kind, found.number, found.party, found.contact) == ("invoice", "000012", ALICE, "acumatica:contact:b2")
    assert (found.date, found.due, found.currency) == (DAY, date(2026, 4, 3), "EUR")
    assert (found.total, found.balance, found.tax) == (Decimal("160.10"), Decimal("60.10"), Decimal(10))
    assert (found.status, found.terms, found.po_number, found.description) == ("open", "30D", "PO 7", "Yard order")
    assert (found.original, found.modified_at) == ("invoice 000003", AT)


def test_lines_field_by_field() -> None:
    """A line keeps its number, its texts, and its decimals with their signs; one without a number is counted."""
    row = {"LineNbr": 4, "InventoryID": "NAIL16D ", "TranDesc": "Nails", "Qty": "-2.5", "UOM": "BOX", "CuryUnitPrice": "72.0055"}
    found = invoice_of(Lines=[{**row, "CuryDiscAmt": "1.00", "CuryTranAmt": "-180.01", "SOOrderNbr": "SO1"}, {"TranDesc": "Freight"}])
    assert found.lines[0].model_dump() == {
        **{"number": 4, "item": "NAIL16D", "text": "Nails", "quantity": Decimal("-2.5"), "unit": "BOX", "price": Decimal("72.0055")},
        **{"discount": Decimal(1), "amount": Decimal("-180.01"), "order": "SO1"},
    }
    assert (found.lines[1].number, found.lines[1].text, found.lines[1].price) == (2, "Freight", None)


def test_payment_field_by_field() -> None:
    """Every canonical field of a payment comes from its own field; its day is the day of application where that is known."""
    found = payment_of(AdjDate=date(2026, 3, 9), PaymentMethodID="CHECK", ExtRefNbr=" 4711", DocDesc="thanks", CuryDocBal="0")
    assert (found.kind, found.number, found.party, found.date) == ("payment", "000009", ALICE, date(2026, 3, 9))
    assert (found.method, found.reference, found.description) == ("CHECK", "4711", "thanks")
    assert (found.currency, found.amount, found.balance, found.status) == ("USD", Decimal(100), Decimal(0), "open")
    assert payment_of().date == DAY


@pytest.mark.parametrize(("code", "kind"), [*acumatica.INVOICE_KINDS.items(), *acumatica.PAYMENT_KINDS.items()])
def test_every_kind(code: str, kind: str) -> None:
    """Each type of Acumatica's receivables has its kind."""
    found = invoice_of(code=code) if code in acumatica.INVOICE_KINDS else payment_of(code=code)
    assert found.kind == kind


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ({"Status": "N"}, "open"),
        ({"Status": "C"}, "closed"),
        ({"Status": "V"}, "voided"),
        ({"Status": "C", "Voided": True}, "voided"),
        ({"Status": "L"}, "canceled"),
        ({"Status": "W"}, "W"),
        ({"Status": None}, "open"),
        ({"Status": None, "CuryDocBal": "0"}, "closed"),
    ],
)
def test_status(words: dict[str, Any], status: str) -> None:
    """A status is one of our words, or the ERP's own letter; a document without one is open as long as something is left."""
    assert invoice_of(**words).status == status


@pytest.mark.parametrize("amount", ["-40.00", "40.00"])
def test_voided_payment_has_no_sign(amount: str) -> None:
    """A Voided Payment is negative on some sites and positive on others: its magnitude is the same."""
    found = payment_of(code="RPM", CuryOrigDocAmt=amount, CuryDocBal="0", Status="C")
    assert (found.kind, found.amount) == ("voided_payment", Decimal(40))


def test_applications_are_summed_for_each_document() -> None:
    """Released rows of one document are one application with the last day; a reversal takes away, and nothing left is nothing listed."""
    rows = [
        an_application("INV/000001", "PMT/000009", "30.00", CuryAdjdDiscAmt="1.00"),
        an_application("INV/000001", "PMT/000009", "20.00", AdjgDocDate=date(2026, 3, 8), CuryAdjdWOAmt="0.50"),
        an_application("INV/000001", "PMT/000010", "5.00", Voided=True),
        an_application("INV/000001", "PMT/000010", "-5.00", Voided=True),
        an_application("INV/000001", "CRM/000011", "7.00", Released=False),
        an_application("INV/000001", "INV/000001", "9.00"),
        an_application("INV/000777", "PMT/000778", "9.00"),
    ]
    (one,) = invoice_of(number="000001", Applications=rows).applications
    assert (one.document, one.date, one.amount) == ("payment 000009", date(2026, 3, 8), Decimal(50))
    assert (one.discount, one.write_off) == (Decimal(1), Decimal("0.50"))


def test_a_payment_sees_its_applications_in_its_own_currency() -> None:
    """What a payment paid and what was refunded of it: both by the other document's name, in the payment's currency."""
    paid = an_application("INV/000001", "PMT/000009", "30.00", CuryAdjgAmt="41.10", CuryAdjdDiscAmt="2.00")
    refunded = an_application("PMT/000009", "REF/000012", "5.00")
    found = payment_of(Applications=[paid, refunded]).applications
    assert [(one.document, one.amount, one.discount) for one in found] == [
        ("invoice 000001", Decimal("41.10"), Decimal(0)),
        ("refund 000012", Decimal(5), Decimal(0)),
    ]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ({"change": "delete"}, "deleted at the source"),
        ({"scope": "its customer is no customer any more"}, "its customer is no customer any more"),
        ({"DocType": "CSL"}, "documents of type CSL are not mirrored"),
        ({"DocType": None}, "documents of type (none) are not mirrored"),
        ({"Released": False, "Status": "H"}, "it is not released yet (status On Hold)"),
        ({"Released": None, "Status": "B"}, "it is not released yet (status Balanced)"),
    ],
)
def test_out_of_scope(words: dict[str, Any], reason: str) -> None:
    """What is no document for us leaves by a tombstone in its customer's partition, and the audit says why in plain words."""
    for source, topic in ((an_invoice(**words), "invoice"), (a_payment(**words), "payment")):
        stages = memory()
        tombstone, audit, *more = feed(stages, f"source.acumatica.{topic}", source, source.ref)
        assert (tombstone.topic, tombstone.value, more) == (f"normalized.{topic}", None, [])
        assert tombstone.partition == partition_of(ALICE, stages.partitions)
        (entry,) = read(stages, Audit, [audit], "audit")
        assert (entry.event, entry.ref) == ("out_of_scope", source.ref)
        assert reason in (entry.detail or "")


def test_without_a_customer_only_the_audit_speaks() -> None:
    """Without a customer nobody knows the partition: no tombstone goes to a wrong one."""
    for source in (an_invoice(party=None), a_payment(party=None, scope="it belongs to vendor V1")):
        found, (audit,), letters = normalised(source)
        assert (found, letters, audit.event) == ([], [], "out_of_scope")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ({"CuryID": " "}, "has no currency (CuryID)"),
        ({"DocDate": None}, "has no date"),
        ({"RefNbr": None}, "(no number) has no number"),
        ({"CuryOrigDocAmt": None}, "has no amount"),
        ({"CuryDocBal": None}, "has no balance"),
        ({"CuryDocBal": "-5.00"}, "has a negative balance, -5 USD"),
        ({"CuryOrigDocAmt": "-0.01"}, "has a negative amount, -0.01 USD"),
    ],
)
def test_what_cannot_be_right_is_a_dead_letter(words: dict[str, Any], reason: str) -> None:
    """A document without number, day, currency or amount, or with less than nothing, is a dead letter that a finance person can act on."""
    for source, name in ((an_invoice(**words), "invoice "), (a_payment(**words), "payment ")):
        found, (audit,), (letter,) = normalised(source)
        assert (found, audit.event) == ([], "rejected")
        assert letter.reason.startswith(name)
        assert reason in letter.reason
        assert "Acumatica" in letter.reason


def test_payment_applied_to_a_voided_invoice_is_noted() -> None:
    """A voided invoice to which money is applied goes on, voided, and the audit says what to put right; a memo that voids it is no news."""
    rows = [an_application("INV/000001", "PMT/000009", "30.00"), an_application("INV/000001", "CRM/000010", "70.00")]
    (found,), (audit,), letters = normalised(an_invoice(Status="V", Voided=True, CuryDocBal="0", Applications=rows))
    assert (found.status, letters, audit.event) == ("voided", [], "noted")
    assert audit.detail == "invoice 000001 is voided, and yet 30 USD of payment 000009 is applied to it: reverse that in Acumatica"
    assert normalised(an_invoice(Status="L", CuryDocBal="0", Applications=rows[1:]))[1] == []


def test_documents_go_to_their_customers_partition() -> None:
    """Documents stand in the partition of their customer, under their own ref."""
    stages = memory()
    for topic, source in (("invoice", an_invoice()), ("payment", a_payment())):
        out = feed(stages, f"source.acumatica.{topic}", source, source.ref)[0]
        assert (out.topic, out.partition) == (f"normalized.{topic}", partition_of(ALICE, stages.partitions))
        assert out.key.decode() in (invoice_ref("000001"), payment_ref("000009"))


def test_huge_amounts_keep_every_digit() -> None:
    """Thirty digits before the point and eight after it are summed without a rounding."""
    big = "1" * 29 + ".00000001"
    rows = [an_application("INV/000001", "PMT/000009", big), an_application("INV/000001", "PMT/000009", "0.00000001")]
    (one,) = invoice_of(CuryOrigDocAmt=big, Applications=rows).applications
    assert one.amount == Decimal("1" * 29 + ".00000002")
