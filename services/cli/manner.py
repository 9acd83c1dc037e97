"""How a command states an intent: who states it, under which id, and how what becomes of it is shown."""

import asyncio
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from contracts.decisions import Decision
from contracts.enums import Outcome
from contracts.ids import IntentId, is_token
from contracts.intents import Intent
from services.cli.credential_files import agent_path, operator_path
from services.cli.lines import amount, text_of
from services.cli.link import linked, participant_at
from services.cli.outcome import FAILED, OK, UsageError
from services.cli.sizing_text import sizing_lines
from services.cli.stating import Statement
from services.cli.terminal import AsJson, Home, chosen_home, console, say_json
from services.runtime.ids import new_intent_id

DEMO = "demo"
STRATEGY = "lockgate-cli"
Reason = Annotated[str | None, Parameter(help="Why, for the record.")]
Number = Annotated[str, Parameter(allow_leading_hyphen=True)]
"""A negative one is for risk to deny, on the record."""


@dataclass(frozen=True, kw_only=True)
class Manner:
    """Who states an intent, under which id, and how the answer is shown."""

    intent_id: Annotated[str | None, Parameter(help="1 to 64 letters, digits, _ or -; else a new one.")] = None
    agent_credentials: Annotated[Path | None, Parameter(help="Credentials file of who states it.")] = None
    wait: Annotated[bool, Parameter(negative="", help="Go on until the order has come to its end.")] = False
    home: Home = None
    as_json: AsJson = False


FlatManner = Annotated[Manner, Parameter(name="*")]
PLAIN = Manner()


def state_as_agent(intent: Intent, manner: Manner) -> int:
    """State an intent as the agent `demo`, or whose credentials are given; show the decision, give the exit code."""
    return _run(manner.agent_credentials or agent_path(chosen_home(manner.home), DEMO), intent, manner)


def state_as_operator(intent: Intent, manner: Manner) -> int:
    """State an intent as the operator, or whose credentials are given; show the decision, give the exit code."""
    return _run(manner.agent_credentials or operator_path(chosen_home(manner.home)), intent, manner)


def _run(path: Path, intent: Intent, manner: Manner) -> int:
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
    return OK if approved or decision.outcome is Outcome.WOULD_APPROVE else FAILED


async def _follow(statement: Statement, decision: Decision, manner: Manner) -> list[msgspec.Struct]:
    """Show the orders' events as they come, and give them all."""
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
    if decision.sizing is not None:
        for line in sizing_lines(decision.sizing):
            terminal.tell(line)


def chosen_id(manner: Manner) -> IntentId:
    """Give the id under which to state an intent."""
    given = manner.intent_id
    if given is None:
        return new_intent_id()
    if not is_token(given):
        raise UsageError(f"--intent-id {given!r} must be 1 to 64 letters, digits, _ or -")
    return IntentId(given)


def number(name: str, text: str | None) -> Decimal | None:
    """Read a number from the line; whether it makes sense, risk says."""
    if text is None:
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        raise UsageError(f"{name} {text!r} is not a number") from None
