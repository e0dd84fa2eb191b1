"""HubSpot's CRM API, as far as we need it: batches, search, properties, the account; associations are in hubspot_associations.py.

Plain calls: nothing here waits, repeats or decides. A budget of ours that is used up raises `RateLimited` before anything is sent.
"""

from __future__ import annotations

import json
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import httpx

from weighlock import metrics
from weighlock import settings as config
from weighlock.clients.hubspot_answers import Input, Item, Json, error_of, rows, transport_error
from weighlock.clients.hubspot_associations import PLURAL, Associations
from weighlock.clients.hubspot_daily import DailyBudget
from weighlock.errors import RateLimited, RejectedError, TransientError

BATCH = 100
SEARCH_PAGE = 200
#: A search body above 3,000 characters is refused (facts/hubspot.md §3); the rest is for what is around the values.
SEARCH_BODY = 3000
LOOPBACK = ("127.0.0.1", "localhost", "::1")
Answers = dict[str, Item | RejectedError]


class Budget:
    """At most `calls` in any `window` seconds; `take` raises `RateLimited` with the time until the next one is free."""

    def __init__(self, calls: int, window: float, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.calls, self.window, self.name, self._clock = calls, window, name, clock
        self._taken: deque[float] = deque()

    def take(self) -> None:
        now = self._clock()
        while self._taken and self._taken[0] <= now - self.window:
            self._taken.popleft()
        if len(self._taken) >= self.calls:
            wait = self._taken[0] + self.window - now
            raise RateLimited(f"our own budget for HubSpot ({self.name}: {self.calls} in {self.window:g} s) is used up", wait)
        self._taken.append(now)

    def spent(self) -> tuple[int, int]:
        """Calls of the window that ends now, and how many it allows. For another thread."""
        begin = self._clock() - self.window
        return sum(at > begin for at in self._taken.copy()), self.calls


@dataclass(frozen=True)
class Account:
    """`currencies`: those that the portal takes, by their codes; None where it does not say."""

    portal: str
    zone: str
    currencies: frozenset[str] | None = None


class HubSpot:
    """One client per process. Objects are named `company` and `contact`; ids and property values are texts, as HubSpot gives them."""

    def __init__(
        self,
        settings: config.HubSpot,
        transport: httpx.BaseTransport | None = None,
        again: Callable[[], config.HubSpot | None] = lambda: None,
    ) -> None:
        """`again` reads the settings anew when the token is refused: it may have been changed since."""
        self._settings, self._again, self._token = settings, again, settings.token.get_secret_value()
        version = settings.version
        self._objects = "/crm/v3/objects/{}{}" if version == "v3" else f"/crm/objects/{version}/{{}}{{}}"
        self._properties = "/crm/v3/properties/{}{}" if version == "v3" else f"/crm/properties/{version}/{{}}{{}}"
        associations = "/crm/v4/associations" if version == "v3" else f"/crm/associations/{version}"
        self.associations = Associations(self._call, associations)
        self._account = f"/account-info/{version}/details"
        self._burst = Budget(settings.burst_per_10_seconds, 10.0, "burst")
        self._searches = Budget(settings.search_per_second, 1.0, "search")
        self._day = DailyBudget(settings.daily_reserve_percent / 100)
        self._zone = "UTC"
        self._http = httpx.Client(
            base_url=settings.url,
            headers={"Accept": "application/json"},
            timeout=httpx.Timeout(settings.timeout_seconds, connect=min(5.0, settings.timeout_seconds)),
            trust_env=httpx.URL(settings.url).host not in LOOPBACK,  # no proxy on the way to ourselves
            transport=transport,
            event_hooks={"response": [metrics.answered("hubspot")]},
        )
        for name, budget in (("burst", self._burst.spent), ("search", self._searches.spent), ("day", self._day.spent)):
            metrics.budget("hubspot", name, budget)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def account(self) -> Account:
        """Portal and time zone; the cheapest proof that the token is good (needs no scope)."""
        body = self._call("GET", self._account)
        self._zone = self._day.zone = str(body.get("timeZone") or "UTC")
        own, more = body.get("companyCurrency"), body.get("additionalCurrencies") or []
        return Account(str(body.get("portalId")), self._zone, frozenset({str(own), *map(str, more)}) if own else None)

    def read(self, kind: str, keys: Iterable[str], properties: Sequence[str], by: str | None = None) -> list[Item]:
        """Those of up to 100 records that are there, by record id or by the unique property `by`. A merged record answers under its new id.

        `TransientError` if HubSpot neither gives nor denies one of them (except by e-mail, where two addresses may be one contact's).
        """
        asked = list(dict.fromkeys(keys))
        if not asked:
            return []
        body: Json = {"properties": list(properties), "inputs": [{"id": key} for key in asked]}
        if by is not None:
            body["idProperty"] = by
        path = self._objects.format(PLURAL[kind], "/batch/read")
        answer = self._call("POST", path, body)
        denied = 0
        for error in answer.get("errors") or []:
            if error.get("category") != "OBJECT_NOT_FOUND":
                raise error_of(400, error, f"POST {path}")
            denied += len((error.get("context") or {}).get("ids") or [])
        found = [Item.of(row) for row in answer.get("results") or []]
        told = max(len(found), len({id for item in found for id in item.ids()} & set(asked)))  # two that were merged are one answer
        if by != "email" and told + denied < len(asked):
            raise TransientError(f"HubSpot answered POST {path} for {told + denied} of {len(asked)} records only", ambiguous=True)
        return found

    def upsert(self, kind: str, by: str, records: Mapping[str, Mapping[str, str | None]]) -> Answers:
        """Makes or changes up to 100 records by our unique property; each key's own answer."""
        return self._write(kind, "upsert", by, records)

    def update(self, kind: str, records: Mapping[str, Mapping[str, str | None]]) -> Answers:
        """Changes up to 100 records by record id; each id's own answer."""
        return self._write(kind, "update", None, records)

    def _write(self, kind: str, verb: str, by: str | None, records: Mapping[str, Mapping[str, str | None]]) -> Answers:
        if not records:
            return {}
        run = secrets.token_hex(4)
        inputs = []
        for number, (key, properties) in enumerate(records.items()):
            body: Json = {"id": key, "objectWriteTraceId": f"{run}-{number}"}
            if by is not None:
                body["idProperty"] = by
            # null is no way to empty a property, the empty string is (facts/hubspot.md §2.3)
            body["properties"] = {name: "" if value is None else value for name, value in properties.items()}
            inputs.append(Input(key, body["objectWriteTraceId"], body))
        path = self._objects.format(PLURAL[kind], f"/batch/{verb}")
        answer = self._call("POST", path, {"inputs": [one.body for one in inputs]})
        return rows(answer, inputs, by, f"POST {path}")

    def archive(self, kind: str, ids: Sequence[str]) -> None:
        """Up to 100 records into the recycling bin. One that is not there is fine."""
        self._call("POST", self._objects.format(PLURAL[kind], "/batch/archive"), {"inputs": [{"id": id} for id in ids]})

    def search(
        self, kind: str, filters: Sequence[Json], properties: Sequence[str], after: str | None = None
    ) -> tuple[list[Item], str | None]:
        """One page of what the index holds (seconds behind), and where the next one starts. All `filters` hold together.

        `TransientError` where HubSpot counts hits and shows none: not indexed yet (facts/hubspot.md §3).
        """
        body: Json = {"filterGroups": [{"filters": list(filters)}], "properties": list(properties), "limit": SEARCH_PAGE}
        if after is not None:
            body["after"] = after
        answer = self._call("POST", self._objects.format(PLURAL[kind], "/search"), body, search=True)
        found = [Item.of(row) for row in answer.get("results") or []]
        if not found and answer.get("total") and after is None:
            raise TransientError("HubSpot's search counts hits and shows none", ambiguous=True)
        return found, ((answer.get("paging") or {}).get("next") or {}).get("after")

    def page(self, kind: str, properties: Sequence[str], after: str | None = None, limit: int = BATCH) -> tuple[list[Item], str | None]:
        """One page of all live records in the order of their ids, and where the next one starts."""
        query = f"?limit={limit}&properties={','.join(properties)}" + (f"&after={after}" if after is not None else "")
        answer = self._call("GET", self._objects.format(PLURAL[kind], query))
        return [Item.of(row) for row in answer.get("results") or []], ((answer.get("paging") or {}).get("next") or {}).get("after")

    def property_definitions(self, kind: str) -> list[Json]:
        """Every property of the object, whole (not paged)."""
        return list(self._call("GET", self._properties.format(PLURAL[kind], "")).get("results") or [])

    def property_definition(self, kind: str, name: str) -> Json:
        return self._call("GET", self._properties.format(PLURAL[kind], f"/{name}"))

    def property_groups(self, kind: str) -> list[Json]:
        return list(self._call("GET", self._properties.format(PLURAL[kind], "/groups")).get("results") or [])

    def create_property(self, kind: str, definition: Mapping[str, Any]) -> Json:
        """The definition as HubSpot holds it now. `Conflict` if the name is taken."""
        return self._call("POST", self._properties.format(PLURAL[kind], ""), dict(definition))

    def create_property_group(self, kind: str, name: str, label: str) -> Json:
        """`Conflict` if the name is taken."""
        return self._call("POST", self._properties.format(PLURAL[kind], "/groups"), {"name": name, "label": label, "displayOrder": -1})

    def _call(self, method: str, path: str, body: Json | None = None, *, search: bool = False, last: bool = False) -> Json:
        """`last`: a 401 is final. The first one is followed by a look for another token and one more try (facts/hubspot.md §8)."""
        (self._searches if search else self._burst).take()
        self._day.take()
        what, token = f"{method} {path}", self._token
        try:
            response = self._http.request(method, path, json=body, headers={"Authorization": f"Bearer {token}"})
        except httpx.TransportError as error:
            metrics.unanswered("hubspot")
            raise transport_error(error, what) from None
        self._day.learn(response.headers)
        if response.status_code == 401 and (self._changed(token) or not last):
            return self._call(method, path, body, search=search, last=self._token == token)
        answer: Json | None = None
        if response.content:
            try:
                found = response.json()
                answer = found if isinstance(found, dict) else None
            except (json.JSONDecodeError, UnicodeDecodeError):
                answer = None
        if response.status_code in (200, 201, 207) and answer is not None:
            return answer
        if response.status_code == 204:
            return {}
        raise error_of(response.status_code, answer, what, headers=response.headers, zone=self._zone)

    def _changed(self, refused: str) -> bool:
        """Is there another token than the one that was refused?"""
        if self._token == refused and (now := self._again()) is not None and now.url == self._settings.url:
            self._token = now.token.get_secret_value()
        return self._token != refused
