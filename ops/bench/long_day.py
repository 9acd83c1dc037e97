"""A long trading day in events, as the processes would have written it: every decision is risk's own.

About one event in four is a decision with all its checks; orders are acknowledged, work, fill in parts or are
canceled, and the broker's figures come in between. The same count gives the same events, byte for byte.
"""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from contracts import subjects
from contracts.base import Event
from contracts.broker import AccountObserved, ObservedPosition
from contracts.controls import EpochTaken, KillEngaged, KillReleased, LimitsSet
from contracts.decisions import Decision, Evidence
from contracts.enums import Action, KillMode, Outcome, Regime, Role, Side
from contracts.ids import AccountId, AgentId, FillId, IntentId, OrderId, Symbol
from contracts.limits import DEFAULT_ALLOWLIST, LimitSet
from contracts.market import Quote, RegimeChanged
from contracts.orders import (
    OrderAcknowledged,
    OrderCanceled,
    OrderCancelRequested,
    OrderFilled,
    OrderTerms,
    OrderWorking,
)
from projections import account
from services.risk.decider import Stamp, Stated, decide

OPEN = datetime(2026, 11, 23, 14, 30, tzinfo=UTC)
DAYS = 2
OBSERVE_EVERY = 60
KILL_EVERY = 5_000
CANCEL_SHARE, DENY_SHARE, SELL_SHARE = 0.15, 0.1, 0.55
AGENTS = tuple(AgentId(name) for name in ("demo", "momo", "pairs"))
HUGE = Decimal(10**11)
_WIDE = LimitSet(
    max_position_notional_usd=HUGE,
    max_gross_exposure_usd=HUGE,
    max_net_exposure_usd=HUGE,
    max_daily_trades=10**9,
    order_rate_per_min=10**9,
    account_age_max_ms=10**9,
)

type Written = tuple[str, Event]


