"""Controls on what is sent: against our own orders, the same again, too fast, too many at once, too much in a day."""

from decimal import Decimal
from typing import NamedTuple

from contracts.reasons import DenialCode, Reason
from contracts.values import ZERO
from projections.pace import Pace, orders_in_window, retry_after_ms
from projections.recent import repeats
from projections.resting import NOTHING_RESTS, meeting
from services.risk.checks.findings import Finding, clear, denied, exempt, missing, passed
from services.risk.checks.sizes import too_large
from services.risk.situation import Situation

C = DenialCode


def check_self_trade(at: Situation) -> Finding:
    """No order may meet one of our own on the other side: the broker refuses a wash trade, and so do we.

    What only reduces may try: a position must never be trapped behind an entry that works.
    """
    if at.reduces:
        return exempt("self_trade")
    terms = at.terms
    met = meeting(
        at.state.resting.get(terms.symbol, NOTHING_RESTS), terms, None if at.order is None else at.order.group_id
    )
    if met is None:
        return clear("self_trade")
    theirs = "an order that takes any price" if met.price is None else f"an order at {met.price} USD"
    message = f"this {terms.side} could trade with the account's own {terms.symbol} orders: {theirs} works against it"
    reason = Reason(code=C.SELF_TRADE, message=message, limit=met.price, attempted=terms.limit_price)
    return denied("self_trade", reason)


def check_duplicates(at: Situation) -> Finding:
    """An agent may state the same order again so many times within the window; new terms of an order are none."""
    if at.reduces:
        return exempt("duplicates")
    most, window_ms = at.limits.max_duplicates, at.limits.duplicate_window_ms
    if most is None or window_ms is None or at.order is not None:
        return clear("duplicates")
    recent = at.state.agents.book(at.whose.agent).recent
    ages_ms = repeats(recent, at.evidence.decided_at, at.terms, window_ms) if recent else ()
    value, limit = Decimal(len(ages_ms)), Decimal(most)
    if value <= limit:
        return passed("duplicates", value, limit)
    leaving = ages_ms[len(ages_ms) - most - 1]  # once this one has left, no more than `most` are in the window
    reason = Reason(
        code=C.DUPLICATE_ORDER,
        message=f"the same order was approved {value} times within {window_ms} ms, {limit} repeats are allowed",
        limit=limit,
        attempted=value,
        headroom=ZERO,
        retryable=True,
        retry_after_ms=window_ms - leaving,
    )
    return denied("duplicates", reason)


class _Rate(NamedTuple):
    """One bound on messages: its name and code, what was counted, how many a minute may have."""

    name: str
    code: DenialCode
    pace: Pace
    most: int
    what: str


def check_message_rate(at: Situation) -> Finding:
    """New risk waits while the account's orders, changes and cancels of a minute reach the rate; exits never do."""
    if at.reduces:
        return exempt("message_rate")
    most = at.limits.message_rate_per_min
    if most is None:
        return clear("message_rate")
    return _rate(at, _Rate("message_rate", C.MESSAGE_RATE, at.state.messages, most, "message"))


def check_replace_rate(at: Situation) -> Finding:
    """Changes of orders within a minute, this one included, may not exceed the rate; those of exits may.

    It also binds an entry that is made smaller or cheaper again and again: whoever wants less may always cancel it.
    """
    most = at.limits.replace_rate_per_min
    if most is None or at.order is None:
        return clear("replace_rate")
    if at.order.reduces:
        return exempt("replace_rate")
    return _rate(at, _Rate("replace_rate", C.REPLACE_RATE, at.state.replaces, most, "change"))


def _rate(at: Situation, rate: _Rate) -> Finding:
    decided_at, limit = at.evidence.decided_at, Decimal(rate.most)
    value = Decimal(orders_in_window(rate.pace, decided_at) + 1)
    if value <= limit:
        return passed(rate.name, value, limit)
    reason = Reason(
        code=rate.code,
        message=f"this would be {rate.what} {value} to the broker within a minute, {limit} are allowed",
        limit=limit,
        attempted=value,
        headroom=ZERO,
        retryable=rate.most > 0,
        retry_after_ms=retry_after_ms(rate.pace, decided_at, rate.most - 1) if rate.most > 0 else None,
    )
    return denied(rate.name, reason)


def check_open_orders(at: Situation) -> Finding:
    """Orders whose life is not over, this one included, may not be more than the limit; new terms add none."""
    if at.reduces:
        return exempt("open_orders")
    most = at.limits.max_open_orders
    if most is None or at.order is not None:
        return clear("open_orders")
    value, limit = Decimal(at.state.open_orders + 1), Decimal(most)
    if value <= limit:
        return passed("open_orders", value, limit)
    message = f"this would be open order {value}, {limit} are allowed: cancel some first"
    reason = Reason(code=C.MAX_OPEN_ORDERS, message=message, limit=limit, attempted=value, headroom=ZERO)
    return denied("open_orders", reason)


def check_turnover(at: Situation) -> Finding:
    """What the day's orders were worth at their worst has a limit (USD), with this one or what a change adds."""
    if at.reduces:
        return exempt("turnover")
    limit = at.limits.max_turnover_usd
    if limit is None:
        return clear("turnover")
    if at.worst_price is None:
        return missing("turnover", C.NO_QUOTE, "without a price the order's value is not known")
    counted_usd = ZERO if at.order is None else at.order.terms.qty * at.order.worst_price
    done_usd = at.state.day.turnover_on(at.evidence.trading_day)
    after_usd = done_usd + max(at.terms.qty * at.worst_price - counted_usd, ZERO)
    if after_usd <= limit:
        return passed("turnover", after_usd, limit)
    filled_usd = at.filled_qty * (at.reserved_price or ZERO)
    return too_large(at, "turnover", C.MAX_TURNOVER, (done_usd - counted_usd + filled_usd, after_usd, limit))
