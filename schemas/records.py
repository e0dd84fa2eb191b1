"""The typed form of what travels, one class for each file in schemas/avro (same names, same fields).

`to_avro` gives what fastavro writes, `from_avro` takes what it read. Amounts are Decimal, instants are aware UTC datetimes; anything else
is refused by pydantic with the field's name.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

Instant = Annotated[AwareDatetime, AfterValidator(lambda at: at.astimezone(UTC))]


def now() -> datetime:
    return datetime.now(UTC)


class Record(BaseModel):
    """`schema_name` is the Avro record's name and its file's."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    schema_name: ClassVar[str]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.schema_name = cls.__name__

    def to_avro(self) -> dict[str, Any]:
        return self.model_dump()

    @classmethod
    def from_avro(cls, value: Any) -> Self:
        return cls.model_validate(value)


class AcumaticaAddress(Record):
    AddressLine1: str | None = None
    AddressLine2: str | None = None
    City: str | None = None
    State: str | None = None
    PostalCode: str | None = None
    Country: str | None = None


class AcumaticaMainContact(Record):
    Email: str | None = None
    Phone1: str | None = None
    WebSite: str | None = None
    Address: AcumaticaAddress | None = None


class AcumaticaRow(Record):
    """What every source record of Acumatica starts with."""

    ref: str
    change: str
    modified_at: Instant
    read_at: Instant


class SourceAcumaticaCustomer(AcumaticaRow):
    CustomerID: str | None = None
    CustomerName: str | None = None
    CustomerClass: str | None = None
    Status: str | None = None
    BAccountID: int | None = None
    Terms: str | None = None
    CurrencyID: str | None = None
    CreditLimit: Decimal | None = None
    AccountRef: str | None = None
    ParentRecord: str | None = None
    MainContact: AcumaticaMainContact | None = None
    extra: dict[str, str] = Field(default_factory=dict)


class SourceAcumaticaContact(AcumaticaRow):
    party: str | None = None
    scope: str | None = None
    ContactID: int | None = None
    Type: str | None = None
    BusinessAccount: str | None = None
    DisplayName: str | None = None
    FirstName: str | None = None
    MiddleName: str | None = None
    LastName: str | None = None
    JobTitle: str | None = None
    Email: str | None = None
    Phone1: str | None = None
    Phone1Type: str | None = None
    Phone2: str | None = None
    Phone2Type: str | None = None
    Phone3: str | None = None
    Phone3Type: str | None = None
    Fax: str | None = None
    WebSite: str | None = None
    Active: bool | None = None
    Status: str | None = None
    ContactClass: str | None = None
    Address: AcumaticaAddress | None = None
    extra: dict[str, str] = Field(default_factory=dict)


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
    credit_limit: Decimal | None = None
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


class Link(Record):
    ref: str
    peer: str
    origin: str
    at: Instant
    trace: str


class Reference(Record):
    name: str
    ref: str


class Match(Record):
    property: str
    value: str


class Wish(Record):
    subject: str
    object: str
    facet: str
    version: int
    key_property: str
    key_value: str
    properties: dict[str, str | None]
    matches: list[Match] = Field(default_factory=list)
    references: list[Reference] = Field(default_factory=list)
    target: str | None = None
    source_system: str
    source_at: Instant
    trace: str


class FacetState(Record):
    version: int
    hash: str | None = None
    outcome: str
    at: Instant
    offset: int | None = None


class Doubt(Record):
    """What calls without an answer may do to a subject until then: go over what is newer, and associate it with these refs."""

    until: Instant
    references: list[str] = Field(default_factory=list)

    @classmethod
    def of(cls, wish: Wish, until: datetime, references: Iterable[str] = ()) -> Doubt:
        return cls(until=until, references=sorted({*references, *(one.ref for one in wish.references)}))

    def joined(self, other: Doubt | None) -> Doubt:
        """Both of them."""
        if other is None:
            return self
        return Doubt(until=max(self.until, other.until), references=sorted({*self.references, *other.references}))


class Result(Record):
    subject: str
    object: str
    target: str | None = None
    facets: dict[str, FacetState] = Field(default_factory=dict)
    associations: dict[str, str] = Field(default_factory=dict)
    intent: str | None = None
    doubt: Doubt | None = None
    at: Instant
    trace: str


class Waiting(Record):
    subject: str
    waits_for: str
    since: Instant
    wishes: list[Wish]


class Checkpoint(Record):
    source: str
    entity: str
    position: dict[str, str]
    at: Instant


class Audit(Record):
    ref: str
    event: str
    stage: str
    worker: str
    at: Instant = Field(default_factory=now)
    source_at: Instant | None = None
    version: int | None = None
    facet: str | None = None
    target: str | None = None
    detail: str | None = None
    trace: str


class DeadLetter(Record):
    topic: str | None = None
    partition: int | None = None
    offset: int | None = None
    key: bytes | None = None
    value: bytes | None = None
    headers: dict[str, bytes] = Field(default_factory=dict)
    ref: str | None = None
    stage: str
    worker: str
    error: str
    reason: str
    attempts: int = 1
    request: str | None = None
    response: str | None = None
    candidates: list[str] = Field(default_factory=list)
    at: Instant = Field(default_factory=now)
    trace: str
