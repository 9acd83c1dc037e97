"""The watch's own look at the broker: GET requests over a connection of its own, and nothing else."""

from collections.abc import Callable, Mapping
from datetime import datetime
from types import TracebackType
from typing import Protocol, Self

import aiohttp

from services.audit.broker_view_wire import UnreadableViewError, read_fills, read_orders
from services.audit.conservation import Shown, ShownFill
from services.runtime.broker_settings import BrokerSettings

ANSWER_S_MAX = 5.0
_ORDERS_PER_PAGE = 500
_FILLS_PER_PAGE = 100
_PAGES_MAX = 40
_OK = 200


class ViewUnavailableError(Exception):
    """The broker did not show what was asked; the watch is blind until it does."""


class BrokerView(Protocol):
    """What the watch sees of the broker."""

    async def orders_after(self, at: datetime) -> tuple[Shown, ...]:
        """Give every order submitted after a moment, exits included; raise `ViewUnavailableError`."""
        ...

    async def open_orders(self) -> tuple[Shown, ...]:
        """Give every open order, exits included; raise `ViewUnavailableError`."""
        ...

    async def fills_after(self, at: datetime) -> tuple[ShownFill, ...]:
        """Give every execution after a moment; raise `ViewUnavailableError`."""
        ...


class AlpacaView:
    """The view over Alpaca's REST."""

    def __init__(self, broker: BrokerSettings) -> None:
        """Prepare; the connection opens with the first request."""
        headers = {"APCA-API-KEY-ID": broker.key_id, "APCA-API-SECRET-KEY": broker.key_secret.value}
        self._base = broker.trading_url
        self._session = aiohttp.ClientSession(
            headers=headers, timeout=aiohttp.ClientTimeout(total=ANSWER_S_MAX), trust_env=False
        )

    async def __aenter__(self) -> Self:
        """Open."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        await self._session.close()

    async def orders_after(self, at: datetime) -> tuple[Shown, ...]:
        """GET /v2/orders of all states, submitted after a moment."""
        return await self._orders({"status": "all"}, {"after": at.isoformat()})

    async def open_orders(self) -> tuple[Shown, ...]:
        """GET /v2/orders that are open."""
        return await self._orders({"status": "open"}, {})

    async def _orders(self, which: Mapping[str, str], first: Mapping[str, str]) -> tuple[Shown, ...]:
        """Read nested orders, oldest first, page by page: Alpaca takes a moment or the last page's id, not both."""
        query = {**which, "nested": "true", "direction": "asc", "limit": str(_ORDERS_PER_PAGE)}
        found: dict[str, Shown] = {}
        params = {**query, **first}
        for _ in range(_PAGES_MAX):
            page = _understood(read_orders, await self._get("/v2/orders", params))
            found.update((shown.broker_order_id, shown) for shown in page)
            tops = [shown for shown in page if shown.parent_id is None]
            if len(tops) < _ORDERS_PER_PAGE:
                return tuple(found.values())
            params = {**query, "after_order_id": tops[-1].broker_order_id}
        raise ViewUnavailableError(f"more than {_PAGES_MAX} pages of orders")

    async def fills_after(self, at: datetime) -> tuple[ShownFill, ...]:
        """GET /v2/account/activities/FILL, oldest first, page by page."""
        params = {"after": at.isoformat(), "direction": "asc", "page_size": str(_FILLS_PER_PAGE)}
        found: dict[str, ShownFill] = {}
        for _ in range(_PAGES_MAX):
            page = _understood(read_fills, await self._get("/v2/account/activities/FILL", params))
            found.update((fill.activity_id, fill) for fill in page)
            if len(page) < _FILLS_PER_PAGE:
                return tuple(found.values())
            params = {**params, "page_token": page[-1].activity_id}
        raise ViewUnavailableError(f"more than {_PAGES_MAX} pages of fills")

    async def _get(self, path: str, params: Mapping[str, str]) -> bytes:
        try:
            async with self._session.get(self._base + path, params=params, allow_redirects=False) as answer:
                body = await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ViewUnavailableError(f"GET {path}: {type(error).__name__} {error}") from error
        if answer.status != _OK:
            raise ViewUnavailableError(f"GET {path} answered HTTP {answer.status}")
        return body


def _understood[T](read: Callable[[bytes], T], body: bytes) -> T:
    try:
        return read(body)
    except UnreadableViewError as error:
        raise ViewUnavailableError(str(error)) from error
