"""Actions on documents: long operations that are polled (facts/acumatica.md §4.10, S13)."""

import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sandbox.acumatica.ar.books import Books
from sandbox.acumatica.ar.codes import LABELS
from sandbox.acumatica.ar.records import Document, NotAllowed
from sandbox.acumatica.ar.views import DocumentTable
from sandbox.acumatica.sessions import Session
from sandbox.acumatica.wire import Refusal, failure, message, no_entity
from sandbox.acumatica.write import parsed
from sandbox.faults import fired

ACTIONS = {  # what the description names, and the graph's own names, which work as well
    "SalesInvoice": {"ReleaseSalesInvoice": "release", "Release": "release"},
    "Invoice": {"ReleaseInvoice": "release", "Release": "release"},
    "Payment": {"ReleasePayment": "release", "Release": "release", "VoidPayment": "void"},
}


@dataclass
class Operation:
    """One that somebody started; `work` is done when its time has come, by whoever looks first. It is known to its session only."""

    form: str
    action: str
    session: Session
    ends: float
    work: Callable[[], object] | None
    error: str | None = None


class Operations:
    """The long operations of the site."""

    def __init__(self, seconds: float, lock: bool) -> None:
        self.seconds, self.lock = seconds, lock
        self._all: dict[str, Operation] = {}

    def settle(self) -> None:
        """Does what is due. To be called before anybody looks at the books."""
        now = time.monotonic()
        for one in self._all.values():
            if one.work is not None and one.ends <= now:
                work, one.work = one.work, None
                try:
                    work()
                except NotAllowed as refused:
                    one.error = str(refused)

    def start(self, form: str, action: str, session: Session, work: Callable[[], object]) -> str:
        number = str(uuid.uuid4())
        self._all[number] = Operation(form, action, session, time.monotonic() + self.seconds, work)
        return number

    def check(self, form: str, session: Session) -> None:
        """While an operation runs, its form is closed to other requests of its session."""
        if self.lock and any(one.form == form and one.session is session and one.work is not None for one in self._all.values()):
            raise failure("A long operation is in progress on this form.", "PX.Data.PXException", "PX.Data.PXLongOperation.Check()")

    def busy(self, session: Session) -> bool:
        return any(one.session is session and one.work is not None for one in self._all.values())

    def status(self, form: str, action: str, number: str, session: Session, here: str) -> Response:
        """202 while it runs, 204 when it is done, else what went wrong. Another session, or a new one, knows nothing of it."""
        one = self._all.get(number)
        if one is None or one.session is not session or (one.form, one.action) != (form, action):
            raise message(404, "The long operation was not found.")
        if one.work is not None:
            return Response(status_code=202, headers={"Location": here})
        if one.error is not None:
            raise failure(one.error, "PX.Data.PXOperationCompletedWithErrorException", "PX.Data.PXLongOperation.Run()")
        return Response(status_code=204)


def invoke(request: Request, operations: Operations, table: DocumentTable, books: Books, keys: list[str], base: str) -> Response:
    """POST of an action, or GET of its state, on one entity. The Location has no host (§4.10)."""
    form, action, session = table.entity.name, keys[0], request.state.session
    if request.method == "GET":
        return operations.status(form, action, keys[2], session, f"{base}/{form}/{action}/status/{keys[2]}")
    name = ACTIONS.get(form, {}).get(action)
    if name is None or len(keys) > 1:
        raise message(404, "No action with this name.")
    document = _document(table, parsed(request.state.body))
    if operations.busy(session):
        raise failure("A long operation is in progress in this session.", "PX.Data.PXException", "PX.Data.PXLongOperation.Start()")
    silent = fired(request.scope, "silent") is not None
    number = operations.start(form, action, session, lambda: None if silent else getattr(books, name)(document))
    operations.settle()
    return Response(status_code=202, headers={"Location": f"{base}/{form}/{action}/status/{number}"})


def _document(table: DocumentTable, body: dict[str, Any]) -> Document:
    """The document that the body refers to: `{"entity": {"id": ...}}` or its key fields."""
    asked = body.get("entity", body.get("Entity"))
    if not isinstance(asked, dict):
        raise Refusal(Response(json.dumps({"message": "The entity is required."}), 400, media_type="application/json"))
    key = asked.get("id")
    if not isinstance(key, str):
        kind, number = (str((asked.get(name) or {}).get("value", "")) for name in ("Type", "ReferenceNbr"))
        key = f"{kind if kind in LABELS else table.label(kind)}/{number}"
    found = table.document(key)
    if found is None:
        raise no_entity()
    return found
