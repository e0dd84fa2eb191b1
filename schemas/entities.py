"""Our canonical entities: the public contract of the normalized topics, one class for each file in schemas/avro."""

from __future__ import annotations

from datetime import date as Day
from decimal import Decimal

from pydantic import Field

from schemas.records import Amount, Instant, Record


class Address(Record):
    line1: str | None = None
    line2: str | None = None
    city: str | None = None
    state: str | None = None
    postal_code: str | None = None
    country: str | None = None


class Customer(Record):
    ref: str
    code: str | None = None
    name: str
    customer_class: str | None = None
    status: str | None = None
    terms: str | None = None
    currency: str | None = None
    credit_limit: Amount | None = None
    phone: str | None = None
    email: str | None = None
    website: str | None = None
    domain: str | None = None
    address: Address | None = None
    external_ref: str | None = None
    parent: str | None = None
    modified_at: Instant


class Contact(Record):
    ref: str
    number: str | None = None
    party: str
    first_name: str | None = None
    last_name: str | None = None
    job_title: str | None = None
    email: str | None = None
    phone: str | None = None
    mobile: str | None = None
    fax: str | None = None
    address: Address | None = None
    active: bool
    modified_at: Instant


class Application(Record):
    """What of another document was applied to this one, in this one's currency."""

    document: str
    date: Day | None = None
    amount: Amount
    discount: Amount = Decimal(0)
    write_off: Amount = Decimal(0)


class InvoiceLine(Record):
    number: int
    item: str | None = None
    text: str | None = None
    quantity: Amount | None = None
    unit: str | None = None
    price: Amount | None = None
    discount: Amount | None = None
    amount: Amount | None = None
    order: str | None = None


class Invoice(Record):
    ref: str
    kind: str
    number: str
    party: str
    contact: str | None = None
    date: Day
    due: Day | None = None
    currency: str
    total: Amount
    balance: Amount
    tax: Amount | None = None
    status: str
    terms: str | None = None
    po_number: str | None = None
    description: str | None = None
    original: str | None = None
    lines: list[InvoiceLine] = Field(default_factory=list)
    applications: list[Application] = Field(default_factory=list)
    modified_at: Instant


class Payment(Record):
    ref: str
    kind: str
    number: str
    party: str
    date: Day
    method: str | None = None
    reference: str | None = None
    description: str | None = None
    currency: str
    amount: Amount
    balance: Amount
    status: str
    applications: list[Application] = Field(default_factory=list)
    modified_at: Instant


class DealCompany(Record):
    name: str | None = None
    domain: str | None = None
    website: str | None = None
    phone: str | None = None
    industry: str | None = None
    address: Address | None = None
    customer: str | None = None


class DealContact(Record):
    ref: str
    first_name: str | None = None
    last_name: str | None = None
    job_title: str | None = None
    email: str | None = None
    phone: str | None = None


class Deal(Record):
    ref: str
    party: str
    name: str | None = None
    pipeline: str | None = None
    stage: str | None = None
    kind: str | None = None
    amount: Amount | None = None
    currency: str | None = None
    closed: Day | None = None
    company: DealCompany
    contact: DealContact | None = None
    modified_at: Instant
    read_at: Instant
