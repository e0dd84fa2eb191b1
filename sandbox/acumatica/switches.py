"""What can be set differently in the Acumatica sandbox, mostly where sites differ or where nobody knows for certain."""

import re
from datetime import timedelta, timezone, tzinfo
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator

LoginLimitShape = Literal["json", "iis", "html", "per-user"]


class Switches(BaseModel):
    """The switches of the Acumatica sandbox (`--set NAME=VALUE`)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seats: int = Field(2, ge=1, description="API sessions the licence allows at one time (a trial: 2)")
    login_limit_shape: LoginLimitShape = Field("json", description="form of the API Login Limit answer: json, iis, html, per-user")
    licence_per_minute: int | None = Field(None, ge=1, description="API requests a minute; from half of it on each call is delayed")
    licence_cores: int | None = Field(None, ge=1, description="requests worked on at one time; the others queue, the 21st is declined")
    declined_shape: Literal["json", "iis"] = Field("json", description="form of the 429 of a full queue: json, or the text IIS puts there")
    latency_seconds: float = Field(0, ge=0, description="how long each data call takes: half before it reads the table, half after")
    time_zone: str = Field(
        "UTC", description="the site's zone, shown in dates: UTC, an offset such as -08:00, or a name of the tz database"
    )
    clock_skew_seconds: float = Field(0, description="how far the stamps' database clock is ahead of the Date header's")
    cross_view: Literal["rows", "empty"] = Field("rows", description="what a filter gives that joins fields of different views by `and`")
    main_contact_bumps_customer: bool = Field(False, description="an edit of MainContact or its address moves the customer's stamp")
    detail_filter: Literal["error", "empty"] = Field("error", description="a filter on a detail collection: a 500, or silently no rows")
    unauthorized_body: Literal["empty", "message"] = Field("empty", description="body of a 401")
    multi_tenant: bool = Field(True, description="false: one tenant in the database, so cookie login takes any tenant name")
    entity_list: Literal["object", "array"] = Field("object", description="form of GET /entity; older builds answer a bare array")
    versions: str = Field(
        "20.200.001,22.200.001,23.200.001,24.200.001,25.200.001",
        description="versions of the Default endpoint, listed and served (all in the form of 24.200.001)",
    )
    forbidden: str = Field("", description="entities whose form the user has no rights to, by comma: answered with 403")
    refresh_reuse_ends_grant: bool = Field(False, description="a refresh token used twice kills the whole grant, not only that call")

    customer_numbering: Literal["manual", "auto"] = Field("manual", description="auto: a new customer's CustomerID is given by the site")
    too_long: Literal["error", "cut"] = Field("error", description="a text longer than its field in a PUT: a 422, or cut in silence")
    validation_shape: Literal["422", "500"] = Field("422", description="form of a PUT's field errors: the entity, or one exception text")

    application_bumps_invoice: bool = Field(True, description="a payment or memo that is applied moves the invoice's stamp")
    reversed_invoice: Literal["canceled", "voided", "closed"] = Field("canceled", description="status of an invoice reversed whole")
    voided_payment_amount: Literal["negative", "positive"] = Field("negative", description="sign of the amount of a Voided Payment")

    odata: Literal["allowed", "forbidden", "absent"] = Field("allowed", description="the DAC feeds: answered, a 403, or not there (404)")
    odata_page: int = Field(0, ge=0, description="rows the DAC feeds give at once, with a link to the next ones; 0: all")
    odata_padded_keys: bool = Field(False, description="AcctCD in the DAC feeds is filled up with blanks, as it is stored")
    deleted_tracked: str = Field("", description="DACs whose deletes the feeds tell, by comma: ARRegister")

    action_seconds: float = Field(0, ge=0, description="how long an action runs: until then its state is 202")
    form_lock: bool = Field(True, description="while an action runs, other requests of its session to the same form fail")
    sales_invoices: Literal["so", "all"] = Field("so", description="SalesInvoice has the invoices of sales orders only, or all")
    date_form: Literal["midnight", "plain"] = Field("midnight", description="days of documents: midnight with the offset, or 2026-01-30")

    virtual_directory: str = Field("", pattern=r"^\w*$", description="a folder in front of every path: AcumaticaDB")
    path_case: Literal["exact", "any"] = Field("exact", description="whether names of endpoints and entities in a path must be as written")
    unknown_fields: Literal["ignored", "refused"] = Field("ignored", description="an unknown name in a PUT: left out in silence, or a 400")
    missing_delete: Literal["500", "404"] = Field("500", description="status of a DELETE of a record that is not there")
    not_found_body: Literal["message", "empty"] = Field("message", description="body of a 404 of a path that is not served")

    @property
    def root(self) -> str:
        """What stands in front of every path: nothing, or `/` and the virtual directory."""
        return f"/{self.virtual_directory}" if self.virtual_directory else ""

    @field_validator("time_zone")
    @classmethod
    def _known(cls, name: str) -> str:
        zone(name)
        return name


def zone(name: str) -> tzinfo:
    """The zone of that name or offset. ValueError if there is none."""
    if match := re.fullmatch(r"([+-])(\d\d):(\d\d)", name):
        minutes = int(match[2]) * 60 + int(match[3])
        return timezone(timedelta(minutes=-minutes if match[1] == "-" else minutes))
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"no time zone {name!r} here: use UTC, an offset such as -08:00, or a name of the tz database") from error
