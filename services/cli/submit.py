"""`lockgate submit` and `lockgate cancel`: state an intent and show what became of it."""

import asyncio
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from contracts.decisions import Decision
from contracts.enums import OrderType, Outcome, Side, TimeInForce
from contracts.ids import IntentId, OrderId, Symbol, is_token
from contracts.intents import CancelIntent, Intent, IntentMeta, SubmitIntent
from services.cli.credential_files import agent_path, operator_path
from services.cli.lines import amount, text_of
from services.cli.link import linked, participant_at
from services.cli.outcome import FAILED, OK, UsageError
from services.cli.stating import Statement
from services.cli.terminal import AsJson, Home, as_it_is, chosen_home, console, say_json
from services.runtime.ids import new_intent_id

DEMO = "demo"
STRATEGY = "lockgate-cli"


Kind = Annotated[OrderType, Parameter(name="--type", name_transform=as_it_is, help="Order type.")]
Quantity = Annotated[str, Parameter(allow_leading_hyphen=True)]
"""A negative one is for risk to deny, on the record."""


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What is asked for beyond symbol, side and quantity."""

    kind: Kind = OrderType.MARKET
    limit_price: Annotated[str | None, Parameter(help="USD per share; makes it a limit order.")] = None
    tif: Annotated[TimeInForce, Parameter(name="--tif", help="How long the order stands.")] = TimeInForce.DAY
    reason: Annotated[str | None, Parameter(help="Why, for the record.")] = None


@dataclass(frozen=True, kw_only=True)
class Manner:
    """Who states an intent, under which id, and how the answer is shown."""

    intent_id: Annotated[str | None, Parameter(help="1 to 64 letters, digits, _ or -; else a new one.")] = None
    agent_credentials: Annotated[Path | None, Parameter(help="Credentials file of who states it.")] = None
    wait: Annotated[bool, Parameter(negative="", help="Go on until the order has come to its end.")] = False
    home: Home = None
    as_json: AsJson = False


FlatTerms = Annotated[Terms, Parameter(name="*")]
FlatManner = Annotated[Manner, Parameter(name="*")]
_MARKET = Terms()
_PLAIN = Manner()


def submit(
    symbol: str, side: Side, qty: Quantity, /, *, terms: FlatTerms = _MARKET, manner: FlatManner = _PLAIN
) -> int:
    """State an intent for one order over NATS, as the agent `demo` or another, and show the decision on it.

    The exit code is 0 when it was approved, 1 when it was not. The same --intent-id again changes nothing: it
    shows the decision of the first time.

    ```
    lockgate submit AAPL buy 10
    lockgate submit AAPL buy 10 --limit-price 189.12 --wait
    lockgate submit AAPL sell 10 --agent-credentials ~/.lockgate/credentials/agent-demo.json
    ```

    Args:
        symbol: What to trade.
        side: buy or sell.
        qty: How many shares.
        terms: The order's other terms.
        manner: Who states it and how the answer is shown.
    """
    limit_price = None if terms.limit_price is None else _number("--limit-price", terms.limit_price)
    intent = SubmitIntent(
        intent_id=_intent_id(manner),
        symbol=Symbol(symbol.upper()),
        side=side,
        order_type=terms.kind if limit_price is None else OrderType.LIMIT,
        qty=_number("QTY", qty),
        limit_price=limit_price,
        time_in_force=terms.tif,
        meta=IntentMeta(strategy=STRATEGY, reason=terms.reason),
    )
    path = manner.agent_credentials or agent_path(chosen_home(manner.home), DEMO)
    return asyncio.run(_state(path, intent, manner))


def cancel(order_id: str, /, *, manner: FlatManner = _PLAIN) -> int:
    """Ask to cancel an order: the operator may cancel anybody's, an agent its own.

    ```
    lockgate cancel lg-abc123 --wait
    ```

    Args:
        order_id: The order's id, as `submit` and `tail` show it.
        manner: Who asks and how the answer is shown.
    """
    meta = IntentMeta(strategy=STRATEGY)
    intent = CancelIntent(intent_id=_intent_id(manner), order_id=OrderId(order_id), meta=meta)
    path = manner.agent_credentials or operator_path(chosen_home(manner.home))
    return asyncio.run(_state(path, intent, manner))


async def _state(path: Path, intent: Intent, manner: Manner) -> int:
    who = participant_at(path)
    async with linked(who) as link:
        statement = Statement(link, who, intent)
        decision = await statement.decide()
        approved = decision.outcome is Outcome.APPROVED
        if not manner.as_json:
            _show_decision(decision, repeated=statement.repeated)
        events = await _follow(statement, decision, manner) if manner.wait and approved else []
    if manner.as_json:
        say_json({"decision": decision, "repeated": statement.repeated, "events": events})
    return OK if approved else FAILED


async def _follow(statement: Statement, decision: Decision, manner: Manner) -> list[msgspec.Struct]:
    """Show the order's events as they come, and give them all."""
    if statement.repeated:
        return []  # its events have been; `explain` tells them
    seen: list[msgspec.Struct] = []
    terminal = console()
    async for event in statement.until_over(decision):
        seen.append(event)
        if not manner.as_json:
            text, style = text_of(event)
            terminal.tell(text, style)
    return seen


def _show_decision(decision: Decision, *, repeated: bool) -> None:
    terminal = console()
    if repeated:
        terminal.tell("this intent id was used before; what was decided then:", "yellow")
    text, style = text_of(decision)
    terminal.tell(text, style)
    reason = decision.reason
    if reason is not None:
        terminal.tell(f"  {reason.message}")
        if reason.max_acceptable_qty is not None:
            terminal.tell(f"  at most {amount(reason.max_acceptable_qty)} shares would pass")


def _intent_id(manner: Manner) -> IntentId:
    given = manner.intent_id
    if given is None:
        return new_intent_id()
    if not is_token(given):
        raise UsageError(f"--intent-id {given!r} must be 1 to 64 letters, digits, _ or -")
    return IntentId(given)


def _number(name: str, text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise UsageError(f"{name} {text!r} is not a number") from None
