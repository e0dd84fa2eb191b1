"""Companies, contacts and invoices into HubSpot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sinks.contract import Answer, Ask, Claims, Resolved
from sinks.hubspot_aliases import Aliases
from sinks.hubspot_invoices import Documents, Lines
from sinks.hubspot_setup import Definitions, missing
from sinks.hubspot_writer import Writer
from weighlock.clients.hubspot import HubSpot
from weighlock.errors import ConfigError
from weighlock.settings import Settings

#: Without these there is nothing to be done.
NEEDED = ("company", "contact")


class HubSpotTarget:
    """`definitions` are the properties that we write and HubSpot does not bring along, by object: what `weighlock setup hubspot` makes."""

    system = "hubspot"
    objects: tuple[str, ...] = ("company", "contact", "invoice")
    longest_call = 100.0  # then Cloudflare gives up (facts/hubspot.md §8)

    def __init__(self, settings: Settings, definitions: Definitions, client: HubSpot | None = None) -> None:
        self._client = client or HubSpot(settings.need_hubspot(), again=lambda: settings.reread().hubspot)
        self._definitions = definitions
        self._aliases = Aliases(self._client)

    def close(self) -> None:
        self._client.close()

    def check(self) -> None:
        """The token works and our properties are there as we need them; else `ConfigError` with all that is wrong."""
        self._client.account()
        problems = [problem for kind in NEEDED for problem in missing(self._client, kind, self._definitions.get(kind, ()))]
        if problems:
            raise ConfigError(*problems, "run `weighlock setup hubspot`, then start again")

    def write(self, wishes: Sequence[Resolved], ask: Ask, claims: Claims) -> Mapping[str, Answer]:
        answers: dict[str, Answer] = {}
        for kind in NEEDED:
            answers |= Writer(self._client, kind, ask, claims, self._aliases).write([one for one in wishes if one.wish.object == kind])
        invoices = [one for one in wishes if one.wish.object == "invoice"]
        answers |= Documents(self._client, "invoice", ask, claims, self._aliases).write([one for one in invoices if not one.further])
        return answers | Lines(self._client, ask).write([one for one in invoices if one.further])
