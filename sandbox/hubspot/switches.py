"""What a portal or HubSpot itself may do one way or the other."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from sandbox.hubspot.access import Mode

ALL_SCOPES = tuple(
    f"crm.{area}.{objects}.{right}"
    for objects in ("companies", "contacts", "deals", "invoices", "line_items")
    for area in ("objects", "schemas")
    for right in ("read", "write")
)


def _split(value: Any) -> Any:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _known(zone: str) -> str:
    try:
        _ = None if zone == "UTC" else ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"no time zone {zone!r} is known here") from error
    return zone


Zone = Annotated[str, AfterValidator(_known)]
Names = Annotated[tuple[str, ...], BeforeValidator(_split)]


class Switches(BaseModel):
    """The defaults are what a new portal with a Professional subscription does."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    portal_id: int = Field(default=48290155, description="the number of the portal")
    time_zone: Zone = Field(default="UTC", description="the portal's zone; the daily limit starts again at its midnight")
    currency: str = Field(default="USD", description="the company currency that account-info tells")
    additional_currencies: Names = Field(default=("CAD", "EUR", "GBP"), description="the portal's other currencies, comma-separated")
    scopes: Names = Field(default=ALL_SCOPES, description="the scopes granted to the token, comma-separated")
    search_delay_seconds: float = Field(default=3.0, ge=0, description="search finds a record as it was that long ago")
    property_lag_seconds: float = Field(default=0.0, ge=0, description="a new property is not read back for so long (live: 0.25 to 0.7)")
    burst_limit: int = Field(default=190, ge=1, description="calls in any 10 s, search not counted")
    search_limit: int = Field(default=5, ge=1, description="search calls in any second, for the whole account")
    associations_limit: int = Field(default=150, ge=1, description="association calls in any 10 s; they count in burst_limit too")
    daily_limit: int = Field(default=625_000, ge=0, description="calls a day, search counted")
    retry_after: bool = Field(default=False, description="send Retry-After with a 429")
    archived_key: Literal["new", "conflict"] = Field(
        default="new", description="a unique value of an archived record: new = released, conflict = still taken"
    )
    merged_ends: Literal["forwarded", "refused"] = Field(
        default="forwarded", description="associating with the old id of a merged record: with the one it is now, or an error of a 207"
    )
    unique_key_case: Literal["insensitive", "sensitive"] = Field(
        default="insensitive", description="whether ABC and abc are one value of a unique property"
    )
    partial_status: Literal["207", "200"] = Field(default="207", description="status of a batch on 2026-09 in which some rows failed")
    email_upsert: Literal["part", "blank", "refused"] = Field(
        default="part", description="an upsert by email with a part of the properties: changes that part, empties the others, or is refused"
    )
    domain_form: Literal["as_sent", "bare"] = Field(
        default="as_sent", description="what becomes of a company's domain: kept as sent, or without scheme, www. and path in lower case"
    )
    too_long: Literal["error", "cut"] = Field(default="error", description="a text of more than 65,536 characters: a 400, or cut")
    auto_company: bool = Field(default=False, description="create and associate companies with contacts, by the e-mail's domain")
    auto_company_seconds: float = Field(default=3.0, ge=0, description="how long after the contact that happens")
    deals: Mode = Field(default="ok", description="what the token may do with deals; see `POST /__sandbox__/portal`")
    invoices: Mode = Field(default="ok", description="the same with invoices")
    line_items: Mode = Field(default="ok", description="the same with line items")
    amount_billed_on_create: Literal["kept", "zero"] = Field(
        default="kept",
        description="hs_amount_billed of an invoice that is made not billable: what was sent, or 0 until it is written again",
    )
    invoice_deletes: bool = Field(default=True, description="whether draft and open invoices can be deleted; paid and voided ones never")
    negative_quantity: Literal["refused", "allowed"] = Field(
        default="refused", description="a line item with a negative quantity (a negative price is always refused)"
    )
    required_companies: Names = Field(default=(), description="company properties that dated paths demand, comma-separated")
    required_contacts: Names = Field(default=(), description="contact properties that dated paths demand, comma-separated")
