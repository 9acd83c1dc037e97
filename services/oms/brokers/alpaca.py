"""Alpaca's trading side behind the broker port: what each answer means for an order."""

from collections.abc import AsyncIterator, Callable, Mapping
from datetime import date, datetime

from contracts.broker import Asset, ObservedPosition, Session
from contracts.enums import OrderClass
from contracts.ids import OrderId, Symbol
from contracts.orders import OrderTerms
from services.oms.brokers import alpaca_requests_wire as requests
from services.oms.brokers import alpaca_wire as wire
from services.oms.brokers.alpaca_activities_wire import read_activities, read_activity_ids
from services.oms.brokers.alpaca_http import AlpacaHttp, Answer, BudgetSpentError, NoAnswerError, NotSentError
from services.oms.brokers.alpaca_listing_wire import read_asset, read_assets, read_calendar
from services.oms.brokers.alpaca_updates import AlpacaUpdates
from services.oms.brokers.budget import Purpose
from services.oms.brokers.port import (
    Accepted,
    Ambiguous,
    BrokerAccount,
    BrokerActivity,
    BrokerClock,
    BrokerFill,
    BrokerOrder,
    BrokerThrottledError,
    BrokerUnreachableError,
    CancelAccepted,
    CancelOutcome,
    CancelRefused,
    Changes,
    NotSent,
    RateLimited,
    Rejected,
    ReplaceAccepted,
    ReplaceOutcome,
    ReplaceRefused,
    StillMay,
    StreamReport,
    SubmitOutcome,
)

_OK = 200
_NO_CONTENT = 204
_MULTI_STATUS = 207
_CLIENT_ERROR = 400
_NOT_FOUND = 404
_REQUEST_TIMEOUT = 408
_UNPROCESSABLE = 422
_TOO_MANY = 429
_SERVER_ERROR = 500

_ORDERS_PER_PAGE = 500
_ACTIVITIES_PER_PAGE = 100
_ASKED_ONE_BY_ONE_MAX = 25
"""So many assets are asked for one by one; of more, all come in one answer."""
_PAGES_MAX = 400
"""A listing longer than this is not an account that one process can follow."""


