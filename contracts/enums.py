"""Closed sets of words, each spelled on the wire as here."""

from enum import StrEnum


class Side(StrEnum):
    """Which way an order moves the position."""

    BUY = "buy"
    SELL = "sell"


class OrderType(StrEnum):
    """How an order names its price."""

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"
    TRAILING_STOP = "trailing_stop"


class TimeInForce(StrEnum):
    """How long an order stands at the broker."""

    DAY = "day"
    GTC = "gtc"
    OPG = "opg"
    CLS = "cls"
    IOC = "ioc"
    FOK = "fok"


class OrderClass(StrEnum):
    """Whether an order stands alone or brings exits with it, of which the first to fill cancels the other."""

    SIMPLE = "simple"
    BRACKET = "bracket"
    OCO = "oco"
    OTO = "oto"


class LegRole(StrEnum):
    """What a leg of a bracket, OCO or OTO order is there for."""

    TAKE_PROFIT = "take_profit"
    STOP_LOSS = "stop_loss"


class Outcome(StrEnum):
    """What risk answered; nothing comes of what would have been approved, which was asked as a dry run."""

    APPROVED = "approved"
    DENIED = "denied"
    HELD = "held"
    WOULD_APPROVE = "would_approve"


class Action(StrEnum):
    """What an intent asks for."""

    SUBMIT = "submit"
    CANCEL = "cancel"
    CANCEL_ALL = "cancel_all"
    REPLACE = "replace"
    DISMISS = "dismiss"


class OrderStatus(StrEnum):
    """Where an order stands in its life; the legal moves are in `projections.orders`."""

    PENDING_SUBMIT = "pending_submit"
    UNKNOWN = "unknown"
    ACKED = "acked"
    WORKING = "working"
    HELD = "held"
    SUSPENDED = "suspended"
    PARTIALLY_FILLED = "partially_filled"
    PENDING_CANCEL = "pending_cancel"
    PENDING_REPLACE = "pending_replace"
    DONE_FOR_DAY = "done_for_day"
    REPLACED = "replaced"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"


class KillMode(StrEnum):
    """How far a kill switch goes; each mode includes the ones before it."""

    BLOCK_NEW = "block_new"
    CANCEL_ALL = "cancel_all"
    FLATTEN = "flatten"


class TradingState(StrEnum):
    """What an account may do."""

    ACTIVE = "active"
    REDUCE_ONLY = "reduce_only"
    HALTED = "halted"


class Regime(StrEnum):
    """The named market condition."""

    TREND = "TREND"
    CHOP = "CHOP"
    VOL_EXPANSION = "VOL_EXPANSION"
    UNTRADEABLE = "UNTRADEABLE"


class Role(StrEnum):
    """The processes that write an account's journal, each with its own epoch."""

    RISK = "risk"
    OMS = "oms"
    GATEWAY = "gateway"
    AUDIT = "audit"


class EndCause(StrEnum):
    """Why an order ended without the broker deciding so on its own."""

    BROKER = "broker"
    DECISION_STALE = "decision_stale"
    KILL_SWITCH = "kill_switch"
    NEVER_ARRIVED = "never_arrived"
    TOO_OLD = "too_old"


class BreakKind(StrEnum):
    """In what our books and the broker's differ; an orphan is an order that no approved decision explains."""

    POSITION = "position"
    CASH = "cash"
    ORDER = "order"
    OVERFILL = "overfill"
    ORPHAN = "orphan"
