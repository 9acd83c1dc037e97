"""What waits for a person: orders above what their agent may do alone, and what the person says to them.

Nothing is set aside for an intent that waits. When it is let go it is decided again, on the market and the books of
that moment, under every control there is; only the person's word is not asked for a second time.
"""

from datetime import datetime
from decimal import Decimal

from msgspec.structs import replace

from contracts.decisions import Check, Evidence
from contracts.enums import Action, Outcome
from contracts.ids import OPERATOR, AgentId
from contracts.intents import ApprovalIntent
from contracts.mandates import APPROVAL_WAIT_MS, Mandate
from contracts.reasons import DenialCode, Reason
from contracts.scopes import agent_scope
from contracts.values import plain
from projections.account import AccountState
from projections.held import HeldIntent, held_name
from services.risk.answer import MS, SHOWN_CHARS, Answer, Stated, no
from services.risk.situation import Situation

C = DenialCode
NAME = "approval"
HELD_MAX = 10
"""So many intents of one agent may wait at once: a person reads them one by one, and the state keeps all of them."""
_LET_GO = Check(name=NAME, passed=True, note="a person let it go")


def held_back(at: Situation, action: Action, stated: Stated, checks: tuple[Check, ...]) -> Answer | None:
    """Hold an order that passed every control but is worth so much that a person must see it first."""
    if at.reduces or stated.let_go or stated.agent == OPERATOR:
        return None
    agent, worth_usd = AgentId(at.whose.agent), at.notional_usd
    mandate = at.state.standing.mandate(agent)
    if mandate is None or mandate.approval_from_usd is None or worth_usd is None:
        return None
    if worth_usd < mandate.approval_from_usd:
        return None
    now, limit = at.evidence.decided_at, mandate.approval_from_usd
    failed = (*checks, Check(name=NAME, passed=False, value=worth_usd, limit=limit))
    waiting = _waiting(at.state, agent, now)
    if waiting >= HELD_MAX:
        return no(action, _too_many(agent, waiting), failed)
    return Answer(
        action=action,
        outcome=Outcome.HELD,
        reason=_needed(agent, worth_usd, limit),
        terms=at.terms,
        checks=failed,
        strategy=at.whose.strategy,
        held_until=now + _wait_ms(mandate) * MS,
    )


def _wait_ms(mandate: Mandate) -> int:
    return APPROVAL_WAIT_MS if mandate.approval_wait_ms is None else mandate.approval_wait_ms


def _waiting(state: AccountState, agent: AgentId, now: datetime) -> int:
    return sum(one.agent == agent and not one.is_over(now) for one in state.held.values())


def _needed(agent: AgentId, worth_usd: Decimal, limit_usd: Decimal) -> Reason:
    return Reason(
        code=C.NEEDS_APPROVAL,
        message=f"an order of {agent} for {plain(worth_usd)} USD waits for a person, as all from {limit_usd} USD up",
        limit=limit_usd,
        attempted=worth_usd,
        needs_human=True,
        scope=agent_scope(agent),
    )


def _too_many(agent: AgentId, waiting: int) -> Reason:
    return Reason(
        code=C.NEEDS_APPROVAL,
        message=f"{waiting} intents of {agent} wait for a person already: this one cannot wait with them",
        limit=Decimal(HELD_MAX),
        attempted=Decimal(waiting + 1),
        needs_human=True,
        scope=agent_scope(agent),
    )


def held_for(state: AccountState, stated: Stated, evidence: Evidence, intent: ApprovalIntent) -> HeldIntent | Answer:
    """Find the intent that is meant, or answer why there is nothing to let go; a refusal ends it here.

    Its agent may take an intent back, as anybody may lower their own risk; to let one go takes a person.
    """
    takes_back = stated.agent == intent.agent and not intent.approve
    if stated.agent != OPERATOR and not takes_back:
        message = f"only the operator answers intents that wait; {stated.agent} may take back its own"
        return no(_asked(intent), Reason(code=C.NOT_YOUR_ORDER, message=message))
    held = state.held.get(held_name(intent.agent, intent.held_intent_id))
    if held is None:
        named = f"{intent.held_intent_id[:SHOWN_CHARS]!r} of {intent.agent[:SHOWN_CHARS]!r}"
        message = f"no intent {named} waits: it never did, it was answered, or its time is over"
        return no(_asked(intent), Reason(code=C.NOT_HELD, message=message))
    if not intent.approve:
        dismissed = Answer(action=Action.DISMISS, outcome=Outcome.APPROVED)
        return on_behalf_of(held, dismissed)
    if held.is_over(evidence.decided_at):
        message = f"{held.intent_id} of {held.agent} could wait until {held.held_until.isoformat()} and no longer"
        return on_behalf_of(held, no(held.action, Reason(code=C.APPROVAL_EXPIRED, message=message)))
    return held


def _asked(intent: ApprovalIntent) -> Action:
    return Action.SUBMIT if intent.approve else Action.DISMISS


def stated_by(held: HeldIntent, stated: Stated) -> Stated:
    """Give the held intent as its agent stated it, let go by a person."""
    return Stated(stated.account, held.agent, held.intent_id, held.body, 0, let_go=True)


def on_behalf_of(held: HeldIntent, answer: Answer) -> Answer:
    """Put an answer to a held intent in its agent's name, in the story that the intent began."""
    checks = answer.checks if answer.action is Action.DISMISS else (*answer.checks, _LET_GO)
    return replace(answer, checks=checks, on_behalf_of=held.agent, correlation_id=held.intent_id)
