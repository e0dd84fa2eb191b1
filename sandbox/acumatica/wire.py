"""JSON as Acumatica writes it, and its error answers (facts/acumatica.md §3.1, §6.1)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from starlette.responses import Response


@dataclass(frozen=True)
class Garbled:
    """What stands where a value should: JSON as somebody wrote it, or none at all."""

    text: str


def garbled(record: dict[str, Any], fields: Mapping[str, str]) -> dict[str, Any]:
    """The record with that text where each of these paths (`MainContact/Email`) leads to something in it."""
    for path, text in fields.items():
        *way, last = path.split("/")
        inner: Any = record
        for step in way:
            inner = inner.get(step) if isinstance(inner, dict) else None
        if isinstance(inner, dict) and last in inner:
            inner[last] = Garbled(text)
    return record


def encode(value: Any) -> str:
    """JSON text; Decimals become numbers without an exponent or trailing zeros (S20)."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(name)}:{encode(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(encode, value)) + "]"
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, Garbled):
        return value.text
    return json.dumps(value, ensure_ascii=False)


def plain(number: Decimal) -> str:
    """The digits of a decimal number: `160`, `1065.27725`, never `1E+3`."""
    text = format(number, "f")
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"


def answer(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(encode(body), status, headers, "application/json; charset=utf-8")


class Refusal(Exception):
    """An answer other than the one asked for; raised anywhere in a call, it ends that call."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


def message(status: int, text: str) -> Refusal:
    """An error of the web layer: one `message`."""
    return Refusal(answer({"message": text}, status))


def failure(text: str, kind: str, trace: str, status: int = 500) -> Refusal:
    """An error out of the server's code: its text, the exception's type and where it came from."""
    body = {"message": "An error has occurred.", "exceptionMessage": text, "exceptionType": kind, "stackTrace": f"   at {trace}"}
    return Refusal(answer(body, status))


def bad_query(text: str) -> Refusal:
    """A query option that the server cannot read (§4.2: always a 500)."""
    return failure(text, "Microsoft.Data.OData.ODataException", "PX.Api.ContractBased.Rest.QueryOptions.Parse(String value)")


def no_entity() -> Refusal:
    """A record that is not there (§4.4: a 500, never a 404)."""
    kind = "PX.Api.ContractBased.NoEntitySatisfiesTheConditionException"
    return failure("No entity satisfies the condition.", kind, "PX.Api.ContractBased.EntityService.Get(String entity)")


def cannot_optimize(fields: list[str], view: str) -> Refusal:
    """A list that cannot run as one export (§4.3)."""
    lines = "\r\n".join(f"{name}: View {view} has BQL delegate" for name in fields)
    text = f"Optimization cannot be performed.The following fields cause the error:\r\n{lines}\r\n"
    kind = "PX.Api.ContractBased.OptimizedExport.CannotOptimizeException"
    return failure(text, kind, "PX.Api.ContractBased.OptimizedExport.NotWorkingOptimizedExportProvider.get_CanOptimize()")
