"""A sandbox as a process, for clients that nobody here wrote: they see a socket, as with the vendor."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx


class Running:
    """`url` is where it serves; `control` asks its control API."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx.Client(base_url=f"{url}/__sandbox__", timeout=30, trust_env=False)

    def control(self, path: str, **body: Any) -> Any:
        answer = self._http.post(path, json=body) if body else self._http.get(path)
        return answer.raise_for_status().json()

    def close(self) -> None:
        self._http.close()


@contextmanager
def running(system: str, *arguments: str) -> Iterator[Running]:
    """The sandbox of that system, ended afterwards."""
    command = [sys.executable, "-m", "sandbox", system, "--port", "0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            found = re.fullmatch(rf"{system} sandbox at (http://127\.0\.0\.1:\d+)\n", line)
            assert found is not None, line
            one = Running(found[1])
            yield one
            one.close()
        finally:
            process.kill()
