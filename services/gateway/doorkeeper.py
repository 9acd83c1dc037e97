"""Turns away what a browser on this machine could be tricked into sending, before anything else looks at it.

A web page may resolve its own name to 127.0.0.1 (DNS rebinding) or post across origins; the first shows in the
Host header, the second in the Origin header. Neither is ever ours in an honest request from elsewhere.
"""

from collections.abc import Iterable

import msgspec
from litestar.types import ASGIApp, Receive, Scope, Send

from contracts.reasons import RefusalCode
from services.gateway.refusals import Refusal

_HTTP_PORT = 80
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


class Doorkeeper:
    """An ASGI application around another: passes on only what was meant for our own address."""

    def __init__(self, app: ASGIApp, port: int) -> None:
        """Know our own names on one port."""
        self._app = app
        self._hosts = frozenset(own_hosts(port))
        self._origins = frozenset(f"http://{host}" for host in self._hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a stranger's request with a refusal, hand any other on."""
        refusal = self._refusal(scope["headers"]) if scope["type"] == "http" else None
        if refusal is None:
            await self._app(scope, receive, send)
        else:
            await _answer(refusal, send)

    def _refusal(self, headers: Iterable[tuple[bytes, bytes]]) -> Refusal | None:
        hosts = [value.decode("latin-1").lower() for name, value in headers if name == b"host"]
        if len(hosts) != 1 or hosts[0] not in self._hosts:
            return Refusal(RefusalCode.FORBIDDEN, f"the Host header must name this server: {_told(self._hosts)}")
        origins = [value.decode("latin-1").lower() for name, value in headers if name == b"origin"]
        if any(origin not in self._origins for origin in origins):
            return Refusal(RefusalCode.FORBIDDEN, "requests from other origins are not taken")
        return None


def own_hosts(port: int) -> list[str]:
    """List the Host headers that mean this server."""
    bare = list(_LOOPBACK) if port == _HTTP_PORT else []
    return [f"{name}:{port}" for name in _LOOPBACK] + bare


def _told(hosts: Iterable[str]) -> str:
    return ", ".join(sorted(hosts))


async def _answer(refusal: Refusal, send: Send) -> None:
    body = msgspec.json.encode(refusal.answer())
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
