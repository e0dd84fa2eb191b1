"""A ref names one record for ever: `system:entity:id`, with the id that never changes."""

from __future__ import annotations

from typing import NamedTuple


class Ref(NamedTuple):
    """Acumatica's `id` (NoteID), Salesforce's 18-character Id, HubSpot's record id; never a code, a number or an e-mail."""

    system: str
    entity: str
    id: str

    def __str__(self) -> str:
        return f"{self.system}:{self.entity}:{self.id}"

    @classmethod
    def parse(cls, text: str) -> Ref:
        """`ValueError` with the text in it when it is no ref."""
        system, _, rest = text.partition(":")
        entity, _, record = rest.partition(":")
        if not (system and entity and record):
            raise ValueError(f"not a ref (system:entity:id): {text!r}")
        return cls(system, entity, record)


def link_key(ref: str, peer_system: str) -> str:
    """The key of a link: one for each peer system, so that writers never overwrite each other."""
    return f"{ref}|{peer_system}"
