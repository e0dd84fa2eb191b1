"""What the Acumatica sandbox's books hold beside what was published of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from schemas.sources import SourceAcumaticaInvoice

HEADER = ("DocType", "RefNbr", "CustomerID", "AcctCD", "DocDate", "DueDate", "CuryID", "CuryOrigDocAmt", "CuryDocBal", "Status", "Released",
          "Voided", "Hold", "DocDesc")  # fmt: skip
LINE = ("LineNbr", "TranDesc", "Qty", "UOM", "CuryUnitPrice", "CuryDiscAmt", "CuryTranAmt", "SOOrderNbr")
APPLICATION = ("AdjdDocType", "AdjdRefNbr", "AdjgDocType", "AdjgRefNbr", "AdjNbr", "AdjgDocDate", "CuryAdjdAmt", "CuryAdjdDiscAmt",
               "CuryAdjdWOAmt", "CuryAdjgAmt", "Released", "Voided")  # fmt: skip
AMOUNTS = frozenset(name for name in (*HEADER, *LINE, *APPLICATION) if name.startswith("Cury") and name != "CuryID") | {"Qty"}
INVOICES = ("INV", "DRM", "CRM", "FCH", "SMC")
#: What a voiding document takes back: with the other one it comes to nothing, and the form shows neither.
VOIDS = {"RPM": "PMT", "PPM": "PMT", "VRF": "REF"}
Told = dict[str, Any]


def kept(books: Mapping[str, Any]) -> dict[str, Told]:
    """By ref, every document of `GET /__sandbox__/books` as its last record must have it."""
    found = {}
    for row in books["documents"]:
        key = (row["DocType"], row["RefNbr"])
        own = [one for one in books["applications"] if key in _sides(one)]
        entity = "invoice" if row["DocType"] in INVOICES else "payment"
        told = _of(row, HEADER) | {"party": row["CustomerNoteID"] and f"acumatica:customer:{row['CustomerNoteID']}"}
        told["Applications"] = sorted(str(_of(one, APPLICATION)) for one in own)
        told["at"] = max([row["LastModifiedDateTime"], *(one["LastModifiedDateTime"] for one in own)])
        if entity == "invoice":
            told["Lines"] = [_of(line, LINE) | {"item": line["InventoryCD"]} for line in row["Lines"]]
        found[f"acumatica:{entity}:{row['NoteID']}"] = told
    return found


def published(records: Iterable[Any]) -> dict[str, Told]:
    """By ref, each document's last record."""
    found = {}
    for record in records:
        row = record.model_dump(mode="json")
        told = _of(row, HEADER) | {"party": row["party"], "at": record.modified_at.isoformat()}
        told["Applications"] = sorted(str(_of(one, APPLICATION)) for one in row["Applications"])
        if isinstance(record, SourceAcumaticaInvoice):
            told["Lines"] = [_of(line, LINE) | {"item": line["InventoryID"]} for line in row["Lines"]]
        found[record.ref] = told
    return found


def behind(books: Mapping[str, Any], records: Iterable[Any]) -> dict[str, tuple[Told, Told | None]]:
    """What was not published as it is now: ref -> (as it is, as it was published)."""
    told = published(records)
    return {ref: (one, told.get(ref)) for ref, one in kept(books).items() if told.get(ref) != one}


def _sides(row: Mapping[str, Any]) -> set[tuple[str, str]]:
    return {(row["AdjdDocType"], row["AdjdRefNbr"]), (row["AdjgDocType"], row["AdjgRefNbr"])}


def _of(row: Mapping[str, Any], names: Iterable[str]) -> Told:
    return {name: Decimal(row[name]).normalize() if name in AMOUNTS and row[name] is not None else row[name] for name in names}


def behind_in_forms(books: Mapping[str, Any], records: Iterable[Any]) -> dict[str, tuple[Told, Told | None]]:
    """The same for what the contract-based API shows: no write-offs of balances, no orders of lines; of applications what they come to,
    at the document that takes them and at the invoice that they are taken from."""
    there = {ref: _in_forms(row, [one for one in books["applications"] if (row["DocType"], row["RefNbr"]) in _sides(one)])
             for ref, row in _rows(books) if row["DocType"] != "SMB"}  # fmt: skip
    found = {record.ref: record.model_dump(mode="json") for record in records}
    told = {ref: _in_forms(row, row["Applications"]) for ref, row in found.items()}
    return {ref: (one, told.get(ref)) for ref, one in there.items() if told.get(ref) != one}


def _rows(books: Mapping[str, Any]) -> Iterable[tuple[str, Told]]:
    for row in books["documents"]:
        yield f"acumatica:{'invoice' if row['DocType'] in INVOICES else 'payment'}:{row['NoteID']}", row


def _in_forms(row: Told, applications: Iterable[Mapping[str, Any]]) -> Told:
    own, sums = (row["DocType"], row["RefNbr"]), dict[str, Decimal]()
    for one in applications:
        adjusted, adjusting = ((one[f"{side}DocType"], one[f"{side}RefNbr"]) for side in ("Adjd", "Adjg"))
        if one["Released"] and own == adjusting:
            sums[f"to {adjusted}"] = sums.get(f"to {adjusted}", Decimal(0)) + Decimal(one["CuryAdjgAmt"])
        elif one["Released"] and own[0] in INVOICES:
            name = f"from {VOIDS.get(adjusting[0], adjusting[0])} {adjusting[1]}"
            sums[name] = sums.get(name, Decimal(0)) + Decimal(one["CuryAdjdAmt"])
    told = _of(row, [name for name in HEADER if name != "Voided"]) | {"sums": {other: amount for other, amount in sums.items() if amount}}
    code = "InventoryCD" if row.get("Lines") and "InventoryCD" in row["Lines"][0] else "InventoryID"
    return told | {"Lines": [_of(line, LINE[:-1]) | {"item": line[code]} for line in row.get("Lines") or ()]}
