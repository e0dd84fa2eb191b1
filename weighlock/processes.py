"""Child processes that never outlive their parent.

A supervisor that is killed with `kill -9` cannot clean up, so the operating system has to: on Linux the kernel kills the
child (`PR_SET_PDEATHSIG`), elsewhere a small watcher process does it when the pipe to the parent closes (written for macOS
and tried only on Linux). Windows is not supported.

Every child carries `WEIGHLOCK_RUN` in its environment, so that a test can search all processes of the machine for what is
left of a run instead of trusting a list of its own.
"""

from __future__ import annotations

import _thread
import contextlib
import functools
import os
import queue
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path

RUN = "WEIGHLOCK_RUN"

# The child runs this first and then becomes the command itself (exec keeps the death signal), so no process is left between.
# The parent may have died before prctl was called: then the signal never comes, and the look at the parent's pid decides.
_LINUX = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)
os.getppid() == int(sys.argv[1]) or os._exit(1)
os.execv(sys.argv[3], sys.argv[3:])
"""
# Elsewhere the child tells the watcher its pid before it becomes the command.
_ELSEWHERE = """
import os, sys
os.write(int(sys.argv[2]), b"%d\\n" % os.getpid())
os.close(int(sys.argv[2]))
os.getppid() == int(sys.argv[1]) or os._exit(1)
os.execv(sys.argv[3], sys.argv[3:])
"""
# The pipe ends when the last writer, the parent, is gone. A pid may have been given to a stranger since: the start time tells.
_WATCHER = """
import os, signal, subprocess, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
def started(pid):
    return subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, env={**os.environ, "LC_ALL": "C"}).stdout
children = {}
for line in sys.stdin:
    children[int(line)] = started(int(line))
for pid, start in children.items():
    if start and started(pid) == start:
        os.kill(pid, signal.SIGKILL)
"""


def run_id() -> str:
    """The mark of this run: that of the environment, else a new one that all later children inherit."""
    return os.environ.setdefault(RUN, f"{os.getpid():x}-{secrets.token_hex(4)}")


def spawn(command: Sequence[str], env: Mapping[str, str] | None = None, log_path: Path | None = None) -> subprocess.Popen[bytes]:
    """Start `command` so that it dies with this process, even when this process is killed with SIGKILL.

    `env` is laid over the environment of this process. With `log_path` stdout and stderr are appended to that file, else they
    are inherited. stdin is empty, and the child is a process group of its own: a Ctrl-C reaches the parent only, which stops
    its children in the order it wants.

    FileNotFoundError when the program does not exist.
    """
    program = shutil.which(command[0])
    if program is None:
        raise FileNotFoundError(f"no such program: {command[0]}")
    become = [program, *command[1:]]
    if sys.platform == "linux":
        return _forker(os.getpid())(lambda: _popen([*_shim(_LINUX), "-", *become], env, log_path, ()))
    pipe = _watcher(os.getpid())
    return _popen([*_shim(_ELSEWHERE), str(pipe), *become], env, log_path, (pipe,))


def spawn_detached(command: Sequence[str], env: Mapping[str, str] | None, log_path: Path) -> subprocess.Popen[bytes]:
    """Start `command` in a session of its own, meant to outlive this process; its output is appended to `log_path`."""
    with log_path.open("ab") as log:
        return subprocess.Popen(command, env=_environment(env), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)


def stop(process: subprocess.Popen[bytes], grace: float) -> int:
    """End `process`: SIGTERM, SIGKILL after `grace` seconds. Returns its exit status (negative: the signal)."""
    if process.poll() is None:
        process.terminate()
        try:
            return process.wait(grace)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()


def asked_to_stop() -> threading.Event:
    """From now on SIGTERM and SIGINT set this event. For the main thread.

    A handler that sets it itself would wait for ever for the event's lock where the main thread holds it: it is interrupted in the midst
    of a `wait`, or of an earlier signal's `set`."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: _thread.start_new_thread(stopping.set, ()))
    return stopping


def free_port() -> int:
    """A TCP port of the loopback interface on which nothing listens now.

    Taken from below the range that Linux gives to outgoing connections (32768 and up), so that a port which was written down
    is not taken by some connection while its server restarts.
    """
    for port in random.sample(range(20000, 32000), 200):
        if is_free(port):
            return port
    raise OSError("no free TCP port between 20000 and 32000 on 127.0.0.1")


def is_free(port: int) -> bool:
    """Whether a server could listen on this TCP port of 127.0.0.1 now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _shim(code: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", code, str(os.getpid())]


def _environment(env: Mapping[str, str] | None) -> dict[str, str]:
    return {**os.environ, RUN: run_id(), **(env or {})}


def _popen(command: list[str], env: Mapping[str, str] | None, log_path: Path | None, pass_fds: tuple[int, ...]) -> subprocess.Popen[bytes]:
    with log_path.open("ab") if log_path else contextlib.nullcontext() as log:
        return subprocess.Popen(
            command,
            env=_environment(env),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT if log else None,
            pass_fds=pass_fds,
            process_group=0,
        )


@functools.cache
def _forker(pid: int) -> Callable[[Callable[[], subprocess.Popen[bytes]]], subprocess.Popen[bytes]]:
    """One thread that starts all children of this process: Linux ties the death signal to the *thread* that forked, so a child
    started from a short-lived thread would die with that thread. `pid` keeps a forked copy of us from using a thread it lacks."""
    asked: queue.SimpleQueue[tuple[Callable[[], subprocess.Popen[bytes]], Future[subprocess.Popen[bytes]]]] = queue.SimpleQueue()

    def serve() -> None:
        while True:
            start, answer = asked.get()
            try:
                answer.set_result(start())
            except BaseException as error:
                answer.set_exception(error)

    def ask(start: Callable[[], subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
        answer: Future[subprocess.Popen[bytes]] = Future()
        asked.put((start, answer))
        return answer.result()

    threading.Thread(target=serve, name="forker", daemon=True).start()
    return ask


@functools.cache
def _watcher(pid: int) -> int:
    """Start the watcher of this process; returns the writing end of its pipe, which stays open until this process is gone."""
    reading, writing = os.pipe()
    subprocess.Popen([sys.executable, "-I", "-S", "-c", _WATCHER], stdin=reading, env=_environment(None), start_new_session=True)
    os.close(reading)
    return writing
