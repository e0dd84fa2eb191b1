"""The two simulated systems, as processes, and their control API (docs/sandboxes.md). Nothing of ours imports their code."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

from weighlock.errors import TransientError
from weighlock.processes import free_port, spawn, stop

# The credentials are what the sandboxes accept, written down in docs/sandboxes.md; no secrets. They allow more than a real tenant would:
# polls every half second, an overlap of seconds, no licence limit.
SETTINGS = """\
tenant = "{tenant}"
kafka = "{kafka}"
registry = "{registry}"
state = "{state}"

[acumatica]
url = "{acumatica}"
tenant = "Demo"
client_id = "6E2B1B60-6F3C-4B43-9D4C-0B1F5B7F2A11@Demo"
client_secret = "sandbox-client-secret"
username = "weighlock"
password = "sandbox-password"
requests_per_minute = 6000
overlap_seconds = 5
customer = {{ every = 0.5 }}
contact = {{ every = 0.5 }}
invoice = {{ every = 0.5 }}
payment = {{ every = 0.5 }}

[hubspot]
url = "{hubspot}"
token = "pat-na1-00000000-sandbox-0000-0000-000000000000"
"""

#: Won deals make customers: those that are won from today on.
DEALS = """
[deals]
since = {today}
deal = {{ every = 0.5 }}
overlap_seconds = 30
requests_per_minute = 6000
customer_id = "HS{{id36}}"
"""


def settings_for(kafka: str, registry: str, acumatica: str, hubspot: str, tenant: str, state: Path) -> str:
    """A weighlock.toml that points at the two sandboxes."""
    return SETTINGS.format(kafka=kafka, registry=registry, acumatica=acumatica, hubspot=hubspot, tenant=tenant, state=state.resolve())


class Sandbox:
    """One of them: `system` is acumatica or hubspot."""

    def __init__(self, system: str, logs: Path, *arguments: str) -> None:
        self.system, self.log = system, logs / f"sandbox-{system}.log"
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        command = [sys.executable, "-m", "sandbox", system, "--port", str(port), *arguments]
        self.process: subprocess.Popen[bytes] = spawn(command, {}, self.log)
        self.http = httpx.Client(base_url=self.url + "/__sandbox__", timeout=60, trust_env=False)

    def wait(self, seconds: float = 30) -> None:
        """Until it answers; `TransientError` with the log's name if it does not."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and self.process.poll() is None:
            try:
                self.http.get("/health").raise_for_status()
                return
            except httpx.HTTPError:
                time.sleep(0.1)
        raise TransientError(f"the {self.system} sandbox did not start: see {self.log}")

    def get(self, path: str, **query: Any) -> Any:
        return self.http.get(path, params=query).raise_for_status().json()

    def edit(self, **change: Any) -> list[dict[str, Any]]:
        """The log entries that the edit made."""
        entries: list[dict[str, Any]] = self.http.post("/edit", json=change).raise_for_status().json()
        return entries

    def close(self) -> None:
        self.http.close()
        stop(self.process, 5)
