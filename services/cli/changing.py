"""`lockgate replace`, `cancel`, `cancel-all` and `close`: intents about orders and positions that there are."""

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from contracts.enums import TimeInForce
from contracts.ids import AgentId, OrderId, Symbol
from contracts.intents import CancelAllIntent, CancelIntent, CloseIntent, IntentMeta, ReplaceIntent
from services.cli.conditions import ALWAYS, FlatConditions, stated
from services.cli.manner import (
    PLAIN,
    STRATEGY,
    FlatManner,
    Reason,
    chosen_id,
    number,
    state_as_agent,
    state_as_operator,
)


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What is to change of an order."""

    qty: Annotated[str | None, Parameter(help="Shares in all, those filled included.", allow_leading_hyphen=True)] = (
        None
    )
    limit_price: Annotated[str | None, Parameter(help="USD per share.", allow_leading_hyphen=True)] = None
    stop_price: Annotated[str | None, Parameter(help="USD per share.", allow_leading_hyphen=True)] = None
    trail: Annotated[
        str | None, Parameter(help="USD or percent, as the order trails.", allow_leading_hyphen=True)
    ] = None
    tif: Annotated[TimeInForce | None, Parameter(name="--tif", help="How long the order stands.")] = None
    reason: Reason = None


EntriesOnly = Annotated[bool, Parameter(negative="")]
FlatChanges = Annotated[Changes, Parameter(name="*")]
_NOTHING = Changes()


def replace(
    order_id: str,
    /,
    *,
    changes: FlatChanges = _NOTHING,
    conditions: FlatConditions = ALWAYS,
    manner: FlatManner = PLAIN,
) -> int:
    """Ask for new terms of a working order: the operator of anybody's, an agent of its own. What is left out stays.

    Risk decides on what the order would become. It stays one order under its own id.

    ```
    lockgate replace lg-abc123 --limit-price 190 --wait
    lockgate replace lg-abc123 --qty 5 --tif gtc
    lockgate replace lg-abc123 --trail 1.5
    ```

    Args:
        order_id: The order's id, as `submit` and `tail` show it.
        changes: What is to change.
        conditions: What must still be so when risk decides.
        manner: Who asks and how the answer is shown.
    """
    intent = ReplaceIntent(
        intent_id=chosen_id(manner),
        order_id=OrderId(order_id),
        qty=number("--qty", changes.qty),
        limit_price=number("--limit-price", changes.limit_price),
        stop_price=number("--stop-price", changes.stop_price),
        trail=number("--trail", changes.trail),
        time_in_force=changes.tif,
        **stated(conditions),
        meta=IntentMeta(strategy=STRATEGY, reason=changes.reason),
    )
    return state_as_operator(intent, manner)


def cancel(order_id: str, /, *, reason: Reason = None, manner: FlatManner = PLAIN) -> int:
    """Ask to cancel an order: the operator may cancel anybody's, an agent its own.

    ```
    lockgate cancel lg-abc123 --wait
    ```

    Args:
        order_id: The order's id, as `submit` and `tail` show it.
        reason: Why, for the record.
        manner: Who asks and how the answer is shown.
    """
    meta = IntentMeta(strategy=STRATEGY, reason=reason)
    intent = CancelIntent(intent_id=chosen_id(manner), order_id=OrderId(order_id), meta=meta)
    return state_as_operator(intent, manner)


def cancel_all(
    *,
    symbol: str | None = None,
    agent: str | None = None,
    entries_only: EntriesOnly = False,
    reason: Reason = None,
    manner: FlatManner = PLAIN,
) -> int:
    """Ask to cancel every open order: the operator everybody's, an agent its own. That there is none is no failure.

    ```
    lockgate cancel-all
    lockgate cancel-all --symbol AAPL --wait
    lockgate cancel-all --agent demo --entries-only
    lockgate cancel-all --agent-credentials ~/.lockgate/credentials/agent-demo.json
    ```

    Args:
        symbol: Only the orders in this symbol.
        agent: Only the orders of this agent.
        entries_only: Leave working what reduces a position.
        reason: Why, for the record.
        manner: Who asks and how the answer is shown.
    """
    intent = CancelAllIntent(
        intent_id=chosen_id(manner),
        symbol=None if symbol is None else Symbol(symbol.upper()),
        agent=None if agent is None else AgentId(agent),
        entries_only=entries_only,
        meta=IntentMeta(strategy=STRATEGY, reason=reason),
    )
    return state_as_operator(intent, manner)


def close(
    symbol: str,
    /,
    *,
    qty: str | None = None,
    percent: str | None = None,
    conditions: FlatConditions = ALWAYS,
    reason: Reason = None,
    manner: FlatManner = PLAIN,
) -> int:
    """Close a position at the market, as the agent `demo` or another: all that working exits leave, or part of it.

    ```
    lockgate close AAPL --wait
    lockgate close AAPL --percent 50
    lockgate close AAPL --qty 2.5 --reason "half of it"
    ```

    Args:
        symbol: What is held.
        qty: So many shares.
        percent: So much of it, 100 at most.
        conditions: What must still be so when risk decides.
        reason: Why, for the record.
        manner: Who asks and how the answer is shown.
    """
    intent = CloseIntent(
        intent_id=chosen_id(manner),
        symbol=Symbol(symbol.upper()),
        qty=number("--qty", qty),
        percent=number("--percent", percent),
        **stated(conditions),
        meta=IntentMeta(strategy=STRATEGY, reason=reason),
    )
    return state_as_agent(intent, manner)
