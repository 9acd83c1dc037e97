"""Decide a stretch of the journal again under other limits, mandates or thresholds: what flips, and what it had cost.

Pure. Two accounts are folded side by side: the one that was, and the one that would have been. What the broker would
have done to an order that it never saw nobody can know; `ASSUMPTIONS` says what is taken for granted instead.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from contracts.broker import AccountObserved
from contracts.codec import JournalEvent
from contracts.controls import LayerSet, LimitsSet, MandateGranted, MandateRevoked
from contracts.decisions import Decision
from contracts.enums import Action, Outcome
from contracts.ids import AccountId, AgentId, OrderId
from contracts.limits import LimitOverride, LimitSet
from contracts.mandates import Mandate
from contracts.orders import (
    OrderEvent,
    OrderFilled,
    OrderLegAdded,
    OrderReplaced,
    OrderReplaceRejected,
    OrderReplaceRequested,
)
from contracts.reasons import DenialCode
from contracts.scopes import Scope
from contracts.values import ZERO
from projections import account
from projections.account import EMPTY, AccountState
from projections.dry_runs import is_dry_run
from projections.fence import OPEN_FENCE, Fence, admits, raise_fence
from projections.layers import NO_LAYERS, with_layers
from projections.mandates import NO_MANDATES, with_mandates
from projections.risk_order import RiskOrder
from projections.standing import NOTHING_SAID, Standing
from services.risk.assumed_fills import assumed_end, assumed_events
from services.risk.decider import Stamp, decide
from services.risk.rederive import stated_in
from services.risk.valuation import Marks, Peaks, peaks_after, profit_usd
from services.risk.whatif_regimes import RegimesTried, ThresholdsTried
from services.risk.whatif_report import Flip, Side, Stretch, WhatIfReport, flip_of, report

RISK_STATED = 0
"""The intent sequence of what risk stated itself, to flatten what was held."""
_REPLACING = (OrderReplaceRequested, OrderReplaced, OrderReplaceRejected)


class WhatIf:
    """Feed it the journal from its first event, in stream order; `finish` gives the report."""

    def __init__(
        self,
        account_id: AccountId,
        overrides: Mapping[str, Any],
        first_seq: int = 1,
        layers: Mapping[Scope, LimitOverride] = NO_LAYERS,
        mandates: Mapping[AgentId, Mandate | None] = NO_MANDATES,
        thresholds: ThresholdsTried | None = None,
    ) -> None:
        """Prepare to decide again from a sequence on, with these in place of what held; no mandate: revoked."""
        self._account = account_id
        self._overrides = overrides
        self._layers = layers
        self._mandates = mandates
        self._regimes = RegimesTried(thresholds)
        self._first_seq = first_seq
        self._last_seq = 0
        self._fence: Fence = OPEN_FENCE
        self._order = RiskOrder()
        self._was: AccountState = EMPTY
        self._would: AccountState | None = None
        self._before: tuple[LimitSet | None, Standing] = None, NOTHING_SAID
        self._marks = Marks()
        self._peaks = Peaks(), Peaks()
        self._start_usd = ZERO
        self._dropped: set[OrderId] = set()
        self._unreplaced: set[OrderId] = set()
        self._assumed: set[OrderId] = set()
        self._decisions = 0
        self._flips: list[Flip] = []
        self._bound: tuple[Counter[str], Counter[str]] = Counter(), Counter()

    def take(self, seq: int, event: JournalEvent) -> None:
        """Take the next event."""
        if not admits(self._fence, event):
            return
        self._fence = raise_fence(self._fence, event)
        for due_seq, due in self._order.take(seq, event):
            self._fold(due_seq, due)
        self._last_seq = seq

    def finish(self) -> WhatIfReport:
        """Fold what no decision asked for, and report."""
        for seq, event in self._order.rest():
            self._fold(seq, event)
        would = self._was if self._would is None else self._would
        gains = [profit_usd(state, self._marks) - self._start_usd for state in (self._was, would)]
        return report(
            Stretch(self._account, self._first_seq, self._last_seq, self._decisions),
            self._flips,
            Side(self._before, self._peaks[0], gains[0], self._bound[0], len(self._dropped)),
            Side((would.limits, would.standing), self._peaks[1], gains[1], self._bound[1], len(self._assumed)),
            self._regimes,
        )

    @property
    def limits(self) -> LimitSet | None:
        """Give the limits that would hold at the end."""
        return self._other(self._was.limits) if self._would is None else self._would.limits

    def _fold(self, seq: int, event: JournalEvent) -> None:
        if isinstance(event, Decision):
            self._regimes.hear(event.evidence)
        if self._would is None and seq >= self._first_seq:
            self._begin()
        would = self._would
        if would is None:
            self._was = account.evolve(self._was, event, seq)
            self._marks.see(event)
            return
        if isinstance(event, Decision | AccountObserved):
            would = self._expire_assumed(would, event)
        if isinstance(event, Decision):
            self._would = self._decide_again(would, event, seq)
            self._was = account.evolve(self._was, event, seq)
            self._marks.see(event)
        else:
            self._was = account.evolve(self._was, event, seq)
            self._marks.see(event)
            self._would = self._as_it_would_be(would, event, seq)
        self._peaks = peaks_after(self._peaks[0], self._was), peaks_after(self._peaks[1], self._would)

    def _begin(self) -> None:
        self._before = self._was.limits, self._was.standing
        self._would = self._changed(self._was)
        self._start_usd = profit_usd(self._was, self._marks)
        self._peaks = peaks_after(Peaks(), self._was), peaks_after(Peaks(), self._was)

    def _changed(self, state: AccountState) -> AccountState:
        standing = with_mandates(with_layers(state.standing, self._layers), self._mandates)
        return replace(state, limits=self._other(state.limits), standing=standing)

    def _other(self, limits: LimitSet | None) -> LimitSet | None:
        return None if limits is None else replace(limits, **self._overrides)

    def _decide_again(self, would: AccountState, stored: Decision, seq: int) -> AccountState:
        if is_dry_run(stored):
            return would  # nothing came of it, and nothing would have
        self._decisions += 1
        stamp = Stamp(stored.epoch, stored.code_version, stored.state_seq)
        again = decide(would, stated_in(stored, self._account), self._regimes.evidence(stored.evidence), stamp)
        flip = flip_of(seq, stored, again, follows=self._follows(stored, again))
        if flip is not None:
            self._flips.append(flip)
        for counter, decision in zip(self._bound, (stored, again), strict=True):
            if decision.reason is not None:
                counter[decision.reason.code] += 1
        would = account.evolve(would, again, seq)
        self._remember(stored, again)
        if again.order_id not in self._assumed:
            return would
        for event in assumed_events(again, would):
            would = account.evolve(would, event, seq)
        return would

    def _follows(self, stored: Decision, again: Decision) -> bool:
        """Say whether a decision is about what only came to be in one account: an order, a flatten, a wait."""
        if any(one.reason is not None and one.reason.code is DenialCode.NOT_HELD for one in (stored, again)):
            return True
        if stored.action is Action.SUBMIT:
            return stored.intent_seq == RISK_STATED
        return stored.order_id in self._dropped

    def _remember(self, stored: Decision, again: Decision) -> None:
        """Note whose orders exist in one of the two accounts only."""
        was, would = stored.outcome is Outcome.APPROVED, again.outcome is Outcome.APPROVED
        if stored.action is Action.REPLACE and stored.order_id is not None:
            (self._unreplaced.add if was and not would else self._unreplaced.discard)(stored.order_id)
        elif was and not would and stored.terms is not None and stored.order_id is not None:
            self._dropped.add(stored.order_id)
        elif would and not was and again.terms is not None and again.order_id is not None:
            self._assumed.add(again.order_id)

    def _expire_assumed(self, would: AccountState, event: Decision | AccountObserved) -> AccountState:
        for order_id in sorted(self._assumed):
            end = assumed_end(would, order_id, event)
            if end is not None:
                would = account.evolve(would, end, 0)
        return would

    def _as_it_would_be(self, would: AccountState, event: JournalEvent, seq: int) -> AccountState:
        match event:
            case LimitsSet() | LayerSet() | MandateGranted() | MandateRevoked():
                self._before = self._was.limits, self._was.standing
                return self._changed(account.evolve(would, event, seq))
            case AccountObserved():
                return account.evolve(would, self._observed(would, event), seq)
            case OrderEvent():
                kept = self._kept(would, event)
                return would if kept is None else account.evolve(would, kept, seq)
            case _:
                return account.evolve(would, event, seq)

    def _observed(self, would: AccountState, seen: AccountObserved) -> AccountObserved:
        """Give what the broker would have shown: its figures, moved by the difference in profit."""
        gain_usd = profit_usd(would, self._marks) - profit_usd(self._was, self._marks)
        return replace(seen, equity_usd=seen.equity_usd + gain_usd)

    def _kept(self, would: AccountState, event: Any) -> JournalEvent | None:
        """Give what an order event is in the other account: nothing, when its order never came to be there."""
        if isinstance(event, OrderLegAdded) and event.parent_id in self._dropped:
            self._dropped.add(event.order_id)
        if event.order_id in self._dropped:
            return None
        if isinstance(event, _REPLACING) and event.order_id in self._unreplaced:
            return None
        return _within(would, event) if isinstance(event, OrderFilled) else event


def _within(would: AccountState, fill: OrderFilled) -> OrderFilled | None:
    """Fill no more than the order has in the other account, where it may be smaller."""
    order = would.orders.get(fill.order_id)
    if order is None or fill.fill_id in order.fills or fill.qty <= (left := order.terms.qty - order.filled_qty):
        return fill
    return None if left <= 0 else replace(fill, qty=left, cum_qty=order.terms.qty)
