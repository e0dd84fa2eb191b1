"""The typed form of what travels, one class for each file in schemas/avro (same names, same fields).

`to_avro` gives what fastavro writes, `from_avro` takes what it read. Amounts are Decimal, instants are aware UTC datetimes; anything else
is refused by pydantic with the field's name.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Context, Decimal
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

Instant = Annotated[AwareDatetime, AfterValidator(lambda at: at.astimezone(UTC))]


def _amount(value: Decimal) -> Decimal:
    """What a decimal of precision 38 and scale 8 holds exactly; no number of any size is computed with before."""
    if value and value.adjusted() >= 30:
        raise ValueError("more than 30 digits before the point")
    exact = value.quantize(Decimal("1E-8"), context=Context(prec=39)) if value else Decimal("0E-8")
    if exact != value:
        raise ValueError("more than 8 digits after the point")
    return exact


def _text(value: str) -> str:
    """JSON can carry half of a surrogate pair; UTF-8, and so Avro, cannot."""
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise ValueError(f"half of a character, {value[error.start]!a}, at place {error.start + 1}") from None
    return value


Amount = Annotated[Decimal, AfterValidator(_amount)]
#: What Avro's long holds.
Long = Annotated[int, Field(ge=-(2**63), lt=2**63)]
#: A text out of a vendor's JSON.
Text = Annotated[str, AfterValidator(_text)]


def now() -> datetime:
    return datetime.now(UTC)


class Record(BaseModel):
    """`schema_name` is the Avro record's name and its file's."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    schema_name: ClassVar[str]
    #: Every class by its name, of the modules that are imported.
    kinds: ClassVar[dict[str, type[Record]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.schema_name = cls.__name__
        cls.kinds[cls.__name__] = cls

    def to_avro(self) -> dict[str, Any]:
        return self.model_dump()

    @classmethod
    def from_avro(cls, value: Any) -> Self:
        return cls.model_validate(value)


class Link(Record):
    ref: str
    peer: str
    origin: str
    at: Instant
    trace: str


class Reference(Record):
    name: str
    ref: str
    optional: bool = False


class Part(Record):
    key: str
    properties: dict[str, str | None]


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
    parts: list[Part] = Field(default_factory=list)
    target: str | None = None
    source_system: str
    source_at: Instant
    trace: str

    @property
    def further(self) -> bool:
        """It refers to its own subject: it adds to a record that another facet makes."""
        return any(one.ref == self.subject for one in self.references)


class FacetState(Record):
    version: int
    hash: str | None = None
    outcome: str
    at: Instant
    offset: int | None = None


class Doubt(Record):
    """What calls without an answer may do to a subject until then: go over what is newer, associate it with these refs, make these
    parts."""

    until: Instant
    references: list[str] = Field(default_factory=list)
    parts: list[str] = Field(default_factory=list)

    @classmethod
    def of(cls, wish: Wish, until: datetime) -> Doubt:
        refs, keys = {one.ref for one in wish.references}, {part.key for part in wish.parts}
        return cls(until=until, references=sorted(refs), parts=sorted(keys))

    def joined(self, other: Doubt | None) -> Doubt:
        """Both of them."""
        if other is None:
            return self
        references, parts = {*self.references, *other.references}, {*self.parts, *other.parts}
        return Doubt(until=max(self.until, other.until), references=sorted(references), parts=sorted(parts))


class Result(Record):
    subject: str
    object: str
    target: str | None = None
    facets: dict[str, FacetState] = Field(default_factory=dict)
    associations: dict[str, str] = Field(default_factory=dict)
    missing: list[str] = Field(default_factory=list)
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


class BudgetState(Record):
    system: str
    name: str
    used: int
    limit: int


class WorkerState(Record):
    """A worker that runs. For people; nothing depends on it."""

    worker: str
    member: str
    host: str
    since: Instant
    at: Instant
    partitions: int
    budgets: list[BudgetState] = Field(default_factory=list)
    metrics: str | None = None
    error: str | None = None
    error_at: Instant | None = None


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
