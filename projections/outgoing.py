"""What an account and its agents make go to the broker: how many messages, which orders lately, how much in a day."""

from datetime import datetime

from msgspec.structs import replace

from contracts.decisions import Decision, Reservation
from contracts.enums import Action
from contracts.ids import EXTERNAL, OPERATOR
from contracts.values import ZERO
from projections import books, pace, recent
from projections.account_state import AccountState
from projections.books import Family
from projections.order_state import OrderState

_PEOPLE = frozenset({OPERATOR, EXTERNAL})
"""They keep no book."""


def after_approval(state: AccountState, decision: Decision) -> AccountState:
    """Count the messages that an approval makes: an order, a change, a cancel, or as many cancels as it names."""
    count = len(decision.order_ids) if decision.action is Action.CANCEL_ALL else 1
    if decision.order_id is None and not decision.order_ids:
        return state
    at = decision.evidence.decided_at
    return replace(
        state,
        messages=pace.with_order(state.messages, at, count),
        replaces=pace.with_order(state.replaces, at) if decision.action is Action.REPLACE else state.replaces,
        agents=_counted(state.agents, decision, at, count),
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


def _counted(agents: Family, decision: Decision, at: datetime, count: int) -> Family:
    agent = decision.on_behalf_of or decision.agent
    if agent in _PEOPLE:
        return agents
    book = agents.book(agent)
    book = replace(book, messages=pace.with_order(book.messages, at, count))
    reservation = decision.reservation
    if decision.action is Action.SUBMIT and decision.terms is not None and reservation and not reservation.reduces:
        book = replace(book, recent=recent.with_order(book.recent, at, decision.terms))
    return replace(agents, books=agents.books.set(agent, book))
