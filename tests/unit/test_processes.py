"""Child processes that never outlive their parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.harness.system import eventually
from weighlock import processes

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]
Find = Callable[[str], list[psutil.Process]]
# A parent that starts two children, one from a thread that ends once the child is what it shall be, and says how they are.
PARENT = """
import sys, threading, time
from tests.harness.system import eventually
from weighlock import processes
if len(sys.argv) > 1: sys.platform = sys.argv[1]
command = [sys.executable, "-c", "import os, time; os.write(1, bytes([117, 112, 10])); time.sleep(600)"]
children = [processes.spawn(command)]
thread = threading.Thread(target=lambda: (children.append(processes.spawn(command)), input()))
thread.start(); thread.join()
time.sleep(0.3)
print(*[child.poll() for child in children], flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("platform", [[], ["elsewhere"]], ids=["kernel", "watcher"])
def test_kill_9_of_the_parent_ends_its_children(processes_of: Find, platform: list[str], prefix: str) -> None:
    """After SIGKILL of the parent nothing that carries its mark is left; a child whose forking thread ended lives until then."""
    if sys.platform != "linux" and not platform:
        pytest.skip("the kernel's death signal is Linux's")
    environment = {**os.environ, processes.RUN: prefix}
    command = [sys.executable, "-c", PARENT, *platform]
    parent = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    assert parent.stdin is not None
    assert parent.stdout is not None
    try:
        assert [parent.stdout.readline() for _ in range(2)] == ["up\n", "up\n"]
        print(file=parent.stdin, flush=True)  # now the thread ends
        assert parent.stdout.readline() == "None None\n"
        count = 4 if platform else 3  # with the watcher, which asks `ps` about each child, with the mark too
        alive = eventually(f"{count} processes", lambda: found if len(found := processes_of(prefix)) == count else [])
    finally:
        parent.kill()
        parent.communicate()
    _, left = psutil.wait_procs(alive, timeout=60)
    assert not left
    assert processes_of(prefix) == []


def test_a_child_whose_parent_died_before_prctl_does_not_start() -> None:
    """The shim looks at its parent's pid after it asked for the death signal: another one means that the parent is gone."""
    shim = [sys.executable, "-I", "-S", "-c", processes._LINUX, str(os.getpid() + 1), "-", *SLEEP]
    assert subprocess.run(shim, timeout=60).returncode == 1


def test_environment_log_and_mark(tmp_path: Path) -> None:
    """A child sees our environment with `env` over it and the run's mark; its output goes to the end of the log."""
    log = tmp_path / "log"
    log.write_text("before\n")
    code = f"import os, sys; print(os.environ['A'], os.environ['{processes.RUN}'], flush=True); print('oops', file=sys.stderr)"
    assert processes.spawn([sys.executable, "-c", code], {"A": "b"}, log).wait(60) == 0
    assert log.read_text() == f"before\nb {processes.run_id()}\noops\n"


def test_no_such_program() -> None:
    """A program that is not there is an error at once, with its name."""
    with pytest.raises(FileNotFoundError, match="weighlock-nowhere"):
        processes.spawn(["weighlock-nowhere"])


def test_stop_asks_first_and_kills_then(tmp_path: Path) -> None:
    """SIGTERM is enough for most; who ignores it is killed after the grace; stopping twice gives the same status."""
    polite = processes.spawn(SLEEP)
    assert processes.stop(polite, 60) == processes.stop(polite, 60) == -signal.SIGTERM
    log = tmp_path / "log"
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
    deaf = processes.spawn([sys.executable, "-c", code], log_path=log)
    heard = threading.Event()
    while not log.read_text():
        heard.wait(0.02)
    assert processes.stop(deaf, 0.2) == -signal.SIGKILL


def test_a_signal_in_the_midst_of_a_signal() -> None:
    """A stop that comes while the event's lock is held (in a `wait`, or by the signal before it) is heard, and nobody waits for ever."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        stopping = processes.asked_to_stop()
        with stopping._cond:  # type: ignore[attr-defined]
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGINT)
        assert stopping.wait(30)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_ctrl_c_reaches_the_parent_only() -> None:
    """A child is in a process group of its own, so the terminal's Ctrl-C does not take it away from under its parent."""
    child = processes.spawn(SLEEP)
    assert os.getpgid(child.pid) == child.pid != os.getpgrp()
    processes.stop(child, 10)


def test_free_ports_lie_below_those_of_outgoing_connections() -> None:
    """A port that is written down must not be one that the system hands to any connection; a taken one is seen as taken."""
    import socket

    port = processes.free_port()
    assert 20000 <= port < 32768
    with socket.create_server(("127.0.0.1", port)):
        assert not processes.is_free(port)
    assert processes.is_free(port)
