"""/v2/orders: place, list, get, replace, cancel."""

import time
import uuid

from aiohttp import web
from multidict import MultiMapping

from services.simulator.core.errors import BrokerError, malformed, not_found
from services.simulator.core.forms import OrderBody, order_request, parse_body
from services.simulator.core.orders import Order, Ticket
from services.simulator.core.replacing import ReplaceBody
from services.simulator.desk import Desk
from services.simulator.store import OrderFilter
from services.simulator.web.answers import choice, flag, moment, trading, whole, words

LONGEST_LIST = 500
DEFAULT_LIST = 50


class OrderRoutes:
    """The handlers of orders at one desk."""

    def __init__(self, desk: Desk) -> None:
        """Serve this desk."""
        self._desk = desk

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.post("/v2/orders", self.place),
            web.get("/v2/orders", self.index),
            web.delete("/v2/orders", self.cancel_all),
            web.get("/v2/orders:by_client_order_id", self.by_client_id),
            web.get("/v2/orders/{order_id}", self.get),
            web.patch("/v2/orders/{order_id}", self.replace),
            web.delete("/v2/orders/{order_id}", self.cancel),
        ]

    async def place(self, request: web.Request) -> web.Response:
        """Take an order."""
        body = await request.read()
        arrived_ns = time.monotonic_ns()
        form = order_request(parse_body(body, OrderBody))
        self._desk.arrivals.append((form.client_order_id or "", arrived_ns))
        return trading(self._desk.act(lambda broker, now: broker.submit(form, now)))

    async def index(self, request: web.Request) -> web.Response:
        """List orders, the open ones by default."""
        query = request.query
        wanted = order_filter(query)
        classes = words(query, "asset_class")
        if classes and not {"us_equity", "all"} & set(classes):
            return trading([])
        found = self._desk.store.orders(wanted)
        return trading(self._rolled_up(found) if flag(query, "nested") else [ticket.order for ticket in found])

    def _rolled_up(self, found: list[Ticket]) -> list[Order]:
        """Hang every leg whose parent is in the list on it; a leg that is alone stays in sight."""
        ids = {ticket.order.id for ticket in found}
        return [self._desk.broker.nested(ticket) for ticket in found if ticket.parent_id not in ids]

    async def get(self, request: web.Request) -> web.Response:
        """Return one order, with its legs when asked."""
        ticket = self._desk.broker.find(order_id_of(request))
        return trading(self._desk.broker.nested(ticket) if flag(request.query, "nested") else ticket.order)

    async def by_client_id(self, request: web.Request) -> web.Response:
        """Return the order with a client order id."""
        client_order_id = request.query.get("client_order_id", "")
        if not client_order_id:
            raise malformed("client_order_id is required")
        ticket = self._desk.store.find_client(client_order_id)
        if ticket is None:
            raise not_found(f"order not found for {client_order_id}")
        return trading(ticket.order)

    async def replace(self, request: web.Request) -> web.Response:
        """Take a replacement of an order."""
        order_id = order_id_of(request)
        body = parse_body(await request.read(), ReplaceBody)
        return trading(self._desk.act(lambda broker, now: broker.replace(order_id, body, now)))

    async def cancel(self, request: web.Request) -> web.Response:
        """Ask for an order to be canceled."""
        order_id = order_id_of(request)
        self._desk.act(lambda broker, now: broker.cancel(order_id, now))
        return web.Response(status=204)

    async def cancel_all(self, _request: web.Request) -> web.Response:
        """Ask for all open orders to be canceled."""
        ids = self._desk.act(lambda broker, now: broker.cancel_all(now))
        return trading([{"id": order_id, "status": 200} for order_id in ids], status=207)


def order_id_of(request: web.Request) -> str:
    """Return the order id in the path; one that is not a UUID is Alpaca's `order_id is missing`."""
    try:
        return str(uuid.UUID(request.match_info["order_id"]))
    except ValueError as error:
        raise BrokerError(422, 40010001, "order_id is missing") from error


def order_filter(query: MultiMapping[str]) -> OrderFilter:
    """Read which orders a listing asks for; paging by order and by time exclude each other."""
    cursors = [name for name in ("after_order_id", "before_order_id") if query.get(name)]
    times = [name for name in ("after", "until") if query.get(name)]
    if len(cursors) > 1 or (cursors and times):
        raise malformed("after_order_id, before_order_id and after or until exclude each other")
    side = query.get("side")
    if side not in {None, "buy", "sell"}:
        raise malformed("invalid side")
    return OrderFilter(
        status=choice(query, "status", ("open", "closed", "all")),
        limit=whole(query, "limit", DEFAULT_LIST, LONGEST_LIST),
        after=moment(query, "after"),
        until=moment(query, "until"),
        after_order_id=query.get("after_order_id"),
        before_order_id=query.get("before_order_id"),
        ascending=choice(query, "direction", ("desc", "asc")) == "asc",
        symbols=tuple(symbol.upper() for symbol in words(query, "symbols")),
        side=side,
    )
