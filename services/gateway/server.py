"""Carries the application: an HTTP server on loopback, on the loop that is running already."""

import socket
from collections.abc import Generator
from contextlib import contextmanager

import uvicorn
from litestar.types import ASGIApp

HOST = "127.0.0.1"
GRACE_S = 3
"""How long requests in flight may take after the server was told to stop; longer than a wait for a decision."""
KEEP_ALIVE_S = 30


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: when to stop is the process's business."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


class PortTakenError(Exception):
    """Another program listens on the port that we were told to use."""


def listen(port: int) -> socket.socket:
    """Take a port on loopback (0: any free one)."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        raise PortTakenError(f"cannot listen on {HOST}:{port}: {error.strerror}") from error
    return listener


def make_server(app: ASGIApp) -> uvicorn.Server:
    """Prepare a server; `serve(sockets=[…])` runs it until `should_exit` is set."""
    config = uvicorn.Config(
        app,  # pyright: ignore[reportArgumentType] - the same protocol under another name
        http="httptools",
        loop="none",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
    )
    return _Server(config)
