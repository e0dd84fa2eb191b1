"""Companies, contacts and invoices into HubSpot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from schemas.records import Wish
from sinks.contract import Answer, Ask, Claims, LeftOut, Resolved
from sinks.hubspot_aliases import Aliases
from sinks.hubspot_invoices import Documents, Lines
from sinks.hubspot_scope import INVOICE, Scope
from sinks.hubspot_setup import NEEDED, Definitions, missing
from sinks.hubspot_writer import Writer
from weighlock.clients.hubspot import HubSpot
from weighlock.clients.hubspot_answers import Forbidden, Unavailable
from weighlock.errors import ConfigError
from weighlock.settings import Settings


class HubSpotTarget:
    """`definitions` are the properties that we write and HubSpot does not bring along, by object: what `weighlock setup hubspot` makes."""

    system = "hubspot"
    objects: tuple[str, ...] = ("company", "contact", "invoice")
    batch = 4000
    longest_call = 100.0  # then Cloudflare gives up (facts/hubspot.md §8)

    def __init__(self, settings: Settings, definitions: Definitions, client: HubSpot | None = None) -> None:
        self._client = client or HubSpot(settings.need_hubspot(), again=lambda: settings.reread().hubspot)
        self._definitions = definitions
        self._aliases = Aliases(self._client)
        self._scope = Scope(self._client, definitions)

    def close(self) -> None:
        self._client.close()

    def check(self) -> None:
        """The token works and our properties are there as we need them; else `ConfigError` with all that is wrong. Invoices need not be."""
        problems = [problem for kind in NEEDED for problem in missing(self._client, kind, self._definitions.get(kind, ()))]
        if problems:
            raise ConfigError(*problems, "run `weighlock setup hubspot`, then start again")
        self._scope.probe()

    @property
    def changes(self) -> int:
        return self._scope.changes

    def left_out(self, kind: str, wish: Wish | None = None) -> str | None:
        return self._scope.left_out(wish) if kind == INVOICE else None

    def look(self) -> None:
        self._scope.look()

    def write(self, wishes: Sequence[Resolved], ask: Ask, claims: Claims) -> Mapping[str, Answer]:
        answers: dict[str, Answer] = {}
        for kind in NEEDED:
            answers |= Writer(self._client, kind, ask, claims, self._aliases).write([one for one in wishes if one.wish.object == kind])
        return answers | self._invoices([one for one in wishes if one.wish.object == INVOICE], ask, claims)

    def _invoices(self, wishes: Sequence[Resolved], ask: Ask, claims: Claims) -> dict[str, Answer]:
        """What the portal turns out not to take is left out, with all that was to be written with it."""
        answers: dict[str, Answer] = {one.wish.subject: LeftOut(why) for one in wishes if (why := self._scope.left_out(one.wish))}
        todo = [one for one in wishes if one.wish.subject not in answers]
        if not todo:
            return answers
        try:
            documents = Documents(self._client, INVOICE, ask, claims, self._aliases)
            found = documents.write([one for one in todo if not one.further])
            found |= Lines(self._client, ask).write([one for one in todo if one.further])
        except (Forbidden, Unavailable, ConfigError) as error:
            why = self._scope.lose(error)
            return answers | {one.wish.subject: LeftOut(why) for one in todo}
        return answers | self._scope.sorted(todo, found)
