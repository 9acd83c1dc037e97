"""What the OMS needs of a broker: one protocol, and the reports that come back.

Closed words are our enums; a broker's own statuses and event names stay text, because it may invent new ones
and an order must survive that. Times are UTC, money and quantities Decimal.
"""

from collections.abc import AsyncIterator, Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol

import msgspec

from contracts.broker import Asset, ObservedPosition, Session
from contracts.enums import LegRole, OrderClass, Side, TimeInForce
from contracts.ids import OrderId, Symbol
from contracts.orders import OrderTerms
from contracts.reasons import RejectionCode
from contracts.values import ZERO


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Anything a broker tells us."""


class BrokerUnreachableError(Exception):
    """The broker gave no usable answer to a question; nothing about the account may be concluded from that."""

    def __init__(self, detail: str, retry_after_ms: int | None = None) -> None:
        """Keep what went wrong and, when the broker said so, how long it wants to be left alone."""
        super().__init__(detail)
        self.detail = detail
        self.retry_after_ms = retry_after_ms


class BrokerThrottledError(BrokerUnreachableError):
    """The question must wait, by our own budget or by the broker's word; the link itself is fine."""


class BrokerOrder(Report, frozen=True, kw_only=True):
    """One order as the broker shows it now; `filled_qty` and `filled_avg_price` are cumulative.

    `terms` is absent when the order cannot be said in our words (no quantity yet, an unknown type or side). `legs`
    are the exits that hang on it, where the broker was asked for them; `role` is what an exit is there for.
    """

    broker_order_id: str
    client_order_id: str
    status: str
    symbol: Symbol
    side: Side | None = None
    terms: OrderTerms | None = None
    filled_qty: Decimal = ZERO
    has_totals: bool = True
    """False where the broker left its totals out: nothing may be concluded from the zero that stands for them."""
    filled_avg_price: Decimal | None = None
    submitted_at: datetime | None = None
    updated_at: datetime | None = None
    filled_at: datetime | None = None
    replaced_at: datetime | None = None
    replaces: str | None = None
    replaced_by: str | None = None
    order_class: OrderClass = OrderClass.SIMPLE
    role: LegRole | None = None
    legs: tuple["BrokerOrder", ...] = ()


class Changes(Report, frozen=True, kw_only=True):
    """New terms for one of the broker's orders; None leaves as it is, `qty` counts what that order has filled."""

    qty: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail: Decimal | None = None
    time_in_force: TimeInForce | None = None


class BrokerFill(Report, frozen=True, kw_only=True):
    """One execution from the broker's list of activities, which knows no execution id; `cum_qty` tells it apart."""

    activity_id: str
    broker_order_id: str
    symbol: Symbol
    side: Side
    qty: Decimal
    price: Decimal
    cum_qty: Decimal
    at: datetime


class BrokerActivity(Report, frozen=True, kw_only=True):
    """Money that came or went (negative) without a trade, in USD; `kind` is the broker's own word for why."""

    activity_id: str
    kind: str
    amount_usd: Decimal
    symbol: Symbol | None = None
    detail: str = ""


class BrokerAccount(Report, frozen=True, kw_only=True):
    """The account's money in USD; `last_equity_usd` is the equity at the previous close."""

    status: str
    equity_usd: Decimal
    last_equity_usd: Decimal
    cash_usd: Decimal
    buying_power_usd: Decimal
    trading_blocked: bool


class BrokerClock(Report, frozen=True, kw_only=True):
    """The broker's time and the session it is in."""

    at: datetime
    is_open: bool
    next_open: datetime
    next_close: datetime


class Accepted(Report, frozen=True, kw_only=True):
    """The broker has the order, now or since an earlier submit under the same id."""

    order: BrokerOrder


class Rejected(Report, frozen=True, kw_only=True):
    """The broker answered that the order is not in its book and will not be."""

    code: RejectionCode
    broker_code: str
    message: str


class Ambiguous(Report, frozen=True, kw_only=True):
    """Bytes may have arrived and no answer says so; only a look-up can tell."""

    detail: str


class RateLimited(Report, frozen=True, kw_only=True):
    """The broker turned the request away unread; it may be sent again after the wait."""

    retry_after_ms: int


class NotSent(Report, frozen=True, kw_only=True):
    """No connection came about, so no byte of the request left; it may be sent again."""

    detail: str


class CancelAccepted(Report, frozen=True, kw_only=True):
    """The broker took the request; the order is canceled only when it says so, and may fill before."""


class CancelRefused(Report, frozen=True, kw_only=True):
    """The broker will not cancel; `already_terminal` says that the order had ended before."""

    detail: str
    already_terminal: bool


