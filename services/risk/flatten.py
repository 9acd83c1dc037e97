"""Which closing orders a flatten needs now: positions in its scope that nothing is closing yet."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple

from contracts import subjects
from contracts.codec import encode
from contracts.enums import OrderType, Side
from contracts.ids import OPERATOR, AccountId, AgentId, IntentId, Symbol
from contracts.intents import IntentMeta, SubmitIntent
from contracts.scopes import ScopeKind, parse_scope
from contracts.values import ZERO
from projections.account import AccountState
from projections.books import Book
from projections.exposure import SymbolExposure
from projections.standing import Kill
from services.risk.answer import Stated

FIRST_WAIT_MS, LAST_WAIT_MS = 250, 5_000
"""Between two closing orders for one position: doubled with each, because the one before ended without closing it."""


class _Closing(NamedTuple):
    """Signed shares to close, and whose they are, if that is known."""

    symbol: Symbol
    qty: Decimal
    owner: AgentId | None


class ClosingPace:
    """Keeps a flatten from stating orders faster than their answers can come."""

    def __init__(self) -> None:
        """Begin with nothing stated."""
        self._due_ms: dict[str, tuple[int, int]] = {}

    def lets(self, name: str, now_ms: int) -> bool:
        """Say whether another order for a position may be stated at a monotonic time, and count it."""
        due_ms, wait_ms = self._due_ms.get(name, (now_ms, FIRST_WAIT_MS))
        if now_ms < due_ms:
            return False
        self._due_ms[name] = (now_ms + wait_ms, min(wait_ms * 2, LAST_WAIT_MS))
        return True

    def forget(self) -> None:
        """Begin anew, once no switch says flatten."""
        self._due_ms.clear()


def closing_intents(
    state: AccountState, account: AccountId, read_seq: int, pace: ClosingPace, now_ms: int
) -> Iterator[Stated]:
    """Yield one market order for each position in a flatten's scope that has no working order left.

    The order is stated as the operator's own intent, so that it is decided and recorded like any other; an agent's
    is stated for that agent, so that its fill is the agent's, and a strategy's for an agent that traded it today. Its
    id names the kill and the journal sequence at which the position was seen, so a repeat is the same intent. What
    would turn the account's own position around stays.
    """
    flattens = [kill for _, kill in sorted(state.standing.kills.items()) if kill.flattens]
    if not flattens:
        pace.forget()
        return
    taken: set[Symbol] = set()  # one order for each symbol at a time, whichever scope asks for it
    for kill in flattens:
        for symbol, held in sorted(_in_scope(state, kill).items()):
            qty = _closable(state.exposure.of(symbol), held)
            name = f"flatten-{kill.seq}-{_token(symbol)}"
            if not qty or symbol in taken or not pace.lets(name, now_ms):
                continue
            taken.add(symbol)
            owner = _owner(state, kill, symbol, qty)
            closing = _Closing(symbol, _part_of(state, owner, symbol, qty), owner)
            yield _stated(account, kill, closing, IntentId(f"{name}-{read_seq}"))


def _in_scope(state: AccountState, kill: Kill) -> Mapping[Symbol, SymbolExposure]:
    """Give what a scope holds and has working, by symbol."""
    kind, name = parse_scope(kill.event.scope)
    match kind:
        case ScopeKind.AGENT:
            return _of_book(state.agents.book(name))
        case ScopeKind.STRATEGY:
            return _of_book(state.strategies.book(name))
        case ScopeKind.SYMBOL:
            return {Symbol(name): state.exposure.of(Symbol(name))}
        case ScopeKind.FIRM | ScopeKind.ACCOUNT:
            return {symbol: state.exposure.of(symbol) for symbol in state.positions}


def _of_book(book: Book) -> Mapping[Symbol, SymbolExposure]:
    return {symbol: book.exposure.of(symbol) for symbol in book.positions}


def _closable(all_of_it: SymbolExposure, held: SymbolExposure) -> Decimal:
    """Give the signed shares to close: none while an order works in the scope, or would open in the account."""
    if not held.position_qty or held.buy_qty or held.sell_qty:
        return ZERO
    side = _side(held.position_qty)
    qty = min(abs(held.position_qty), all_of_it.reducible_qty(side))
    return qty if held.position_qty > 0 else -qty


def _owner(state: AccountState, kill: Kill, symbol: Symbol, qty: Decimal) -> AgentId | None:
    """Name whose shares are closed: the agent's, or those of an agent that traded the strategy and holds some."""
    kind, name = parse_scope(kill.event.scope)
    if kind is ScopeKind.AGENT:
        return AgentId(name)
    if kind is not ScopeKind.STRATEGY:
        return None
    traded = {
        order.agent
        for order in state.orders.values()
        if order.strategy == name and order.terms.symbol == symbol and order.filled_qty
    }
    return next((agent for agent in sorted(traded) if _part_of(state, agent, symbol, qty)), None)


def _part_of(state: AccountState, owner: AgentId | None, symbol: Symbol, qty: Decimal) -> Decimal:
    """Give how many of the shares to close are the owner's own and free; all where nobody is named."""
    if owner is None:
        return qty
    free = state.agents.book(owner).exposure.of(symbol).reducible_qty(_side(qty))
    return min(qty, free) if qty > 0 else max(qty, -free)


def _side(position_qty: Decimal) -> Side:
    return Side.SELL if position_qty > 0 else Side.BUY


def _token(symbol: Symbol) -> str:
    return subjects.quote(symbol).split(".", 1)[1].replace("/", "-")


def _stated(account: AccountId, kill: Kill, closing: _Closing, intent_id: IntentId) -> Stated:
    kind, name = parse_scope(kill.event.scope)
    strategy = name if kind is ScopeKind.STRATEGY else None
    intent = SubmitIntent(
        intent_id=intent_id,
        symbol=closing.symbol,
        side=_side(closing.qty),
        order_type=OrderType.MARKET,
        qty=abs(closing.qty),
        meta=IntentMeta(strategy=strategy, reason=f"flatten {kill.event.scope}: {kill.event.reason}"[:2000]),
    )
    return Stated(
        account=account,
        agent=OPERATOR,
        intent_id=intent_id,
        body=encode(intent),
        seq=0,
        closes_for=closing.owner,
    )
