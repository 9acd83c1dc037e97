"""What a what-if found, in words that a program and a person can read. Money is USD."""

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from contracts.base import Value
from contracts.controls import WhatIfSummary
from contracts.decisions import Decision
from contracts.enums import Action, Outcome
from contracts.ids import AccountId, AgentId, IntentId, Symbol
from contracts.limits import LimitSet
from contracts.reasons import DenialCode
from contracts.values import plain
from projections.differences import Difference
from projections.layers_history import layers_changed
from projections.limits_history import changes
from projections.mandates import mandates_changed
from projections.standing import Standing
from projections.trail import subject_of
from services.risk.assumed_fills import ASSUMPTIONS
from services.risk.valuation import Peaks
from services.risk.whatif_regimes import ASSUMED_OF_REGIMES, RegimesTried, ThresholdsTried

_SHOWN = Decimal("0.000001")
type Bounds = tuple[LimitSet | None, Standing]
"""The account's limits, and the layers and mandates that stand with them."""


class Flip(Value, frozen=True, kw_only=True):
    """A decision with another outcome; a `consequence` is about what only came to be in one of the accounts."""

    seq: int
    agent: AgentId
    intent_id: IntentId
    action: Action | None
    symbol: Symbol | None
    was: Outcome
    would_be: Outcome
    was_code: DenialCode | None
    would_be_code: DenialCode | None
    message: str
    consequence: bool = False


class Bound(Value, frozen=True, kw_only=True):
    """How often a reason denied."""

    code: str
    was: int
    would_be: int


class Both(Value, frozen=True, kw_only=True):
    """One figure in both accounts."""

    was_usd: Decimal
    would_be_usd: Decimal


class WhatIfReport(Value, frozen=True, kw_only=True):
    """The whole answer; `flips` are the decisions that the limits, mandates and thresholds themselves turned.

    `thresholds` are those of regimes that were tried, `other_regimes` the decisions that see another regime for it.
    """

    account: AccountId
    first_seq: int
    last_seq: int
    changes: tuple[Difference, ...]
    decisions: int
    flips: tuple[Flip, ...]
    consequences: tuple[Flip, ...]
    bound: tuple[Bound, ...]
    peak_gross: Both
    peak_net: Both
    profit: Both
    orders_left_out: int
    orders_assumed: int
    thresholds: ThresholdsTried | None = None
    other_regimes: int = 0
    assumptions: tuple[str, ...] = ASSUMPTIONS


class Stretch(NamedTuple):
    """What was decided again."""

    account: AccountId
    first_seq: int
    last_seq: int
    decisions: int


class Side(NamedTuple):
    """One of the two accounts at the end of the stretch; `own_orders` are those that the other one never had."""

    bounds: Bounds
    peaks: Peaks
    profit_usd: Decimal
    bound: Counter[str]
    own_orders: int


def flip_of(seq: int, stored: Decision, again: Decision, *, follows: bool) -> Flip | None:
    """Say how a decision turned, None when its outcome stands."""
    if stored.outcome is again.outcome:
        return None
    reason = again.reason or stored.reason
    return Flip(
        seq=seq,
        agent=stored.agent,
        intent_id=stored.intent_id,
        action=stored.action,
        symbol=subject_of(stored, "").symbol,
        was=stored.outcome,
        would_be=again.outcome,
        was_code=None if stored.reason is None else stored.reason.code,
        would_be_code=None if again.reason is None else again.reason.code,
        message="" if reason is None else reason.message,
        consequence=follows,
    )


def report(stretch: Stretch, flips: Sequence[Flip], was: Side, would: Side, regimes: RegimesTried) -> WhatIfReport:
    """Put the report together from both accounts."""
    codes = [code for code in DenialCode if code in was.bound or code in would.bound]
    return WhatIfReport(
        account=stretch.account,
        first_seq=stretch.first_seq,
        last_seq=stretch.last_seq,
        changes=(*_changes(was.bounds, would.bounds), *regimes.changes()),
        decisions=stretch.decisions,
        flips=tuple(flip for flip in flips if not flip.consequence),
        consequences=tuple(flip for flip in flips if flip.consequence),
        bound=tuple(Bound(code=code, was=was.bound[code], would_be=would.bound[code]) for code in codes),
        peak_gross=_both(was.peaks.gross_usd, would.peaks.gross_usd),
        peak_net=_both(was.peaks.net_usd, would.peaks.net_usd),
        profit=_both(was.profit_usd, would.profit_usd),
        orders_left_out=was.own_orders,
        orders_assumed=would.own_orders,
        thresholds=regimes.tried,
        other_regimes=regimes.turned,
        assumptions=ASSUMPTIONS if regimes.tried is None else (*ASSUMPTIONS, *ASSUMED_OF_REGIMES),
    )


def summary_of(found: WhatIfReport) -> WhatIfSummary:
    """Cut a report down to what stands beside a proposal for ever."""
    turned = Counter(flip.would_be for flip in found.flips)
    return WhatIfSummary(
        first_seq=found.first_seq,
        last_seq=found.last_seq,
        decisions=found.decisions,
        newly_denied=turned[Outcome.DENIED],
        newly_approved=turned[Outcome.APPROVED],
        peak_gross_was_usd=found.peak_gross.was_usd,
        peak_gross_would_be_usd=found.peak_gross.would_be_usd,
        profit_was_usd=found.profit.was_usd,
        profit_would_be_usd=found.profit.would_be_usd,
    )


def _both(was: Decimal, would_be: Decimal) -> Both:
    return Both(was_usd=plain(was.quantize(_SHOWN)), would_be_usd=plain(would_be.quantize(_SHOWN)))


def _changes(was: Bounds, would: Bounds) -> tuple[Difference, ...]:
    limits = () if was[0] is None or would[0] is None else changes(was[0], would[0])
    return (*limits, *layers_changed(was[1], would[1]), *mandates_changed(was[1], would[1]))
