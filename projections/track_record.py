"""What one agent's orders came to lately: losses in a row, the broker's rejections in a row, its slippage."""

from decimal import Decimal
from typing import Final

from msgspec.structs import replace

from contracts.base import Moment, Value
from contracts.enums import OrderType, Side
from contracts.ids import OrderId
from contracts.orders import OrderFilled
from contracts.values import ZERO
from projections.counts import NONE_COUNTED, Counts
from projections.order_state import OrderState

FILLS_KEPT: Final = 20
FILLS_JUDGED_MIN: Final = 5
"""Fewer fills than this are no average to judge an agent by."""
_BPS = Decimal(10_000)
_AT_THE_MARKET = frozenset({OrderType.MARKET, OrderType.LIMIT})


class TrackRecord(Value, frozen=True, kw_only=True):
    """One agent's; `slips_bps` are those of its newest fills, oldest first.

    `loss_order_id` is the order that was counted last in the streak of losses: its further fills are the same loss.
    """

    at: Moment
    losses: int = 0
    loss_order_id: OrderId | None = None
    rejects: Counts = NONE_COUNTED
    slips_bps: tuple[Decimal, ...] = ()


def with_result(record: TrackRecord, order: OrderState, realized_usd: Decimal) -> TrackRecord:
    """Count an order that closed at a loss once; one that closed at none ends the streak."""
    if realized_usd >= 0:
        return replace(record, losses=0, loss_order_id=None)
    if record.loss_order_id == order.order_id:
        return record
    return replace(record, losses=record.losses + 1, loss_order_id=order.order_id)


def slip_bps(order: OrderState, fill: OrderFilled) -> Decimal | None:
    """Give how much worse than the mid at its decision a fill was, in basis points (negative: better).

    None for orders whose decision looked at no quote, and for those that were to wait for another price.
    """
    mid = order.quoted_mid
    if mid is None or order.terms.order_type not in _AT_THE_MARKET:
        return None
    paid = fill.price - mid if order.terms.side is Side.BUY else mid - fill.price
    return paid / mid * _BPS


def with_slip(slips_bps: tuple[Decimal, ...], slip: Decimal) -> tuple[Decimal, ...]:
    """Take one more fill in, and let the oldest go."""
    return (*slips_bps[1 - FILLS_KEPT :], slip)


def mean_slip_bps(slips_bps: tuple[Decimal, ...]) -> Decimal | None:
    """Give the average, None while there are too few."""
    return sum(slips_bps, ZERO) / len(slips_bps) if len(slips_bps) >= FILLS_JUDGED_MIN else None
