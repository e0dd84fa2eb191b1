"""The property group and the properties that we need in a portal: made once, checked at every start, never changed behind anyone's back."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import stamina

from weighlock.clients.hubspot import HubSpot
from weighlock.clients.hubspot_answers import Conflict, Forbidden, Unavailable
from weighlock.clients.hubspot_associations import PLURAL
from weighlock.errors import ConfigError, RateLimited, TransientError

#: For each object, the properties as HubSpot's API takes them: name, label, type, fieldType, groupName, hasUniqueValue where it is true.
Definitions = Mapping[str, Sequence[Mapping[str, Any]]]
#: Live it took 0.25 to 0.7 s (facts/hubspot.md §4).
SHOWN_WITHIN = 10.0
#: Without these there is nothing to be done.
NEEDED = ("company", "contact")
#: A setup makes some sixty calls in a row: at a limit it waits, for two minutes at the most.
WAITS = 120.0
COMPARED = ("type", "fieldType", "hasUniqueValue")


@dataclass(frozen=True)
class Step:
    """One line of the plan. `missing` is what a dry run says of what it would make."""

    kind: str
    name: str
    state: Literal["ok", "missing", "created", "differs", "left out"]
    detail: str = ""


def _until(error: Exception) -> float | bool:
    return error.retry_after + 0.1 if isinstance(error, RateLimited) else False


_patiently = stamina.retry(on=_until, attempts=None, timeout=WAITS)


def setup(client: HubSpot, group: tuple[str, str], definitions: Definitions, *, dry_run: bool = False) -> list[Step]:
    """Makes what is missing, group first, and says what it found; run again, it changes nothing.

    `group` is name and label. `ConfigError` for what cannot be mended by us: a property that is there without unique values, or that takes
    none from the API (facts/hubspot.md §4, §14.3). A different type or field type is only reported (`differs`), and objects that the portal
    does not give us, where we can do without (`left out`).
    """
    steps: list[Step] = []
    fatal: list[str] = []
    for kind, wanted in definitions.items():
        try:
            found, wrong = _setup(client, kind, group, wanted, dry_run)
        except (Forbidden, Unavailable, ConfigError) as error:
            found, wrong = [], [str(error)]
            if kind in NEEDED:
                raise
        steps += found
        if kind in NEEDED:
            fatal += wrong
        elif wrong:
            steps.append(Step(kind, PLURAL[kind], "left out", "; ".join(wrong)))
    if fatal:
        raise ConfigError(*fatal)
    return steps


def _setup(
    client: HubSpot, kind: str, group: tuple[str, str], wanted: Sequence[Mapping[str, Any]], dry_run: bool
) -> tuple[list[Step], list[str]]:
    """Of one object: what was found and done, and why it cannot be worked with."""
    there = {one["name"] for one in _patiently(client.property_groups)(kind)}
    steps, wrong = [_group(client, kind, group, group[0] in there, dry_run)], list[str]()
    held = {one["name"]: one for one in _patiently(client.property_definitions)(kind)}
    for definition in wanted:
        found: Mapping[str, Any] | None = held.get(definition["name"])
        state: Literal["created", "missing"] = "missing" if dry_run else "created"
        made = found is None
        if found is None and not dry_run:
            found = _create(client, kind, definition)
        wrong += unusable(kind, definition, found) if found else []
        differs = _differences(definition, found) if found else ""
        steps.append(Step(kind, definition["name"], state if made else "differs" if differs else "ok", differs))
    if not dry_run:
        _wait_until_shown(client, kind, {definition["name"] for definition in wanted})
    return steps, wrong


def missing(client: HubSpot, kind: str, wanted: Sequence[Mapping[str, Any]]) -> list[str]:
    """What keeps us from working there, a sentence each."""
    held = {one["name"]: one for one in client.property_definitions(kind)}
    absent = [one["name"] for one in wanted if one["name"] not in held]
    problems = [f"HubSpot's {PLURAL[kind]} have no property {', '.join(absent)}"] if absent else []
    for definition in wanted:
        if definition["name"] in held:
            problems += unusable(kind, definition, held[definition["name"]])
    return problems


def unwritable(client: HubSpot, kind: str, wanted: Sequence[Mapping[str, Any]], names: Iterable[str]) -> list[str]:
    """Why we cannot write these properties, ours (`wanted`) and others, a sentence each."""
    held = {one["name"]: one for one in client.property_definitions(kind)}
    every = [*(one["name"] for one in wanted), *names]
    wrong = [name for name in every if (held.get(name, {}).get("modificationMetadata") or {}).get("readOnlyValue", name not in held)]
    absent = [one["name"] for one in wanted if one["name"] not in held]
    hint = " (run `weighlock setup hubspot`)" if absent else ""
    problems = [f"{PLURAL[kind]} have no {', '.join(wrong)} that can be written{hint}"] if wrong else []
    return problems + [problem for one in wanted if one["name"] not in wrong for problem in unusable(kind, one, held[one["name"]])]


def unusable(kind: str, definition: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """Why this property cannot be our key; nothing for the others."""
    if not definition.get("hasUniqueValue"):
        return []
    where = f"HubSpot's property {definition['name']} of {PLURAL[kind]}"
    if not found.get("hasUniqueValue"):
        return [
            f"{where} does not hold unique values, and that cannot be changed: archive it in HubSpot, then run `weighlock setup hubspot`"
        ]
    if (found.get("modificationMetadata") or {}).get("readOnlyValue"):
        return [f"{where} takes no values from the API: archive it in HubSpot, then run `weighlock setup hubspot`"]
    return []


def _group(client: HubSpot, kind: str, group: tuple[str, str], there: bool, dry_run: bool) -> Step:
    if there:
        return Step(kind, f"group {group[0]}", "ok")
    if dry_run:
        return Step(kind, f"group {group[0]}", "missing")
    try:
        _patiently(client.create_property_group)(kind, *group)
    except Conflict:  # somebody else was quicker, or the list lags behind
        return Step(kind, f"group {group[0]}", "ok")
    return Step(kind, f"group {group[0]}", "created")


def _create(client: HubSpot, kind: str, definition: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        return _patiently(client.create_property)(kind, definition)
    except Conflict:  # there after all: what is read lags up to a second behind (facts/hubspot.md §4)
        _wait_until_shown(client, kind, {definition["name"]})
        return _patiently(client.property_definition)(kind, definition["name"])


def _wait_until_shown(client: HubSpot, kind: str, names: set[str]) -> None:
    """What was made is not read back at once: whoever starts right after us must find it. `TransientError` if it never shows."""
    until = time.monotonic() + SHOWN_WITHIN
    while hidden := names - {one["name"] for one in _patiently(client.property_definitions)(kind)}:
        if time.monotonic() > until:
            raise TransientError(f"HubSpot made {', '.join(sorted(hidden))} and does not show it: try again in a minute")
        time.sleep(0.25)


def _differences(definition: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name} is {found.get(name)!r}, not {definition[name]!r}"
        for name in COMPARED
        if name in definition and bool(definition[name] or found.get(name)) and found.get(name) != definition[name]
    )
