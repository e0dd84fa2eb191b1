"""What a sink asks of Acumatica: the reads of its client, and PUT (facts/acumatica.md §3.4, §4.8, §6.2)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from weighlock import settings as config
from weighlock.clients.acumatica import Acumatica, Budget
from weighlock.clients.acumatica_answers import error_of
from weighlock.clients.acumatica_session import FileTokenStore
from weighlock.clients.acumatica_values import Row, encoded, parse, plain, wrapped
from weighlock.errors import RateLimited, RejectedError, TransientError, WeighlockError


class AlreadyThere(RejectedError):
    """412: what was to be made only if it is not there is there."""


class AcumaticaWrites(Acumatica):
    @classmethod
    def of(cls, settings: config.Settings) -> AcumaticaWrites:
        """With the share of calls that the section `deals` names. The grant, and so the seat, is that of our other workers here."""
        tokens = FileTokenStore(settings.state / "acumatica-grant.sealed")
        budget = Budget(settings.need_deals().requests_per_minute)
        return cls(settings.need_acumatica(), tokens, budget=budget, again=lambda: settings.reread().acumatica)

    def put(self, entity: str, fields: Mapping[str, Any], *, filter: str = "", new: bool = False, expand: Sequence[str] = ()) -> Row:
        """Makes a record, or changes the one that `fields` (its key) or `filter` name; `new`: only makes one, else `AlreadyThere`.

        The answer shows what was sent as it was saved, its key and `id`. `TransientError` is `ambiguous` wherever it may have been saved.
        """
        self._budget.admit()
        params = {name: value for name, value in (("$filter", filter), ("$expand", ",".join(expand))) if value}
        url = f"{self._root}/{entity}" + (f"?{encoded(params)}" if params else "")
        body = json.dumps(wrapped(fields))
        token = self._session.token()
        answer = self._write(url, body, new, token)
        if answer.status_code == 401:
            answer = self._write(url, body, new, self._session.renew(token))
        if not answer.is_success:
            raise _of_a_write(answer, body)
        try:
            return plain(parse(answer.content))
        except (ValueError, AttributeError):
            raise _of_a_write(answer, body) from None

    def _write(self, url: str, body: str, new: bool, token: str) -> httpx.Response:
        self._budget.note()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", **({"If-None-Match": "*"} if new else {})}
        try:
            return self._http.put(url, content=body, headers=headers)
        except httpx.TransportError as error:
            raise error_of(error) from error


def _of_a_write(answer: httpx.Response, body: str) -> WeighlockError:
    """A refusal keeps what was sent. Whatever is neither an answer nor a refusal by the licence may have been saved (§6.2)."""
    error = error_of(answer)
    if answer.status_code == 412:
        return AlreadyThere(str(error), request=body)
    if isinstance(error, RejectedError):
        return RejectedError(error.reason, request=body, response=error.response)
    if isinstance(error, TransientError) and not isinstance(error, RateLimited):
        return TransientError(str(error), ambiguous=True)
    return error
