"""Mandates, and intents that wait for a person, as request bodies and answers."""

from datetime import datetime
from decimal import Decimal

from contracts.enums import Action
from contracts.ids import AgentId, IntentId
from contracts.mandates import Mandate
from contracts.orders import OrderTerms
from projections.account import AccountState
from projections.held import HeldIntent
from services.gateway.answers import Answer
from services.gateway.api_keys import ApiKey
from services.gateway.order_forms import IdempotencyId, ReasonText
from services.runtime.mandate_form import MandateForm


class GrantForm(MandateForm, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mandate and why it is granted; with `if_version` only in place of that version (0: of none)."""

    reason: ReasonText = ""
    if_version: int | None = None


class RevokeForm(Answer, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a mandate is revoked."""

    reason: ReasonText = ""
    if_version: int | None = None


class ApprovalForm(Answer, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A person's word on an intent that waits, and why."""

    approve: bool
    reason: ReasonText = ""
    client_intent_id: IdempotencyId | None = None


class MandateAnswer(Answer, frozen=True, kw_only=True):
    """What an agent may do; `mandate` is null when it was revoked, `in_force` false then and once it expired."""

    agent: AgentId
    version: int
    in_force: bool
    mandate: Mandate | None
    seq: int | None = None


class MandatesAnswer(Answer, frozen=True, kw_only=True):
    """Every mandate that a key may see, in the order of their agents' names."""

    mandates: tuple[MandateAnswer, ...]
    required: bool
    state_seq: int


class HeldAnswer(Answer, frozen=True, kw_only=True):
    """One intent that waits for a person, and what it is worth at its worst (USD)."""

    agent: AgentId
    intent_id: IntentId
    action: Action
    terms: OrderTerms
    worth_usd: Decimal
    held_at: datetime
    held_until: datetime


class ApprovalsAnswer(Answer, frozen=True, kw_only=True):
    """Every intent that waits and that a key may see, the one first that has waited longest."""

    waiting: tuple[HeldAnswer, ...]
    state_seq: int


def mandate_answer(state: AccountState, agent: AgentId, now: datetime) -> MandateAnswer | None:
    """Show one agent's mandate, None when it never had one."""
    granted = state.standing.mandates.get(agent)
    if granted is None:
        return None
    in_force = granted.mandate is not None and now < granted.mandate.expires_at
    return MandateAnswer(agent=agent, version=granted.version, in_force=in_force, mandate=granted.mandate)


def mandates_answer(state: AccountState, key: ApiKey, now: datetime, seq: int) -> MandatesAnswer:
    """Show the mandates that a key may see."""
    shown = (mandate_answer(state, agent, now) for agent in sorted(state.standing.mandates) if key.may_see(agent))
    required = state.limits is not None and state.limits.mandates_required is True
    return MandatesAnswer(mandates=tuple(one for one in shown if one is not None), required=required, state_seq=seq)


def approvals_answer(state: AccountState, key: ApiKey, now: datetime, seq: int) -> ApprovalsAnswer:
    """Show what waits; one whose time is over may still be in the state, and does not wait any more."""
    waiting = (one for one in state.held.values() if key.may_see(one.agent) and not one.is_over(now))
    return ApprovalsAnswer(waiting=tuple(map(_held, sorted(waiting, key=_age))), state_seq=seq)


def _age(one: HeldIntent) -> tuple[datetime, str, str]:
    return one.held_at, one.agent, one.intent_id


def _held(one: HeldIntent) -> HeldAnswer:
    return HeldAnswer(
        agent=one.agent,
        intent_id=one.intent_id,
        action=one.action,
        terms=one.terms,
        worth_usd=one.worth_usd,
        held_at=one.held_at,
        held_until=one.held_until,
    )
