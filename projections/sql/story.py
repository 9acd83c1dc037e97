"""The whole story of one intent or order: asked, decided, sent, filled, and what the account held after."""

from collections.abc import Callable

from contracts.base import Value
from contracts.broker import PositionAdopted
from contracts.decisions import Decision, Headroom
from contracts.enums import Action, Outcome
from contracts.ids import AgentId, IntentId, OrderId, Symbol
from contracts.intents import Intent
from contracts.orders import AnyOrderEvent, OrderAdopted, OrderEvent, OrderFilled, OrderLegAdded
from projections import order_state, orders, positions
from projections.order_state import OrderState
from projections.positions import Position
from projections.sql.database import Reader
from projections.sql.trail import TrailEvent, named
from projections.trail import intent_of


class AmbiguousIdError(Exception):
    """Several agents used this intent id; `agents` says which, one of them must be named."""

    def __init__(self, intent_id: str, agents: tuple[str, ...]) -> None:
        """Remember whose intents carry the id."""
        super().__init__(f"intent {intent_id} exists for several agents: {', '.join(agents)}")
        self.agents = agents


class Story(Value, frozen=True, kw_only=True):
    """One intent or order from its first event to its last, in journal order.

    `asked` is the intent's decision (for an order id: the approval the order came from; none for an adopted
    order); `intent` is None when the agent's bytes were no valid intent. `others` are what else names the order:
    further decisions such as cancels, and breaks of the books. `position_after` is the symbol's position up to
    `last_seq`, quantities in shares, money in USD; `headroom_after` is what the decision left under each limit.
    """

    agent: AgentId | None
    intent_id: IntentId | None
    order_id: OrderId | None
    symbol: Symbol | None
    last_seq: int
    asked: TrailEvent | None = None
    decision: Decision | None = None
    intent: Intent | None = None
    others: tuple[TrailEvent, ...] = ()
    order_events: tuple[TrailEvent, ...] = ()
    fills: tuple[OrderFilled, ...] = ()
    order: OrderState | None = None
    position_before: Position | None = None
    position_after: Position | None = None
    headroom_after: Headroom | None = None


def story(connection: Reader, story_id: str, agent: AgentId | None = None) -> Story | None:
    """Tell the story of an intent id or an order id; None when the trail knows neither.

    Intent ids are unique for one agent only: raises `AmbiguousIdError` when several used this one and `agent`
    does not say which is meant.
    """
    asked = _decision_on(connection, story_id, agent)
    if asked is not None:
        words = _persons_words(connection, asked)
        order_ids = (row.order_id for row in (asked, *words) if row.order_id is not None)
        return _told(connection, asked, next(order_ids, None), words)
    rows = named(connection, "rows_of_order", {"order_id": story_id})
    if not rows or (agent is not None and agent not in {row.agent for row in rows}):
        return None
    return _told(connection, next((row for row in rows if _begins_order(row)), None), OrderId(story_id))


def _decision_on(connection: Reader, intent_id: str, agent: AgentId | None) -> TrailEvent | None:
    found = named(connection, "decisions_on_intent", {"intent_id": intent_id, "agent": agent})
    agents = tuple(dict.fromkeys(str(row.agent) for row in found))
    if len(agents) > 1:
        raise AmbiguousIdError(intent_id, agents)
    # A void decision (its writer had lost the right) only tells the story when no valid one follows it.
    return next((row for row in found if row.admitted), found[0] if found else None)


def _persons_words(connection: Reader, asked: TrailEvent) -> tuple[TrailEvent, ...]:
    """Find what was decided on an operator's word about an intent that waited for a person."""
    if not isinstance(asked.event, Decision) or asked.event.outcome is not Outcome.HELD:
        return ()
    found = named(connection, "decisions_in_story", {"intent_id": asked.intent_id})
    return tuple(row for row in found if isinstance(row.event, Decision) and row.event.on_behalf_of == asked.agent)


