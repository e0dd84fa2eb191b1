"""Up to a hundred records a call, each answered on its own where the trace ids allow it (§2.4, §2.5)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from sandbox.faults import fired
from sandbox.hubspot.api import Answer, Call
from sandbox.hubspot.draft import Draft, Pending
from sandbox.hubspot.errors import (
    ApiError,
    ContactExists,
    Json,
    bad_request,
    duplicate_ids,
    not_unique,
    some_not_found,
)
from sandbox.hubspot.kinds import LINE_ITEMS
from sandbox.hubspot.objects import commit, may_link, properties_of, resolve, show, written
from sandbox.hubspot.portal import Record
from sandbox.hubspot.rules import may_go
from sandbox.hubspot.values import instant

LIMIT = 100
HISTORY_LIMIT = 50


def _once_each(call: Call) -> Call:
    """Line items whose inputs are the same become one, without a word (§6.3); a trace id makes no difference."""
    inputs: dict[str, Json] = {}
    for row in call.inputs(LIMIT):
        told = {name: value for name, value in row.items() if name != "objectWriteTraceId"}
        inputs.setdefault(json.dumps(told, sort_keys=True), row)
    return replace(call, body={**call.body, "inputs": list(inputs.values())})


class _Missing(Exception):
    """An input whose record is not there."""


def read(call: Call) -> Answer:
    """Found records in any order; those that are not there in one error of a 207."""
    if call.body.get("propertiesWithHistory") and len(call.inputs(LIMIT)) > HISTORY_LIMIT:
        raise bad_request(
            "The maximum number of inputs supported in a batch request for property histories is 50."
            " Please reduce the number of items and try again"
        )
    started, draft = call.portal.clock(), Draft(call.portal)
    found: dict[str, Record] = {}
    missing: list[str] = []
    for row in call.inputs(LIMIT):
        record = resolve(draft, call.kind, call.body.get("idProperty"), _id(row))
        if record is None:
            missing.append(_id(row))
        else:
            found[record.id] = record
    results = [show(call.portal, record, call.body.get("properties") or ()) for record in found.values()]
    errors = [some_not_found(call.kind.singular, missing).in_batch(None)] if missing else []
    return _answer(call, results, errors, started, 200)


def create(call: Call) -> Answer:
    def plan(draft: Draft, row: Json) -> Pending:
        return draft.create(call.kind, properties_of(row), row.get("associations"))

    may_link(call, call.inputs(LIMIT))
    return _write(_once_each(call) if call.kind is LINE_ITEMS else call, plan, 201, lambda pending, trace: {})


def update(call: Call) -> Answer:
    """By record id or a unique property, never by e-mail (§2.6); an unknown unique value rejects all (§14.3)."""
    _check_keys(call)
    if any(row.get("idProperty") == "email" for row in call.inputs(LIMIT)):
        raise not_unique(call.kind.id, "email")
    draft = Draft(call.portal)
    unknown = [
        row for row in call.inputs(LIMIT) if row.get("idProperty") and resolve(draft, call.kind, row["idProperty"], _id(row)) is None
    ]
    if unknown:
        coordinates = [f"{call.kind.id}:{row['idProperty']}:{_id(row)}" for row in unknown]
        raise bad_request(
            "Some objects could not be found by their unique property values",
            context={"missingObjectPropertyValueCoordinates": coordinates},
        )

    def plan(draft: Draft, row: Json) -> Pending:
        record = resolve(draft, call.kind, row.get("idProperty"), _id(row))
        if record is None:
            raise _Missing
        return draft.update(record, properties_of(row))

    return _write(call, plan, 200, lambda pending, trace: {})


def upsert(call: Call) -> Answer:
    """By e-mail or a unique property; `new` tells which it was, the trace id comes back (§2.4)."""
    _check_keys(call)

    def plan(draft: Draft, row: Json) -> Pending:
        name, id, properties = row.get("idProperty"), _id(row), properties_of(row)
        record = resolve(draft, call.kind, name, id)
        if record is None:
            if name is None:
                raise _Missing
            return draft.create(call.kind, {name: id, **properties})
        if name == "email":
            properties = _by_email(call, record, properties)
        if name == "email" and str(properties.get("email", "")).strip().lower() == id.strip().lower():
            properties = {key: value for key, value in properties.items() if key != "email"}  # the first address stays (§14.3)
        return draft.update(record, properties)

    def more(pending: Pending, trace: str | None) -> Json:
        return {"new": pending.new, **({} if trace is None else {"objectWriteTraceId": trace})}

    return _write(call, plan, 200, more)


def archive(call: Call) -> Answer:
    """One invoice that cannot be deleted rejects all; how HubSpot has it is not known."""
    found = [one for row in call.inputs(LIMIT) if (one := call.portal.find(call.kind, _id(row))) is not None]
    for record in found:
        may_go(call.portal, record)
    for record in () if call.silent else found:
        if record.archived is None:  # it may have come twice
            call.portal.archive(record, "api")
    return Answer(None, 204)


def _write(call: Call, plan: Callable[[Draft, Json], Pending], status: int, more: Callable[[Pending, str | None], Json]) -> Answer:
    """The partial-failure matrix: with a trace id of its own on every input, good rows are written; else one bad row rejects all."""
    inputs, started = call.inputs(LIMIT), call.portal.clock()
    traces = [row.get("objectWriteTraceId") for row in inputs]
    traced = None not in traces and len(set(traces)) == len(traces)
    draft = Draft(call.portal, call.required)
    done: list[tuple[Pending, str | None]] = []
    errors: list[Json] = []
    missing: list[tuple[str, str | None]] = []
    refused = 0 if (fault := fired(call.scope, "refuse-rows")) is None else int(fault.args.get("count", 1))
    for place, (row, trace) in enumerate(zip(inputs, traces, strict=True)):
        try:
            if place < refused:
                raise bad_request("There was a problem with the request.")
            done.append((plan(draft, row), trace))
        except _Missing:
            missing.append((_id(row), trace))
        except ApiError as error:
            if not traced:
                raise _whole(error) from error
            errors.append(error.in_batch(trace))
    if call.silent:
        return _answer(call, [], [], started, status)  # 2xx with nothing in it: §2.5
    if missing:
        errors.append(_missing_error(call, missing, traced))
    commit(call.portal, draft)
    results = [{**show(call.portal, p.record, written(p)), **more(p, trace)} for p, trace in done]
    return _answer(call, results, errors, started, status)


def _by_email(call: Call, record: Record, properties: Json) -> Json:
    """What an upsert by e-mail does to the values that it does not name: nobody knows, so by switch (§2.6)."""
    portal, switch = call.portal, call.portal.switches.email_upsert
    left_out = [n for n in record.properties if n not in properties and n != "email" and not portal.read_only(record.kind, n)]
    if switch == "refused" and left_out:
        raise bad_request("Partial upserts are not supported when using email as the idProperty for contacts")
    return {**dict.fromkeys(left_out, ""), **properties} if switch == "blank" else properties


def _whole(error: ApiError) -> ApiError:
    """How one bad row rejects a batch: the existing id of a contact is not told then (§2.4)."""
    return ApiError(409, "Contact already exists", "CONFLICT") if isinstance(error, ContactExists) else error


def _missing_error(call: Call, missing: list[tuple[str, str | None]], traced: bool) -> Json:
    error = some_not_found(call.kind.singular, [id for id, _ in missing]).in_batch(None)
    if traced:
        error["context"]["objectWriteTraceId"] = [trace for _, trace in missing]
    return error


def _answer(call: Call, results: list[Json], errors: list[Json], started: datetime, status: int) -> Answer:
    call.portal.random.shuffle(results)  # never in the order of the inputs (§2.5)
    body: Json = {"status": "COMPLETE", "results": results}
    if errors:
        body |= {"numErrors": len(errors), "errors": errors}
    body |= {"startedAt": instant(started), "completedAt": instant(call.portal.clock())}
    partial = 200 if call.version == "2026-09" and call.portal.switches.partial_status == "200" else 207
    return Answer(body, partial if errors else status)


def _check_keys(call: Call) -> None:
    """What rejects the whole batch even with trace ids: a property that is not unique (§2.6), an id that comes twice (§2.4).

    Case and blanks make no second id of one (§2.5).
    """
    portal = call.portal
    for name in {row.get("idProperty") for row in call.inputs(LIMIT)} - {None, *portal.unique_names(call.kind)}:
        raise not_unique(call.kind.id, str(name))
    folded = [(name := row.get("idProperty"), portal.fold(name or "id", _id(row))) for row in call.inputs(LIMIT)]
    twice = list(dict.fromkeys(id for pair, count in Counter(folded).items() if count > 1 for id in [pair[1]]))
    if twice:
        raise duplicate_ids(twice)


def _id(row: Json) -> str:
    if row.get("id") in (None, ""):
        raise bad_request("Invalid input JSON on line 1, column 1: some required fields were not set: [id]")
    return str(row["id"])
