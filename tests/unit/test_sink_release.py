"""What waited goes back to upserts in a good order."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from schemas.records import Reference, Waiting, Wish, now
from schemas.topics import UPSERTS_HUBSPOT
from sinks.entries import Entries
from sinks.ledger import Ledger
from sinks.watch import Watch

COMPANIES = ["acumatica:customer:1", "acumatica:customer:2"]


def wish(kind: str, number: int) -> Wish:
    return Wish(
        **{
            "subject": f"acumatica:{kind}:{number}",
            "object": kind,
            "facet": "profile",
            "version": 1,
            "key_property": "k",
            "key_value": "v",
        },
        **{"properties": {}, "references": [Reference(name="company", ref=COMPANIES[number % 2])]},
        **{"source_system": "acumatica", "source_at": now(), "trace": "t"},
    )


def test_what_others_refer_to_goes_first() -> None:
    """The contacts of all companies before their invoices; each once, also in several portions."""
    ledger, sent = Ledger(), list[str]()
    for one in (*(wish("invoice", number) for number in range(3)), *(wish("contact", number) for number in range(3))):
        ledger.put_waiting(one.subject, Waiting(subject=one.subject, waits_for=one.references[0].ref, since=now(), wishes=[one]))

    def transact(entries: Entries, offset: int | None) -> None:
        sent.extend(out.key for out in entries.outgoing() if out.topic is UPSERTS_HUBSPOT)
        entries.apply()

    loop = SimpleNamespace(batch=4, target=SimpleNamespace(objects=("company", "contact", "invoice")))
    lane = SimpleNamespace(loop=loop, inbox=None, system="hubspot", ledger=ledger, transact=transact)
    Watch(cast(Any, lane)).release(COMPANIES)
    assert [ref.split(":")[1] for ref in sent] == ["contact"] * 3 + ["invoice"] * 3
    assert len(set(sent)) == 6
