"""Faults between the broker and the trade sockets: what is told, how often, when, and in which order."""

import asyncio
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Protocol

import msgspec

from services.simulator.core.events import TradeUpdate
from services.simulator.faults import Occasion
from services.simulator.faults_board import Armed, FaultBoard

EXACT = (Decimal, datetime, date)
ALTERING = ("cumulative_qty", "unknown_event", "unknown_status", "missing_fields")

type Telling = TradeUpdate | dict[str, Any]


class TradeSockets(Protocol):
    """The sockets that updates go to."""

    def publish(self, update: Telling) -> None:
        """Tell an update to every listener."""
        ...

    def publish_null(self) -> None:
        """Send every listener a frame without data."""
        ...

    def cut(self) -> int:
        """Cut every connection, and return how many there were."""
        ...


class UpdateFaults:
    """Tells updates on, as the faults on the board would have it; needs a running event loop when one is delayed."""

    def __init__(self, board: FaultBoard, sockets: TradeSockets) -> None:
        """Stand between the broker and its sockets."""
        self._board = board
        self._sockets = sockets
        self._held: dict[str, list[Telling]] = {}
        self._timers: set[asyncio.TimerHandle] = set()
        board.changed.append(self._let_go)

    def publish(self, update: TradeUpdate) -> None:
        """Tell one update, or do to it what a fault says."""
        if not self._board:
            self._sockets.publish(update)
            return
        occasion = occasion_of(update)
        if (silent := self._board.standing("silent_stream")) is not None:
            silent.strike(occasion)
            return
        if self._board.strikes("disconnect_on_update", occasion):
            self._sockets.cut()
            return
        told = altered(self._board, update, occasion)
        if not self._nulled(occasion) and not self._board.strikes("drop_update", occasion):
            self._tell(told, occasion)

    def close(self) -> None:
        """Forget what was to be told later."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()

    def _nulled(self, occasion: Occasion) -> bool:
        armed = self._board.strikes("null_frame", occasion)
        if armed is None:
            return False
        self._sockets.publish_null()
        return armed.fault.instead

    def _tell(self, told: Telling, occasion: Occasion) -> None:
        reorder = self._board.strikes("reorder_update", occasion)
        delay = self._board.strikes("delay_update", occasion)
        copies = self._board.strikes("duplicate_update", occasion)
        if reorder is not None:
            self._hold(reorder, told)
        elif delay is not None:
            self._later(delay.fault.delay_ms, told)
        else:
            self._sockets.publish(told)
        for _ in range(0 if copies is None else copies.fault.copies):
            self._later(0 if copies is None else copies.fault.delay_ms, told)

    def _later(self, delay_ms: int, told: Telling) -> None:
        if not delay_ms:
            self._sockets.publish(told)
            return
        self._after(delay_ms, lambda: self._sockets.publish(told))

    def _after(self, delay_ms: int, action: Any) -> None:
        def run() -> None:
            self._timers.discard(timer)
            action()

        timer = asyncio.get_running_loop().call_later(delay_ms / 1000, run)
        self._timers.add(timer)

    def _hold(self, armed: Armed, told: Telling) -> None:
        held = self._held.setdefault(armed.id, [])
        held.append(told)
        if len(held) >= armed.fault.window:
            self._release(armed, held)
        elif len(held) == 1:
            self._after(armed.fault.hold_ms, lambda: self._release(armed, held))

    def _release(self, armed: Armed, held: list[Telling]) -> None:
        """Tell what a fault has kept; the timer of a group that went before finds nothing left."""
        if self._held.get(armed.id) is held:
            del self._held[armed.id]
            for told in reordered(held, armed):
                self._sockets.publish(told)

    def _let_go(self) -> None:
        """Tell what cleared faults have kept, in the order it came."""
        listed = {armed["id"] for armed in self._board.listing()} if self._held else set[str]()
        for gone in [known for known in self._held if known not in listed]:
            for told in self._held.pop(gone):
                self._sockets.publish(told)


def occasion_of(update: TradeUpdate) -> Occasion:
    """Return what faults match on."""
    order = update.order
    return Occasion(event=update.event, symbol=order.symbol, client_order_id=order.client_order_id, order_id=order.id)


def altered(board: FaultBoard, update: TradeUpdate, occasion: Occasion) -> Telling:
    """Return the update with the falsehoods of every fault that strikes it; unharmed it stays what it is."""
    struck = [armed for name in ALTERING if (armed := _altering(board, name, occasion)) is not None]
    if not struck:
        return update
    body: dict[str, Any] = msgspec.to_builtins(update, builtin_types=EXACT)
    for armed in struck:
        body = _falsified(armed, body)
    return body


def without(body: Mapping[str, Any], field: str) -> dict[str, Any]:
    """Return a body that lacks a field; a dot leads into what is nested."""
    head, _, rest = field.partition(".")
    inner = body.get(head)
    if rest and isinstance(inner, dict):
        return {**body, head: without(inner, rest)}
    return {name: value for name, value in body.items() if rest or name != head}


def reordered(held: list[Telling], armed: Armed) -> list[Telling]:
    """Return the updates in an order drawn from the fault's chance, never the one they came in."""
    order = list(range(len(held)))
    armed.chance.shuffle(order)
    if order == sorted(order):
        order = [*order[1:], order[0]]
    return [held[place] for place in order]


def _altering(board: FaultBoard, name: str, occasion: Occasion) -> Armed | None:
    if name == "cumulative_qty" and occasion.event not in {"fill", "partial_fill"}:
        return None
    return board.strikes(name, occasion, where="stream")


def _falsified(armed: Armed, body: dict[str, Any]) -> dict[str, Any]:
    fault, order = armed.fault, body["order"]
    match fault.fault:
        case "cumulative_qty":
            price = order["filled_avg_price"] if fault.form == "average" else body["price"]
            return {**body, "qty": order["filled_qty"], "price": price}
        case "unknown_event":
            return {**body, "event": fault.value}
        case "unknown_status":
            return {**body, "order": {**order, "status": fault.value}}
        case _:
            for field in fault.fields:
                body = without(body, field)
            return body
