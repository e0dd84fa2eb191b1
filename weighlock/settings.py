"""One `weighlock.toml`, the environment over it (`WEIGHLOCK_ACUMATICA__URL`), all that is wrong refused together.

The file is `weighlock.toml` in the current folder, or what `WEIGHLOCK_CONFIG` names.
"""

from __future__ import annotations

import os
import re
from contextvars import ContextVar
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from weighlock.deals import Deals
from weighlock.errors import ConfigError
from weighlock.redact import guard
from weighlock.schedule import Schedule
from weighlock.secrets import SecretStore


def _http_url(text: str) -> str:
    if not re.match(r"https?://[^/\s]+", text):
        raise ValueError("must be an http(s) address such as https://example.acumatica.com/Site")
    return text.rstrip("/")


Url = Annotated[str, AfterValidator(_http_url)]
STATE = Path(".weighlock")


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="after")
    def _guarded(self) -> Self:
        guard(*(value.get_secret_value() for _, value in self if isinstance(value, SecretStr)))
        return self


class Acumatica(Section):
    url: Url
    tenant: str = Field(description="the tenant's login name; the client id ends in @ and it")
    client_id: str
    client_secret: SecretStr
    username: str
    password: SecretStr
    endpoint: str = "Default"
    version: str = "24.200.001"
    requests_per_minute: int = Field(default=20, gt=0, description="our share of the licence's limit, well below its half")
    page_size: int = Field(default=200, ge=1, le=5000)
    overlap_seconds: float = Field(default=300, ge=0, description="longest transaction of the ERP plus clock skew")
    timeout_seconds: float = Field(default=600, gt=0)
    customer: Schedule = Schedule(every=30)
    contact: Schedule = Schedule(every=30)
    feed: Literal["auto", "odata", "contract", "off"] = Field(
        default="auto", description="how documents are read: by the DAC feeds, by the forms, whichever is allowed, or not at all"
    )
    invoice: Schedule = Schedule(every=30, reread="17 3 * * 0")
    payment: Schedule = Schedule(every=30, reread="17 3 * * 0")
    day: Schedule = Schedule(cron="3 0 * * *", reread=None)
    documents_since: date | None = Field(default=None, description="closed documents of before that day are not read at first")


class HubSpot(Section):
    url: Url = "https://api.hubapi.com"
    token: SecretStr
    version: str = Field(default="2026-09", pattern=r"^(v3|\d{4}-\d{2})$")
    burst_per_10_seconds: int = Field(
        default=150, gt=0, description="the tier allows 100, 190 or 250; the difference is the reserve for others"
    )
    search_per_second: int = Field(default=4, gt=0)
    daily_reserve_percent: float = Field(default=10, ge=0, lt=100, description="of the account's calls a day, left to its other apps")
    timeout_seconds: float = Field(default=30, gt=0)


#: What the store may hold: every SecretStr of the sections.
SECRETS = tuple(
    f"{section.__name__.lower()}.{name}"
    for section in (Acumatica, HubSpot)
    for name, field in section.model_fields.items()
    if field.annotation is SecretStr
)


class FromFileAndEnvironment(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="WEIGHLOCK_", env_nested_delimiter="__", extra="forbid", frozen=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        path = Path(os.environ.get("WEIGHLOCK_CONFIG", "weighlock.toml"))
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, path)

    @classmethod
    def load(cls, **given: Any) -> Self:
        """Read the file and the environment. `ConfigError` with one line for each thing that is wrong."""
        _unreadable.set(())
        try:
            return cls(**given)
        except ValidationError as error:
            raise ConfigError(*(_readable(problem) for problem in error.errors()), *_unreadable.get()) from None
        except ValueError as error:  # the TOML itself
            raise ConfigError(f"weighlock.toml: {error}") from None


#: What is wrong with the store: told together with the settings that are missing for it.
_unreadable: ContextVar[tuple[str, ...]] = ContextVar("unreadable", default=())


