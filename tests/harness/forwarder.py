"""Ways to a server: one on which nobody listens until it is opened, and one that keeps a call back until it is let go."""

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
                self._carry(near, far)

    def _carry(self, near: socket.socket, far: socket.socket) -> None:
        for one, other in ((near, far), (far, near)):
            threading.Thread(target=_pump, args=(one, other), daemon=True).start()


class Holding(Forwarder):
    """Open from the start. The next call whose bytes have what `hold` names gets no further until `let_go`; its answer gets lost."""

    def __init__(self, to: str) -> None:
        super().__init__(to)
        self._words: bytes | None = None
        self.held, self._gone = threading.Event(), threading.Event()
        self.open()

    def hold(self, words: str) -> None:
        self._words = words.encode()

    def let_go(self) -> None:
        self._gone.set()

    def _carry(self, near: socket.socket, far: socket.socket) -> None:
        lost = threading.Event()

        def there() -> None:
            with contextlib.suppress(OSError):
                while data := near.recv(65536):
                    if self._words is not None and self._words in data:
                        self._words = None
                        self.held.set()
                        lost.set()
                        self._gone.wait()
                    far.sendall(data)
            with contextlib.suppress(OSError):
                far.shutdown(socket.SHUT_WR)

        def back() -> None:
            with contextlib.suppress(OSError):
                while (data := far.recv(65536)) and not lost.is_set():
                    near.sendall(data)
            with contextlib.suppress(OSError):
                near.shutdown(socket.SHUT_RDWR)

        for way in (there, back):
            threading.Thread(target=way, daemon=True).start()


def _pump(one: socket.socket, other: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := one.recv(65536):
            other.sendall(data)
    with contextlib.suppress(OSError):
        other.shutdown(socket.SHUT_WR)
