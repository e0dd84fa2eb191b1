"""The invoices of docs/agreement.md, section *Receivables*: rules 21 to 25."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from sandbox.compare.owned import Row, email, same, text
from sandbox.compare.receivables import BILLED, amount, money, number, void
from sandbox.compare.records import Held, Wanted, held

STATUSES = {"N": "Open", "C": "Closed", "V": "Voided", "L": "Canceled"}
OTHERS = {"PMT": "payment", "PPM": "prepayment", "RPM": "voided payment", "CRM": "credit memo", "SMB": "balance write off"}
KINDS = {"INV": "Invoice", "DRM": "Debit memo", "FCH": "Overdue charge"}


@dataclass
class Findings:
    """What the invoices add to a verdict."""

    invoices: int
    missing: list[str]
    doubled: list[str]
    stale: list[str]
    excused: list[str]


@dataclass
class Portal:
    """What the invoices refer to: the companies and contacts that are there, by our keys, and why an invoice may be left out."""

    tenant: str
    companies: Held
    customers: Mapping[str, Wanted]
    people: Mapping[str, str]


def judge(acumatica: Row, hubspot: Row, portal: Portal) -> Findings:
    """Rules 21 to 25."""
    found, keys = Findings(0, [], [], [], []), set()
    invoices = held(hubspot, "invoice", "invoices", "acumatica_invoice_key")
    lines = held(hubspot, "line item", "line_items", "acumatica_line_key")
    pairs, contacts, paid = _pairs(hubspot), Contacts(acumatica, portal.tenant), _paid(acumatica["books"])
    for document in acumatica["books"]["documents"]:
        party = f"{portal.tenant}|{document['CustomerNoteID']}".lower()
        if document["DocType"] not in BILLED or not document["Released"] or party not in portal.customers:
            continue
        key = f"{portal.tenant}|{document['NoteID']}".lower()
        keys.add(key)
        refs, label = invoices.of(key), f"{KINDS[document['DocType']]} {document['RefNbr']} ({key})"
        if len(refs) > 1:
            found.doubled.append(f"rule 21: several invoices carry its key: {label}: {', '.join(refs)}")
        elif excuse := _excuse(hubspot, document, portal, party):
            found.excused.append(f"rule 25: {label}: {excuse}")
        elif not refs:
            found.missing.append(f"rule 21: no invoice for {label}")
        else:
            found.invoices += 1
            where, there = f"invoice {refs[0]}, {label}", pairs[refs[0]]
            wanted = values(document) | {"acumatica_payments": payments(document, paid[document["DocType"], document["RefNbr"]])}
            found.stale += _values(invoices.live[refs[0]], wanted, where)
            found.stale += _parties(there, portal.companies.of(party), portal.people.get(contacts.of(document) or ""), where)
            found.stale += _lines(lines, document, key, there["line_item"], where)
    found.doubled += _strangers(invoices, keys)
    return found


def _excuse(hubspot: Row, document: Row, portal: Portal, party: str) -> str:
    """Rule 25: the portal takes no invoices, or none in that currency, or the company is not there for a reason of its own."""
    state = hubspot.get("access", {}).get("invoices", "ok")
    if state != "ok":
        return f"the portal takes no invoices: {state}"
    if document["CuryID"] not in hubspot.get("currencies", []):
        return f"the portal has no currency {document['CuryID']}"
    return portal.customers[party].excuse if not portal.companies.of(party) else ""


def _strangers(invoices: Held, keys: set[str]) -> list[str]:
    new = {ref: invoices.key(properties) for ref, properties in invoices.live.items() if ref not in invoices.seeded}
    return [f"rule 21: invoice {ref}: its key {key!r} belongs to no released document" for ref, key in new.items() if key not in keys]


def values(document: Row) -> dict[str, str]:
    """The owned properties of an invoice, as texts."""
    status = "voided" if void(document) else "paid" if not amount(document["CuryDocBal"]) else "open"
    return {
        "hs_number": text(document["RefNbr"]),
        "hs_currency": text(document["CuryID"]),
        "hs_invoice_billable": "false",
        "hs_invoice_status": status,
        "hs_invoice_date": text(document["DocDate"]),
        "hs_due_date": text(document["DueDate"]),
        "hs_amount_billed": number(amount(document["CuryOrigDocAmt"])),
        "hs_purchase_order_number": text(document["InvoiceNbr"]),
        "hs_comments": text(document["DocDesc"]),
        "acumatica_open_balance": number(amount(document["CuryDocBal"])),
        "acumatica_document_type": KINDS[document["DocType"]],
        "acumatica_document_status": "Voided" if document["Voided"] else STATUSES.get(document["Status"], text(document["Status"])),
        "acumatica_terms": text(document["TermsID"]),
        "acumatica_tax_total": number(Decimal(text(document["CuryTaxTotal"]) or 0)),
    }


def payments(document: Row, applications: Iterable[Row]) -> str:
    """What was applied, a line for each other document that comes to something, in the order of days, then names."""
    rows: dict[str, list[Row]] = defaultdict(list)
    for one in applications:
        rows[f"{OTHERS[one['AdjgDocType']]} {one['AdjgRefNbr']}"].append(one)
    lines = []
    for name, several in rows.items():
        amounts = [
            sum((Decimal(text(one[field])) for one in several), Decimal(0)) for field in ("CuryAdjdAmt", "CuryAdjdDiscAmt", "CuryAdjdWOAmt")
        ]
        if any(amounts):
            day = max(one["AdjgDocDate"] for one in several)
            more = [
                f", {what} {money(less, document['CuryID'])}"
                for what, less in zip(("discount", "write-off"), amounts[1:], strict=True)
                if less
            ]
            lines.append((day, name, f"{name} of {day}: {money(amounts[0], document['CuryID'])}{''.join(more)}"))
    return "\n".join(line for _, _, line in sorted(lines))


def _paid(books: Row) -> dict[tuple[str, str], list[Row]]:
    """The released applications, by the document that was paid."""
    found: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for one in books["applications"]:
        if one["Released"]:
            found[one["AdjdDocType"], one["AdjdRefNbr"]].append(one)
    return found


class Contacts:
    """Rule 23: whom an invoice goes to."""

    def __init__(self, acumatica: Row, tenant: str) -> None:
        self._tenant = tenant
        self._of: dict[str, list[Row]] = defaultdict(list)
        for row in sorted((row for row in acumatica["contacts"] if row.get("Type") == "Contact"), key=lambda row: int(row["ContactID"])):
            self._of[text(row.get("BusinessAccount")).upper()].append(row)

    def of(self, document: Row) -> str | None:
        """The key of the person that it names, if that is one of the customer's; else of the first of them with its e-mail."""
        bill, own = document["BillTo"] or {}, self._of[text(document["AcctCD"]).upper()]
        by_number = [row for row in own if row["ContactID"] == bill.get("contact")]
        by_mail = [row for row in own if bill.get("email") and email(row.get("Email")) == email(bill["email"])]
        chosen = next(iter([*by_number, *by_mail]), None)
        return None if chosen is None else f"{self._tenant}|{chosen['id']}".lower()


