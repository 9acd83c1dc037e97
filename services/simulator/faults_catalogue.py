"""The catalogue of faults: where each strikes, what it does, and which options it takes."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec


class Place(StrEnum):
    """Where a fault strikes, which decides what can be matched."""

    UPDATE = "update"
    STREAM = "stream"
    REQUEST = "request"
    ORDER = "order"
    TRADE = "trade"
    DATA = "data"
    CLOCK = "clock"


ORDER_WORDS = ("symbol", "client_order_id", "order_id")
MATCHED: Mapping[Place, tuple[str, ...]] = {
    Place.UPDATE: ("event", *ORDER_WORDS),
    Place.STREAM: (),
    Place.REQUEST: ("method", "path", "api", *ORDER_WORDS),
    Place.ORDER: ORDER_WORDS,
    Place.TRADE: ("execution_id", *ORDER_WORDS),
    Place.DATA: ("symbol", "channel"),
    Place.CLOCK: (),
}
OFTEN = ("skip", "times", "probability", "seed", "seconds")
CHOICES: Mapping[str, tuple[str, ...]] = {
    "where": ("both", "stream", "rest"),
    "form": ("cumulative", "average"),
    "headers": ("all", "retry_after", "ratelimit", "none"),
    "outcome": ("fill", "rejected"),
    "activities": ("keep", "record"),
}
OPTIONAL_FIELDS = ("at", "event_id", "timestamp", "execution_id", "position_qty", "settle_date", "order.updated_at")
PLACING: Mapping[str, Any] = {"method": "POST", "path": "/v2/orders"}
TRADING: Mapping[str, Any] = {"api": "trading"}


class Kind(msgspec.Struct, frozen=True):
    """One kind of fault."""

    place: Place
    summary: str
    options: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = {}
    needs: tuple[str, ...] = ()
    at_once: bool = False
    stands: bool = False

    def allowed(self) -> tuple[str, ...]:
        """Return the names of the options it takes: what to match, how often, what to do."""
        often = () if self.at_once else ("seconds",) if self.stands else OFTEN
        return (*MATCHED[self.place], *often, *self.options)


UPDATES = {
    "drop_update": Kind(Place.UPDATE, "the update is never told"),
    "delay_update": Kind(Place.UPDATE, "the update is told late", ("delay_ms",), {"delay_ms": 500}),
    "duplicate_update": Kind(
        Place.UPDATE, "the update is told again, `delay_ms` later", ("copies", "delay_ms"), {"delay_ms": 0}
    ),
    "reorder_update": Kind(
        Place.UPDATE,
        "updates are kept until `window` are there or `hold_ms` have passed, then told in another order",
        ("window", "hold_ms"),
        {"hold_ms": 1_000},
    ),
    "cumulative_qty": Kind(
        Place.UPDATE,
        "`qty` of a fill is the order's total so far; with form `average` its `price` is the average, too",
        ("form",),
        {"event": "fill,partial_fill"},
    ),
    "unknown_event": Kind(
        Place.UPDATE, "the event has a name nobody knows", ("value",), {"value": "quantum_settled"}
    ),
    "unknown_status": Kind(
        Place.UPDATE,
        "the order has a status nobody knows, in updates, in REST answers, or in both",
        ("value", "where"),
        {"value": "under_quantum_review"},
    ),
    "missing_fields": Kind(
        Place.UPDATE,
        "optional fields are not there; `order.` names those of the order, which REST answers lack, too",
        ("fields", "where"),
        {"fields": list(OPTIONAL_FIELDS)},
    ),
    "null_frame": Kind(
        Place.UPDATE, 'a frame {"data": null} comes before the update, or instead of it', ("instead",)
    ),
    "disconnect_on_update": Kind(Place.UPDATE, "the trade sockets are cut in the moment the update should be told"),
}
STREAMS = {
    "silent_stream": Kind(
        Place.STREAM,
        "trade sockets stay open and say nothing; deaf ones answer no pings either",
        ("deaf",),
        stands=True,
    ),
    "refuse_stream": Kind(Place.STREAM, "the handshake of a trade socket is answered with 429"),
    "disconnect_stream": Kind(Place.STREAM, "the trade sockets are cut now", at_once=True),
}
REQUESTS = {
    "accept_then_504": Kind(Place.REQUEST, "the request is carried out and answered with 504", (), PLACING),
    "accept_then_reset": Kind(Place.REQUEST, "the request is carried out, then the connection reset", (), PLACING),
    "refuse_504": Kind(Place.REQUEST, "the request is answered with 504 and not carried out", (), PLACING),
    "refuse_reset": Kind(Place.REQUEST, "the connection is reset, the request not carried out", (), PLACING),
    "stall": Kind(
        Place.REQUEST,
        "no answer: the connection is reset after `hold_ms`; with `accept` the request is carried out first",
        ("hold_ms", "accept"),
        {**PLACING, "hold_ms": 60_000},
    ),
    "rate_limit": Kind(
        Place.REQUEST,
        "requests are answered with 429, with `retry_after` seconds in the headers chosen",
        ("retry_after", "headers"),
        TRADING,
    ),
    "server_error": Kind(
        Place.REQUEST,
        "the answer is `http_status` with an HTML page; with `accept` the request is carried out first",
        ("http_status", "accept"),
        PLACING,
    ),
    "garbled_answer": Kind(Place.REQUEST, "the request is carried out and its answer cut in half", (), PLACING),
}
ORDERS = {
    "never_acknowledged": Kind(Place.ORDER, "the order is taken and never heard of again: no update, never new"),
    "never_new": Kind(Place.ORDER, "the order is told as pending_new and stays that"),
    "reject_later": Kind(Place.ORDER, "the order is taken, then rejected by an update"),
    "stuck_cancel": Kind(Place.ORDER, "a cancel is taken and stays pending_cancel"),
    "lose_cancel": Kind(
        Place.ORDER,
        "a cancel is taken and comes too late: the order fills first, or works on (rejected)",
        ("outcome",),
    ),
    "reject_replace": Kind(Place.ORDER, "a replacement is taken, then rejected by updates"),
}
TRADES = {
    "bust_trade": Kind(
        Place.TRADE, "the newest execution that matches is taken back now", ("activities",), at_once=True
    ),
    "correct_trade": Kind(
        Place.TRADE,
        "the newest execution that matches gets another quantity or price now",
        ("qty", "price", "activities"),
        at_once=True,
    ),
}
MARKET = {
    "silent_quotes": Kind(Place.DATA, "the data socket stays open and tells no quotes, trades or bars"),
    "crossed_quotes": Kind(Place.DATA, "the data socket tells bids above asks"),
    "refuse_data": Kind(Place.DATA, "the data socket answers authentication with 406"),
    "disconnect_data": Kind(Place.DATA, "the data sockets are cut now", at_once=True),
}
CLOCKS = {
    "clock_skew": Kind(
        Place.CLOCK,
        "the broker's own clock is ahead (behind when negative); market data keeps true time",
        ("skew_seconds",),
        needs=("skew_seconds",),
        stands=True,
    ),
}
KINDS: Mapping[str, Kind] = {**UPDATES, **STREAMS, **REQUESTS, **ORDERS, **TRADES, **MARKET, **CLOCKS}
