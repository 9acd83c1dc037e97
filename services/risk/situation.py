"""What one order, new or changed, would mean for the account, measured once so that every check can read it."""

from datetime import timedelta
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from contracts.decisions import Evidence
from contracts.enums import OrderClass, Side
from contracts.ids import EXTERNAL, OPERATOR, Symbol
from contracts.limits import LimitSet
from contracts.market import Quote, is_sane
from contracts.orders import OrderTerms
from contracts.values import ZERO
from projections.account import AccountState
from projections.exposure import SymbolExposure, Totals, Worst, moved, with_position, with_working, worst
from projections.layers import bounds_over
from projections.order_state import OrderState, Replacement
from projections.standing import Whose
from projections.working import Counted, counted
from services.risk.own_book import UNBOUNDED, Change, OwnBooks, own_books
from services.risk.worst_price import most_shares, price_to_leave, price_to_open

_MS = timedelta(milliseconds=1)
_OPENING_CLASSES = frozenset({OrderClass.BRACKET, OrderClass.OTO})
_NOTHING_YET = Counted(ZERO, ZERO)


class Situation(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One order's terms against one state: the worst price (USD per share), exposure without it and with it.

    `quote` is the evidence's quote if it can be believed: of this symbol and sane, though perhaps old. `order` is
    the order whose terms change, none for a new one; `held` and all that is `before` are without what it counts now.
    `worst_price` is that of the new terms, `reserved_price` that of whichever terms are worse. `mine` is what whoever
    states the order may trade against: all of the account for the operator, an agent's own and the common shares.
    `limits` are the tightest of all layers over the order, `own` the books that a layer or a mandate bounds.
    """

    state: AccountState
    limits: LimitSet
    terms: OrderTerms
    evidence: Evidence
    whose: Whose
    mine: SymbolExposure
    quote: Quote | None
    reduces: bool
    worst_price: Decimal | None
    reserved_price: Decimal | None
    notional_usd: Decimal | None
    held: SymbolExposure
    before: Worst
    after: Worst
    totals_before: Totals
    totals_after: Totals
    order: OrderState | None = None
    filled_qty: Decimal = ZERO
    own: OwnBooks = UNBOUNDED


def measure(state: AccountState, limits: LimitSet, terms: OrderTerms, evidence: Evidence, whose: Whose) -> Situation:
    """Measure a new order of well-formed terms; one for an amount gets the most shares that it may become.

    An order that reduces is exempt from the controls that look at the quote, so its quote marks nothing either.
    """
    bounds = bounds_over(state.standing, limits, whose)
    limits = bounds.limits
    one, mine = state.exposure.of(terms.symbol), usable(state, whose)
    quote = _believable(evidence.quote, terms.symbol)
    if terms.notional_usd is not None:
        terms = replace(terms, qty=_shares_of(terms.notional_usd, limits, evidence, quote))
    qty = terms.qty
    reduces = ZERO < qty <= reducible_qty(one, mine, terms.side) and terms.order_class not in _OPENING_CLASSES
    price = price_to_leave(terms, one.mark_price) if reduces else price_to_open(terms, limits, quote)
    value = None if price is None else qty * price
    held = one if reduces else _marked(one, quote)
    before, totals = worst(held), state.exposure.totals
    totals_before = totals if held is one else moved(totals, worst(one), before)
    after = worst(with_working(held, terms.side, qty, value or ZERO))
    spent = value if terms.notional_usd is None or reduces or value is None else terms.notional_usd
    then = Counted(qty, value or ZERO)
    change = Change(terms.symbol, terms.side, _NOTHING_YET, then, None if reduces else _mid(quote))
    return Situation(
        state=state,
        limits=limits,
        terms=terms,
        evidence=evidence,
        whose=whose,
        mine=mine,
        quote=quote,
        reduces=reduces,
        worst_price=price,
        reserved_price=price,
        notional_usd=spent,
        held=held,
        before=before,
        after=after,
        totals_before=totals_before,
        totals_after=moved(totals_before, before, after),
        own=own_books(state, bounds, whose, change),
    )


def measure_replaced(
    state: AccountState, limits: LimitSet, order: OrderState, terms: OrderTerms, evidence: Evidence
) -> Situation:
    """Measure an order as it counts while both its terms and new ones may fill, as the fold will count it.

    A replacement that makes nothing larger is treated as one that reduces; for an entry, only where it does not trade
    sooner or wait longer either.
    """
    stored, now = state.exposure.of(terms.symbol), counted(state.orders, order)
    quote = _believable(evidence.quote, terms.symbol)
    bare = with_working(stored, terms.side, -now.qty, -now.notional_usd)
    whose = Whose(order.agent, order.strategy, terms.symbol)
    bounds = bounds_over(state.standing, limits, whose)
    limits = bounds.limits
    mine = with_working(usable(state, whose), terms.side, -now.qty, -now.notional_usd)
    leaves = max(terms.qty, order.terms.qty) - order.filled_qty <= reducible_qty(bare, mine, terms.side)
    is_exit = leaves or order.reduces
    price = price_to_leave(terms, stored.mark_price) if is_exit else _replaced_price(order, terms, limits, quote)
    then = now if price is None else _counted_with(state, order, terms, price)
    only_lowers = order.reduces or not _trades_sooner(order.terms, terms)
    reduces = leaves or (price is not None and then == now and only_lowers)
    held = bare if reduces else _marked(bare, quote)
    before = worst(held)
    totals_before = moved(state.exposure.totals, worst(stored), before)
    after = worst(with_working(held, terms.side, *then))
    change = Change(terms.symbol, terms.side, now, then, None if reduces else _mid(quote))
    return Situation(
        state=state,
        limits=limits,
        terms=terms,
        evidence=evidence,
        whose=whose,
        mine=mine,
        quote=quote,
        reduces=reduces,
        worst_price=price,
        reserved_price=None if price is None else max(price, order.worst_price),
        notional_usd=None if price is None else max(terms.qty * price, order.terms.qty * order.worst_price),
        held=held,
        before=before,
        after=after,
        totals_before=totals_before,
        totals_after=moved(totals_before, before, after),
        order=order,
        filled_qty=order.filled_qty,
        own=own_books(state, bounds, whose, change),
    )


def usable(state: AccountState, whose: Whose) -> SymbolExposure:
    """Give what whoever states an order may trade against."""
    symbol = Symbol(whose.symbol)
    account = state.exposure.of(symbol)
    if whose.agent in {OPERATOR, EXTERNAL}:
        return account
    return state.agents.usable(whose.agent, symbol, account)


def reducible_qty(all_of_it: SymbolExposure, mine: SymbolExposure, side: Side) -> Decimal:
    """Give how many shares one's order may have and reduce both the account's position and one's own part of it."""
    return min(all_of_it.reducible_qty(side), mine.reducible_qty(side))


def _counted_with(state: AccountState, order: OrderState, terms: OrderTerms, price: Decimal) -> Counted:
    """Count the order as the fold will once the replacement is approved, its group with it."""
    asked = Replacement(terms=terms, worst_price=price, requested_by=order.agent, decision_seq=0, valid_until=None)
    changed = replace(order, replacement=asked)
    return counted(state.orders.set(order.order_id, changed), changed)


def _replaced_price(order: OrderState, terms: OrderTerms, limits: LimitSet, quote: Quote | None) -> Decimal | None:
    """Price new terms; those that only ask for fewer shares keep the price at which they were approved."""
    if terms.qty <= order.terms.qty and _prices(terms) == _prices(order.terms):
        return order.worst_price
    return price_to_open(terms, limits, quote)


def _prices(terms: OrderTerms) -> tuple[Decimal | None, ...]:
    return terms.limit_price, terms.stop_price, terms.trail_price, terms.trail_percent


def _trades_sooner(old: OrderTerms, new: OrderTerms) -> bool:
    """Say whether new terms may trade at a market, or at a time, at which the old ones would not have."""
    if new.time_in_force != old.time_in_force or new.extended_hours != old.extended_hours:
        return True
    nearer = {
        "limit_price": 1 if new.side is Side.BUY else -1,
        "stop_price": -1 if new.side is Side.BUY else 1,
        "trail_price": -1,
        "trail_percent": -1,
    }
    return any(_moved_by(name, old, new) * sign > 0 for name, sign in nearer.items())


def _moved_by(name: str, old: OrderTerms, new: OrderTerms) -> Decimal:
    return (getattr(new, name) or ZERO) - (getattr(old, name) or ZERO)


def _believable(quote: Quote | None, symbol: Symbol) -> Quote | None:
    return quote if quote is not None and quote.symbol == symbol and is_sane(quote) else None


def _shares_of(notional_usd: Decimal, limits: LimitSet, evidence: Evidence, quote: Quote | None) -> Decimal:
    """Give the most shares an amount may become, none while no fresh quote says: old prices bound nothing."""
    if quote is None or abs(evidence.decided_at - quote.at) > limits.quote_age_max_ms * _MS:
        return ZERO
    return most_shares(notional_usd, limits, quote)


def _marked(one: SymbolExposure, quote: Quote | None) -> SymbolExposure:
    if quote is None or not one.position_qty:
        return one  # without a position a mark values nothing
    return with_position(one, one.position_qty, (quote.bid_price + quote.ask_price) / 2)


def _mid(quote: Quote | None) -> Decimal | None:
    return None if quote is None else (quote.bid_price + quote.ask_price) / 2
