"""Faults of REST: answers that never come, that lie about what was done, or that nobody can read."""

import asyncio
import socket
import struct
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from aiohttp import web

from services.simulator.core.errors import TOO_MANY
from services.simulator.faults import Fault, Occasion
from services.simulator.faults_board import Armed, FaultBoard
from services.simulator.faults_updates import without

LINGER_NONE = struct.pack("ii", 1, 0)
"""Closing a socket that lingers for no time resets the connection."""
STALL_POLL_S = 0.05
RATE_LIMIT_PER_MINUTE = 200
HTML = "<html><head><title>{0}</title></head><body><center><h1>{0}</h1></center></body></html>"
ACCEPTING = frozenset({"accept_then_504", "accept_then_reset", "garbled_answer"})
ANSWERING = (
    "rate_limit",
    "refuse_504",
    "refuse_reset",
    "stall",
    "server_error",
    "accept_then_504",
    "accept_then_reset",
    "garbled_answer",
)
"""In the order in which they are asked; the first that strikes a request decides its answer."""

type Carry = Callable[[], Awaitable[web.StreamResponse]]


class RequestFaults:
    """Stands between the gate and what carries requests out."""

    def __init__(self, board: FaultBoard) -> None:
        """Ask this board."""
        self._board = board

    async def around(self, request: web.Request, api: str, carry: Carry) -> web.StreamResponse:
        """Carry a request out and answer it, or do to it what a fault says."""
        if not self._board:
            return await carry()
        occasion = await occasion_of(request, api)
        armed = next((a for name in ANSWERING if (a := self._board.strikes(name, occasion)) is not None), None)
        if armed is None:
            return self._rewritten(await carry(), occasion)
        fault = armed.fault
        answer = await carry() if fault.fault in ACCEPTING or fault.accept else None
        return await self._answer(request, armed, answer)

    async def _answer(
        self, request: web.Request, armed: Armed, answer: web.StreamResponse | None
    ) -> web.StreamResponse:
        fault = armed.fault
        match fault.fault:
            case "rate_limit":
                return too_many(fault)
            case "accept_then_504" | "refuse_504":
                return page(504, "504 Gateway Time-out")
            case "server_error":
                return page(fault.http_status, f"{fault.http_status} Internal Server Error")
            case "garbled_answer":
                return halved(answer)
            case "stall":
                await self._stall(request, armed)
            case _:
                pass
        reset(request)
        return web.Response(status=504)

    async def _stall(self, request: web.Request, armed: Armed) -> None:
        """Say nothing until the client has gone, the fault was cleared, or its time is over."""
        end_s = time.monotonic() + armed.fault.hold_ms / 1000
        while time.monotonic() < end_s and armed.stands(time.monotonic()):
            if request.transport is None or request.transport.is_closing():
                return
            await asyncio.sleep(STALL_POLL_S)

    def _rewritten(self, answer: web.StreamResponse, occasion: Occasion) -> web.StreamResponse:
        """Falsify the orders in an answer when a fault says so."""
        altering = ("unknown_status", "missing_fields")
        if not isinstance(answer, web.Response) or not any(self._board.standing(name) for name in altering):
            return answer
        if occasion.api == "trading" and isinstance(answer.body, bytes) and answer.status < 300:  # noqa: PLR2004
            answer.body = msgspec.json.encode(self._falsified(msgspec.json.decode(answer.body)))
        return answer

    def _falsified(self, body: Any) -> Any:
        if isinstance(body, list):
            return [self._falsified(item) for item in body]
        if not isinstance(body, dict) or "client_order_id" not in body:
            return body
        occasion = Occasion(
            symbol=str(body.get("symbol")), client_order_id=body["client_order_id"], order_id=str(body.get("id"))
        )
        if (armed := self._board.strikes("unknown_status", occasion, where="rest")) is not None:
            body = {**body, "status": armed.fault.value}
        if (armed := self._board.strikes("missing_fields", occasion, where="rest")) is not None:
            for field in armed.fault.fields:
                if field.startswith("order."):
                    body = without(body, field.removeprefix("order."))
        return body


async def occasion_of(request: web.Request, api: str) -> Occasion:
    """Return what faults match on: the request itself, and the order it names in its body, path or query."""
    body = _fields(await request.read())
    return Occasion(
        method=request.method,
        path=request.path,
        api=api,
        symbol=str(body.get("symbol", "")).upper(),
        client_order_id=str(body.get("client_order_id") or request.query.get("client_order_id", "")),
        order_id=request.match_info.get("order_id", ""),
    )


def too_many(fault: Fault) -> web.Response:
    """Answer 429 with the headers that the fault chose."""
    headers: dict[str, str] = {}
    if fault.headers in {"all", "retry_after"}:
        headers["Retry-After"] = str(fault.retry_after)
    if fault.headers in {"all", "ratelimit"}:
        headers["X-RateLimit-Limit"] = str(RATE_LIMIT_PER_MINUTE)
        headers["X-RateLimit-Remaining"] = "0"
        headers["X-RateLimit-Reset"] = str(int(time.time()) + fault.retry_after)
    return web.json_response({"code": TOO_MANY, "message": "too many requests."}, status=429, headers=headers)


def page(status: int, title: str) -> web.Response:
    """Answer with a page that no client of an API expects."""
    return web.Response(status=status, text=HTML.format(title), content_type="text/html")


def halved(answer: web.StreamResponse | None) -> web.Response:
    """Answer with the first half of an answer, as if it were whole."""
    body = answer.body if isinstance(answer, web.Response) and isinstance(answer.body, bytes) else b"{}"
    return web.Response(status=200, body=body[: len(body) // 2], content_type="application/json")


def reset(request: web.Request) -> None:
    """Reset the connection of a request, whose answer then goes nowhere."""
    if request.transport is None:
        return
    request.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NONE)
    request.transport.abort()


def _fields(body: bytes) -> Mapping[str, Any]:
    try:
        found = msgspec.json.decode(body) if body else {}
    except msgspec.DecodeError:
        return {}
    return found if isinstance(found, dict) else {}
