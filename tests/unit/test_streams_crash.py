"""A stream worker that crashed ends, whatever its parts wait for."""

from __future__ import annotations

import subprocess
import sys

import pytest

WORKER = """
import asyncio, mode
from streams.app import end_after_crash

class Part(mode.Service):
    async def on_started(self):
        self.loop.call_later(0.2, lambda: asyncio.ensure_future(self.crash(RuntimeError("lost"))))

    async def on_stop(self):
        await asyncio.sleep({stops_after})

worker = mode.Worker(Part(), override_logging=False, quiet=True)
end_after_crash(worker, 1.0)
worker.execute_from_commandline()
"""


@pytest.mark.parametrize("stops_after", [0, 60])
def test_a_crashed_worker_ends(stops_after: float) -> None:
    """At once where its parts stop, else after its time: with a status that gets it started again."""
    done = subprocess.run([sys.executable, "-c", WORKER.format(stops_after=stops_after)], capture_output=True, timeout=50, check=False)
    assert done.returncode == 1, done.stderr.decode()
