"""Where one agent, or one strategy, stops by itself: losses or rejections in a row, slippage, endless repetition.

The halt falls on whoever caused it and on nobody else. What the operator trades, or what came from outside, is on
nobody's record.
"""

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple, TypeGuard

from immutables import Map
from msgspec.structs import replace

from contracts.ids import EXTERNAL, OPERATOR, AgentId
from contracts.limits import LimitSet
from contracts.orders import AnyOrderEvent, OrderFilled, OrderRejected, OrderWorking
from contracts.scopes import agent_scope, strategy_scope
from contracts.values import ZERO
from projections.account_state import AccountState
from projections.counts import NONE_COUNTED, Counts, newest_ms, with_one
from projections.guard import Guard, TripEnd, TripName, tripped
from projections.order_state import OrderState
from projections.orders import is_known_fill
from projections.positions import Position
from projections.track_record import TrackRecord, mean_slip_bps, slip_bps, with_result, with_slip
from projections.tripwires import Cause, cooling, too_often

REPEATS_KEPT = 512
"""So many owners, symbols and sides are watched for repetition at once; the half longest idle is then forgotten."""
_NOBODY = frozenset({OPERATOR, EXTERNAL})
_WATCHED = frozenset({OrderRejected, OrderFilled, OrderWorking})
"""That the broker has an order is no word yet: it may still reject what it acknowledged."""


class _Told(NamedTuple):
    """An event of one order: as the order stood before it, under which limits, when, and at which sequence."""

    order: OrderState
    limits: LimitSet
    at: datetime
    seq: int

    def cause(self, name: TripName, detail: str) -> Cause:
        """Give what trips the agent."""
        return Cause(self.at, self.seq, agent_scope(self.order.agent), name, detail)


def after_order_event(was: AccountState, state: AccountState, event: AnyOrderEvent, seq: int) -> AccountState:
    """Judge an agent by what became of its order; `was` is the state before the event was folded."""
    kind, limits = type(event), state.limits
    if limits is None or kind not in _WATCHED or (kind is OrderWorking and not state.guard.records):
        return state
    order = was.orders.get(event.order_id)
    if order is None or order.agent in _NOBODY:
        return state
    told = _Told(order, limits, event.at, seq)
    match event:
        case OrderRejected():
            return replace(state, guard=_after_reject(state.guard, told))
        case OrderFilled():
            return state if is_known_fill(order, event) else _after_fill(was, state, told, event)
        case _:
            return _accepted(state, order.agent)


def _record(guard: Guard, told: _Told) -> TrackRecord:
    known = guard.records.get(told.order.agent)
    return TrackRecord(at=told.at) if known is None else replace(known, at=told.at)


def _put(guard: Guard, told: _Told, record: TrackRecord) -> Guard:
    return replace(guard, records=guard.records.set(told.order.agent, record))


def _after_reject(guard: Guard, told: _Told) -> Guard:
    """Count a rejection by the broker; what risk itself denied is no misconduct."""
    limits = told.limits
    if limits.max_reject_streak is None or limits.reject_window_ms is None:
        return guard
    record = _record(guard, told)
    counts = with_one(record.rejects, told.at, limits.reject_window_ms)
    detail = f"the broker rejected {counts.total} orders in a row within {limits.reject_window_ms} ms"
    trip = too_often(counts, limits.max_reject_streak, told.cause(TripName.REJECT_STREAK, detail), limits)
    if trip is not None:
        guard, counts = tripped(guard, trip), NONE_COUNTED
    return _put(guard, told, replace(record, rejects=counts))


def _accepted(state: AccountState, agent: AgentId) -> AccountState:
    """End an agent's streak of rejections: the broker took an order of it."""
    record = state.guard.records.get(agent)
    if record is None or not record.rejects.total:
        return state
    record = replace(record, rejects=NONE_COUNTED)
    return replace(state, guard=replace(state.guard, records=state.guard.records.set(agent, record)))