class AlpacaBroker:
    """The broker port on Alpaca's REST and trade_updates."""

    def __init__(self, http: AlpacaHttp, socket: AlpacaUpdates) -> None:
        """Stand on an open HTTP pool and a socket's address."""
        self._http = http
        self._socket = socket

    async def submit(
        self, order_id: OrderId, terms: OrderTerms, *, reduces: bool = False, still_may: StillMay | None = None
    ) -> SubmitOutcome:
        """POST the order once; whatever leaves its fate open is `Ambiguous`, a repeated id is the order itself."""
        body = requests.order_request(order_id, terms)
        answer = await self._write("POST", "/v2/orders", body, _purpose(reduces=reduces), still_may)
        if not isinstance(answer, Answer):
            return answer
        if _is_repeated_or_malformed(answer):
            return await self._existing_or(order_id, wire.rejection(answer.status, answer.body))
        return _submit_outcome(answer)

    async def cancel(self, broker_order_id: str) -> CancelOutcome:
        """DELETE the order once; 204 means that the request was taken, no more."""
        answer = await self._write("DELETE", f"/v2/orders/{broker_order_id}", None, Purpose.EXIT)
        return _cancel_outcome(answer) if isinstance(answer, Answer) else answer

    async def cancel_all(self) -> CancelOutcome:
        """DELETE all orders once; 207 names an outcome for each, but only the open orders show what came of it."""
        answer = await self._write("DELETE", "/v2/orders", None, Purpose.EXIT)
        if isinstance(answer, Answer) and answer.status == _MULTI_STATUS:
            return CancelAccepted()
        return _cancel_outcome(answer) if isinstance(answer, Answer) else answer

    async def replace(
        self,
        broker_order_id: str,
        replacement_id: OrderId,
        changes: Changes,
        *,
        reduces: bool = False,
        still_may: StillMay | None = None,
    ) -> ReplaceOutcome:
        """PATCH the order once; 200 means that the request was taken, and a repeated id that it was taken before."""
        body = requests.replace_request(replacement_id, changes)
        path = f"/v2/orders/{broker_order_id}"
        answer = await self._write("PATCH", path, body, _purpose(reduces=reduces), still_may)
        if not isinstance(answer, Answer):
            return answer
        if _is_repeated_or_malformed(answer):
            existing = await self._existing_or(replacement_id, wire.rejection(answer.status, answer.body))
            if isinstance(existing, Rejected):
                return ReplaceRefused(detail=_summary(answer))
            return ReplaceAccepted(order=existing.order) if isinstance(existing, Accepted) else existing
        return _replace_outcome(answer)

    async def order_by_client_id(self, order_id: OrderId) -> BrokerOrder | None:
        """GET the order by our id; one that has exits is asked for again, since only its own address shows them."""
        answer = await self._get("/v2/orders:by_client_order_id", {"client_order_id": order_id}, also=_NOT_FOUND)
        if answer.status == _NOT_FOUND:
            return None
        order = _understood(wire.read_order, answer)
        if order.order_class is OrderClass.SIMPLE or order.legs:
            return order
        return await self.order_by_id(order.broker_order_id) or order

    async def order_by_id(self, broker_order_id: str) -> BrokerOrder | None:
        """GET the order by Alpaca's id."""
        answer = await self._get(f"/v2/orders/{broker_order_id}", {"nested": "true"}, also=_NOT_FOUND)
        return None if answer.status == _NOT_FOUND else _understood(wire.read_order, answer)

    async def open_orders(self) -> tuple[BrokerOrder, ...]:
        """GET every open order, page by page."""
        return await self._orders({"status": "open"})

    async def orders_after(self, at: datetime) -> tuple[BrokerOrder, ...]:
        """GET every order submitted after a moment, page by page."""
        return await self._orders({"status": "all", "after": at.isoformat()})

    async def positions(self) -> tuple[ObservedPosition, ...]:
        """GET the positions."""
        return _understood(wire.read_positions, await self._get("/v2/positions"))

    async def account(self) -> BrokerAccount:
        """GET the account."""
        return _understood(wire.read_account, await self._get("/v2/account"))

    async def clock(self, still_may: StillMay | None = None) -> BrokerClock:
        """GET the clock."""
        return _understood(wire.read_clock, await self._get("/v2/clock", still_may=still_may))

    async def assets(self, symbols: tuple[Symbol, ...]) -> tuple[Asset, ...]:
        """GET the assets."""
        if len(symbols) > _ASKED_ONE_BY_ONE_MAX:
            answer = await self._get("/v2/assets", {"status": "active", "asset_class": "us_equity"})
            return tuple(asset for asset in _understood(read_assets, answer) if asset.symbol in set(symbols))
        answers = [await self._get(f"/v2/assets/{symbol}", also=_NOT_FOUND) for symbol in symbols]
        return tuple(_understood(read_asset, answer) for answer in answers if answer.status != _NOT_FOUND)

    async def sessions(self, first: date, last: date) -> tuple[Session, ...]:
        """GET the calendar."""
        days = {"start": first.isoformat(), "end": last.isoformat()}
        return _understood(read_calendar, await self._get("/v2/calendar", days))

    async def fills_after(self, at: datetime) -> tuple[BrokerFill, ...]:
        """GET the FILL activities after a moment; ids have no strict order inside a millisecond, so sort by time."""
        pages = self._activity_pages("/v2/account/activities/FILL", {"after": at.isoformat()})
        fills = {fill.activity_id: fill async for page in pages for fill in _understood(wire.read_fills, page)}
        return tuple(sorted(fills.values(), key=lambda fill: (fill.at, fill.cum_qty)))

    async def activities_after(self, at: datetime) -> tuple[BrokerActivity, ...]:
        """GET the activities that are no trades after a moment."""
        query = {"after": at.isoformat(), "category": "non_trade_activity"}
        pages = self._activity_pages("/v2/account/activities", query)
        found = {one.activity_id: one async for page in pages for one in _understood(read_activities, page)}
        return tuple(found.values())

    async def _activity_pages(self, path: str, query: Mapping[str, str]) -> AsyncIterator[Answer]:
        """GET a list of activities page by page, each from the last id of the one before."""
        params = {**query, "direction": "asc", "page_size": str(_ACTIVITIES_PER_PAGE)}
        last = ""
        for _ in range(_PAGES_MAX):
            answer = await self._get(path, params)
            yield answer
            ids = _understood(read_activity_ids, answer)
            if len(ids) < _ACTIVITIES_PER_PAGE:
                return
            if ids[-1] == last:
                raise BrokerUnreachableError("the next page repeats the last one")
            last = ids[-1]
            params = {**params, "page_token": last}
        raise BrokerUnreachableError(f"more than {_PAGES_MAX} pages of activities")

    def updates(self) -> AsyncIterator[StreamReport]:
        """Follow trade_updates."""
        return self._socket.stream()

    async def renew_link(self) -> None:
        """Hang up on trade_updates; its reader connects again."""
        await self._socket.renew()

    async def close(self) -> None:
        """Close the pool; the socket ends with its reader."""
        await self._http.close()

    async def _existing_or(self, order_id: OrderId, rejected: Rejected) -> Accepted | Rejected | Ambiguous:
        """Tell a repeated id from a malformed body, which share one code, by looking the order up."""
        try:
            existing = await self.order_by_client_id(order_id)
        except BrokerUnreachableError as error:
            return Ambiguous(detail=f"id refused as repeated or malformed, look-up failed: {error.detail}")
        return rejected if existing is None else Accepted(order=existing)

    async def _orders(self, query: Mapping[str, str]) -> tuple[BrokerOrder, ...]:
        params = {**query, "direction": "asc", "nested": "false", "limit": str(_ORDERS_PER_PAGE)}
        orders: dict[str, BrokerOrder] = {}
        for _ in range(_PAGES_MAX):
            page = _understood(wire.read_orders, await self._get("/v2/orders", params))
            known = len(orders)
            orders.update((order.broker_order_id, order) for order in page)
            if len(page) < _ORDERS_PER_PAGE:
                return tuple(orders.values())
            _require_progress(known, len(orders))
            # Alpaca takes `after` or `after_order_id`, not both: the id goes on from the last page exactly.
            params = {name: value for name, value in params.items() if name != "after"}
            params["after_order_id"] = page[-1].broker_order_id
        raise BrokerUnreachableError(f"more than {_PAGES_MAX} pages of orders")

    async def _write(
        self, method: str, path: str, body: bytes | None, purpose: Purpose, still_may: StillMay | None = None
    ) -> Answer | Ambiguous | RateLimited | NotSent:
        """Send one request that writes; what came back, or why nothing did."""
        try:
            return await self._http.send(method, path, body=body, purpose=purpose, still_may=still_may)
        except BudgetSpentError as error:
            return RateLimited(retry_after_ms=error.wait_ms)
        except NotSentError as error:
            return NotSent(detail=str(error))
        except NoAnswerError as error:
            return Ambiguous(detail=str(error))

    async def _get(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        also: int = _OK,
        still_may: StillMay | None = None,
    ) -> Answer:
        try:
            answer = await self._http.send("GET", path, params=params, still_may=still_may)
        except BudgetSpentError as error:
            raise BrokerThrottledError(str(error), error.wait_ms) from error
        except (NotSentError, NoAnswerError) as error:
            raise BrokerUnreachableError(str(error)) from error
        if answer.status in {_OK, also}:
            return answer
        detail = f"GET {path} answered {_summary(answer)}"
        if answer.status == _TOO_MANY:
            raise BrokerThrottledError(detail, answer.retry_after_ms)
        raise BrokerUnreachableError(detail)


