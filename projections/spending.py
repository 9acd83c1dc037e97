"""What was approved since the broker last said what is left: buying power and cash (USD) that it may not count yet.

The broker's figures are old when they are read: it may have answered before our newest order reached it. So what an
order takes counts until the broker has the order and has reported the account twice since: the report that follows
the broker's word on the order may have been on its way before it, the one after that cannot have been.

Buying power is taken by orders that open; cash by every buy, as long as it works and then when it fills. What sales
bring in is not counted before the broker shows it.
"""

from decimal import Decimal

from msgspec.structs import replace

from contracts.base import Value
from contracts.values import ZERO
from projections.order_state import OrderState


class Spending(Value, frozen=True, kw_only=True):
    """What the broker may not count yet, in the generations in which it comes to do so.

    `unseen_usd` is of orders that the broker has not confirmed; `seen_usd` of those confirmed since the last report
    of the account, `seen_before_usd` since the one before. `buys_usd` is what all working buys may still cost;
    `bought_usd` and `bought_before_usd` what buys have cost since. `day_bought_usd` and `day_sold_usd` are what was
    bought and sold on the exchange day: it settles on the next one.
    """

    unseen_usd: Decimal = ZERO
    seen_usd: Decimal = ZERO
    seen_before_usd: Decimal = ZERO
    buys_usd: Decimal = ZERO
    bought_usd: Decimal = ZERO
    bought_before_usd: Decimal = ZERO
    day_bought_usd: Decimal = ZERO
    day_sold_usd: Decimal = ZERO

    @property
    def power_usd(self) -> Decimal:
        """Give the buying power that is taken and that the broker's last figure may not show."""
        return self.unseen_usd + self.seen_usd + self.seen_before_usd

    @property
    def cash_usd(self) -> Decimal:
        """Give the cash that buys have taken or may take and that the broker's last figure may not show."""
        return self.buys_usd + self.bought_usd + self.bought_before_usd


NOTHING_SPENT = Spending()


def after_order(spent: Spending, old: OrderState | None, new: OrderState, buys_usd: Decimal) -> Spending:
    """Move what the broker has not confirmed by one order's change, and what works by what it makes buys cost more.

    What is confirmed, or fills, goes on counting until the broker must have seen it; what ends unfilled does not.
    """
    if buys_usd:
        spent = replace(spent, buys_usd=spent.buys_usd + buys_usd)
    was, now = ZERO if old is None else unseen_usd(old), unseen_usd(new)
    if was == now:
        return spent
    gone = new.is_terminal and (old is None or new.filled_qty == old.filled_qty)
    seen = ZERO if gone else max(was - now, ZERO)
    return replace(spent, unseen_usd=spent.unseen_usd + now - was, seen_usd=spent.seen_usd + seen)


def unseen_usd(order: OrderState) -> Decimal:
    """Give what an order that opens takes and that the broker has not confirmed: all of it, or what a change adds."""
    if order.reduces or order.is_terminal:
        return ZERO
    if order.broker_order_id is None:
        return order.working_qty * order.reserved_price
    if order.replacement is None:
        return ZERO
    stands_usd = max(order.terms.qty - order.filled_qty, ZERO) * order.worst_price
    return max(order.working_qty * order.reserved_price - stands_usd, ZERO)


def after_fill(spent: Spending, change: Decimal, price: Decimal) -> Spending:
    """Count what a fill of a signed quantity has cost, or brought."""
    usd = change * price
    if usd > 0:
        return replace(spent, bought_usd=spent.bought_usd + usd, day_bought_usd=spent.day_bought_usd + usd)
    return replace(spent, day_sold_usd=spent.day_sold_usd - usd)


def in_day(spent: Spending) -> Spending:
    """Begin a new exchange day: what was traded on the one before has settled."""
    return replace(spent, day_bought_usd=ZERO, day_sold_usd=ZERO)


def after_report(spent: Spending) -> Spending:
    """Hear the broker's own figures: what it confirmed before the last report shows in this one."""
    return replace(
        spent,
        seen_usd=ZERO,
        seen_before_usd=spent.seen_usd,
        bought_usd=ZERO,
        bought_before_usd=spent.bought_usd,
    )
