"""Why something was denied, rejected or refused: closed codes in order of precedence, with their numbers."""

from decimal import Decimal
from enum import StrEnum

from contracts.base import Value
from contracts.scopes import Scope


class DenialCode(StrEnum):
    """Risk's reasons, first one wins: form, then state, then market, then account, then limits."""

    MALFORMED = "MALFORMED"
    INTENT_ID_MISMATCH = "INTENT_ID_MISMATCH"
    INVALID_SYMBOL = "INVALID_SYMBOL"
    INVALID_QTY = "INVALID_QTY"
    INVALID_PRICE = "INVALID_PRICE"
    INVALID_COMBINATION = "INVALID_COMBINATION"
    UNSUPPORTED = "UNSUPPORTED"
    STALE_INTENT = "STALE_INTENT"
    LOOP_BREAKER = "LOOP_BREAKER"
    NO_LIMITS = "NO_LIMITS"
    RAIL_MISSING = "RAIL_MISSING"
    NO_MANDATE = "NO_MANDATE"
    MANDATE_EXPIRED = "MANDATE_EXPIRED"
    MANDATE_FORBIDS = "MANDATE_FORBIDS"
    NOT_HELD = "NOT_HELD"
    APPROVAL_EXPIRED = "APPROVAL_EXPIRED"
    ORDER_NOT_FOUND = "ORDER_NOT_FOUND"
    NOT_YOUR_ORDER = "NOT_YOUR_ORDER"
    ORDER_NOT_WORKING = "ORDER_NOT_WORKING"
    REPLACE_PENDING = "REPLACE_PENDING"
    NOTHING_CHANGES = "NOTHING_CHANGES"
    NO_POSITION = "NO_POSITION"
    POSITION_CHANGED = "POSITION_CHANGED"
    STATE_CHANGED = "STATE_CHANGED"
    PRICE_MOVED = "PRICE_MOVED"
    KILL_SWITCH = "KILL_SWITCH"
    TRIPPED = "TRIPPED"
    SYMBOL_NOT_ALLOWED = "SYMBOL_NOT_ALLOWED"
    NO_ASSET = "NO_ASSET"
    NOT_TRADABLE = "NOT_TRADABLE"
    SYMBOL_HALTED = "SYMBOL_HALTED"
    NO_SESSION = "NO_SESSION"
    SESSION_CLOSED = "SESSION_CLOSED"
    SHORT_NOT_ALLOWED = "SHORT_NOT_ALLOWED"
    NOT_BORROWABLE = "NOT_BORROWABLE"
    CROSSES_ZERO = "CROSSES_ZERO"
    SELF_TRADE = "SELF_TRADE"
    DUPLICATE_ORDER = "DUPLICATE_ORDER"
    ORDER_UNKNOWN_PENDING = "ORDER_UNKNOWN_PENDING"
    RECONCILIATION_BREAK = "RECONCILIATION_BREAK"
    STALE_RECONCILIATION = "STALE_RECONCILIATION"
    STALE_AUDIT = "STALE_AUDIT"
    CLOCK_SKEW = "CLOCK_SKEW"
    NO_ACCOUNT = "NO_ACCOUNT"
    STALE_ACCOUNT = "STALE_ACCOUNT"
    ACCOUNT_BLOCKED = "ACCOUNT_BLOCKED"
    NO_QUOTE = "NO_QUOTE"
    STALE_QUOTE = "STALE_QUOTE"
    CROSSED_QUOTE = "CROSSED_QUOTE"
    MAX_SPREAD = "MAX_SPREAD"
    SMALL_QUOTE = "SMALL_QUOTE"
    NO_REGIME = "NO_REGIME"
    REGIME = "REGIME"
    NO_REFERENCE = "NO_REFERENCE"
    REFERENCE_COLLAR = "REFERENCE_COLLAR"
    FEED_DIVERGENCE = "FEED_DIVERGENCE"
    PRICE_COLLAR = "PRICE_COLLAR"
    PASSIVE_COLLAR = "PASSIVE_COLLAR"
    MAX_DAILY_LOSS = "MAX_DAILY_LOSS"
    MAX_DRAWDOWN = "MAX_DRAWDOWN"
    ORDER_RATE = "ORDER_RATE"
    MESSAGE_RATE = "MESSAGE_RATE"
    REPLACE_RATE = "REPLACE_RATE"
    MAX_OPEN_ORDERS = "MAX_OPEN_ORDERS"
    MAX_DAILY_TRADES = "MAX_DAILY_TRADES"
    MAX_TURNOVER = "MAX_TURNOVER"
    MAX_ORDER_QTY = "MAX_ORDER_QTY"
    MAX_ORDER_ADV = "MAX_ORDER_ADV"
    MAX_ORDER_NOTIONAL = "MAX_ORDER_NOTIONAL"
    MAX_POSITION_NOTIONAL = "MAX_POSITION_NOTIONAL"
    MAX_GROSS_EXPOSURE = "MAX_GROSS_EXPOSURE"
    MAX_NET_EXPOSURE = "MAX_NET_EXPOSURE"
    MAX_SECTOR_EXPOSURE = "MAX_SECTOR_EXPOSURE"
    MAX_CONCENTRATION = "MAX_CONCENTRATION"
    MAX_LEVERAGE = "MAX_LEVERAGE"
    MAX_OVERNIGHT_EXPOSURE = "MAX_OVERNIGHT_EXPOSURE"
    BUYING_POWER = "BUYING_POWER"
    CASH_FLOOR = "CASH_FLOOR"
    NEEDS_APPROVAL = "NEEDS_APPROVAL"


class RejectionCode(StrEnum):
    """The broker's reasons, told apart by its HTTP status and code, never by its text."""

    BAD_REQUEST = "BAD_REQUEST"
    UNAUTHORIZED = "UNAUTHORIZED"
    FORBIDDEN = "FORBIDDEN"
    NOT_FOUND = "NOT_FOUND"
    DUPLICATE_ORDER = "DUPLICATE_ORDER"
    INVALID_ORDER = "INVALID_ORDER"
    RATE_LIMITED = "RATE_LIMITED"
    BROKER_DECISION = "BROKER_DECISION"


class RefusalCode(StrEnum):
    """The gateway's reasons, before anything was published."""

    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    MISSING_REQUIRED_FIELDS = "missing_required_fields"
    INVALID_BODY = "invalid_body"
    IDEMPOTENCY_CONFLICT = "idempotency_conflict"
    VERSION_CONFLICT = "version_conflict"
    KILL_FILE_PRESENT = "kill_file_present"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    TOO_LARGE = "too_large"
    UNAVAILABLE = "unavailable"


class Reason(Value, frozen=True, kw_only=True):
    """A denial that a program can act on: what was measured, what is allowed, what would pass.

    `limit`, `attempted` and `headroom` carry the unit of the check (USD, bps, ms, percent or a count). `scope` names
    the layer whose limit it is, where it is not the account's.
    """

    code: DenialCode
    message: str
    limit: Decimal | None = None
    attempted: Decimal | None = None
    headroom: Decimal | None = None
    max_acceptable_qty: Decimal | None = None
    retryable: bool = False
    retry_after_ms: int | None = None
    needs_human: bool = False
    scope: Scope | None = None
