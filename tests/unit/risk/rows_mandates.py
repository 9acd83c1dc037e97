"""Rows of what an agent's mandate allows, and of what waits for a person."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from contracts.controls import MandateGranted, MandateRevoked
from contracts.enums import OrderType, Side
from contracts.ids import OPERATOR, AgentId, FillId, Symbol
from contracts.mandates import Hours, Mandate, MandateSide, Venue
from contracts.reasons import DenialCode as C
from projections.account import AccountState
from services.risk.holding import HELD_MAX
from tests.risk_world import DEMO, NOW, body, bought, evidence, intent, limits_set, quote, state_of
from tests.risk_world import answer as answer_of
from tests.unit.risk.row import READY, Row, ready

LATER = NOW + timedelta(days=30)
REQUIRED = ready(mandates_required=True)
OPEN = evidence(quote())
LIVE = replace(OPEN, live=True)


def granted(agent: str = DEMO, version: int = 1, **terms: Any) -> MandateGranted:
    mandate = Mandate(**{"expires_at": LATER} | terms)
    return MandateGranted(epoch=0, at=NOW, agent=AgentId(agent), version=version, mandate=mandate, by="t", reason="t")


def revoked(agent: str = DEMO, version: int = 2) -> MandateRevoked:
    return MandateRevoked(epoch=0, at=NOW, agent=AgentId(agent), version=version, by="t", reason="t")


def allowed(**terms: Any) -> AccountState:
    return state_of(*READY, granted(**terms))


def held_in(*events: Any, wanted: int = 1, content: bytes | None = None) -> AccountState:
    """A state in which so many intents of the agent wait for a person."""
    state = state_of(*READY, granted(approval_from_usd=Decimal(1000)), *events)
    known = [*READY, granted(approval_from_usd=Decimal(1000)), *events]
    for number in range(wanted):
        held = answer_of(state, content or body("i"))
        known.append(replace(held, intent_id=f"held-{number}", correlation_id=f"held-{number}"))
        state = state_of(*known)
    return state


def approval(intent_id: str = "i", held: str = "held-0", agent: str = DEMO, *, approve: bool = True) -> bytes:
    return intent("approval", intent_id, agent=agent, held_intent_id=held, approve=approve)


def at_hour(hour: int, minute: int) -> Any:
    """Evidence of an hour of the exchange (winter time: five behind UTC)."""
    then = datetime(2026, 11, 23, hour + 5, minute, tzinfo=UTC)
    return evidence(quote(at=then), at=then)


TRADING = {"hours": Hours(from_minute=570, to_minute=600)}
SHORT_SALE = body(side="sell", qty="5")


def against() -> AccountState:
    """An agent that may sell and not short holds 10, and another is short as many: the account holds none."""
    events: list[Any] = [*READY, granted()]
    for agent, fields in ((DEMO, {"limit_price": "99.00"}), ("eve", {"side": "sell", "limit_price": "105.00"})):
        events.append(answer_of(state_of(*events), body(**fields), agent=agent))
    fills = [replace(bought("10"), order_id=one.order_id, fill_id=FillId(one.agent)) for one in events[-2:]]
    return state_of(*events, fills[0], replace(fills[1], side=Side.SELL))


ROWS: list[Row] = [
    Row(C.NO_MANDATE, REQUIRED, body(), OPEN),
    Row(C.NO_MANDATE, state_of(*READY, granted("eve"), limits_set(2, mandates_required=True)), body(), OPEN),
    Row(C.NO_MANDATE, state_of(*READY, granted(), revoked()), body(), OPEN),
    Row(C.MANDATE_EXPIRED, allowed(expires_at=NOW), body(), OPEN),
    Row(C.MANDATE_FORBIDS, allowed(symbols=(Symbol("MSFT"),)), body(), OPEN),
    Row(C.MANDATE_FORBIDS, allowed(symbols=()), body(), OPEN),
    Row(C.MANDATE_FORBIDS, allowed(asset_classes=()), body(), OPEN),
    Row(C.MANDATE_FORBIDS, allowed(sides=(MandateSide.SELL, MandateSide.SHORT)), body(), OPEN),
    Row(C.MANDATE_FORBIDS, allowed(), SHORT_SALE, OPEN),
    Row(C.MANDATE_FORBIDS, against(), body(side="sell", qty="11"), OPEN),
    Row(C.MANDATE_FORBIDS, allowed(order_types=(OrderType.MARKET,)), body(), OPEN),
    Row(C.MANDATE_FORBIDS, allowed(strategies=("calm",)), body(), OPEN),
    Row(C.MANDATE_FORBIDS, allowed(strategies=("calm",)), body(meta={"strategy": "wild"}), OPEN),
    Row(C.MANDATE_FORBIDS, allowed(), body(), LIVE),
    Row(C.MANDATE_FORBIDS, allowed(venues=(Venue.LIVE,)), body(), OPEN),
    Row(C.MANDATE_FORBIDS, allowed(**TRADING), body(), at_hour(9, 29), "570", "569"),
    Row(C.MANDATE_FORBIDS, allowed(**TRADING), body(), at_hour(10, 0), "600", "600"),
    Row(C.NOT_HELD, ready(), approval(), OPEN, agent=OPERATOR),
    Row(C.NOT_HELD, held_in(), approval(held="held-1"), OPEN, agent=OPERATOR),
    Row(C.NOT_HELD, held_in(), approval(agent="eve"), OPEN, agent=OPERATOR),
    Row(C.NOT_YOUR_ORDER, held_in(), approval(), OPEN),
    Row(C.NOT_YOUR_ORDER, held_in(), approval(approve=False), OPEN, agent="eve"),
    Row(
        C.APPROVAL_EXPIRED,
        held_in(),
        approval(),
        evidence(quote(), at=NOW + timedelta(milliseconds=900_001)),
        agent=OPERATOR,
    ),
    Row(
        C.NEEDS_APPROVAL,
        held_in(wanted=HELD_MAX),
        body(),
        OPEN,
        str(HELD_MAX),
        str(HELD_MAX + 1),
    ),
]

PASSING: list[tuple[str, AccountState, bytes, Any]] = [
    ("mandate: none needed", ready(), body(), OPEN),
    ("mandate: last moment", allowed(expires_at=NOW + timedelta(microseconds=1)), body(), OPEN),
    ("mandate: symbol", allowed(symbols=(Symbol("AAPL"),)), body(), OPEN),
    ("mandate: side", allowed(sides=(MandateSide.BUY,)), body(), OPEN),
    ("mandate: all of one's own", against(), body(side="sell", qty="10"), OPEN),
    ("mandate: short", allowed(sides=(MandateSide.SHORT,)), SHORT_SALE, OPEN),
    ("mandate: type", allowed(order_types=(OrderType.LIMIT,)), body(), OPEN),
    ("mandate: strategy", allowed(strategies=("calm",)), body(meta={"strategy": "calm"}), OPEN),
    ("mandate: no strategy named", allowed(), body(), OPEN),
    ("mandate: live", allowed(venues=(Venue.LIVE,)), body(), LIVE),
    ("mandate: first minute", allowed(hours=Hours(from_minute=600, to_minute=630)), body(), OPEN),
    ("mandate: last minute", allowed(hours=Hours(from_minute=570, to_minute=601)), body(), OPEN),
    ("mandate: below approval", allowed(approval_from_usd=Decimal("1000.01")), body(), OPEN),
    ("mandate: another's mandate", state_of(*READY, granted("eve", symbols=())), body(), OPEN),
    (
        "mandate: exit without mandate",
        state_of(limits_set(mandates_required=True), *READY[1:], bought("10")),
        SHORT_SALE,
        OPEN,
    ),
    ("mandate: exit after the end", state_of(*READY, granted(expires_at=NOW), bought("10")), SHORT_SALE, OPEN),
    ("mandate: cover", state_of(*READY, granted(sides=()), bought("10", side=Side.SELL)), body(), OPEN),
    (
        "mandate: worth approval, but an exit",
        state_of(*READY, granted(approval_from_usd=Decimal(0)), bought("10")),
        body(side="sell"),
        OPEN,
    ),
]
"""What a mandate lets pass: named, with the state, the intent and the market."""
