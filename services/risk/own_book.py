"""One order measured against the own book of its agent, or of its strategy, where a layer or a mandate bounds it."""

from decimal import Decimal
from typing import NamedTuple

from contracts.enums import Side
from contracts.ids import EXTERNAL, OPERATOR, Symbol
from contracts.limits import LimitOverride
from contracts.scopes import Scope, agent_scope, strategy_scope
from projections.account import AccountState
from projections.books import Book
from projections.exposure import Totals, Worst, moved, with_position, with_working, worst
from projections.layers import Bounds
from projections.standing import Whose
from projections.working import Counted


class Change(NamedTuple):
    """What an order counts now and what it would count then, and the price at which its symbol is marked, if any."""

    symbol: Symbol
    side: Side
    now: Counted
    then: Counted
    mark_price: Decimal | None


class OwnBook(NamedTuple):
    """An owner's book with what bounds it: exposure without the order (`before`) and with it (`after`), USD."""

    scope: Scope
    limits: LimitOverride
    book: Book
    before: Worst
    after: Worst
    totals_before: Totals
    totals_after: Totals


class OwnBooks(NamedTuple):
    """The books that an order counts in and that something bounds."""

    agent: OwnBook | None = None
    strategy: OwnBook | None = None


UNBOUNDED = OwnBooks()


def own_books(state: AccountState, bounds: Bounds, whose: Whose, change: Change) -> OwnBooks:
    """Measure an order in the books of its agent and its strategy; what nothing bounds is not measured."""
    if bounds.agent is None and bounds.strategy is None:
        return UNBOUNDED
    agent = strategy = None
    if bounds.agent is not None and whose.agent not in {OPERATOR, EXTERNAL}:  # theirs belongs to no agent
        agent = _measured(agent_scope(whose.agent), bounds.agent, state.agents.book(whose.agent), change)
    if bounds.strategy is not None and whose.strategy is not None:
        book = state.strategies.book(whose.strategy)
        strategy = _measured(strategy_scope(whose.strategy), bounds.strategy, book, change)
    return OwnBooks(agent, strategy)


def _measured(scope: Scope, limits: LimitOverride, book: Book, change: Change) -> OwnBook:
    stored, (now, then) = book.exposure.of(change.symbol), (change.now, change.then)
    held = with_working(stored, change.side, -now.qty, -now.notional_usd)
    if change.mark_price is not None and held.position_qty:
        held = with_position(held, held.position_qty, change.mark_price)
    before = worst(held)
    after = worst(with_working(held, change.side, then.qty, then.notional_usd))
    totals = moved(book.exposure.totals, worst(stored), before)
    return OwnBook(scope, limits, book, before, after, totals, moved(totals, before, after))
