"""Invoices into HubSpot, as copies of what the ERP bills: documents (`hs_invoice_billable` is false), and their lines.

Nothing is validated there, so a document is made with its status at once, and its lines follow (facts/hubspot.md §6.4, §14.4).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from functools import partial

from schemas.records import Wish
from sinks.contract import Answer, Ask, Gone, Resolved, Written
from sinks.hubspot_match import portions
from sinks.hubspot_pairs import Pairs
from sinks.hubspot_writer import Writer
from weighlock.clients.hubspot import BATCH, HubSpot
from weighlock.clients.hubspot_answers import Item
from weighlock.clients.hubspot_associations import Pair
from weighlock.errors import RejectedError

#: May read 0 after an invoice was made; written once more it stays (§6.2).
BILLED = "hs_amount_billed"
LINE, LINE_KEY = "line_item", "acumatica_line_key"


class Documents(Writer):
    """Invoices without their lines."""

    def write(self, wishes: Sequence[Resolved]) -> dict[str, Answer]:
        answers = super().write(wishes)
        return answers | self._bill([one for one in wishes if isinstance(answers[one.wish.subject], Written)])

    def _bill(self, wishes: Sequence[Resolved]) -> dict[str, Answer]:
        """The refusals. An amount that the answer did not show is read."""
        said = {item.id: (one, item) for one in wishes if (item := self._items.pop(one.wish.subject, None)) and _amount(one.wish)}
        unsaid = [id for id, (_, item) in said.items() if BILLED not in item.properties]
        for some in portions(unsaid, BATCH):
            for item in self._ask(partial(self._client.read, self._kind, some, [BILLED]), ()):
                said |= {id: (said[id][0], item) for id in item.ids() if id in said}
        lost = {id: one.wish for id, (one, item) in said.items() if not _decimal(item.properties.get(BILLED))}
        refused: dict[str, Answer] = {}
        for few in portions(list(lost.items()), BATCH):
            rows = {id: {BILLED: wish.properties[BILLED]} for id, wish in few}
            found = self._ask(partial(self._client.update, self._kind, rows), [wish for _, wish in few])
            refused |= {lost[id].subject: answer for id, answer in found.items() if isinstance(answer, RejectedError)}
        return refused


class Lines:
    """The lines of one batch of invoices: each is a record of its own, by our key, and belongs to its invoice alone."""

    def __init__(self, client: HubSpot, ask: Ask) -> None:
        self._client, self._ask = client, ask
        self._pairs = Pairs(client, ask, ("invoice", LINE))

    def write(self, wishes: Sequence[Resolved]) -> dict[str, Answer]:
        """Made or changed by key, associated, and those that are lines of it no more archived. What people added stays."""
        if not wishes:
            return {}
        invoices = {one.wish.subject: one.itself or "" for one in wishes}
        lines = self._upsert(wishes)
        pairs = {
            (invoices[one.wish.subject], item.id): one.wish
            for one in wishes
            for part in one.wish.parts
            if isinstance(item := lines[part.key], Item)
        }
        held = self._pairs.held(invoice for one in wishes if (invoice := one.associations.get("invoice")) is not None)
        apart = self._pairs.make({pair: wish for pair, wish in pairs.items() if pair[1] not in held.get(pair[0], {})})
        left = {one for one, _ in apart}
        there = self._there(left)
        answers: dict[str, Answer] = {}
        for one in wishes:
            id, wish = invoices[one.wish.subject], one.wish
            refusals = [line for part in wish.parts if isinstance(line := lines[part.key], RejectedError)]
            refusals += [refusal for (invoice, _), refusal in apart.items() if invoice == id]
            if id in left - there:
                answers[wish.subject] = Gone()
            elif refusals:
                answers[wish.subject] = refusals[0]
            else:
                answers[wish.subject] = Written(id, "known", note=f"{len(wish.parts)} lines")
        kept = {invoices[one.wish.subject]: one.wish for one in wishes if not isinstance(answers[one.wish.subject], Gone)}
        self._archive(self._removed(kept, pairs) | self._strays(wishes))
        return answers

    def _upsert(self, wishes: Sequence[Resolved]) -> dict[str, Item | RejectedError]:
        """By the lines' keys."""
        rows = [(part.key, {**part.properties, LINE_KEY: part.key}, one.wish) for one in wishes for part in one.wish.parts]
        found: dict[str, Item | RejectedError] = {}
        for some in portions(rows, BATCH):
            records = {key: properties for key, properties, _ in some}
            found |= self._ask(partial(self._client.upsert, LINE, LINE_KEY, records), [wish for _, _, wish in some])
        return found

    def _there(self, invoices: Iterable[str]) -> set[str]:
        found: list[Item] = []
        for some in portions(sorted(invoices), BATCH):
            found += self._ask(partial(self._client.read, "invoice", some, []), ())
        return {item.id for item in found}

    def _removed(self, invoices: Mapping[str, Wish], pairs: Iterable[Pair]) -> dict[str, Wish]:
        """What carries a key of ours at these invoices and is not among `pairs`: ids, and whose they are."""
        held, wanted = self._pairs.seen, set(pairs)
        held |= self._pairs.held(id for id in invoices if id not in held)
        owners = {line: invoices[id] for id in invoices for line in held[id] if (id, line) not in wanted}
        found: list[Item] = []
        for some in portions(list(owners), BATCH):
            found += self._ask(partial(self._client.read, LINE, some, [LINE_KEY]), ())
        keys = {item.id: item.properties.get(LINE_KEY) or "" for item in found}
        return {id: owners[id] for id, key in keys.items() if key.startswith(f"{owners[id].key_value}|")}

    def _strays(self, wishes: Sequence[Resolved]) -> dict[str, Wish]:
        """What a call that came late has made again, and associated with nothing."""
        owners = {key.lower(): one.wish for one in wishes for key in one.stray_parts}
        found: list[Item] = []
        for some in portions(list(owners), BATCH):
            found += self._ask(partial(self._client.read, LINE, some, [LINE_KEY], LINE_KEY), ())
        return {item.id: owners[key] for item in found if (key := (item.properties.get(LINE_KEY) or "").lower()) in owners}

    def _archive(self, lines: Mapping[str, Wish]) -> None:
        for some in portions(list(lines.items()), BATCH):
            self._ask(partial(self._client.archive, LINE, [id for id, _ in some]), [wish for _, wish in some])


def _amount(wish: Wish) -> Decimal:
    return _decimal(wish.properties.get(BILLED))


def _decimal(text: str | None) -> Decimal:
    try:
        return Decimal(text or "0")
    except InvalidOperation:
        return Decimal(0)
