"""What an account and its agents make go to the broker: how many messages, which orders lately, how much in a day."""

from collections import Counter
from datetime import datetime

from msgspec.structs import replace

from contracts.decisions import Decision, Reservation
from contracts.enums import Action
from contracts.ids import EXTERNAL, OPERATOR, OrderId
from contracts.values import ZERO
from projections import books, pace, recent
from projections.account_state import AccountState
from projections.books import Family
from projections.order_state import OrderState

_PEOPLE = frozenset({OPERATOR, EXTERNAL})
"""They keep no book."""


def after_approval(state: AccountState, decision: Decision) -> AccountState:
    """Count the messages that an approval makes: an order, a change, a cancel, or as many cancels as it names."""
    named = decision.order_ids if decision.order_id is None else (decision.order_id,)
    if not named:
        return state
    at, agent = decision.evidence.decided_at, decision.on_behalf_of or decision.agent
    agents, strategies = state.agents, state.strategies
    if agent not in _PEOPLE:
        agents = _with_messages(agents, agent, at, len(named))
        agents = _with_recent(agents, agent, decision)
    for strategy, count in _strategies(state, decision, named):
        strategies = _with_messages(strategies, strategy, at, count)
    return replace(
        state,
        messages=pace.with_order(state.messages, at, len(named)),
        replaces=pace.with_order(state.replaces, at) if decision.action is Action.REPLACE else state.replaces,
        agents=agents,
        strategies=strategies,
    )


def after_change(state: AccountState, order: OrderState, reservation: Reservation, at: datetime) -> AccountState:
    """Count approved new terms: in the pace, and as turnover what they add; what is worth less gives none back."""
    more_usd = ZERO if reservation.reduces else reservation.notional_usd - order.terms.qty * order.worst_price
    more_usd = max(more_usd, ZERO)
    agent, strategy = names_of(order)
    return replace(
        state,
        pace=pace.with_order(state.pace, at),
        day=replace(state.day, turnover_usd=state.day.turnover_usd + more_usd) if more_usd else state.day,
        agents=books.with_change(state.agents, agent, more_usd, at),
        strategies=books.with_change(state.strategies, strategy, more_usd, at),
    )


def names_of(order: OrderState) -> tuple[str | None, str | None]:
    """Name the agent and the strategy in whose books an order stands."""
    return None if order.agent in _PEOPLE else order.agent, order.strategy


def _strategies(state: AccountState, decision: Decision, named: tuple[OrderId, ...]) -> list[tuple[str, int]]:
    """Say of which strategies the named orders are, and how many of each."""
    if decision.action is Action.SUBMIT:
        return [] if decision.strategy is None else [(decision.strategy, 1)]
    known = (state.orders.get(order_id) for order_id in named)
    return sorted(Counter(order.strategy for order in known if order is not None and order.strategy).items())


def _with_messages(family: Family, name: str, at: datetime, count: int) -> Family:
    book = family.book(name)
    return replace(
        family, books=family.books.set(name, replace(book, messages=pace.with_order(book.messages, at, count)))
    )


def _with_recent(agents: Family, agent: str, decision: Decision) -> Family:
    """Remember a new order that does not only reduce."""
    terms, reservation = decision.terms, decision.reservation
    if decision.action is not Action.SUBMIT or terms is None or reservation is None or reservation.reduces:
        return agents
    book = agents.book(agent)
    known = recent.with_order(book.recent, decision.evidence.decided_at, terms)
    return replace(agents, books=agents.books.set(agent, replace(book, recent=known)))
