"""Invariant 2, plainly: right after an approval of new risk nothing is above any limit of any layer over it."""

from collections.abc import Iterable
from decimal import Decimal

from contracts.decisions import Decision
from contracts.enums import Action, Outcome, Side
from contracts.limits import LimitOverride
from contracts.scopes import ACCOUNT, FIRM, agent_scope, strategy_scope, symbol_scope
from contracts.values import ZERO
from projections.account import AccountState
from projections.books import Book
from projections.exposure import Exposure, worst
from tests.model.naive_ledger import PEOPLE, tightest

type Layers = list[LimitOverride | None]
BROKER_STOP = Decimal(6)


def assert_within(state: AccountState, decision: Decision) -> None:
    """Hold the books against every limit that a decision with new risk was made under."""
    reservation, limits = decision.reservation, state.limits
    assert decision.outcome is Outcome.APPROVED
    assert limits is not None
    if reservation is None or reservation.reduces:
        return
    layer = state.standing.layer
    wide = [layer(FIRM), layer(ACCOUNT)]
    over = [*wide, layer(symbol_scope(reservation.symbol))]
    account: Layers = [LimitOverride(**_shared(limits)), *wide]
    _assert_exposure(state.exposure, decision, account, [account[0], *over])
    _assert_day(state.day.turnover_usd, state.open_orders, decision, account)
    _assert_portfolio(state, decision)
    agent = decision.agent if decision.action is Action.SUBMIT else _owner(state, decision)
    if agent not in PEOPLE:
        mandate = state.standing.mandate(agent)  # pyright: ignore[reportArgumentType]
        assert agent not in state.standing.mandates or mandate is not None
        assert mandate is None or mandate.symbols is None or reservation.symbol in mandate.symbols
        held = [layer(agent_scope(agent)), None if mandate is None else mandate.limits]
        budget = None if mandate is None else mandate.budget_per_day_usd
        _assert_book(state.agents.book(agent), decision, [*held, LimitOverride(max_turnover_usd=budget)])
    if decision.strategy is not None:
        _assert_book(state.strategies.book(decision.strategy), decision, [layer(strategy_scope(decision.strategy))])


def _owner(state: AccountState, decision: Decision) -> str:
    assert decision.order_id is not None
    return state.orders[decision.order_id].agent


def _shared(limits: object) -> dict[str, object]:
    names = LimitOverride.__struct_fields__
    return {name: getattr(limits, name) for name in names}


def _assert_book(book: Book, decision: Decision, layers: Layers) -> None:
    _assert_exposure(book.exposure, decision, layers, layers)
    _assert_day(book.turnover_usd, book.open_orders, decision, layers)


def _assert_exposure(exposure: Exposure, decision: Decision, layers: Layers, over_symbol: Layers) -> None:
    reservation = decision.reservation
    assert reservation is not None
    side: Side = reservation.side
    case = worst(exposure.of(reservation.symbol))
    _at_most(case.side_usd(side), over_symbol, "max_position_notional_usd")
    _at_most(exposure.totals.gross_usd, layers, "max_gross_exposure_usd")
    _at_most(exposure.totals.net_side_usd(side), layers, "max_net_exposure_usd")


def _assert_day(turnover_usd: Decimal, open_orders: int, decision: Decision, layers: Layers) -> None:
    _at_most(turnover_usd, layers, "max_turnover_usd")
    if decision.action is Action.SUBMIT:
        _at_most(Decimal(open_orders), layers, "max_open_orders")


def _at_most(value: Decimal, layers: Iterable[LimitOverride | None], name: str) -> None:
    limit = tightest(layers, name, None)
    assert limit is None or value <= limit, (name, value, limit)


def _assert_portfolio(state: AccountState, decision: Decision) -> None:
    limits, reservation, seen = state.limits, decision.reservation, state.observed
    assert limits is not None
    assert reservation is not None
    assert seen is not None
    case = worst(state.exposure.of(reservation.symbol))
    if limits.max_concentration_pct is not None:
        assert case.side_usd(reservation.side) <= seen.equity_usd * min(
            limits.max_concentration_pct / 100, BROKER_STOP
        )
    if limits.max_leverage is not None:
        assert state.exposure.totals.gross_usd <= seen.equity_usd * min(limits.max_leverage, BROKER_STOP)
    if limits.max_sector_exposure_usd is not None:
        for sector in limits.sectors:
            if reservation.symbol in sector.symbols:
                usd = (worst(state.exposure.of(symbol)).exposure_usd for symbol in sector.symbols)
                assert sum(usd, ZERO) <= limits.max_sector_exposure_usd
    if limits.min_buying_power_usd is not None and _takes_more(decision, state):
        assert seen.buying_power_usd - state.spent.power_usd >= limits.min_buying_power_usd
    if limits.min_cash_usd is not None and reservation.side is Side.BUY and _takes_more(decision, state):
        assert seen.cash_usd - state.spent.cash_usd >= limits.min_cash_usd


def _takes_more(decision: Decision, state: AccountState) -> bool:
    """An exit that is given new terms takes no buying power of its own, and is not held against it."""
    order = None if decision.order_id is None else state.orders.get(decision.order_id)
    return order is not None and not order.reduces
