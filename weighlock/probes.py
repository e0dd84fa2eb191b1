"""`weighlock check`: one live question to every system that the settings name, and every answer, good or bad."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from weighlock import wiring
from weighlock.errors import WeighlockError
from weighlock.kafka import admin
from weighlock.redact import scrub
from weighlock.settings import Settings

Row = dict[str, Any]


def all_of(settings: Settings) -> list[Row]:
    """A row for each part: `part`, `state` (ok or wrong) and `detail`: what was seen, or what is wrong and what to do."""
    probes: list[tuple[str, Callable[[Settings], str]]] = [("kafka", _kafka), ("topics and registry", _topics)]
    if settings.acumatica:
        probes.append(("acumatica", wiring.probe_acumatica))
    if settings.hubspot:
        probes.append(("hubspot", wiring.probe_hubspot))
    with ThreadPoolExecutor() as pool:  # side by side: each one that is away takes its patience
        return list(pool.map(lambda asked: _ask(asked[0], asked[1], settings), probes))


def _ask(part: str, probe: Callable[[Settings], str], settings: Settings) -> Row:
    try:
        return {"part": part, "state": "ok", "detail": probe(settings)}
    except WeighlockError as error:
        return {"part": part, "state": "wrong", "detail": str(error)}
    except Exception as error:  # a probe reports whatever it meets: the others still have their turn
        return {"part": part, "state": "wrong", "detail": scrub(f"{type(error).__name__}: {error}")}


def _kafka(settings: Settings) -> str:
    found = admin.admin_client(settings).list_topics(timeout=10)
    return f"{len(found.brokers)} broker(s) at {settings.kafka}"


def _topics(settings: Settings) -> str:
    wrong = [found for found in wiring.topics(settings, apply=False).findings if found.state != "ok"]
    if wrong:
        names = ", ".join(f"{found.name} {found.state}" for found in wrong[:5])
        raise WeighlockError(f"{len(wrong)} topics or schemas are not as declared ({names} …): run `weighlock topics apply`")
    return f"as declared, schemas at {settings.registry}"
