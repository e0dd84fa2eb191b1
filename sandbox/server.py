"""Serving one sandbox: says where, ends at once, and can drop a connection like a broken network."""

from __future__ import annotations

import asyncio
import os
import socket
from types import FrameType
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

SERVED = "sandbox.served"
_connections: dict[tuple[str, int], asyncio.Transport] = {}  # of this process's server, by the client's address


class _Protocol(H11Protocol):
    """Remembers its transport under the client's address, which the ASGI scope names as well."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self.client is not None:
            _connections[self.client] = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self.client is not None:
            _connections.pop(self.client, None)
        super().connection_lost(exc)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, greeting: str) -> None:
        super().__init__(config)
        self._greeting = greeting

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        print(self._greeting, flush=True)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # All state is in memory and meant to go: nothing is worth waiting for, least of all kept-alive connections.
        os._exit(0)


def serve(app: ASGIApp, system: str, port: int, host: str = "127.0.0.1") -> None:
    """Serve `app` on `host`:`port` (0: a free one) until a signal; prints one line with the address once it answers.

    Raises OSError where the port is taken.
    """

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        scope[SERVED] = True
        await app(scope, receive, send)

    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    config = uvicorn.Config(
        served,
        http=_Protocol,
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        date_header=False,  # the sandboxes set their own: clocks that differ are one of the things they show
        server_header=False,
        timeout_keep_alive=75,
    )
    _Server(config, f"{system} sandbox at http://{host}:{listener.getsockname()[1]}").run(sockets=[listener])


async def drop(scope: Scope, receive: Receive) -> None:
    """Cut the client's connection without an answer. Under a test's in-process transport it raises ConnectionResetError."""
    if not scope.get(SERVED):
        raise ConnectionResetError("the sandbox dropped the connection")
    client: Any = scope["client"]
    transport = _connections.get(tuple(client))
    if transport is not None:  # else the client was faster
        transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass  # what is left of the request's body; uvicorn answers 500 if we return before it has seen the end
