"""Compares what the journal says with what the broker shows, and writes the difference as events.

A full comparison, at start and after each time the link was down, trusts nothing: it asks for every order that may
have changed unheard. The comparisons between them leave alone what moved since the one before, because its own
updates are on their way; a difference that stays is real.
"""

import asyncio
from collections.abc import Coroutine, Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from immutables import Map

from contracts.broker import AccountObserved, ObservedPosition, PositionAdopted, Reconciled
from contracts.enums import OrderStatus
from contracts.ids import OrderId, Symbol
from contracts.values import ZERO
from projections.order_state import OrderState
from projections.positions import Position
from services.oms.brokers.port import Broker, BrokerAccount, BrokerOrder
from services.oms.core import OmsCore
from services.oms.decider import CancelFailed, Reported
from services.oms.desk import OrderDesk
from services.oms.sender import Sender
from services.oms.state import ENDED_AT_BROKER, LOOK_BACK, key_of
from services.runtime.ports import Clock

OVERLAP = timedelta(minutes=10)
"""How much further back than the last comparison a full one asks, for clocks that differ and reports that lag."""
OBSERVE_AT_LEAST = timedelta(seconds=30)
_ENDED_SHORT = frozenset({OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.REJECTED})
_IN_DOUBT = frozenset({OrderStatus.PENDING_SUBMIT, OrderStatus.UNKNOWN})


class Comparison:
    """What one comparison found."""

    def __init__(self, *, full: bool) -> None:
        """Begin with nothing found."""
        self.full = full
        self.compared = 0
        self.adopted = 0
        self.recovered = 0
        self.breaks: tuple[str, ...] = ()

    @property
    def is_news(self) -> bool:
        """Say whether the journal should hold that this comparison took place."""
        return self.full or bool(self.adopted or self.recovered or self.breaks)


