"""A client of Confluent's schema registry API, as much of it as we use (Apicurio offers it at `/apis/ccompat/v7`).

Subjects follow the topic-name strategy: `<topic>-value`. How Apicurio answers, and what it does while its broker is away:
docs/stack.md.
"""

from __future__ import annotations

import json
from typing import Any

import httpx
import stamina

from weighlock.errors import ConfigError, TransientError

Schema = dict[str, Any]
# Codes in the body of a 404 that say "no such subject, version or schema"; a 404 without one is another server's.
_NOT_THERE = (40401, 40402, 40403)


class Registry:
    """One registry. Errors of every method: ConfigError (it is not a registry, it refuses us or what we sent; the message says
    what to do) and TransientError (it does not answer, or answers with a server error, after a few tries of some seconds)."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        loopback = httpx.URL(self.url).host in ("127.0.0.1", "localhost", "::1")
        self._http = httpx.Client(timeout=httpx.Timeout(30, connect=5), trust_env=not loopback)  # no proxy on the way to ourselves
        self._schemas: dict[int, Schema] = {}
        self._ids: dict[tuple[str, str], int] = {}

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def register(self, subject: str, schema: Schema) -> int:
        """Make this the newest version of the subject, or find it among those that are there. Returns its id."""
        answer = self._call("POST", f"/subjects/{subject}/versions", subject, schema)
        return int(answer["id"])

    def id_of(self, subject: str, schema: Schema) -> int:
        """The id under which this schema is registered for the subject; asked once, then kept. ConfigError when it is not."""
        key = (subject, json.dumps(schema, sort_keys=True))
        if key not in self._ids:
            found = self.find(subject, schema)
            if found is None:
                raise ConfigError(f"{subject}: this schema is not in the registry {self.url}: run `weighlock topics apply`")
            self._ids[key] = found
        return self._ids[key]

    def find(self, subject: str, schema: Schema) -> int | None:
        """As `id_of`, asked every time, and None when it is not there. (Apicurio finds it in spite of other `doc` and `aliases`.)"""
        answer = self._call("POST", f"/subjects/{subject}", subject, schema)
        return None if answer is None else int(answer["id"])

    def schema(self, schema_id: int) -> Schema:
        """The schema of this id; asked once, then kept. LookupError when the registry does not know it."""
        if schema_id not in self._schemas:
            answer = self._call("GET", f"/schemas/ids/{schema_id}", f"schema {schema_id}")
            if answer is None:
                raise LookupError(f"the registry {self.url} knows no schema {schema_id}")
            self._schemas[schema_id] = json.loads(answer["schema"])
        return self._schemas[schema_id]

    def versions(self, subject: str) -> list[int]:
        """The versions of the subject, oldest first; empty when there is no such subject."""
        return list(self._call("GET", f"/subjects/{subject}/versions", subject) or [])

    def latest(self, subject: str) -> Schema | None:
        """The newest version's schema, None when there is no such subject."""
        answer = self._call("GET", f"/subjects/{subject}/versions/latest", subject)
        return None if answer is None else dict(json.loads(answer["schema"]))

    def check(self, subject: str, schema: Schema) -> list[str]:
        """What the subject's rule has against this schema as its next version; empty when nothing. Registers nothing."""
        path = f"/compatibility/subjects/{subject}/versions/latest?verbose=true"
        answer = self._call("POST", path, subject, schema)
        if answer is None or answer["is_compatible"]:  # None: a first version fits always
            return []
        # Apicurio gives no reasons here, only when one registers.
        return list(answer.get("messages") or [f"{subject}: not compatible with the latest version in the registry"])

    def compatibility(self, subject: str) -> str | None:
        """The subject's own rule (`BACKWARD` …), None when it has none and the registry's default holds."""
        answer = self._call("GET", f"/config/{subject}", subject)
        return None if answer is None else str(answer["compatibilityLevel"])

    def set_compatibility(self, subject: str, level: str) -> None:
        """Set the subject's rule. It may be set before the first version is registered."""
        self._call("PUT", f"/config/{subject}", subject, body={"compatibility": level})

    def _call(self, method: str, path: str, what: str, schema: Schema | None = None, body: Any = None) -> Any:
        """The answer's JSON, None when the subject, version or schema is not there."""
        if schema is not None:
            body = {"schema": json.dumps(schema)}
        try:
            for attempt in stamina.retry_context(on=TransientError, attempts=5, timeout=20, wait_initial=0.2, wait_max=3):
                with attempt:
                    return self._read(self._send(method, path, body), what)
        except httpx.InvalidURL as error:
            raise ConfigError(f"registry: {self.url} is no address ({error}): set `registry`, for example http://host:8081") from None
        raise AssertionError("retry_context ends by returning or raising")

    def _send(self, method: str, path: str, body: Any) -> httpx.Response:
        try:
            return self._http.request(method, self.url + path, json=body)
        except httpx.TransportError as error:
            raise TransientError(
                f"the registry at {self.url} does not answer ({error or type(error).__name__}): is it running? (`weighlock stack status`)"
            ) from error

    def _read(self, response: httpx.Response, what: str) -> Any:
        status = response.status_code
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if response.is_success and answer is not None:
            return answer
        code = answer.get("error_code") if isinstance(answer, dict) else None
        words = str(answer.get("message")) if isinstance(answer, dict) else response.reason_phrase
        if code in _NOT_THERE:
            return None
        raise self._error(status, words.rpartition("Exception: ")[2], what)

    def _error(self, status: int, words: str, what: str) -> Exception:
        if status >= 500 or status in (408, 429):
            return TransientError(f"the registry at {self.url} answers {status} for {what} ({words}): is its Kafka running?")
        if status == 409:
            return ConfigError(
                f"{what}: the registry refuses this schema, for what is already written could not be read with it ({words}): "
                "give a new field a default, keep the type of an old one, or choose another topic"
            )
        if status == 422:
            return ConfigError(f"{what}: the registry refuses this schema ({words}): correct the file in schemas/avro")
        if status in (401, 403):
            return ConfigError(f"the registry at {self.url} refuses us ({status}): put user and password into `registry`")
        return ConfigError(
            f"no schema registry of Confluent's kind at {self.url} ({status} for {what}): correct `registry`; "
            "Apicurio's address ends in /apis/ccompat/v7"
        )
