"""One account as its journal tells it: limits, switches, orders, positions, exposure, the day's figures."""

from datetime import date
from decimal import Decimal

from immutables import Map
from msgspec.structs import replace

from contracts.base import Value
from contracts.broker import AccountObserved, BreakFound
from contracts.controls import KillEngaged
from contracts.decisions import Decision
from contracts.enums import Outcome
from contracts.ids import OrderId, Symbol
from contracts.limits import LimitSet
from contracts.scopes import ACCOUNT
from contracts.values import ZERO
from projections.books import NO_BOOKS, Family
from projections.changes import NO_CHANGES, Changes
from projections.denials import NO_DENIALS, Denials
from projections.exposure import Exposure
from projections.guard import UNTRIPPED, Guard
from projections.held import NOTHING_HELD, HeldIntent, held_after
from projections.layers import account_limits
from projections.listing import NO_LISTING, Listing
from projections.order_state import OrderState
from projections.pace import NO_PACE, Pace
from projections.positions import Position
from projections.resting import Resting
from projections.spending import NOTHING_SPENT, Spending
from projections.standing import NOTHING_SAID, Standing


class Day(Value, frozen=True, kw_only=True):
    """What is counted per exchange day; it begins anew when the day changes."""

    trading_day: date | None = None
    submits: int = 0
    turnover_usd: Decimal = ZERO
    """What the day's approved orders were worth at their worst price, those that only reduce left out."""
    peak_equity_usd: Decimal | None = None

    def submits_on(self, trading_day: date) -> int:
        """Give how many new-risk orders count on a day; a clock that runs behind does not begin a day anew."""
        return self.submits if self.trading_day is not None and trading_day <= self.trading_day else 0

    def turnover_on(self, trading_day: date) -> Decimal:
        """Give what counts as turnover on a day (USD)."""
        return self.turnover_usd if self.trading_day is not None and trading_day <= self.trading_day else ZERO


class AccountState(Value, frozen=True, kw_only=True):
    """One account as its journal tells it."""

    limits: LimitSet | None = None
    limits_version: int = 0
    standing: Standing = NOTHING_SAID
    listing: Listing = NO_LISTING
    guard: Guard = UNTRIPPED
    orders: Map[OrderId, OrderState] = Map()
    open_orders: int = 0
    unknown_orders: Map[Symbol, int] = Map()
    positions: Map[Symbol, Position] = Map()
    exposure: Exposure = Exposure()
    observed: AccountObserved | None = None
    broker_up: bool = False
    breaks: Map[str, BreakFound] = Map()
    """Differences from the broker's books that stand, by kind and key: while there are any, only exits pass."""
    cash_usd: Decimal | None = None
    """What the broker's cash must be by our own record, once an opening figure is known."""
    changes: Changes = NO_CHANGES
    denials: Denials = NO_DENIALS
    day: Day = Day()
    pace: Pace = NO_PACE
    messages: Pace = NO_PACE
    """What was approved to go to the broker: orders, changes and cancels, exits among them."""
    replaces: Pace = NO_PACE
    resting: Map[Symbol, Resting] = Map()
    spent: Spending = NOTHING_SPENT
    agents: Family = NO_BOOKS
    strategies: Family = NO_BOOKS
    held: Map[str, HeldIntent] = NOTHING_HELD
    """Intents that wait for a person, by agent and intent id."""

    @property
    def bounds(self) -> LimitSet | None:
        """Give the account's limits as the firm's layer and the account's own tighten them."""
        return None if self.limits is None else account_limits(self.standing, self.limits)

    @property
    def kill(self) -> KillEngaged | None:
        """Give the account's own kill switch while it is on."""
        kill = self.standing.kills.get(ACCOUNT)
        return None if kill is None else kill.event

    @property
    def kill_seq(self) -> int:
        """Give the journal sequence at which the account's own switch was last moved."""
        return self.standing.kill_seq


EMPTY = AccountState()


def with_held(state: AccountState, decision: Decision) -> AccountState:
    """Put in the intent that a decision holds, and take out what it answers; most find none and hold none."""
    if not state.held and decision.outcome is not Outcome.HELD:
        return state
    return replace(state, held=held_after(state.held, decision))


def daily_loss_usd(state: AccountState) -> Decimal | None:
    """Give how far equity stands below the previous close (negative: above); None when nobody can say."""
    seen = state.observed
    if seen is None or not (seen.equity_usd.is_finite() and seen.last_equity_usd.is_finite()):
        return None
    return seen.last_equity_usd - seen.equity_usd


def drawdown_usd(state: AccountState) -> Decimal | None:
    """Give how far equity stands below the day's peak; None when nobody can say."""
    seen, peak = state.observed, state.day.peak_equity_usd
    if seen is None or peak is None or not seen.equity_usd.is_finite():
        return None
    return peak - seen.equity_usd
