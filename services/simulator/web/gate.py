"""The gate every request passes: keys, rate limit, request id, and errors turned into answers."""

import asyncio
import base64
import binascii
import secrets
import time
import uuid

import msgspec
import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from services.simulator.core.errors import TOO_MANY, BrokerError
from services.simulator.faults_board import FaultBoard
from services.simulator.faults_requests import RequestFaults
from services.simulator.settings import Keys
from services.simulator.web.answers import refusal

WINDOW_SECONDS = 60
UNLIMITED = 1_000_000

log = structlog.get_logger()


def matches(keys: Keys, key_id: str, secret_key: str) -> bool:
    """Compare a key pair in constant time."""
    same_id = secrets.compare_digest(key_id.encode(), keys.key_id.encode())
    return secrets.compare_digest(secret_key.encode(), keys.secret_key.encode()) and same_id


def shown_keys(request: web.Request) -> tuple[str, str]:
    """Return the key pair a request shows, in Alpaca's headers or as basic authentication."""
    headers = request.headers
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            key_id, _, secret_key = base64.b64decode(token).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return "", ""
        return key_id, secret_key
    return headers.get("APCA-API-KEY-ID", ""), headers.get("APCA-API-SECRET-KEY", "")


class RateRule(msgspec.Struct, frozen=True, kw_only=True):
    """How many requests a minute are served, 0 any number, and what the one after is told."""

    per_minute: int
    message: str


class RateLimit:
    """Counts requests in fixed windows of a minute."""

    def __init__(self, per_minute: int) -> None:
        """Allow so many requests a window; 0 allows any number."""
        self._limit = per_minute or UNLIMITED
        self._enforced = per_minute > 0
        self._window = 0
        self._used = 0

    def count(self) -> bool:
        """Count one request and say whether it is within the limit."""
        window = int(time.time()) // WINDOW_SECONDS
        if window != self._window:
            self._window, self._used = window, 0
        self._used += 1
        return not self._enforced or self._used <= self._limit

    def headers(self) -> dict[str, str]:
        """Return the three headers that tell a client where it stands."""
        return {
            "X-RateLimit-Limit": str(self._limit),
            "X-RateLimit-Remaining": str(max(0, self._limit - self._used)),
            "X-RateLimit-Reset": str((self._window + 1) * WINDOW_SECONDS),
        }


class Gate:
    """The middleware of one simulator."""

    def __init__(self, keys: Keys, rate_limit: RateRule, rest_ms: int, faults: FaultBoard) -> None:
        """Guard with these keys and limits; trading and data are counted apart."""
        self._faults = RequestFaults(faults)
        self._keys = keys
        self._limits = {name: RateLimit(rate_limit.per_minute) for name in ("trading", "data")}
        self._too_many = rate_limit.message
        self._rest_seconds = rest_ms / 1000

    def middleware(self) -> Middleware:
        """Return the middleware as aiohttp wants it."""

        @web.middleware
        async def gate(request: web.Request, handler: Handler) -> web.StreamResponse:
            if request.headers.get("Upgrade"):
                return await handler(request)
            response = await self._answer(request, handler)
            response.headers["X-Request-ID"] = uuid.uuid4().hex
            return response

        return gate

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        path = request.path
        try:
            if path == "/health":
                return await handler(request)
            if path.startswith("/control"):
                self._check_control(request)
                return await handler(request)
            return await self._guarded(request, handler)
        except BrokerError as error:
            return refusal(error)
        except web.HTTPException as error:
            return refusal(BrokerError(error.status, None, error.reason.lower()))
        except Exception:
            log.exception("request_failed", method=request.method, path=path)
            return refusal(BrokerError(500, 50010000, "internal server error occurred"))

    async def _guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if not matches(self._keys, *shown_keys(request)):
            raise BrokerError(401, None, "unauthorized.")
        api = "data" if request.path.startswith("/v2/stocks") else "trading"
        return await self._faults.around(request, api, lambda: self._limited(request, handler, self._limits[api]))

    async def _limited(self, request: web.Request, handler: Handler, limit: RateLimit) -> web.StreamResponse:
        if limit.count():
            if self._rest_seconds:
                await asyncio.sleep(self._rest_seconds)
            try:
                response = await handler(request)
            except BrokerError as error:
                response = refusal(error)
        else:
            response = refusal(BrokerError(429, TOO_MANY, self._too_many))
        response.headers.update(limit.headers())
        return response

    def _check_control(self, request: web.Request) -> None:
        shown = request.headers.get("X-Control-Key", "")
        if not secrets.compare_digest(shown.encode(), self._keys.control_key.encode()):
            raise BrokerError(401, None, "unauthorized.")
