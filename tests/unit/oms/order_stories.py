"""Orders and broker reports for tests of the OMS, said briefly."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from msgspec.structs import replace

from contracts.decisions import Decision, Evidence, Reservation
from contracts.enums import Action, OrderClass, OrderStatus, OrderType, Outcome, Side
from contracts.ids import AccountId, AgentId, IntentId, OrderId, Symbol, order_id_for
from contracts.intents import StopLoss, TakeProfit
from contracts.orders import AnyOrderEvent, OrderTerms
from projections.order_state import OrderState
from projections.orders import evolve
from services.oms.brokers.port import BrokerOrder, BrokerUpdate
from services.oms.decider import Command, Stamp, decide

NOW = datetime(2026, 11, 23, 14, 30, tzinfo=UTC)
ACCOUNT = AccountId("paper")
DEMO = AgentId("demo")
AAPL = Symbol("AAPL")
STAMP = Stamp(7, NOW)
BROKER_ID = "b-1"


def terms(qty: int | str = 100, side: Side = Side.BUY, limit: str | None = "12") -> OrderTerms:
    return OrderTerms(
        symbol=AAPL,
        side=side,
        order_type=OrderType.MARKET if limit is None else OrderType.LIMIT,
        qty=Decimal(qty),
        limit_price=None if limit is None else Decimal(limit),
    )


def order(status: OrderStatus = OrderStatus.WORKING, qty: int | str = 100, *, known: bool = True) -> OrderState:
    return OrderState(
        order_id=OrderId("lg-1"),
        agent=DEMO,
        intent_id=IntentId("i-1"),
        terms=terms(qty),
        worst_price=Decimal(12),
        reduces=False,
        status=status,
        resting=OrderStatus.WORKING,
        decision_seq=3,
        valid_until=NOW + timedelta(seconds=5),
        last_seq=4,
        broker_order_id=BROKER_ID if known else None,
    )


def unsent(qty: int | str = 100) -> OrderState:
    return order(OrderStatus.PENDING_SUBMIT, qty, known=False)


def report(
    status: str = "new", filled: int | str = 0, average: str | None = None, qty: int | str = 100
) -> BrokerOrder:
    return BrokerOrder(
        broker_order_id=BROKER_ID,
        client_order_id="lg-1",
        status=status,
        symbol=AAPL,
        side=Side.BUY,
        terms=terms(qty),
        filled_qty=Decimal(filled),
        filled_avg_price=None if average is None else Decimal(average),
        submitted_at=NOW,
    )


def update(event: str, shown: BrokerOrder, **facts: object) -> BrokerUpdate:
    return BrokerUpdate(event=event, order=shown, at=NOW, **facts)  # pyright: ignore[reportArgumentType]


def execution(
    number: int, qty: int | str, price: str, total: int | str, average: str, size: int | str = 100
) -> BrokerUpdate:
    whole = Decimal(total) >= Decimal(size)
    shown = report("filled" if whole else "partially_filled", total, average, size)
    event = "fill" if whole else "partial_fill"
    return update(event, shown, execution_id=f"e-{number}", qty=Decimal(qty), price=Decimal(price))


def after(state: OrderState, *commands: Command) -> OrderState:
    """Let commands happen to an order, one after the other."""
    for command in commands:
        for event in decide(state, command, STAMP):
            state = evolve(state, event, state.last_seq + 1)
    return state


def events(state: OrderState, command: Command) -> list[AnyOrderEvent]:
    return decide(state, command, STAMP)


def names(written: list[AnyOrderEvent]) -> list[str]:
    return [type(event).__name__ for event in written]


def decision(
    intent: str,
    order_terms: OrderTerms | None = None,
    *,
    at: datetime = NOW,
    reduces: bool = False,
    epoch: int = 1,
    agent: AgentId = DEMO,
) -> Decision:
    """Approve a submit."""
    wanted = order_terms or terms(10)
    price = wanted.limit_price or Decimal(100)
    return Decision(
        epoch=epoch,
        at=at,
        correlation_id=intent,
        agent=agent,
        intent_id=IntentId(intent),
        action=Action.SUBMIT,
        outcome=Outcome.APPROVED,
        order_id=order_id_for(ACCOUNT, agent, IntentId(intent)),
        terms=wanted,
        reservation=Reservation(
            symbol=wanted.symbol,
            side=wanted.side,
            qty=wanted.qty,
            price_usd=price,
            notional_usd=wanted.qty * price,
            reduces=reduces,
        ),
        evidence=Evidence(received_at=at, decided_at=at, trading_day=date(2026, 11, 23)),
        state_seq=0,
        limits_version=1,
        code_version="test",
        valid_until=at + timedelta(seconds=5),
    )


def cancel_decision(intent: str, order_id: OrderId, *, at: datetime = NOW, agent: AgentId = DEMO) -> Decision:
    """Approve a cancel."""
    return Decision(
        epoch=1,
        at=at,
        correlation_id=intent,
        agent=agent,
        intent_id=IntentId(intent),
        action=Action.CANCEL,
        outcome=Outcome.APPROVED,
        order_id=order_id,
        evidence=Evidence(received_at=at, decided_at=at, trading_day=date(2026, 11, 23)),
        state_seq=0,
        limits_version=1,
        code_version="test",
    )


def bracket(
    qty: int | str = 10,
    limit: str | None = "90",
    *,
    order_class: OrderClass = OrderClass.BRACKET,
    take: str | None = "120",
    stop: str | None = "80",
) -> OrderTerms:
    """An entry with its exits; both of them for a bracket."""
    return replace(
        terms(qty, limit=limit),
        order_class=order_class,
        take_profit=None if take is None else TakeProfit(limit_price=Decimal(take)),
        stop_loss=None if stop is None else StopLoss(stop_price=Decimal(stop)),
    )


def replace_decision(
    intent: str,
    order_id: OrderId,
    new_terms: OrderTerms,
    *,
    at: datetime = NOW,
    agent: AgentId = DEMO,
) -> Decision:
    """Approve new terms for an order."""
    approved = decision(intent, new_terms, at=at, agent=agent)
    return replace(approved, action=Action.REPLACE, order_id=order_id)


def cancel_all_decision(intent: str, order_ids: tuple[OrderId, ...], *, at: datetime = NOW) -> Decision:
    """Approve a cancel of several orders."""
    canceled = cancel_decision(intent, OrderId(""), at=at)
    return replace(canceled, action=Action.CANCEL_ALL, order_id=None, order_ids=order_ids)
