"""What the broker says of the account as a whole."""

from datetime import date
from decimal import Decimal

from contracts.base import Event, Moment, Value
from contracts.enums import BreakKind, KillMode
from contracts.ids import Symbol
from contracts.scopes import ScopeText


class ObservedPosition(Value, frozen=True, kw_only=True):
    """One position as the broker shows it; `qty` is negative for a short."""

    symbol: Symbol
    qty: Decimal
    avg_entry_price: Decimal
    current_price: Decimal | None = None


class AccountObserved(Event, frozen=True, kw_only=True, tag="broker.account_observed.v1"):
    """The broker's own figures; `last_equity_usd` is the equity at the previous close."""

    trading_day: date
    equity_usd: Decimal
    last_equity_usd: Decimal
    cash_usd: Decimal
    buying_power_usd: Decimal
    trading_blocked: bool
    positions: tuple[ObservedPosition, ...] = ()


class BrokerLinkChanged(Event, frozen=True, kw_only=True, tag="broker.link_changed.v1"):
    """Our link to the broker went up or down."""

    up: bool
    detail: str


class Reconciled(Event, frozen=True, kw_only=True, tag="broker.reconciled.v1"):
    """Orders and positions were compared with the broker's; what differed was written as its own events."""

    orders_compared: int
    orders_adopted: int
    fills_recovered: int
    position_breaks: tuple[str, ...] = ()


class PositionAdopted(Event, frozen=True, kw_only=True, tag="broker.position_adopted.v1"):
    """The broker holds shares that no journal order explains; from here on they count as ours.

    `qty` is the signed difference to our own fold, `price` the average cost that the broker shows for it.
    """

    symbol: Symbol
    qty: Decimal
    price: Decimal
    detail: str


class CashMoved(Event, frozen=True, kw_only=True, tag="broker.cash_moved.v1"):
    """Money came or went without a trade: a dividend, a fee, interest, a transfer (negative: it went)."""

    activity_id: str
    kind: str
    amount_usd: Decimal
    symbol: Symbol | None = None
    detail: str = ""


class BreakFound(Event, frozen=True, kw_only=True, tag="broker.break_found.v1"):
    """Our books and the broker's differ, and have for longer than reports need; until healed, only exits pass.

    `key` names the symbol or order concerned, or the account; `since` is when the difference was first seen.
    """

    kind: BreakKind
    key: str
    ours: str
    theirs: str
    since: Moment


class BreakHealed(Event, frozen=True, kw_only=True, tag="broker.break_healed.v1"):
    """The books agree again, or a person has taken the broker's figure for true."""

    kind: BreakKind
    key: str
    detail: str


class Throttled(Event, frozen=True, kw_only=True, tag="broker.throttled.v1"):
    """The broker refused a request because there were too many (HTTP 429)."""

    retry_after_ms: int


class ClockCompared(Event, frozen=True, kw_only=True, tag="broker.clock_compared.v1"):
    """The broker's clock was compared with ours: theirs is `skew_ms` ahead (negative: behind).

    The answer may have been written at any moment between question and answer, so the true figure is within
    `uncertainty_ms` of that, half the round trip.
    """

    skew_ms: int
    uncertainty_ms: int


class Asset(Value, frozen=True, kw_only=True):
    """What the broker says may be done with one symbol; the maintenance margin is in percent of the value."""

    symbol: Symbol
    tradable: bool
    shortable: bool = False
    easy_to_borrow: bool = False
    fractionable: bool = False
    marginable: bool = False
    maintenance_pct: Decimal | None = None


class AssetsObserved(Event, frozen=True, kw_only=True, tag="broker.assets_observed.v1"):
    """The broker's word on each of these symbols; of others it says nothing."""

    assets: tuple[Asset, ...]


class Session(Value, frozen=True, kw_only=True):
    """One day on which the exchange trades, from the opening to the closing bell."""

    trading_day: date
    open_at: Moment
    close_at: Moment


class SessionsObserved(Event, frozen=True, kw_only=True, tag="broker.sessions_observed.v1"):
    """The exchange's sessions from a day on, oldest first; it is closed on days between them that are not named."""

    sessions: tuple[Session, ...]


class KillVerified(Event, frozen=True, kw_only=True, tag="broker.kill_verified.v1"):
    """What the broker showed after a kill switch was put on, or put on again, at journal sequence `engaged_seq`.

    `blocked_after_ms` runs from the time that the word gives for itself to the moment after which no byte of new risk
    in the scope was handed to the broker's socket; None when the OMS did not hear the word but found it in the
    journal. `flat_after_ms` runs from that moment on, by the monotonic clock, to the broker's answers that showed no
    order (for flatten: no position either) left in the scope; None while they do, and for block_new, which ends none.

    `silent_after_ms` runs, like `blocked_after_ms`, from the time of the word, to the broker's answer to the last
    request of new risk in the scope that was handed over before; after that none reaches the broker. None when that
    cannot be said: one was never answered, or the OMS did not hear the word, or was still starting. It is rounded up.
    """

    scope: ScopeText
    mode: KillMode
    engaged_seq: int
    blocked_after_ms: Decimal | None
    flat_after_ms: Decimal | None
    orders_left: int
    positions_left: int
    detail: str = ""
    silent_after_ms: Decimal | None = None


type BrokerEvent = (
    AccountObserved
    | BrokerLinkChanged
    | Reconciled
    | PositionAdopted
    | CashMoved
    | BreakFound
    | BreakHealed
    | Throttled
    | ClockCompared
    | AssetsObserved
    | SessionsObserved
    | KillVerified
)