def _pairs(hubspot: Row) -> dict[str, dict[str, set[str]]]:
    """For each invoice the ids that it is associated with, by object."""
    found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for link in hubspot["associations"]:
        for one, other in (("from", "to"), ("to", "from")):
            if link[one] == "invoice":
                found[str(link[f"{one}_id"])][link[other]].add(str(link[f"{other}_id"]))
    return found


def _values(properties: Row, wanted: Mapping[str, str], where: str) -> list[str]:
    return [
        f"rule 22: {where}: {name} is {text(properties.get(name))!r}, want {value!r}"
        for name, value in wanted.items()
        if not same(name, value, properties.get(name))
    ]


def _parties(pairs: Mapping[str, set[str]], companies: list[str], contact: str | None, where: str) -> list[str]:
    found = []
    if not set(companies) & pairs.get("company", set()):
        found.append(f"rule 23: {where}: not associated with its company")
    if contact is not None and contact not in pairs.get("contact", set()):
        found.append(f"rule 23: {where}: not associated with its contact {contact}")
    return found


def _lines(lines: Held, document: Row, key: str, there: set[str], where: str) -> list[str]:
    found, wanted = [], {f"{key}|{row['LineNbr']}": row for row in document["Lines"]}
    for own, row in wanted.items():
        refs = lines.of(own)
        if len(refs) != 1 or refs[0] not in there:
            found.append(f"rule 24: {where}: line {row['LineNbr']} is there {len(refs)} times, its own: {sorted(there)}")
            continue
        quantity, price = Decimal(text(row["Qty"]) or 0), Decimal(text(row["CuryUnitPrice"]) or 0)
        said = {"quantity": number(quantity), "price": number(price), "hs_line_item_currency_code": text(document["CuryID"])}
        found += _values(lines.live[refs[0]], said, f"{where}, line {row['LineNbr']}")
    strange = {ref for ref in there if lines.key(lines.live.get(ref, {})) not in wanted}
    return [*found, *(f"rule 24: {where}: line item {ref} belongs to no line" for ref in sorted(strange))]