def _told(
    connection: Reader, asked: TrailEvent | None, order_id: OrderId | None, words: tuple[TrailEvent, ...] = ()
) -> Story:
    decision = asked.event if asked is not None and isinstance(asked.event, Decision) else None
    rows = named(connection, "rows_of_order", {"order_id": order_id}) if order_id else ()
    others = {row.seq: row for row in (*rows, *words) if not isinstance(row.event, OrderEvent) and row != asked}
    order_events = tuple(row for row in rows if isinstance(row.event, OrderEvent))
    told = (*rows, *words, asked) if asked is not None else rows
    first_seq, last_seq = min(row.seq for row in told), max(row.seq for row in told)
    symbol = next((row.symbol for row in told if row.symbol is not None), None)
    order = order_of(rows, lambda parent_id: order_at(connection, parent_id))
    head = asked or order_events[0]
    return Story(
        agent=head.agent,
        intent_id=head.intent_id,
        order_id=order_id,
        symbol=symbol,
        last_seq=last_seq,
        asked=asked,
        decision=decision,
        intent=intent_of(decision) if decision else None,
        others=tuple(others[seq] for seq in sorted(others)),
        order_events=order_events,
        fills=_fills(order_events),
        order=order,
        position_before=_position(connection, symbol, first_seq),
        position_after=_position(connection, symbol, last_seq),
        headroom_after=decision.headroom if decision else None,
    )


def _begins_order(row: TrailEvent) -> bool:
    return (
        row.admitted and isinstance(row.event, Decision) and order_state.order_from_decision(row.event, 0) is not None
    )


def order_of(rows: tuple[TrailEvent, ...], parent_of: Callable[[OrderId], OrderState | None]) -> OrderState | None:
    """Fold an order out of its rows, oldest first; void rows do not count. A leg's life begins from its parent's."""
    order: OrderState | None = None
    for row in rows:
        if not row.admitted:
            continue
        if order is None:
            order = _begun(row, parent_of)
        elif isinstance(row.event, Decision):
            order = _replaced(order, row.event, row.seq)
        elif isinstance(row.event, OrderEvent):
            order = orders.evolve(order, _order_event(row.event), row.seq)
    return order


def _begun(row: TrailEvent, parent_of: Callable[[OrderId], OrderState | None]) -> OrderState | None:
    match row.event:
        case Decision() as decision:
            return order_state.order_from_decision(decision, row.seq)
        case OrderAdopted() as adoption:
            return order_state.order_from_adoption(adoption, row.seq)
        case OrderLegAdded(parent_id=parent_id) as leg:
            return order_state.order_from_leg(leg, parent_of(parent_id), row.seq)
        case _:
            return None


def _replaced(order: OrderState, decision: Decision, seq: int) -> OrderState:
    approved = decision.action is Action.REPLACE and decision.outcome is Outcome.APPROVED
    return order_state.with_replacement(order, decision, seq) if approved else order


def order_at(connection: Reader, order_id: OrderId) -> OrderState | None:
    """Fold an order as all its rows tell it; None when none begins it."""
    rows = named(connection, "rows_of_order", {"order_id": order_id})
    return order_of(rows, lambda parent_id: order_at(connection, parent_id))


def _order_event(event: OrderEvent) -> AnyOrderEvent:
    return event  # pyright: ignore[reportReturnType] - every decodable order event is one of the union


def _fills(order_events: tuple[TrailEvent, ...]) -> tuple[OrderFilled, ...]:
    """Pick the fills that count: each execution once."""
    valid = (row.event for row in order_events if row.admitted)
    found = {fill.fill_id: fill for fill in reversed([e for e in valid if isinstance(e, OrderFilled)])}
    return tuple(reversed(found.values()))


def _position(connection: Reader, symbol: Symbol | None, upto_seq: int) -> Position | None:
    """Fold what fills and adoptions made of a symbol; None when the story has no symbol."""
    if symbol is None:
        return None
    position = Position(symbol=symbol)
    counted: set[tuple[OrderId, str]] = set()
    for row in named(connection, "position_changes_upto", {"symbol": symbol, "seq": upto_seq}):
        match row.event:
            case OrderFilled(order_id=order_id, fill_id=fill_id) as fill if (order_id, fill_id) not in counted:
                counted.add((order_id, fill_id))
                change = positions.signed(fill.side, fill.qty)
                position = positions.after_fill(position, change, fill.price)
            case PositionAdopted(qty=qty, price=price):
                position = positions.adopted(position, qty, price)
            case _:
                continue
    return position
