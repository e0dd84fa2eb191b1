"""What a customer owes, from the Acumatica sandbox's books and docs/agreement.md, section *Receivables*: the roll-ups of its company."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from decimal import Decimal

from sandbox.compare.owned import Row, text

#: What an open balance means to the customer: +1 is owed by it, -1 is its own.
SIGNS = {"INV": 1, "DRM": 1, "FCH": 1, "SMC": 1, "RPM": 1, "REF": 1, "CRM": -1, "PMT": -1, "PPM": -1, "VRF": -1, "SMB": -1}
BILLED = {"INV": "invoice", "DRM": "debit memo", "FCH": "overdue charge"}
LISTED = 10
NOTHING = Decimal(0)


def of_customers(books: Row) -> dict[str, list[Row]]:
    """The released documents of each customer, by its NoteID in lower case."""
    found: dict[str, list[Row]] = defaultdict(list)
    for document in books.get("documents", ()):
        if document["Released"] and document["CustomerNoteID"]:
            found[document["CustomerNoteID"].lower()].append(document)
    return found


def amount(value: object) -> Decimal:
    """Its magnitude: the type of a document says which way it counts."""
    return abs(Decimal(text(value) or 0))


def void(document: Row) -> bool:
    return bool(document["Voided"]) or document["Status"] in ("V", "L")


def day_of(document: Row) -> str:
    """A payment counts by its application date."""
    return text(document.get("AdjDate") or document["DocDate"])


def age(document: Row) -> tuple[str, str]:
    return day_of(document), document["RefNbr"]


def is_overdue(document: Row, today: date) -> bool:
    return bool(document["DueDate"]) and document["DueDate"] < today.isoformat()


def rollups(customer: Row, documents: Iterable[Row], today: date) -> dict[str, str]:
    """The company's properties of receivables, as texts."""
    documents = list(documents)
    owed = [one for one in documents if amount(one["CuryDocBal"])]
    billed = [one for one in owed if one["DocType"] in BILLED]
    currency = text(customer.get("CurrencyID")) or _only(owed)
    balances = _sums(owed, lambda one: SIGNS[one["DocType"]] * amount(one["CuryDocBal"]))
    overdue = _sums([one for one in billed if is_overdue(one, today)], lambda one: amount(one["CuryDocBal"]))
    payments = [one for one in documents if one["DocType"] in ("PMT", "PPM") and not void(one)]
    last = max(payments, key=age, default=None)
    paid_here = last is not None and last["CuryID"] == currency
    balance = None if not currency and balances else balances.get(currency, NOTHING)
    return {
        "acumatica_ar_balance": number(balance),
        "acumatica_overdue_amount": number(None if balance is None else overdue.get(currency, NOTHING)),
        "acumatica_oldest_due_date": min((one["DueDate"] for one in billed if one["DueDate"]), default=""),
        "acumatica_open_invoice_count": str(len(billed)),
        "acumatica_last_payment_date": day_of(last) if last else "",
        "acumatica_last_payment_amount": number(amount(last["CuryOrigDocAmt"])) if last and paid_here else "",
        "acumatica_last_invoice_date": max((one["DocDate"] for one in documents if one["DocType"] == "INV" and not void(one)), default=""),
        "acumatica_credit_status": credit(customer, balance),
        "acumatica_credit_hold": "true" if text(customer.get("Status")).lower() == "credit hold" else "false",
        "acumatica_open_invoices": listed(billed, today),
        "acumatica_other_currencies": elsewhere(currency, balances, overdue, billed, None if paid_here else last),
    }


def number(value: Decimal | None) -> str:
    return "" if value is None else format(value.normalize(), "f") if value else "0"


def money(value: Decimal, currency: str) -> str:
    """As people read it: at least two places."""
    whole, _, cents = number(value).partition(".")
    return f"{whole}.{cents:0<2} {currency}"


def credit(customer: Row, balance: Decimal | None) -> str:
    limit = Decimal(text(customer.get("CreditLimit")) or 0)
    if text(customer.get("Status")).lower() == "credit hold":
        return "Credit hold"
    if not limit or balance is None:
        return "No limit"
    return "Over the limit" if balance > limit else "Within the limit"


def listed(billed: Iterable[Row], today: date) -> str:
    """The latest ten, a line each, and how many more there are."""
    newest = sorted(billed, key=age, reverse=True)
    more = len(newest) - LISTED
    return "\n".join([*(_line(one, today) for one in newest[:LISTED]), *([f"and {more} more"] if more > 0 else [])])


def elsewhere(own: str, balances: Mapping[str, Decimal], overdue: Mapping[str, Decimal], billed: Iterable[Row], payment: Row | None) -> str:
    """Other currencies than the customer's, a line each; nothing is converted."""
    due = {one["CuryID"] for one in billed}
    lines = []
    for one in sorted(balances):
        if one != own and (balances[one] or one in due):
            late = f", {money(overdue[one], one)} overdue" if overdue.get(one) else ""
            lines.append(f"{money(balances[one], one)} open{late}")
    if payment is not None:
        lines.append(f"last payment: {money(amount(payment['CuryOrigDocAmt']), payment['CuryID'])}")
    return "\n".join(lines)


def _line(one: Row, today: date) -> str:
    late = " (overdue)" if is_overdue(one, today) else ""
    due = f", due {one['DueDate']}{late}" if one["DueDate"] else ""
    total, open_ = amount(one["CuryOrigDocAmt"]), amount(one["CuryDocBal"])
    of = "" if total == open_ else f" of {money(total, one['CuryID'])}"
    return f"{BILLED[one['DocType']]} {one['RefNbr']} of {one['DocDate']}{due}: {money(open_, one['CuryID'])}{of} open"


def _only(documents: Iterable[Row]) -> str:
    found = {one["CuryID"] for one in documents}
    return found.pop() if len(found) == 1 else ""


def _sums(documents: Iterable[Row], value: Callable[[Row], Decimal]) -> dict[str, Decimal]:
    found: dict[str, Decimal] = defaultdict(Decimal)
    for one in documents:
        found[one["CuryID"]] += value(one)
    return found
