"""A server that is away until it is opened: a port on which nothing listens, and from then on a way through to the real one."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Self

from weighlock.processes import free_port


class Forwarder:
    """`address` is known from the start; connections to it are refused until `open`."""

    def __init__(self, to: str) -> None:
        """`to`: host:port of the real server."""
        host, _, port = to.rpartition(":")
        self._to = (host, int(port))
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._server: socket.socket | None = None

    def open(self) -> None:
        self._server = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._server,), daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()

    def _accept(self, server: socket.socket) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                near, _ = server.accept()
                far = socket.create_connection(self._to)
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=_pump, args=(one, other), daemon=True).start()


def _pump(one: socket.socket, other: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := one.recv(65536):
            other.sendall(data)
    with contextlib.suppress(OSError):
        other.shutdown(socket.SHUT_WR)
