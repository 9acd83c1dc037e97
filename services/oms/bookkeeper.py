"""The account's own books beside its orders: positions, cash, and money that moves without a trade.

The books are opened once, by an opening figure of cash that is taken while nothing is on its way. Until then what the
broker holds and no order explains is from before our time, and is adopted. From then on every difference that lasts
is a break: it stops new risk until the books agree or a person takes the broker's figure for true.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from immutables import Map

from contracts.broker import AccountObserved, CashMoved, ObservedPosition, PositionAdopted
from contracts.enums import BreakKind, OrderStatus
from contracts.ids import AccountId, Symbol
from projections.positions import Position
from services.oms import books
from services.oms.books import Difference
from services.oms.brokers.port import Broker, BrokerAccount, BrokerActivity
from services.oms.comparison import Comparison
from services.oms.core import OmsCore
from services.oms.desk import OrderDesk
from services.runtime.ports import Clock

OBSERVE_AT_LEAST = timedelta(seconds=30)
ACTIVITY_OVERLAP = timedelta(days=7)
"""How much further back than the last comparison activities are asked for: they come late, dated by the day."""
OPENING = "opening"
IN_DOUBT = frozenset({OrderStatus.PENDING_SUBMIT, OrderStatus.UNKNOWN})


@dataclass(frozen=True, slots=True)
class Look:
    """Both books at one moment; `moved` are the symbols in which something happened meanwhile, or still may."""

    account: BrokerAccount
    shown: Mapping[Symbol, ObservedPosition]
    folded: Map[Symbol, Position]
    cash_usd: Decimal | None
    moved: frozenset[Symbol]


class Bookkeeper:
    """Compares one account's positions and cash."""

    def __init__(self, broker: Broker, desk: OrderDesk, core: OmsCore, clock: Clock, account: AccountId) -> None:
        """Stand between the desk and the broker."""
        self._broker = broker
        self._desk = desk
        self._core = core
        self._clock = clock
        self._account = account
        self._must_open_again = False
        self._seen_gaps: dict[Symbol, Difference] = {}
        self._seen_symbols: dict[Symbol, int] = {}

    @property
    def are_open(self) -> bool:
        """Say whether the opening figure stands."""
        return self._core.state.account.cash_usd is not None and not self._must_open_again

    async def observe(self, found: Comparison, watched: frozenset[str], confirm_after_ms: int) -> None:
        """Record what the broker shows of the account, and note what differs and what agrees."""
        if found.full:
            await self._count_activities()
        look = await self._look()
        seen = self._observation(look)
        if found.full or self._is_due(seen):
            await self._desk.append(seen)
        found.shown = look.shown
        found.odd_averages = books.odd_averages(look.folded, look.shown)
        if look.cash_usd is None:
            await self._adopt(look, found)
        if not self.are_open:
            await self._open(look)
        if look.cash_usd is not None:
            await self._compare(look, found, watched, confirm_after_ms)
        self._seen_symbols = dict(self._desk.symbol_seq)

    async def _look(self) -> Look:
        await self._desk.all_read()
        before = dict(self._desk.symbol_seq)
        account, positions = await asyncio.gather(self._broker.account(), self._broker.positions())
        await self._desk.all_read()
        state = self._core.state.account
        return Look(
            account=account,
            shown={position.symbol: position for position in positions},
            folded=state.positions,
            cash_usd=state.cash_usd,
            moved=self._moved_since(before) | self._in_doubt(),
        )

    # Open books: what lasts is a break.

    async def _compare(self, look: Look, found: Comparison, watched: frozenset[str], confirm_after_ms: int) -> None:
        """Note differences that two looks in a row see; a fill on its way shows in one and not in the other."""
        first = self._differences(look)
        second = first
        if first:
            if f"{BreakKind.CASH}:{self._account}" in first:
                await self._count_activities()
            await asyncio.sleep(confirm_after_ms / 1000)
            look = await self._look()
            second = self._differences(look)
        for name, difference in second.items():
            if name in first and first[name].is_same(difference):
                found.differs(difference)
        for name in watched:
            if name not in second and self._is_judged(name, look):
                found.agrees(name)
        found.shown = look.shown

    def _differences(self, look: Look) -> dict[str, Difference]:
        seen = books.position_differences(look.folded, look.shown)
        judged = {difference.name: difference for symbol, difference in seen.items() if symbol not in look.moved}
        if look.cash_usd is not None and not look.moved:
            cash = books.cash_difference(self._account, look.cash_usd, look.account.cash_usd)
            judged |= {} if cash is None else {cash.name: cash}
        return judged

    def _is_judged(self, name: str, look: Look) -> bool:
        kind, _, key = name.partition(":")
        if kind == BreakKind.POSITION:
            return Symbol(key) not in look.moved
        return kind == BreakKind.CASH and not look.moved

    # Books not yet open: what no order explains was there before us.

    async def _adopt(self, look: Look, found: Comparison) -> None:
        """Count as ours what comparisons in a row see, with nothing happening in the symbol in between.

        The last of them asked for executions that nobody told of: what those explain is no position from before.
        """
        gaps = {s: d for s, d in books.position_differences(look.folded, look.shown).items() if s not in look.moved}
        moved = self._moved_since(self._seen_symbols)
        lasting = {s: d for s, d in gaps.items() if s not in moved and self._was_seen(s, d)}
        self._seen_gaps = gaps
        if lasting and not found.asked_fills:
            found.wants_fills = True
            return
        found.breaks = tuple(f"{symbol}: broker has {d.gap:+f} more" for symbol, d in lasting.items())
        for symbol, difference in lasting.items():
            gap = difference.gap or Decimal(0)
            price = books.adoption_price(look.folded.get(symbol), look.shown.get(symbol), gap)
            await self._adopt_position(symbol, gap, price)

    def _was_seen(self, symbol: Symbol, difference: Difference) -> bool:
        before = self._seen_gaps.get(symbol)
        return before is not None and before.is_same(difference)

    async def _adopt_position(self, symbol: Symbol, gap: Decimal, price: Decimal) -> None:
        stamp = self._desk.stamp()
        detail = "the broker held it before our books were opened"
        adopted = PositionAdopted(epoch=stamp.epoch, at=stamp.at, symbol=symbol, qty=gap, price=price, detail=detail)
        await self._desk.append(adopted)

    async def _open(self, look: Look) -> None:
        """Take the opening figure, if positions agree and nothing moved since the last comparison or while we read.

        Cash is read before and after positions and activities, so that nothing can have moved it unseen.
        """
        unexplained = books.position_differences(look.folded, look.shown)
        if look.moved or unexplained or self._moved_since(self._seen_symbols):
            return
        before = dict(self._desk.symbol_seq)
        activities = await self._count_activities()
        first = await self._broker.account()
        positions = await self._broker.positions()
        second = await self._broker.account()
        if await self._count_activities() != activities:
            return
        await self._desk.all_read()
        shown = {position.symbol: position for position in positions}
        agree = not books.position_differences(self._core.state.account.positions, shown)
        if not agree or first.cash_usd != second.cash_usd or self._moved_since(before) or self._in_doubt():
            return
        await self._write_cash(OPENING, "", second.cash_usd)
        await self._desk.all_read()
        # A fill that came to the journal before the figure is in neither; then the figure is taken again.
        self._must_open_again = bool(self._moved_since(before))

    # Money without trades.

    async def _count_activities(self) -> frozenset[str]:
        """Write what moved cash and is not written yet; give the ids of everything that was listed."""
        since = (self._core.state.compared_at or self._clock.now()) - ACTIVITY_OVERLAP
        listed = await self._broker.activities_after(since)
        await self._desk.all_read()
        known = self._core.state.ledger.cash_ids
        for activity in listed:
            if activity.amount_usd and activity.activity_id not in known:
                await self._write_activity(activity)
        await self._desk.all_read()
        return frozenset(activity.activity_id for activity in listed)

    async def _write_activity(self, activity: BrokerActivity) -> None:
        stamp = self._desk.stamp()
        moved = CashMoved(
            epoch=stamp.epoch,
            at=stamp.at,
            activity_id=activity.activity_id,
            kind=activity.kind,
            amount_usd=activity.amount_usd,
            symbol=activity.symbol,
            detail=activity.detail,
        )
        await self._desk.append(moved)

    async def _write_cash(self, kind: str, activity_id: str, amount_usd: Decimal) -> None:
        stamp = self._desk.stamp()
        moved = CashMoved(epoch=stamp.epoch, at=stamp.at, activity_id=activity_id, kind=kind, amount_usd=amount_usd)
        await self._desk.append(moved)

    # What moves.

    def _moved_since(self, before: Mapping[Symbol, int]) -> frozenset[Symbol]:
        return frozenset(symbol for symbol, seq in self._desk.symbol_seq.items() if before.get(symbol) != seq)

    def _in_doubt(self) -> frozenset[Symbol]:
        doubtful = (order for order in self._core.state.open_orders() if order.status in IN_DOUBT)
        return frozenset(order.terms.symbol for order in doubtful)

    # The account's figures.

    def _observation(self, look: Look) -> AccountObserved:
        stamp = self._desk.stamp()
        return AccountObserved(
            epoch=stamp.epoch,
            at=stamp.at,
            trading_day=self._clock.trading_day(stamp.at),
            equity_usd=look.account.equity_usd,
            last_equity_usd=look.account.last_equity_usd,
            cash_usd=look.account.cash_usd,
            buying_power_usd=look.account.buying_power_usd,
            trading_blocked=look.account.trading_blocked,
            positions=tuple(look.shown[symbol] for symbol in sorted(look.shown)),
        )

    def _is_due(self, seen: AccountObserved) -> bool:
        """Say whether an observation is worth a line: it is new, the last one grows old, or our clock went back."""
        last = self._core.state.account.observed
        if last is None or abs(seen.at - last.at) >= OBSERVE_AT_LEAST:
            return True
        return _figures(last) != _figures(seen)


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