class ReplaceAccepted(Report, frozen=True, kw_only=True):
    """The broker took the request; the new order stands only once the old one is told as replaced."""

    order: BrokerOrder


class ReplaceRefused(Report, frozen=True, kw_only=True):
    """The broker answered that it will not replace; the old order stands as it was, or has ended."""

    detail: str


type StillMay = Callable[[], bool]
"""Says whether a request may still go; asked in the same step that hands its bytes to the socket."""
type SubmitOutcome = Accepted | Rejected | Ambiguous | RateLimited | NotSent
type CancelOutcome = CancelAccepted | CancelRefused | Ambiguous | RateLimited | NotSent
type ReplaceOutcome = ReplaceAccepted | ReplaceRefused | Ambiguous | RateLimited | NotSent


class BrokerUpdate(Report, frozen=True, kw_only=True):
    """One pushed step of one order; `qty` and `price` are those of this execution alone.

    `execution_id` names an execution for ever, `event_id` the message; either may be missing. A bust or a correction
    names the execution it takes back as `previous_execution_id`.
    """

    event: str
    order: BrokerOrder
    at: datetime | None = None
    event_id: str | None = None
    execution_id: str | None = None
    previous_execution_id: str | None = None
    qty: Decimal | None = None
    price: Decimal | None = None
    position_qty: Decimal | None = None
    reason: str | None = None


class LinkUp(Report, frozen=True, kw_only=True):
    """From here on updates arrive; whatever happened before is not replayed and must be asked for."""


class LinkDown(Report, frozen=True, kw_only=True):
    """Updates may be missing from here on; the adapter is connecting again."""

    detail: str


type StreamReport = BrokerUpdate | LinkUp | LinkDown


class Broker(Protocol):
    """A broker's trading side; writes answer with an outcome, reads raise `BrokerUnreachableError`."""

    async def submit(
        self, order_id: OrderId, terms: OrderTerms, *, reduces: bool = False, still_may: StillMay | None = None
    ) -> SubmitOutcome:
        """Send one order once, under our id; never tries again by itself. One that `reduces` goes before new risk.

        It is not sent if it may no longer go when its turn and its connection have come.
        """
        ...

    async def cancel(self, broker_order_id: str) -> CancelOutcome:
        """Ask for one cancel."""
        ...

    async def replace(
        self,
        broker_order_id: str,
        replacement_id: OrderId,
        changes: Changes,
        *,
        reduces: bool = False,
        still_may: StillMay | None = None,
    ) -> ReplaceOutcome:
        """Ask once for new terms under an id of ours for the new order; never tries again by itself."""
        ...

    async def order_by_client_id(self, order_id: OrderId) -> BrokerOrder | None:
        """Look one order up by our id, its legs with it; None: the broker answered and does not have it."""
        ...

    async def order_by_id(self, broker_order_id: str) -> BrokerOrder | None:
        """Look one order up by the broker's id, its legs with it; None: the broker answered and does not have it."""
        ...

    async def open_orders(self) -> tuple[BrokerOrder, ...]:
        """List every order that can still change, legs beside the rest, however many pages that takes."""
        ...

    async def orders_after(self, at: datetime) -> tuple[BrokerOrder, ...]:
        """List every order submitted after a moment, ended ones and legs too, oldest first."""
        ...

    async def positions(self) -> tuple[ObservedPosition, ...]:
        """List every position, shorts negative."""
        ...

    async def account(self) -> BrokerAccount:
        """Give the account's money."""
        ...

    async def clock(self, still_may: StillMay | None = None) -> BrokerClock:
        """Give the broker's time and session; `still_may` is asked when the question goes, after any wait."""
        ...

    async def assets(self, symbols: tuple[Symbol, ...]) -> tuple[Asset, ...]:
        """Say what may be done with each of these symbols; those that the broker does not list are left out."""
        ...

    async def sessions(self, first: date, last: date) -> tuple[Session, ...]:
        """List the exchange's sessions of the days from first to last, both included, oldest first."""
        ...

    async def fills_after(self, at: datetime) -> tuple[BrokerFill, ...]:
        """List every execution after a moment, oldest first."""
        ...

    async def activities_after(self, at: datetime) -> tuple[BrokerActivity, ...]:
        """List what moved money without a trade after a moment, canceled records left out, oldest first."""
        ...

    def updates(self) -> AsyncIterator[StreamReport]:
        """Yield pushed updates for ever, with `LinkUp` and `LinkDown` wherever a gap may lie."""
        ...

    async def renew_link(self) -> None:
        """Give the link up that updates come by, because it tells nothing any more, and make a new one."""
        ...

    async def close(self) -> None:
        """Let every connection go."""
        ...
