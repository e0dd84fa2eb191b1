"""A table as Faust keeps it, for tests: a store and a changelog, which a crash leaves at different points."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from random import Random


class CrashingTable(MutableMapping[bytes, bytes]):
    """`commit` after each commit of offsets: until there the changelog is acknowledged. `crash` goes on elsewhere, from a changelog that
    ends anywhere after the last commit, or here, where each key may be as the store or as that changelog has it. `reads`, `writes` and
    `written` (bytes) count."""

    def __init__(self) -> None:
        self.store: dict[bytes, bytes] = {}
        self.log: list[tuple[bytes, bytes | None]] = []
        self.committed = 0
        self.reads = self.writes = self.written = 0

    def __getitem__(self, key: bytes) -> bytes:
        self.reads += 1
        return self.store[key]

    def __setitem__(self, key: bytes, value: bytes) -> None:
        self.writes, self.written = self.writes + 1, self.written + len(value)
        self.log.append((key, value))
        self.store[key] = value

    def __delitem__(self, key: bytes) -> None:
        del self.store[key]
        self.log.append((key, None))

    def __iter__(self) -> Iterator[bytes]:
        raise AssertionError("nobody walks through a table: it may be huge")

    def __len__(self) -> int:
        raise AssertionError("nobody counts a table: it may be huge")

    def commit(self) -> None:
        self.committed = len(self.log)

    def crash(self, dice: Random) -> None:
        del self.log[dice.randint(self.committed, len(self.log)) :]
        store, here = self.store, dice.random() < 0.5
        self.elsewhere()
        mixed = {key: dice.choice((store, self.store)) if here else self.store for key in {**store, **self.store}}
        self.store = {key: source[key] for key, source in mixed.items() if key in source}

    def elsewhere(self) -> None:
        """The store is lost: it is made again from the changelog."""
        self.store = {}
        for key, value in self.log:
            if value is None:
                self.store.pop(key, None)
            else:
                self.store[key] = value