class Reconciler:
    """One account's comparisons, one at a time."""

    def __init__(self, broker: Broker, desk: OrderDesk, sender: Sender, core: OmsCore, clock: Clock) -> None:
        """Stand between the desk and the broker."""
        self._broker = broker
        self._desk = desk
        self._sender = sender
        self._core = core
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()
        self._seen_seq: dict[OrderId, int] = {}
        self._seen_gaps: dict[Symbol, Decimal] = {}
        self._seen_symbols: dict[Symbol, int] = {}

    async def reconcile(self, *, full: bool) -> Comparison:
        """Compare orders, then account and positions; raise `BrokerUnreachableError` when the broker is silent."""
        async with self._one_at_a_time:
            found = Comparison(full=full)
            await self._compare_orders(found)
            await self._observe_account(found)
            if found.is_news:
                await self._desk.append(self._reconciled(found))
            return found

    async def _compare_orders(self, found: Comparison) -> None:
        before = {order.order_id: order for order in self._core.state.open_orders()}
        reports = {report.broker_order_id: report for report in await self._listed(found)}
        shown: set[OrderId] = set()
        for report in reports.values():
            order_id = key_of(report, self._core.state)
            shown.add(order_id)
            await self._compare(order_id, report, found)
        unseen = [o for o in before.values() if o.order_id not in shown and self._may_judge(o, found)]
        await _all(self._look_up(order, found) for order in unseen)
        if found.full:
            await self._recover_late_fills(found)
        self._seen_seq = {order.order_id: order.last_seq for order in self._core.state.open_orders()}

    async def _listed(self, found: Comparison) -> Iterable[BrokerOrder]:
        """List what is open, and in a full comparison what was submitted since the last one; newest word last."""
        since = self._since()
        recent = await self._broker.orders_after(since) if found.full and since is not None else ()
        return (*recent, *await self._broker.open_orders())

    async def _compare(self, order_id: OrderId, report: BrokerOrder, found: Comparison) -> None:
        order = self._desk.order(order_id)
        if order is None:
            adopted = await self._desk.tell_of(report, Reported(report))
            found.adopted += adopted is not None
            return
        found.compared += 1
        if not self._may_judge(order, found):
            return
        await self._tell(order, report, found)
        if order.status in _ENDED_SHORT and report.status not in {*ENDED_AT_BROKER, "pending_cancel"}:
            # We hold it for ended, so nothing counts its exposure: it must not work on; asked again each time.
            await self._broker.cancel(report.broker_order_id)

    async def _look_up(self, order: OrderState, found: Comparison) -> None:
        report = await self._sender.look_up(order.order_id)
        found.compared += 1
        if report is not None:
            await self._judge_after(order, report, found)

    async def _tell(self, order: OrderState, report: BrokerOrder, found: Comparison) -> None:
        await self._desk.tell(order.order_id, Reported(report))
        await self._judge_after(order, report, found)

    async def _judge_after(self, before: OrderState, report: BrokerOrder, found: Comparison) -> None:
        after = self._desk.order(before.order_id)
        if after is None:
            return
        found.recovered += after.filled_qty > before.filled_qty
        asked = after.status is OrderStatus.PENDING_CANCEL and self._is_quiet(after)
        if asked and report.status in {"new", "partially_filled", "accepted"}:
            await self._desk.tell(after.order_id, CancelFailed("the broker works on it and knows of no cancel"))

    async def _recover_late_fills(self, found: Comparison) -> None:
        """Look up what the broker's executions show that we have not counted, on ended orders too."""
        since = self._since()
        if since is None:
            return
        known = {order.broker_order_id: order for order in self._core.state.all_orders()}
        behind: dict[OrderId, OrderState] = {}
        for fill in await self._broker.fills_after(since):
            named = known.get(fill.broker_order_id)
            order = None if named is None else self._desk.order(named.order_id)
            if order is not None and fill.cum_qty > order.filled_qty:
                behind[order.order_id] = order
        await _all(self._look_up(order, found) for order in behind.values())

    async def _observe_account(self, found: Comparison) -> None:
        await self._desk.all_read()
        folded = self._core.state.account.positions
        account, positions = await asyncio.gather(self._broker.account(), self._broker.positions())
        await self._desk.all_read()
        seen = self._observation(account, positions)
        if found.full or self._is_due(seen):
            await self._desk.append(seen)
        await self._compare_positions(positions, folded, found)

    def _observation(self, account: BrokerAccount, positions: tuple[ObservedPosition, ...]) -> AccountObserved:
        stamp = self._desk.stamp()
        return AccountObserved(
            epoch=stamp.epoch,
            at=stamp.at,
            trading_day=self._clock.trading_day(stamp.at),
            equity_usd=account.equity_usd,
            last_equity_usd=account.last_equity_usd,
            cash_usd=account.cash_usd,
            buying_power_usd=account.buying_power_usd,
            trading_blocked=account.trading_blocked,
            positions=tuple(sorted(positions, key=lambda position: position.symbol)),
        )

    def _is_due(self, seen: AccountObserved) -> bool:
        """Say whether an observation is worth a line: it is new, or the last one grows old."""
        last = self._core.state.account.observed
        if last is None or seen.at - last.at >= OBSERVE_AT_LEAST:
            return True
        return _figures(last) != _figures(seen)

    async def _compare_positions(
        self, positions: tuple[ObservedPosition, ...], folded: Map[Symbol, Position], found: Comparison
    ) -> None:
        """Count as ours what the broker holds and no order explains.

        A gap counts only when two comparisons in a row see the same one, with no order of the symbol in doubt and
        none of its orders having moved in between: then nothing on its way can explain it any more.
        """
        shown = {position.symbol: position for position in positions}
        now_folded = self._core.state.account.positions
        gaps = {
            symbol: gap
            for symbol in {*shown, *folded}
            if (gap := _qty(shown, symbol) - _qty(folded, symbol))
            and _qty(now_folded, symbol) == _qty(folded, symbol)
        }
        moved = self._moved_symbols()
        lasting = {s: gap for s, gap in sorted(gaps.items()) if s not in moved and self._seen_gaps.get(s) == gap}
        found.breaks = tuple(f"{symbol}: broker has {gap:+f} more" for symbol, gap in lasting.items())
        for symbol, gap in lasting.items():
            held = shown.get(symbol)
            price = folded[symbol].avg_price if held is None else held.avg_entry_price
            await self._adopt_position(symbol, gap, price)
        self._seen_gaps = gaps
        self._seen_symbols = dict(self._desk.symbol_seq)

    async def _adopt_position(self, symbol: Symbol, gap: Decimal, price: Decimal) -> None:
        stamp = self._desk.stamp()
        detail = "the broker holds it and no order of the journal explains it"
        adopted = PositionAdopted(epoch=stamp.epoch, at=stamp.at, symbol=symbol, qty=gap, price=price, detail=detail)
        await self._desk.append(adopted)

    def _moved_symbols(self) -> set[Symbol]:
        """Name the symbols in which something happened since the last comparison, or may still have to."""
        moved = {symbol for symbol, seq in self._desk.symbol_seq.items() if self._seen_symbols.get(symbol) != seq}
        in_doubt = {order.terms.symbol for order in self._core.state.open_orders() if order.status in _IN_DOUBT}
        return moved | in_doubt

    def _may_judge(self, order: OrderState, found: Comparison) -> bool:
        """Say whether a report may be held against an order: it is in nobody's hand, and nothing is on its way."""
        if order.order_id in self._sender.in_hand or order.status in _IN_DOUBT:
            return False
        return found.full or order.is_terminal or self._is_quiet(order)

    def _is_quiet(self, order: OrderState) -> bool:
        return self._seen_seq.get(order.order_id) == order.last_seq

    def _since(self) -> datetime | None:
        compared_at = self._core.state.compared_at
        return None if compared_at is None else max(compared_at - OVERLAP, self._clock.now() - LOOK_BACK)

    def _reconciled(self, found: Comparison) -> Reconciled:
        stamp = self._desk.stamp()
        return Reconciled(
            epoch=stamp.epoch,
            at=stamp.at,
            orders_compared=found.compared,
            orders_adopted=found.adopted,
            fills_recovered=found.recovered,
            position_breaks=found.breaks,
        )


def _figures(seen: AccountObserved) -> tuple[object, ...]:
    return (
        seen.trading_day,
        seen.equity_usd,
        seen.last_equity_usd,
        seen.cash_usd,
        seen.buying_power_usd,
        seen.trading_blocked,
        seen.positions,
    )


def _qty(positions: Mapping[Symbol, ObservedPosition | Position], symbol: Symbol) -> Decimal:
    held = positions.get(symbol)
    return ZERO if held is None else held.qty


async def _all(works: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Do all of it side by side; when something failed, say so once everything has ended."""
    for outcome in await asyncio.gather(*works, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome
