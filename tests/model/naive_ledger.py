"""The ledger counted again from orders and positions alone, the slow and plain way, beside the fold's own figures.

Of the fold only what an order or a position is serves here: what they come to is summed anew.
"""

from collections import Counter
from collections.abc import Iterable
from decimal import Decimal

from contracts.decisions import Decision
from contracts.enums import Action, OrderClass, OrderStatus, OrderType, Outcome, Side
from contracts.ids import EXTERNAL, OPERATOR, Symbol
from contracts.limits import LimitOverride
from contracts.orders import OrderTerms
from contracts.values import ZERO
from projections.account import AccountState
from projections.books import Book
from projections.exposure import Totals, with_working, worst
from projections.order_state import OrderState
from projections.resting import Resting

PEOPLE = {OPERATOR, EXTERNAL}


def recomputed(state: AccountState) -> Totals:
    """Sum exposure from orders and positions alone."""
    gross = long = short = ZERO
    for symbol, one in state.exposure.symbols.items():
        position = state.positions.get(symbol)
        bare = type(one)(position_qty=position.qty if position else ZERO, mark_price=one.mark_price)
        for side in Side:
            bare = with_working(bare, side, *still_working(state.orders.values(), symbol, side))
        case = worst(bare)
        gross, long, short = gross + case.exposure_usd, long + case.net_long_usd, short + case.net_short_usd
    return Totals(gross_usd=gross, long_usd=long, short_usd=short)


def still_working(orders: Iterable[OrderState], symbol: Symbol, side: Side) -> tuple[Decimal, Decimal]:
    """Sum what may still fill on one side, and its worst value; of exits that cancel one another only the largest."""
    groups: dict[str, list[tuple[Decimal, Decimal]]] = {}
    for order in orders:
        if (order.terms.symbol, order.terms.side) == (symbol, side):
            groups.setdefault(order.group_id or order.order_id, []).append(may_fill(order))
    tops = [(max(qty for qty, _ in group), max(usd for _, usd in group)) for group in groups.values()]
    return sum((qty for qty, _ in tops), ZERO), sum((usd for _, usd in tops), ZERO)


def may_fill(order: OrderState) -> tuple[Decimal, Decimal]:
    """Give what may still fill of one order under either of its terms, and its value at the worse price."""
    if order.is_terminal or order.status is OrderStatus.HELD:
        return ZERO, ZERO
    terms = [(order.terms.qty, order.worst_price)]
    if order.replacement is not None:
        terms.append((order.replacement.terms.qty, order.replacement.worst_price))
    left = max(max(qty for qty, _ in terms) - order.filled_qty, ZERO)
    return left, left * max(price for _, price in terms)


def assert_books_agree(state: AccountState) -> None:
    """Hold what every owner's book says against the owner's own orders, and the parts against the whole."""
    orders = list(state.orders.values())
    for name, book in state.agents.books.items():
        _assert_book(book, [order for order in orders if order.agent == name and order.agent not in PEOPLE])
    for name, book in state.strategies.books.items():
        _assert_book(book, [order for order in orders if order.strategy == name])
    for family in (state.agents, state.strategies):
        for symbol in state.positions:
            parts = sum((book.exposure.of(symbol).position_qty for book in family.books.values()), ZERO)
            assert family.owned.get(symbol, ZERO) == parts
    assert state.open_orders == sum(not order.is_terminal for order in orders)
    unknown = Counter(order.terms.symbol for order in orders if order.status is OrderStatus.UNKNOWN)
    assert {symbol: count for symbol, count in state.unknown_orders.items() if count} == unknown


def _assert_book(book: Book, orders: list[OrderState]) -> None:
    assert book.open_orders == sum(not order.is_terminal for order in orders)
    gross = ZERO
    for symbol, one in book.exposure.symbols.items():
        assert (one.buy_qty, one.buy_notional_usd) == still_working(orders, symbol, Side.BUY)
        assert (one.sell_qty, one.sell_notional_usd) == still_working(orders, symbol, Side.SELL)
        position = book.positions.get(symbol)
        assert one.position_qty == (position.qty if position else ZERO)
        gross += worst(one).exposure_usd
    assert book.exposure.totals.gross_usd == gross


def assert_resting_agrees(state: AccountState) -> None:
    """Hold what rests against a look at every order."""
    found: dict[tuple[Symbol, Side, str], Counter[Decimal]] = {}
    for order in state.orders.values():
        if order.is_terminal or order.status is OrderStatus.HELD:
            continue
        for terms in [order.terms] if order.replacement is None else [order.terms, order.replacement.terms]:
            kind = _kind(order, terms)
            if kind is not None:
                price = ZERO if terms.limit_price is None else terms.limit_price
                found.setdefault((terms.symbol, terms.side, kind), Counter())[price] += 1
    assert found == {place: ladder for place, ladder in _shown(state) if ladder}


def _kind(order: OrderState, terms: OrderTerms) -> str | None:
    stands_alone = (
        order.group_id is None
        and terms.order_class is OrderClass.SIMPLE
        and terms.order_type is not OrderType.TRAILING_STOP
    )
    if terms.limit_price is not None:
        return "alone" if stands_alone else "exempt"
    return "takers" if stands_alone else None


def _shown(state: AccountState) -> Iterable[tuple[tuple[Symbol, Side, str], Counter[Decimal]]]:
    for symbol, resting in state.resting.items():
        assert resting != Resting()
        for side in Side:
            rest = resting.side(side)
            yield (symbol, side, "alone"), Counter(dict(rest.alone))
            yield (symbol, side, "exempt"), Counter(dict(rest.exempt))
            yield (symbol, side, "takers"), Counter({ZERO: rest.takers} if rest.takers else {})


def assert_spending_agrees(state: AccountState) -> None:
    """Hold what the broker may not count yet against every order that it has not confirmed."""
    unseen = buys = ZERO
    for order in state.orders.values():
        left, usd = may_fill(order)
        if left and not order.reduces:
            stands = max(order.terms.qty - order.filled_qty, ZERO) * order.worst_price
            unseen += usd if order.broker_order_id is None else max(usd - stands, ZERO)
    for symbol in {order.terms.symbol for order in state.orders.values()}:
        buys += still_working(state.orders.values(), symbol, Side.BUY)[1]
    assert (state.spent.unseen_usd, state.spent.buys_usd) == (unseen, buys)
    assert min(state.spent.seen_usd, state.spent.seen_before_usd) >= 0


def spent_by(decision: Decision, before: AccountState) -> Decimal:
    """Give what an approval adds to the day's turnover."""
    reservation = decision.reservation
    if decision.outcome is not Outcome.APPROVED or reservation is None or reservation.reduces:
        return ZERO
    if decision.action is Action.SUBMIT:
        return reservation.qty * reservation.price_usd
    order = None if decision.order_id is None else before.orders.get(decision.order_id)
    if order is None or order.reduces:
        return ZERO
    return max(reservation.qty * reservation.price_usd - order.terms.qty * order.worst_price, ZERO)


def tightest(layers: Iterable[LimitOverride | None], name: str, otherwise: Decimal | None) -> Decimal | None:
    """Give the smallest of a limit in some layers."""
    known = [getattr(layer, name) for layer in layers if layer is not None]
    return min((limit for limit in (*known, otherwise) if limit is not None), default=None)
