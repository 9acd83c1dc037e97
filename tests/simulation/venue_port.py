"""The wire between the OMS and the venue, as bad as wires get; each way of being bad is one entry in `Weather`."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from msgspec.structs import replace

from contracts.broker import Asset, ObservedPosition, Session
from contracts.ids import OrderId, Symbol
from contracts.orders import OrderTerms
from contracts.reasons import RejectionCode
from services.oms.brokers.memory_listing import all_allowed, days_on_end
from services.oms.brokers.port import (
    Accepted,
    Ambiguous,
    BrokerAccount,
    BrokerActivity,
    BrokerClock,
    BrokerFill,
    BrokerOrder,
    BrokerUnreachableError,
    BrokerUpdate,
    CancelAccepted,
    CancelOutcome,
    CancelRefused,
    Changes,
    LinkDown,
    LinkUp,
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
from tests.simulation.chance import Chance
from tests.simulation.server import Process
from tests.simulation.venue import Venue
from tests.simulation.venue_order import ASKED, VenueOrder
from tests.simulation.weather import Weather

REQUEST_TIMEOUT_S = 3.0
REQUEST_LIFE_S = 8.0
"""No request arrives later than this after it was sent."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One submit as its bytes left the OMS, and what the venue made of it."""

    order_id: OrderId
    terms: OrderTerms | None
    at: float
    by: Process
    clock_said: datetime
    known_seq: int
    killed_by: bytes | None
    """The word that engaged the kill switch, if that is the last that the OMS heard of it on the plain plane."""


@dataclass(slots=True)
class Wire:
    """What all connections to the venue share: the weather, the sockets, and a record of every submit."""

    venue: Venue
    chance: Chance
    weather: Weather
    sent: list[Sent] = field(default_factory=list)
    replaces: list["Sent"] = field(default_factory=list)
    """Requests for new terms, under the replacement's id; their terms are not compared."""
    arrived: list[tuple[float, Sent, str]] = field(default_factory=list)
    denied_at: dict[str, list[float]] = field(default_factory=dict)
    sockets: list["Socket"] = field(default_factory=list)

    def push(self, update: BrokerUpdate) -> None:
        """Bring an update to every socket, or lose it, repeat it, let others overtake it."""
        for socket in self.sockets:
            socket.push(update)

    def cut_sockets(self, seconds: float) -> None:
        for socket in list(self.sockets):
            socket.cut(seconds)


class Socket:
    """One connection for updates; what happens while it is down is never told."""

    def __init__(self, wire: Wire, process: Process) -> None:
        self._wire = wire
        self._process = process
        self._loop = process.server.loop
        self._inbox: asyncio.Queue[StreamReport] = asyncio.Queue()
        self._up = False
        self._session = 0
        self._in_at = 0.0
        self._loop.at(self._loop.time() + wire.chance.between(0.001, 0.3), self._connected, 0)

    async def reports(self) -> AsyncIterator[StreamReport]:
        while True:
            yield await self._inbox.get()

    def push(self, update: BrokerUpdate) -> None:
        weather, chance = self._wire.weather, self._wire.chance
        if not self._up or self._process.dead:
            return
        if chance.happens(weather.dropped_update):
            self._process.server.note("wire", "loses {} of {}", update.event, update.order.client_order_id)
            return
        self._bring(_disguised(update, weather, chance), overtaken=chance.happens(weather.overtaken_update))
        if chance.happens(weather.repeated_update):
            self._bring(update, overtaken=True)

    def cut(self, seconds: float) -> None:
        """Go down now; the process hears of it soon, and the connection comes back after a while."""
        if self._up:
            self._up = False
            self._session += 1
            self._hand_over(LinkDown(detail="cut"), self._wire.chance.lag())
            self._loop.at(self._loop.time() + seconds, self._connected, self._session)

    def _connected(self, session: int) -> None:
        if session == self._session and not self._process.dead:
            self._up = True
            self._hand_over(LinkUp(), self._wire.chance.lag())

    def _bring(self, update: BrokerUpdate, *, overtaken: bool) -> None:
        lag = self._wire.chance.lag()
        if overtaken:
            at = self._loop.time() + lag + self._wire.chance.between(0, 2)
            self._loop.at(at, self._put, update, self._session)
        else:
            self._hand_over(update, lag)

    def _hand_over(self, report: StreamReport, lag: float) -> None:
        self._in_at = max(self._in_at + 1e-6, self._loop.time() + lag)
        self._loop.at(self._in_at, self._put, report, self._session)

    def _put(self, report: StreamReport, session: int) -> None:
        if not isinstance(report, BrokerUpdate) or session == self._session:
            self._inbox.put_nowait(report)


def _disguised(update: BrokerUpdate, weather: Weather, chance: Chance) -> BrokerUpdate:
    """Leave an update's execution id out, or give its quantity in the cumulative form."""
    if update.qty is None:
        return update
    if chance.happens(weather.nameless_update):
        return replace(update, execution_id=None)
    if chance.happens(weather.cumulative_update):
        return replace(update, qty=update.order.filled_qty)
    return update