class _Stored(PydanticBaseSettingsSource):
    """The secrets of the store, for those sections that are there and lack one."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        return None, field_name, False  # all at once, below

    def __call__(self) -> dict[str, Any]:
        given = self.current_state
        sections = {name: section for name, section in given.items() if isinstance(section, dict)}
        split = [(name, *name.split(".")) for name in SECRETS]
        wanted = [(name, section, field) for name, section, field in split if section in sections and field not in sections[section]]
        if not wanted:
            return {}
        try:
            held = SecretStore(Path(given.get("state", STATE))).values()
        except ConfigError as error:
            _unreadable.set(tuple(error.problems))
            return {}
        found: dict[str, Any] = {}
        for name, section, field in wanted:
            if name in held:
                found.setdefault(section, {})[field] = held[name]
        return found


class Whereabouts(FromFileAndEnvironment):
    """Where the store is, and which secrets the settings give themselves; for commands that mend settings which are not complete."""

    model_config = SettingsConfigDict(extra="ignore")

    state: Path = STATE
    acumatica: dict[str, Any] = Field(default={}, repr=False)
    hubspot: dict[str, Any] = Field(default={}, repr=False)

    def used(self, name: str, stored: bool) -> str:
        """Which one counts: `settings` (the file or the environment, they go first), `store` or `missing`."""
        section, _, field = name.partition(".")
        return "settings" if field in getattr(self, section, {}) else "store" if stored else "missing"


class Settings(FromFileAndEnvironment):
    """Everything. `Settings.load()` is how the commands get it."""

    tenant: str = Field(default="default", pattern=r"^[a-z0-9-]{1,40}$", description="in front of every key we write into a target")
    prefix: str = Field(default="weighlock.", pattern=r"^[a-z0-9._-]*$")
    kafka: str = Field(pattern=r"^[^\s:]+:\d+(,[^\s:]+:\d+)*$", description="host:port[,host:port]")
    kafka_options: dict[str, str] = Field(default_factory=dict, repr=False, description="librdkafka's own settings, for SASL and TLS")
    registry: Url
    partitions: int = Field(default=4, ge=1, le=200)
    replication: int = Field(default=1, ge=1, le=7)
    state: Path = STATE
    wait_limit_hours: float = Field(default=72, gt=0, description="how long a record waits for a reference before it is a dead letter")
    attempts: int = Field(
        default=5, ge=1, description="answers of a server error for one record, while others succeed, before it is a dead letter"
    )
    free_mail_domains: list[str] = Field(default_factory=list, description="more of them than the list we carry")
    metrics_port: int | None = Field(default=None, ge=1, le=65_000, description="the first worker's; the others count on from it")
    metrics_host: str = Field(default="127.0.0.1", description="0.0.0.0 lets other machines scrape")
    acumatica: Acumatica | None = None
    hubspot: HubSpot | None = None
    deals: Deals | None = Field(default=None, description="without it no deal is read and no customer is made")

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], *sources: PydanticBaseSettingsSource, **named: PydanticBaseSettingsSource
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return *super().settings_customise_sources(settings_cls, *sources, **named), _Stored(settings_cls)

    @model_validator(mode="after")
    def _guarded(self) -> Self:
        guard(*(value for name, value in self.kafka_options.items() if "password" in name or "secret" in name))
        return self

    def reread(self) -> Self:
        """These settings with the credentials that are in force now; as they are where that cannot be told."""
        try:
            now = type(self).load()
        except ConfigError:
            return self
        return self.model_copy(update={"acumatica": now.acumatica or self.acumatica, "hubspot": now.hubspot or self.hubspot})

    def need_acumatica(self) -> Acumatica:
        if self.acumatica is None:
            raise ConfigError("acumatica: missing: this worker needs the section [acumatica] in weighlock.toml (url, tenant, client_id …)")
        return self.acumatica

    def need_deals(self) -> Deals:
        if self.deals is None:
            raise ConfigError("deals: missing: won deals make customers only where the section [deals] is in weighlock.toml (since …)")
        return self.deals

    def need_hubspot(self) -> HubSpot:
        if self.hubspot is None:
            raise ConfigError("hubspot: missing: this worker needs the section [hubspot] in weighlock.toml (token …)")
        return self.hubspot


#: What a pattern wants, in words.
WANTED = {
    "kafka": "must be host:port, several of them with commas",
    "tenant": "must be 1 to 40 of a-z, 0-9 and -: it goes in front of every key that we write",
    "prefix": "may hold a-z, 0-9, dots, - and _ only: it goes in front of every topic",
    "hubspot.version": "must be v3 or a dated version such as 2026-09",
}


def _readable(problem: Any) -> str:
    where = ".".join(str(part) for part in problem["loc"])
    env = "WEIGHLOCK_" + "__".join(str(part) for part in problem["loc"]).upper()
    if problem["type"] == "missing":
        store = f"with `weighlock secrets set {where}`, " if where in SECRETS else ""
        return f"{where}: missing: set it {store}in weighlock.toml or as {env}"
    if problem["type"] == "extra_forbidden":
        return f"{where}: unknown setting: check the spelling or remove it"
    hidden = any(word in where for word in ("secret", "password", "token")) or isinstance(problem.get("input"), dict)
    given = "" if hidden else f" (given: {problem.get('input')!r})"
    said = WANTED.get(where) if problem["type"] == "string_pattern_mismatch" else None
    return f"{where}: {said or problem['msg'].removeprefix('Value error, ')}{given}"