def _purpose(*, reduces: bool) -> Purpose:
    return Purpose.EXIT if reduces else Purpose.NEW_RISK


def _is_repeated_or_malformed(answer: Answer) -> bool:
    return answer.status == _UNPROCESSABLE and wire.read_error(answer.body)[0] == wire.NOT_UNIQUE_OR_MALFORMED


def _submit_outcome(answer: Answer) -> SubmitOutcome:
    if answer.status == _OK:
        try:
            return Accepted(order=wire.read_order(answer.body))
        except wire.UnreadableReportError as error:
            return Ambiguous(detail=f"accepted, but unreadable: {error}")
    return wire.rejection(answer.status, answer.body) if _is_refusal(answer) else _no_outcome(answer)


def _replace_outcome(answer: Answer) -> ReplaceOutcome:
    if answer.status == _OK:
        try:
            return ReplaceAccepted(order=wire.read_order(answer.body))
        except wire.UnreadableReportError as error:
            return Ambiguous(detail=f"accepted, but unreadable: {error}")
    return ReplaceRefused(detail=_summary(answer)) if _is_refusal(answer) else _no_outcome(answer)


def _cancel_outcome(answer: Answer) -> CancelOutcome:
    if answer.status in {_OK, _NO_CONTENT}:
        return CancelAccepted()
    if _is_refusal(answer):
        ended = answer.status == _UNPROCESSABLE and wire.read_error(answer.body)[0] == wire.ORDER_NOT_CANCELABLE
        return CancelRefused(detail=_summary(answer), already_terminal=ended)
    return _no_outcome(answer)


def _is_refusal(answer: Answer) -> bool:
    """Say whether Alpaca answered that it will not; a time-out or a server's error leaves the outcome open."""
    return _CLIENT_ERROR <= answer.status < _SERVER_ERROR and answer.status not in {_REQUEST_TIMEOUT, _TOO_MANY}


def _no_outcome(answer: Answer) -> RateLimited | Ambiguous:
    if answer.status == _TOO_MANY:
        return RateLimited(retry_after_ms=answer.retry_after_ms)
    return Ambiguous(detail=_summary(answer))


def _understood[T](read: Callable[[bytes], T], answer: Answer) -> T:
    try:
        return read(answer.body)
    except wire.UnreadableReportError as error:
        raise BrokerUnreachableError(f"unreadable answer: {error}") from error


def _require_progress(before: int, after: int) -> None:
    if after == before:
        raise BrokerUnreachableError("the next page repeats the last one")


def _summary(answer: Answer) -> str:
    code, message = wire.read_error(answer.body)
    return f"HTTP {answer.status} {code or ''} {message}".strip()
