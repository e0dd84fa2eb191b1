"""Search over an index that is some seconds behind, with its caps (§3)."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Any

from sandbox.faults import fired
from sandbox.hubspot.api import Answer, Call
from sandbox.hubspot.errors import Json, bad_request
from sandbox.hubspot.kinds import Kind
from sandbox.hubspot.objects import show
from sandbox.hubspot.portal import LATEST_SEARCH, Properties, Record
from sandbox.hubspot.values import decimal, moment

MOST_GROUPS, MOST_FILTERS, MOST_IN_ALL = 5, 6, 18
MOST_RESULTS, PAGE, LONGEST_BODY = 10_000, 200, 3_000

Found = tuple[Record, Properties]
Test = Callable[[Found], bool]
_TOKEN = re.compile(r"[\w*]+")


def search(call: Call) -> Answer:
    """Results as the index has them: `search_delay_seconds` old, archived records left out."""
    limit, after = _page(call)
    tests = _groups(call)
    late = fired(call.scope, "late-search")
    delay = call.portal.switches.search_delay_seconds if late is None else min(float(late.args.get("seconds", 300)), LATEST_SEARCH)
    before = call.portal.clock() - timedelta(seconds=delay)
    found = [
        (record, properties) for record in call.portal.records[call.kind.name].values() if (properties := record.as_of(before)) is not None
    ]
    if tests:
        found = [each for each in found if any(all(test(each) for test in group) for group in tests)]
    if query := str(call.body.get("query") or ""):
        found = [each for each in found if _mentions(call.kind, each[1], query)]
    found = _sorted(call, found)
    names = call.body.get("properties") or ()
    results = [show(call.portal, record, names, properties) for record, properties in found[after : after + limit]]
    if fired(call.scope, "stale-search"):
        return Answer({"total": max(1, len(found)), "results": []})
    body: Json = {"total": len(found), "results": results}
    if len(found) > after + limit:
        body["paging"] = {"next": {"after": str(after + limit)}}  # and no link
    return Answer(body)


def _page(call: Call) -> tuple[int, int]:
    body = call.body
    length = int(call.scope["sandbox.body_length"])
    if length > LONGEST_BODY:
        raise bad_request(f"The request body is too long: {length} characters, the limit is {LONGEST_BODY}.")
    try:
        limit, after = int(body.get("limit") or 10), int(body.get("after") or 0)
    except (TypeError, ValueError) as error:
        raise bad_request("Invalid input JSON: limit and after must be integers") from error
    if not 0 < limit <= PAGE:
        raise bad_request(f"Invalid limit {limit}: it must be between 1 and {PAGE}.")
    if after < 0 or after + limit > MOST_RESULTS:
        raise bad_request(f"The paging offset {after} with a limit of {limit} is beyond the {MOST_RESULTS:,} results of a query.")
    return limit, after


def _groups(call: Call) -> list[list[Test]]:
    groups = [group.get("filters") or [] for group in call.body.get("filterGroups") or []]
    if len(groups) > MOST_GROUPS:
        raise bad_request(f"There are {len(groups)} filterGroups; the limit is {MOST_GROUPS}.")
    if any(len(group) > MOST_FILTERS for group in groups) or sum(map(len, groups)) > MOST_IN_ALL:
        raise bad_request(f"There are too many filters: {MOST_FILTERS} in a group and {MOST_IN_ALL} in all are the limits.")
    return [[_test(call, row) for row in group] for group in groups]


def _test(call: Call, row: Json) -> Test:
    name, operator = str(row.get("propertyName")), str(row.get("operator"))
    if name.startswith("associations."):
        return _linked(call, call.portal.kind(name.removeprefix("associations.")), operator, row)
    definition = call.portal.definition(call.kind, name)
    if definition is None:
        message = f'Property "{name}" does not exist'
        raise bad_request("There was a problem with the request.", errors=[{"message": message, "code": "PROPERTY_DOESNT_EXIST"}])
    matches = _matcher(definition, operator, row)
    return lambda found: matches(found[1].get(name))


def _linked(call: Call, kind: Kind, operator: str, row: Json) -> Test:
    wanted = {str(row.get("value"))} if operator == "EQ" else set(map(str, row.get("values") or []))
    if operator not in ("EQ", "IN"):
        raise bad_request(f"Operator {operator} is not supported for associations.{kind.singular}")
    return lambda found: bool(wanted & set(call.portal.links.of(found[0].end, kind)))


def _matcher(definition: Json, operator: str, row: Json) -> Callable[[str | None], bool]:
    """A test of the property's text. A record without a value meets NOT_HAS_PROPERTY and nothing else."""
    if operator == "HAS_PROPERTY":
        return lambda text: text is not None
    if operator == "NOT_HAS_PROPERTY":
        return lambda text: text is None
    if operator in ("CONTAINS_TOKEN", "NOT_CONTAINS_TOKEN"):
        value, wanted = _required(row, "value"), operator == "CONTAINS_TOKEN"
        return lambda text: text is not None and _has_tokens(text, value) is wanted
    if operator in ("IN", "NOT_IN"):
        # the property's text is lowered, the values are not: one that is not lower case finds nothing (§3)
        values, wanted = {_key(definition, str(v), lower=False) for v in _values(row)}, operator == "IN"
        return lambda text: text is not None and (_key(definition, text) in values) is wanted
    if operator == "BETWEEN":
        low, high = (_key(definition, _required(row, name)) for name in ("value", "highValue"))
        return lambda text: text is not None and bool(low <= _key(definition, text) <= high)
    compare = _COMPARE.get(operator)
    if compare is None:
        raise bad_request(f"Invalid input JSON: operator {operator} is not one of {', '.join(sorted(_COMPARE))}, ...")
    bound = _key(definition, _required(row, "value"))
    return lambda text: text is not None and compare(_key(definition, text), bound)


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "EQ": lambda a, b: bool(a == b),
    "NEQ": lambda a, b: bool(a != b),
    "LT": lambda a, b: bool(a < b),
    "LTE": lambda a, b: bool(a <= b),
    "GT": lambda a, b: bool(a > b),
    "GTE": lambda a, b: bool(a >= b),
}


