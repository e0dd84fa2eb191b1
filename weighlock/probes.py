"""`weighlock check`: one live question to every system that the settings name, and every answer, good or bad."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from confluent_kafka.admin import AdminClient

from weighlock.errors import WeighlockError
from weighlock.kafka import admin
from weighlock.kafka.registry import Registry
from weighlock.settings import Settings

Row = dict[str, Any]


def all_of(settings: Settings) -> list[Row]:
    """A row for each part: `part`, `state` (ok or wrong) and `detail`: what was seen, or what is wrong and what to do."""
    probes: list[tuple[str, Callable[[Settings], str]]] = [("settings", lambda _: "read"), ("kafka", _kafka), ("registry", _registry)]
    probes.append(("topics", _topics))
    if settings.acumatica:
        probes.append(("acumatica", _acumatica))
    if settings.hubspot:
        probes.append(("hubspot", _hubspot))
    return [_ask(part, probe, settings) for part, probe in probes]


def _ask(part: str, probe: Callable[[Settings], str], settings: Settings) -> Row:
    try:
        return {"part": part, "state": "ok", "detail": probe(settings)}
    except WeighlockError as error:
        return {"part": part, "state": "wrong", "detail": str(error)}
    except Exception as error:  # a probe reports whatever it meets: the others still have their turn
        return {"part": part, "state": "wrong", "detail": f"{type(error).__name__}: {error}"}


def _kafka(settings: Settings) -> str:
    found = AdminClient({**settings.kafka_options, "bootstrap.servers": settings.kafka}).list_topics(timeout=10)
    return f"{len(found.brokers)} broker(s) at {settings.kafka}"


def _registry(settings: Settings) -> str:
    return f"{len(Registry(settings.registry).subjects())} subjects at {settings.registry}"


def _topics(settings: Settings) -> str:
    wrong = [row for row in admin.check(settings) if row["state"] != "ok"]
    if wrong:
        names = ", ".join(f"{row['topic']} {row['state']}" for row in wrong[:5])
        raise WeighlockError(f"{len(wrong)} topics or schemas are not as declared ({names}): run `weighlock topics apply`")
    return "as declared"


def _acumatica(settings: Settings) -> str:
    from weighlock import wiring

    return wiring.probe_acumatica(settings)


def _hubspot(settings: Settings) -> str:
    from weighlock import wiring

    return wiring.probe_hubspot(settings)
