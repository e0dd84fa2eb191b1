"""Looks for secrets where none may be: in the bytes of files, topics and outputs. Knows nothing of how we take them out."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote, quote_plus

from schemas.topics import TOPICS
from tests.harness.system import System


def spellings(secret: str) -> set[str]:
    """Plain, URL-encoded in the usual ways, and base64: alone, and inside of a longer text at each of the three places."""
    found = {secret, quote(secret), quote(secret, safe=""), quote_plus(secret)}
    for before in range(3):
        raw = b"x" * before + secret.encode()
        whole = base64.b64encode(raw).decode()[(0, 2, 3)[before] : len(raw) * 8 // 6]  # a letter beyond holds bits of a neighbour
        found |= {whole, whole.replace("+", "-").replace("/", "_")}
    return found


def leaks(places: Iterable[tuple[str, bytes]], secrets: Mapping[str, str]) -> list[str]:
    """Which secret, by its name, stands where."""
    wanted = [(name, spelling.encode()) for name, secret in secrets.items() for spelling in spellings(secret)]
    return sorted({f"{name} in {place}" for place, content in places for name, spelling in wanted if spelling in content})


def files(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in folder.rglob("*"):
        if path.is_file():
            yield str(path.relative_to(folder)), path.read_bytes()


def topics(system: System) -> Iterator[tuple[str, bytes]]:
    """Every record of every topic of ours: key, value and headers."""
    for topic in TOPICS:
        for message in system.wire.read(topic):
            content = [message.key(), message.value(), *(value for _, value in message.headers() or [])]
            yield topic.name, b"\n".join(part if isinstance(part, bytes) else str(part).encode() for part in content)
