"""`lockgate approvals`: the intents that wait for a person, and the person's word on each of them."""

import asyncio
from typing import Literal

from contracts.decisions import Decision
from contracts.ids import AccountId
from contracts.intents import ApprovalIntent, IntentMeta
from projections.held import NOTHING_HELD, Held, HeldIntent, held_after
from services.cli.controls import given_reason
from services.cli.lines import amount, terms_text
from services.cli.link import linked, operator_at
from services.cli.manner import PLAIN, STRATEGY, FlatManner, Manner, chosen_id, state_as_operator
from services.cli.outcome import OK, UsageError
from services.cli.source import events_of
from services.cli.terminal import chosen_home, console, say, say_json
from services.runtime.clock import SystemClock
from services.runtime.jetstream import JetStreamJournal

type What = Literal["list", "approve", "deny"]


def approvals(
    what: What,
    intent_id: str | None = None,
    /,
    *,
    agent: str | None = None,
    reason: str | None = None,
    manner: FlatManner = PLAIN,
) -> int:
    """Show the intents that wait for a person; let one go, or refuse it.

    Orders from the amount up that an agent's mandate names wait here, and nothing is set aside for them. One that is
    let go is decided again on the market of that moment, under every control; when that denies it, it goes on
    waiting until its time is over.

    ```
    lockgate approvals list
    lockgate approvals approve 7f0c --reason "looked at the news, fine"
    lockgate approvals deny 7f0c --agent demo --reason "too large for a Friday"
    ```

    Args:
        what: list, approve or deny.
        intent_id: The intent that waits.
        agent: Whose intent, when several agents used the same id.
        reason: Why, for the record; needed to approve and to deny.
        manner: How the answer is shown.
    """
    if what == "list":
        return _list(manner)
    if intent_id is None:
        raise UsageError(f"name the intent, as in `lockgate approvals {what} 7f0c`; `approvals list` shows them")
    why = given_reason(reason or "")
    chosen = _chosen(_waiting(manner), intent_id, agent)
    intent = ApprovalIntent(
        intent_id=chosen_id(manner),
        agent=chosen.agent,
        held_intent_id=chosen.intent_id,
        approve=what == "approve",
        meta=IntentMeta(strategy=STRATEGY, reason=why),
    )
    return state_as_operator(intent, manner)


def _chosen(held: Held, intent_id: str, agent: str | None) -> HeldIntent:
    found = [one for one in held.values() if one.intent_id == intent_id and agent in {None, one.agent}]
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(f"{intent_id} waits for {', '.join(sorted(one.agent for one in found))}: say which --agent")
    raise UsageError(f"no intent {intent_id!r} waits; there are {', '.join(sorted(held)) or 'none'}")


def _waiting(manner: Manner) -> Held:
    return asyncio.run(_held(manner))


async def _held(manner: Manner) -> Held:
    """Fold the journal's decisions up to now; one whose time is over stays until risk has decided something else."""
    who = operator_at(chosen_home(manner.home))
    held = NOTHING_HELD
    async with linked(who, reconnect=True) as link:
        async for told in events_of(JetStreamJournal(link, AccountId(who.account)), "reading"):
            if told.admitted and isinstance(told.event, Decision):
                held = held_after(held, told.event)
    return held


def _list(manner: Manner) -> int:
    waiting, now = _waiting(manner), SystemClock().now()
    standing = sorted((one for one in waiting.values() if not one.is_over(now)), key=lambda one: one.held_at)
    if manner.as_json:
        say_json(standing)
        return OK
    terminal = console()
    for one in standing:
        left_s = int((one.held_until - now).total_seconds())
        worth = f"{amount(one.worth_usd)} USD at its worst"
        terminal.tell(f"{one.intent_id}  {one.agent}  {one.action} {terms_text(one.terms)}, {worth}, {left_s} s left")
    if not standing:
        say("nothing waits for a person")
    return OK