class _Day:
    """The account as it comes to be while its events are written."""

    def __init__(self, name: AccountId) -> None:
        self.account = name
        self.state = account.EMPTY
        self.seq = 0
        self.now = OPEN
        self._chance = random.Random(7)  # noqa: S311 - the same day each time
        self._stated = 0

    def write(self, subject: str, event: Event) -> Written:
        """Fold an event as its readers will."""
        self.seq += 1
        self.state = account.evolve(self.state, event, self.seq)  # pyright: ignore[reportArgumentType]
        return subject, event

    def beginning(self) -> Iterator[Written]:
        """Epochs and limits."""
        for role in (Role.RISK, Role.OMS):
            taken = EpochTaken(epoch=1, at=self.now, role=role, owner="bench/1/1", code_version="bench")
            yield self.write(subjects.epoch(self.account, role), taken)
        limits = LimitsSet(epoch=0, at=self.now, version=1, limits=_WIDE, by="bench", reason="a long day")
        yield self.write(subjects.control(self.account), limits)
        yield self.observed()

    def observed(self) -> Written:
        """What the broker says of the account."""
        shown = tuple(
            ObservedPosition(symbol=p.symbol, qty=p.qty, avg_entry_price=p.avg_price, current_price=p.avg_price)
            for p in (self.state.positions[s] for s in sorted(self.state.positions))
            if p.qty
        )
        seen = AccountObserved(
            epoch=1,
            at=self.now,
            trading_day=self.now.date(),
            equity_usd=Decimal(1_000_000) + self._chance.randrange(300),
            last_equity_usd=Decimal(1_000_000),
            cash_usd=Decimal(500_000),
            buying_power_usd=Decimal(4_000_000),
            trading_blocked=False,
            positions=shown,
        )
        return self.write(subjects.broker(self.account), seen)

    def drill(self) -> Iterator[Written]:
        """The kill switch, on and off."""
        on = KillEngaged(epoch=0, at=self.now, mode=KillMode.BLOCK_NEW, by="_operator", reason="drill")
        yield self.write(subjects.control(self.account), on)
        off = KillReleased(epoch=0, at=self.now, by="_operator", reason="drill is over")
        yield self.write(subjects.control(self.account), off)

    def intent(self) -> Iterator[Written]:
        """State an intent, decide it, and let its order live."""
        agent = self._chance.choice(AGENTS)
        symbol = Symbol(self._chance.choice(DEFAULT_ALLOWLIST))
        decision = self._decided(agent, symbol, self._submit(symbol), Action.SUBMIT)
        yield self.write(subjects.decision(self.account, agent, decision.intent_id), decision)
        if decision.outcome is Outcome.APPROVED and decision.order_id and decision.terms:
            yield from self._life(agent, decision.order_id, decision.terms)

    def _life(self, agent: AgentId, order_id: OrderId, terms: OrderTerms) -> Iterator[Written]:
        subject = subjects.order(self.account, agent, order_id)
        intent_id = f"i{self._stated}"
        told: dict[str, Any] = {"epoch": 1, "at": self.now, "order_id": order_id, "correlation_id": intent_id}
        acknowledged = OrderAcknowledged(**told, broker_order_id=f"b-{order_id}", broker_status="accepted")
        yield self.write(subject, acknowledged)
        yield self.write(subject, OrderWorking(**told, broker_status="new"))
        if self._chance.random() < CANCEL_SHARE:
            body = f'{{"type":"intent.cancel.v1","intent_id":"i{self._stated + 1}","order_id":"{order_id}"}}'
            decision = self._decided(agent, terms.symbol, body, Action.CANCEL)
            yield self.write(subjects.decision(self.account, agent, decision.intent_id), decision)
            yield self.write(subject, OrderCancelRequested(**told, requested_by=agent))
            yield self.write(subject, OrderCanceled(**told))
            return
        first = Decimal(self._chance.randrange(1, int(terms.qty) + 1))
        filled = Decimal(0)
        for part, qty in enumerate(q for q in (first, terms.qty - first) if q):
            filled += qty
            fill = OrderFilled(
                **told,
                fill_id=FillId(f"x-{order_id}-{part}"),
                symbol=terms.symbol,
                side=terms.side,
                qty=qty,
                price=self._price(terms.symbol),
                cum_qty=filled,
                filled_at=self.now,
            )
            yield self.write(subject, fill)

    def _submit(self, symbol: Symbol) -> str:
        held = self.state.positions.get(symbol)
        side = Side.SELL if held is not None and held.qty > 0 and self._chance.random() < SELL_SHARE else Side.BUY
        most = int(held.qty) if side is Side.SELL and held is not None else 12
        qty = self._chance.randrange(1, min(most, 12) + 1)
        if self._chance.random() < DENY_SHARE:
            qty = 10_000
        limit = self._price(symbol)
        return (
            f'{{"type":"intent.submit.v1","intent_id":"i{self._stated + 1}","symbol":"{symbol}","side":"{side}",'
            f'"qty":"{qty}","order_type":"limit","limit_price":"{limit}","time_in_force":"day",'
            '"meta":{"strategy":"long_day","reason":"breakout","confidence":"0.62"}}'
        )

    def _decided(self, agent: AgentId, symbol: Symbol, body: str, _action: Action) -> Decision:
        self._stated += 1
        price = self._price(symbol)
        quote = Quote(
            symbol=symbol,
            bid_price=price - Decimal("0.01"),
            ask_price=price + Decimal("0.01"),
            bid_size=Decimal(300),
            ask_size=Decimal(200),
            at=self.now,
            seq=self._stated,
            source="bench",
        )
        regime = RegimeChanged(
            symbol=symbol,
            regime=Regime.TREND,
            previous=Regime.CHOP,
            confidence=Decimal("0.7"),
            reasons=("efficiency 0.42 over 20 bars",),
            at=OPEN,
        )
        evidence = Evidence(
            received_at=self.now, decided_at=self.now, trading_day=self.now.date(), quote=quote, regime=regime
        )
        stated = Stated(self.account, agent, IntentId(f"i{self._stated}"), body.encode(), self._stated)
        return decide(self.state, stated, evidence, Stamp(1, "bench", self.seq))

    def _price(self, symbol: Symbol) -> Decimal:
        base = 100 + 10 * DEFAULT_ALLOWLIST.index(symbol)
        return Decimal(base) + Decimal(self._chance.randrange(-200, 200)) / 100


def events(count: int, name: AccountId) -> Iterator[Written]:
    """Give the first `count` events of the account's journal, with the subjects on which they stand."""
    for written, _ in zip(_endless(_Day(name), count), range(count), strict=False):
        yield written


def _endless(day: _Day, count: int) -> Iterator[Written]:
    yield from day.beginning()
    step = timedelta(hours=6) / max(count // DAYS, 1)
    next_observation, next_drill, days = OBSERVE_EVERY, KILL_EVERY, 0
    while True:
        began = day.seq
        yield from day.intent()
        day.now += step * (day.seq - began)
        if day.seq >= next_observation:
            yield day.observed()
            next_observation += OBSERVE_EVERY
        if day.seq >= next_drill:
            yield from day.drill()
            next_drill += KILL_EVERY
        if days < DAYS - 1 and day.seq >= count * (days + 1) // DAYS:
            days += 1
            day.now = OPEN + timedelta(days=days)