class VenuePort:
    """The broker port of one OMS process."""

    def __init__(self, wire: Wire, process: Process, clock: Any) -> None:
        self._wire = wire
        self._venue = wire.venue
        self._process = process
        self._clock = clock
        self._loop = process.server.loop

    async def submit(
        self, order_id: OrderId, terms: OrderTerms, *, reduces: bool = False, still_may: StillMay | None = None
    ) -> SubmitOutcome:
        if still_may is not None and not still_may():
            return NotSent(detail="called back")
        sent = self._sent(order_id, terms)
        return await self._write(f"submit {order_id}", lambda: self._take(sent, terms), self._wire.sent, sent)

    async def replace(
        self,
        broker_order_id: str,
        replacement_id: OrderId,
        changes: Changes,
        *,
        reduces: bool = False,
        still_may: StillMay | None = None,
    ) -> ReplaceOutcome:
        if still_may is not None and not still_may():
            return NotSent(detail="called back")
        sent = self._sent(replacement_id, None)
        what = f"replace {broker_order_id} by {replacement_id}"
        act = partial(self._take_replace, broker_order_id, replacement_id, changes)
        return await self._write(what, act, self._wire.replaces, sent)

    def _sent(self, order_id: OrderId, terms: OrderTerms | None) -> Sent:
        heard = [body for body in self._process.heard if b"control.kill" in body]
        return Sent(
            order_id=order_id,
            terms=terms,
            at=self._loop.time(),
            by=self._process,
            clock_said=self._clock.now(),
            known_seq=len(self._process.server.journal.events),
            killed_by=heard[-1] if heard and b"kill_engaged" in heard[-1] else None,
        )

    async def cancel(self, broker_order_id: str) -> CancelOutcome:
        return await self._write(f"cancel {broker_order_id}", lambda: self._take_cancel(broker_order_id))

    async def order_by_client_id(self, order_id: OrderId) -> BrokerOrder | None:
        def look() -> BrokerOrder | None:
            order = self._venue.by_client_id.get(order_id)
            if order is None or self._wire.chance.happens(self._wire.weather.blind_look_up):
                self._wire.denied_at.setdefault(order_id, []).append(self._loop.time())
                return None
            return order.shown(nested=True)

        return await self._read(look)

    async def order_by_id(self, broker_order_id: str) -> BrokerOrder | None:
        def look() -> BrokerOrder | None:
            order = self._venue.by_id(broker_order_id)
            return None if order is None else order.shown(nested=True)

        return await self._read(look)

    async def open_orders(self) -> tuple[BrokerOrder, ...]:
        return await self._read(lambda: tuple(order.shown() for order in self._venue.orders if order.is_open))

    async def orders_after(self, at: datetime) -> tuple[BrokerOrder, ...]:
        return await self._read(lambda: tuple(o.shown() for o in self._venue.orders if o.submitted_at > at))

    async def positions(self) -> tuple[ObservedPosition, ...]:
        return await self._read(self._venue.positions)

    async def account(self) -> BrokerAccount:
        return await self._read(self._account)

    async def clock(self, still_may: StillMay | None = None) -> BrokerClock:
        assert still_may is None or still_may()
        return await self._read(self._hours)

    async def assets(self, symbols: tuple[Symbol, ...]) -> tuple[Asset, ...]:
        return await self._read(lambda: all_allowed(symbols))

    async def sessions(self, first: date, last: date) -> tuple[Session, ...]:
        return await self._read(lambda: days_on_end(first, last))

    async def fills_after(self, at: datetime) -> tuple[BrokerFill, ...]:
        return await self._read(lambda: tuple(fill for fill in self._venue.fills if fill.at > at))

    async def updates(self) -> AsyncIterator[StreamReport]:
        socket = Socket(self._wire, self._process)
        self._wire.sockets.append(socket)
        try:
            async for report in socket.reports():
                yield report
        finally:
            self._wire.sockets.remove(socket)

    async def activities_after(self, at: datetime) -> tuple[BrokerActivity, ...]:
        return await self._read(tuple)

    async def renew_link(self) -> None:
        for socket in list(self._wire.sockets):
            socket.cut(self._wire.chance.between(0.01, 0.5))

    async def close(self) -> None:
        """Nothing is held open."""

    def _account(self) -> BrokerAccount:
        return BrokerAccount(
            status="ACTIVE",
            equity_usd=self._venue.equity_usd(),
            last_equity_usd=Decimal(100_000),
            cash_usd=self._venue.cash_usd,
            buying_power_usd=self._venue.cash_usd,
            trading_blocked=False,
        )

    def _hours(self) -> BrokerClock:
        now = self._process.server.clock.now()
        hours = timedelta(hours=8)
        return BrokerClock(at=now, is_open=True, next_open=now + 2 * hours, next_close=now + hours)

    def _take(self, sent: Sent, terms: OrderTerms) -> SubmitOutcome:
        """Take an order at the venue: under a client id that it knows it is the order that is there."""
        existing = self._venue.by_client_id.get(sent.order_id)
        if existing is not None:
            self._wire.arrived.append((self._loop.time(), sent, "again"))
            return Accepted(order=existing.shown(nested=True))
        if not self._venue.calm and self._wire.chance.happens(self._wire.weather.refused):
            self._wire.arrived.append((self._loop.time(), sent, "refused"))
            return Rejected(code=RejectionCode.FORBIDDEN, broker_code="403/40310000", message="not enough money")
        self._wire.arrived.append((self._loop.time(), sent, "taken"))
        return Accepted(order=self._venue.place(sent.order_id, terms).shown(nested=True))

    def _take_cancel(self, broker_order_id: str) -> CancelOutcome:
        order: VenueOrder | None = self._venue.by_id(broker_order_id)
        if order is None:
            return CancelRefused(detail="order not found", already_terminal=False)
        if not order.is_open:
            return CancelRefused(detail=f"order is {order.status}", already_terminal=True)
        if order.status in ASKED:
            return CancelRefused(detail=f"order is {order.status}", already_terminal=False)
        self._venue.ask_cancel(order)
        return CancelAccepted()

    def _take_replace(self, broker_order_id: str, replacement_id: OrderId, changes: Changes) -> ReplaceOutcome:
        existing, order = self._venue.by_client_id.get(replacement_id), self._venue.by_id(broker_order_id)
        if existing is not None:
            return ReplaceAccepted(order=existing.shown())
        if order is None:
            return ReplaceRefused(detail="order not found")
        refusal = self._venue.refusal(order, changes)
        if refusal is not None:
            return ReplaceRefused(detail=refusal)
        return ReplaceAccepted(order=self._venue.ask_replace(order, replacement_id, changes).shown())

    async def _write(
        self, what: str, act: Callable[[], Any], record: list[Sent] | None = None, sent: Sent | None = None
    ) -> Any:
        weather, chance, note = self._wire.weather, self._wire.chance, self._process.server.note
        name, now = self._process.name, self._loop.time()
        if not self._process.may_send():
            return await self._silence()
        if weather.down_until > now or chance.happens(weather.not_sent):
            note(name, "{}: no connection", what)
            await asyncio.sleep(chance.lag())
            return NotSent(detail="connection refused")
        if weather.limited_until > now or chance.happens(weather.rate_limited):
            note(name, "{}: 429", what)
            await asyncio.sleep(chance.lag())
            return RateLimited(retry_after_ms=chance.whole(100, 1500))
        note(name, "{}", what)
        if record is not None and sent is not None:
            record.append(sent)
        return await self._request(what, act)

    async def _request(self, what: str, act: Callable[[], Any]) -> Any:
        """Let a request arrive at once, late or never, and its answer be heard or not."""
        weather, chance, note = self._wire.weather, self._wire.chance, self._process.server.note
        answer = self._loop.create_future()
        travel = chance.between(0.002, 0.03)
        lost = chance.happens(weather.lost_request)
        if not lost and chance.happens(weather.late_request):
            travel = chance.between(0.5, REQUEST_LIFE_S)
        heard = not lost and not chance.happens(weather.lost_answer)
        if not lost:
            self._loop.at(self._loop.time() + travel, self._perform, act, answer if heard else None)
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                return await answer
        except TimeoutError:
            note(self._process.name, "{}: no answer", what)
            return Ambiguous(detail="no answer")

    def _perform(self, act: Callable[[], Any], answer: asyncio.Future[Any] | None) -> None:
        result = act()
        if answer is not None:
            back = self._wire.chance.between(0.002, 0.03)
            self._loop.at(self._loop.time() + back, _hear, answer, result)

    async def _read(self, act: Callable[[], Any]) -> Any:
        weather, chance = self._wire.weather, self._wire.chance
        if not self._process.may_send():
            return await self._silence()
        if weather.down_until > self._loop.time() or chance.happens(weather.unread):
            await asyncio.sleep(chance.between(0.001, 1))
            raise BrokerUnreachableError("no answer")
        if weather.limited_until > self._loop.time() or chance.happens(weather.rate_limited):
            await asyncio.sleep(chance.lag())
            raise BrokerUnreachableError("429", retry_after_ms=chance.whole(100, 1500))
        answer = self._loop.create_future()
        self._loop.at(self._loop.time() + chance.between(0.002, 0.02), self._perform, act, answer)
        return await answer

    async def _silence(self) -> Any:
        """A dead process hears nothing."""
        return await self._loop.create_future()


def _hear(answer: asyncio.Future[Any], result: Any) -> None:
    if not answer.done():
        answer.set_result(result)