def _after_fill(was: AccountState, state: AccountState, told: _Told, fill: OrderFilled) -> AccountState:
    state = _accepted(state, told.order.agent)
    guard = _after_result(state.guard, told, _realized_usd(was, state, told.order))
    guard = _after_slip(guard, told, fill)
    if not told.order.filled_qty and not told.order.reduces:
        guard = _after_repeat(guard, told, fill)
    return state if guard is state.guard else replace(state, guard=guard)


def _realized_usd(was: AccountState, state: AccountState, order: OrderState) -> Decimal | None:
    """Give what a fill realised for its agent, None where it closed nothing."""
    symbol = order.terms.symbol
    nothing = Position(symbol=symbol)
    before = was.agents.book(order.agent).positions.get(symbol, nothing)
    after = state.agents.book(order.agent).positions.get(symbol, nothing)
    if before.qty * after.qty > 0 and abs(after.qty) >= abs(before.qty):
        return None
    return after.realized_usd - before.realized_usd if before.qty else None


def _after_result(guard: Guard, told: _Told, realized_usd: Decimal | None) -> Guard:
    limits = told.limits
    if limits.max_loss_streak is None or realized_usd is None:
        return guard
    record = with_result(_record(guard, told), told.order, realized_usd)
    if realized_usd < 0 and record.losses >= limits.max_loss_streak:
        cause = told.cause(TripName.LOSS_STREAK, f"{record.losses} orders in a row closed at a loss")
        guard = tripped(guard, cooling(cause, Decimal(record.losses), Decimal(limits.max_loss_streak), limits))
        record = replace(record, losses=0)
    return _put(guard, told, record)


def _after_slip(guard: Guard, told: _Told, fill: OrderFilled) -> Guard:
    limits, slip = told.limits, slip_bps(told.order, fill)
    if limits.max_slippage_bps is None or slip is None:
        return guard
    record = _record(guard, told)
    slips = with_slip(record.slips_bps, slip)
    mean = mean_slip_bps(slips) or ZERO
    if mean >= limits.max_slippage_bps > 0:
        detail = f"the last {len(slips)} fills were {mean:.2f} bps worse than the market at their decision on average"
        guard = tripped(guard, cooling(told.cause(TripName.SLIPPAGE, detail), mean, limits.max_slippage_bps, limits))
        slips = ()
    return _put(guard, told, replace(record, slips_bps=slips))


def _after_repeat(guard: Guard, told: _Told, fill: OrderFilled) -> Guard:
    """Count an order that began to execute; the same thing again and again stops until a person has looked."""
    order, limits = told.order, told.limits
    if limits.max_repeats is None or limits.repeat_window_ms is None:
        return guard
    scope = strategy_scope(order.strategy) if _is_name(order.strategy) else agent_scope(order.agent)
    key = f"{scope} {order.terms.side} {order.terms.symbol}"
    at = min(fill.filled_at, told.at)  # what was recovered late happened when it happened
    counts = with_one(guard.repeats.get(key, NONE_COUNTED), at, limits.repeat_window_ms)
    detail = (
        f"{counts.total} orders to {order.terms.side} {order.terms.symbol} executed in {limits.repeat_window_ms} ms"
    )
    trip = too_often(counts, limits.max_repeats, Cause(told.at, told.seq, scope, TripName.REPEATS, detail), limits)
    if trip is None:
        return replace(guard, repeats=_bounded(guard.repeats.set(key, counts)))
    for_a_person = replace(trip, ends=TripEnd.PERSON, until=None)
    return replace(tripped(guard, for_a_person), repeats=_bounded(guard.repeats.set(key, NONE_COUNTED)))


def _is_name(strategy: str | None) -> TypeGuard[str]:
    """Say whether a strategy can be named in a scope; its agent answers for one that cannot."""
    return bool(strategy) and "\n" not in strategy


def _bounded(repeats: Map[str, Counts]) -> Map[str, Counts]:
    if len(repeats) <= REPEATS_KEPT:
        return repeats
    newest_first = sorted(repeats.items(), key=lambda one: (-newest_ms(one[1]), one[0]))
    return Map(newest_first[: REPEATS_KEPT // 2])
