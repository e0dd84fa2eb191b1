"""Which invoices a portal takes: asked at the start, watched while we write, and asked again as long as it takes not all of them.

Without the scope, the object, a property, or a property that takes values, no invoice is written; without its currency, that one is not
(facts/hubspot.md §6.6, §14.4). Companies and their balances go on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import structlog

from schemas.records import Wish
from sinks.contract import Answer, LeftOut, Resolved, Written
from sinks.hubspot_setup import Definitions, unwritable
from weighlock.clients.hubspot import HubSpot
from weighlock.clients.hubspot_answers import Forbidden, InvalidOption, Unavailable
from weighlock.errors import ConfigError, RejectedError, TransientError

log = structlog.get_logger(__name__)
INVOICE, LINE = "invoice", "line_item"
CURRENCY, LINE_CURRENCY = "hs_currency", "hs_line_item_currency_code"
#: What an invoice of ours cannot do without, of HubSpot's own properties.
NEEDED = {INVOICE: (CURRENCY, "hs_invoice_billable"), LINE: ("name", "price", "quantity")}
#: Seconds to the next question; longer where the answer was yes and nothing could be written.
EVERY, SELDOM = 300.0, 86_400.0
#: An id that is no record's: a change of nothing in it shows whether we may write, and changes nothing.
NOBODY = "1"


class Scope:
    """One for a process. `changes` grows whenever something else is left out than before."""

    def __init__(self, client: HubSpot, definitions: Definitions, clock: Callable[[], float] = time.monotonic) -> None:
        self._client, self._definitions, self._clock = client, definitions, clock
        self.changes = 0
        self._reason: str | None = None  # why no invoice at all
        self._currencies: frozenset[str] | None = None  # those that the portal has
        self._refused: set[str] = set()  # currencies that it refused in spite of that
        self._needed = {kind: set(names) for kind, names in NEEDED.items()}
        self._told: set[str] = set()
        self._every, self._at, self._proven = EVERY, clock(), True

    def left_out(self, wish: Wish | None = None) -> str | None:
        if self._reason is not None or wish is None:
            return self._reason
        strange = next((code for code in sorted(_currencies(wish)) if not self._has(code)), None)
        if strange is None:
            return None
        if strange not in self._told:
            self._told.add(strange)
            log.warning("invoices in this currency are left out: the portal does not have it", currency=strange)
        return f"HubSpot's portal does not have the currency {strange}: this invoice is left out, the company's totals are not"

    def probe(self) -> None:
        """Asks the portal. `AuthError` where the token is no good at all, `TransientError`."""
        self._at = self._clock()
        currencies = self._client.account().currencies
        if currencies != self._currencies or (currencies is None and self._refused):
            self._currencies, self._refused, self._told = currencies, set(), set()
            self.changes += 1
        self._decide(self._problem())

    def look(self) -> None:
        """`probe`, where something is left out and it is time."""
        if (self._reason is not None or self._told) and self._clock() >= self._at + self._every:
            self._at = self._clock()
            self.probe()

    def lose(self, error: Exception, kind: str = INVOICE) -> str:
        """A call showed that no invoice can be written; gives the reason. `kind`: whose properties they are that take no values."""
        self._needed[kind] |= set(error.properties) if isinstance(error, Unavailable) else set()
        if self._reason is None:
            self._every, self._proven = EVERY if self._proven else min(self._every * 2, SELDOM), False
            self._at = self._clock()
            self._decide(_in_short(error))
        return self._reason or ""

    def sorted(self, wishes: Sequence[Resolved], answers: Mapping[str, Answer]) -> dict[str, Answer]:
        """The answers, but that what was refused for the portal's sake is left out."""
        found = dict(answers)
        for one in wishes:
            answer = answers[one.wish.subject]
            if isinstance(answer, Written):
                self._every, self._proven = EVERY, True
            elif isinstance(answer, Unavailable):
                found[one.wish.subject] = LeftOut(self.lose(answer, LINE if one.further else INVOICE))
            elif isinstance(answer, InvalidOption) and {CURRENCY, LINE_CURRENCY} & {*answer.properties}:
                self._refused |= _currencies(one.wish)
                self.changes += 1
                found[one.wish.subject] = LeftOut(self.left_out(one.wish) or str(answer))
        return found

    def _has(self, currency: str) -> bool:
        return currency not in self._refused and (self._currencies is None or currency in self._currencies)

    def _decide(self, problem: str | None) -> None:
        reason = None if problem is None else f"HubSpot takes no invoices from us: {problem}. The company's totals go on."
        if (reason is None) != (self._reason is None):
            self.changes += 1
            say = log.info if reason is None else log.warning
            say("invoices can be written" if reason is None else "invoices are left out", why=reason)
        self._reason = reason

    def _problem(self) -> str | None:
        """Why no invoice can be written, in a line."""
        try:
            self._client.page(INVOICE, ("hs_object_id",), limit=1)
            found = [problem for kind in self._needed for problem in self._problems(kind)]
        except (Forbidden, RejectedError, ConfigError) as error:
            return _in_short(error)
        return "; ".join(found) or None

    def _problems(self, kind: str) -> list[str]:
        found = unwritable(self._client, kind, self._definitions.get(kind, ()), sorted(self._needed[kind]))
        with suppress(RejectedError, ConfigError, TransientError):  # it may: that there is no such record is another matter
            self._client.update(kind, {NOBODY: {}})
        return found


def _currencies(wish: Wish) -> set[str]:
    codes = [wish.properties.get(CURRENCY), *(part.properties.get(LINE_CURRENCY) for part in wish.parts)]
    return {code for code in codes if code}


def _in_short(error: Exception) -> str:
    """HubSpot's words are in the log."""
    log.info("what HubSpot said", error=str(error))
    if isinstance(error, Forbidden):
        return f"the token lacks the scope {' or '.join(error.scopes)}" if error.scopes else "the token may not"
    if isinstance(error, Unavailable):
        return f"{', '.join(error.properties)} cannot be written" if error.properties else "the portal has no such object"
    return str(error)
