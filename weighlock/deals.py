"""The section `[deals]`: which won deals of HubSpot make customers in Acumatica, and what such a customer gets (docs/deals.md)."""

from __future__ import annotations

import re
from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from weighlock.schedule import Schedule

#: What a rule may ask about a deal and its company.
Asked = Literal["country", "state", "industry", "pipeline", "stage", "kind", "currency"]
#: What a rule may give a new customer, in Acumatica's words.
Given = Literal["CustomerClass", "Terms", "CurrencyID", "TaxZone", "PriceClassID", "StatementCycleID", "ShipVia", "ParentRecord"]
#: Fields of a customer that can hold our ref: a text of its own, found by a filter, read with every customer.
Holder = Literal["AccountRef"]
_TEMPLATE = re.compile(r"[A-Za-z0-9-]*\{(id|id36)\}[A-Za-z0-9-]*")


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Rule(Section):
    """The first rule whose every `when` fits counts: `{when = {country = ["DE", "AT"]}, give = {CustomerClass = "EU"}}`."""

    when: dict[Asked, str | list[str]] = Field(default={})
    give: dict[Given, str]

    def fits(self, values: dict[str, str | None]) -> bool:
        """Is each value one of those that are asked for, without regard to case?"""
        return all(_one_of(values.get(name), wanted) for name, wanted in self.when.items())


def _one_of(value: str | None, wanted: str | list[str]) -> bool:
    listed = [wanted] if isinstance(wanted, str) else wanted
    return value is not None and value.casefold() in {one.casefold() for one in listed}


class Deals(Section):
    since: date = Field(description="deals that were won before this day make no customers")
    stages: list[str] = Field(
        default=[], description="ids of the stages that count as won; by default those that the portal's pipelines say"
    )
    deal: Schedule = Schedule(every=60)
    overlap_seconds: float = Field(default=300, ge=0, description="how far HubSpot's search may be behind")
    burst_per_10_seconds: int = Field(default=20, ge=12, description="our share of HubSpot's calls, beside that of its sink")
    requests_per_minute: int = Field(default=10, gt=0, description="our share of Acumatica's licence, beside that of its source")
    reference_field: Holder = Field(default="AccountRef", description="where a customer holds hubspot:company:<id>")
    customer_id: str = Field(default="auto", description="auto: the site numbers; or a template with {id}, or {id36} which is shorter")
    countries: dict[str, str] = Field(default={}, description="two-letter codes of countries as people write them in HubSpot")
    rules: list[Rule] = Field(default=[], description="the first one that fits")

    @field_validator("customer_id")
    @classmethod
    def _code(cls, text: str) -> str:
        if text != "auto" and not _TEMPLATE.fullmatch(text):
            raise ValueError("must be auto, or letters and digits around {id} or {id36}, such as HS{id36}")
        return text

    @field_validator("countries")
    @classmethod
    def _codes(cls, given: dict[str, str]) -> dict[str, str]:
        if wrong := [code for code in given.values() if not re.fullmatch("[A-Z]{2}", code)]:
            raise ValueError(f"{', '.join(wrong)}: a country is two capitals, such as DE")
        return {name.casefold(): code for name, code in given.items()}

    def given(self, values: dict[str, str | None]) -> dict[str, str]:
        """What the first rule that fits gives, by Acumatica's fields."""
        found = next((rule.give for rule in self.rules if rule.fits(values)), {})
        return {str(name): value for name, value in found.items()}

    def code(self, company: str) -> str | None:
        """The CustomerID of that company (a record id); None where the site numbers."""
        return None if self.customer_id == "auto" else self.customer_id.format(id=company, id36=_base36(int(company))).upper()


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, rest = divmod(number, 36)
        digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[rest] + digits
    return digits or "0"
