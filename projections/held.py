"""Intents that wait for a person: put in when risk holds one, taken out by its answer or when its time is over."""

from datetime import datetime
from decimal import Decimal

from immutables import Map

from contracts.base import Moment, Value
from contracts.decisions import Decision
from contracts.enums import Action, Outcome
from contracts.ids import AgentId, IntentId
from contracts.orders import OrderTerms
from contracts.values import ZERO


class HeldIntent(Value, frozen=True, kw_only=True):
    """One intent that waits: the agent's own bytes, what they came to, and its worst value (USD) when it was held."""

    agent: AgentId
    intent_id: IntentId
    body: bytes
    action: Action
    terms: OrderTerms
    worth_usd: Decimal
    held_at: Moment
    held_until: Moment

    def is_over(self, moment: datetime) -> bool:
        """Say whether its time is over."""
        return moment > self.held_until


type Held = Map[str, HeldIntent]
NOTHING_HELD: Held = Map()


def held_name(agent: AgentId, intent_id: IntentId) -> str:
    """Name a held intent: ids are unique for one agent only."""
    return f"{agent}/{intent_id}"


def held_after(held: Held, decision: Decision) -> Held:
    """Fold a decision: it holds its intent, answers another, and lets go what nobody answered in time."""
    if held:
        held = _without_answered(held, decision)
    if decision.outcome is not Outcome.HELD:
        return held
    new = _held(decision)
    return held if new is None else held.set(held_name(new.agent, new.intent_id), new)


def _without_answered(held: Held, decision: Decision) -> Held:
    """Take out the one that was answered and those whose time is over; they are few, risk sees to that."""
    now = decision.evidence.decided_at
    gone = {name for name, one in held.items() if one.is_over(now)}
    if decision.on_behalf_of is not None and decision.outcome is Outcome.APPROVED:
        gone.add(held_name(decision.on_behalf_of, IntentId(decision.correlation_id or "")))
    gone.intersection_update(held)
    if not gone:
        return held
    return Map({name: one for name, one in held.items() if name not in gone})


def _held(decision: Decision) -> HeldIntent | None:
    if decision.held_until is None or decision.terms is None or decision.action is None:
        return None
    worth_usd = None if decision.reason is None else decision.reason.attempted
    return HeldIntent(
        agent=decision.agent,
        intent_id=decision.intent_id,
        body=bytes(decision.intent),
        action=decision.action,
        terms=decision.terms,
        worth_usd=worth_usd or ZERO,
        held_at=decision.evidence.decided_at,
        held_until=decision.held_until,
    )