def _key(definition: Json, text: str, lower: bool = True) -> Any:
    """What is compared: numbers and times as such, enumerations as they are, texts without regard to case."""
    if definition["type"] == "number":
        number = decimal(text)
        if number is None:
            raise bad_request(f"{text} is not a number")
        return number
    if definition["type"] in ("date", "datetime"):
        at = moment(text)
        if at is None:
            raise bad_request(f"{text} is not a time")
        return Decimal(str(at.timestamp()))
    return text.lower() if lower and definition["type"] not in ("enumeration", "bool") else text


def _required(row: Json, name: str) -> str:
    if row.get(name) in (None, ""):
        raise bad_request(f"Invalid input JSON: operator {row.get('operator')} needs {name}")
    return str(row[name])


def _values(row: Json) -> list[Any]:
    if not isinstance(row.get("values"), list) or not row["values"]:
        raise bad_request(f"Invalid input JSON: operator {row.get('operator')} needs values")
    values: list[Any] = row["values"]
    return values


def _has_tokens(text: str, value: str) -> bool:
    tokens = _TOKEN.findall(text.lower())
    return all(any(fnmatchcase(token, wanted) for token in tokens) for wanted in _TOKEN.findall(value.lower()))


def _mentions(kind: Kind, properties: Properties, query: str) -> bool:
    text = " ".join(properties.get(name, "") for name in kind.searched)
    tokens = _TOKEN.findall(text.lower())
    return all(any(token.startswith(word) for token in tokens) for word in _TOKEN.findall(query.lower()))


def _sorted(call: Call, found: list[Found]) -> list[Found]:
    """One rule, as an object or as a text like `-createdate`; without one, in the order of creation."""
    rules = call.body.get("sorts") or []
    if len(rules) > 1:
        raise bad_request("Only one sort is allowed.")
    if not rules:
        return found
    rule = rules[0]
    if isinstance(rule, str):
        name, down = rule.lstrip("-"), rule.startswith("-")
    else:
        name, down = str(rule.get("propertyName")), rule.get("direction") == "DESCENDING"
    definition = call.portal.definition(call.kind, name)
    if definition is None:
        raise bad_request(f'Property "{name}" does not exist')
    have = [each for each in found if name in each[1]]
    lack = [each for each in found if name not in each[1]]
    return sorted(have, key=lambda each: _key(definition, each[1][name]), reverse=down) + lack
