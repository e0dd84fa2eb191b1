"""What travels in the headers from end to end: the trace, the version, where the change came from and when it was made there."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

Headers = list[tuple[str, bytes]]


@dataclass(frozen=True)
class Passage:
    """One change's papers. `version` is the offset of the record in its source topic (None until it has one), `source_at` is aware UTC."""

    trace: str
    system: str
    source_at: datetime
    version: int | None = None

    def headers(self) -> Headers:
        found = [
            ("weighlock-trace", self.trace),
            ("weighlock-source", self.system),
            ("weighlock-source-at", self.source_at.isoformat()),
        ]
        if self.version is not None:
            found.append(("weighlock-version", str(self.version)))
        return [(name, value.encode()) for name, value in found]

    @classmethod
    def read(cls, headers: Iterable[tuple[str, bytes | str | None]] | None) -> Passage:
        """`ValueError` where one that must be there is missing or unreadable."""
        # others may have headers of their own, which need not be text
        ours = ((name, value) for name, value in headers or () if name.startswith("weighlock-"))
        found = {name: value.decode() if isinstance(value, bytes) else value or "" for name, value in ours}
        try:
            version = found.get("weighlock-version")
            at = datetime.fromisoformat(found["weighlock-source-at"]).astimezone(UTC)
            return cls(found["weighlock-trace"], found["weighlock-source"], at, None if version is None else int(version))
        except KeyError as missing:
            raise ValueError(f"header {missing} is missing") from None


def new_trace() -> str:
    """32 hex characters, as W3C trace ids are."""
    return secrets.token_hex(16)
