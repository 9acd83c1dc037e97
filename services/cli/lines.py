"""The journal as a person reads it: one event, one line, with the colour of what it means."""

from dataclasses import dataclass
from datetime import UTC
from decimal import Decimal

from contracts.audit import ChainCheckpoint, WatchReported
from contracts.broker import (
    AccountObserved,
    AssetsObserved,
    BreakFound,
    BreakHealed,
    BrokerLinkChanged,
    CashMoved,
    ClockCompared,
    KillVerified,
    PositionAdopted,
    Reconciled,
    SessionsObserved,
    Throttled,
)
from contracts.codec import JournalEvent
from contracts.controls import (
    BreakAccepted,
    EpochTaken,
    KillEngaged,
    KillReleased,
    LayerSet,
    LimitsProposed,
    LimitsSet,
    MandateGranted,
    MandateRevoked,
    TripReset,
)
from contracts.decisions import Decision
from contracts.enums import Action, KillMode, OrderClass, Outcome
from contracts.orders import (
    AnyOrderEvent,
    OrderAcknowledged,
    OrderAdopted,
    OrderBusted,
    OrderCanceled,
    OrderCancelRejected,
    OrderCancelRequested,
    OrderCompleted,
    OrderCorrected,
    OrderDoneForDay,
    OrderExpired,
    OrderFilled,
    OrderHeld,
    OrderLegAdded,
    OrderRejected,
    OrderReplaced,
    OrderReplaceRejected,
    OrderReplaceRequested,
    OrderReported,
    OrderSuspended,
    OrderTerms,
    OrderUnknown,
    OrderWorking,
)
from projections.health import skew_words

GOOD, BAD, WARNING, QUIET, NEUTRAL = "green", "red", "yellow", "dim", ""


@dataclass(frozen=True, slots=True)
class Line:
    """One event in words; `style` is a rich style."""

    seq: int
    clock: str
    kind: str
    text: str
    style: str

    def __str__(self) -> str:
        """Write the line without colour."""
        return f"{self.seq:>8} {self.clock} {self.kind:<9} {self.text}"


def line_of(seq: int, event: JournalEvent) -> Line:
    """Put one journal event into words."""
    kind, text, style = _words(event)
    clock = event.at.astimezone(UTC).strftime("%H:%M:%S.%f")[:-3]
    return Line(seq=seq, clock=clock, kind=kind, text=text, style=style)


def text_of(event: JournalEvent) -> tuple[str, str]:
    """Put one event into words without its place; give text and style."""
    _, text, style = _words(event)
    return text, style


def amount(number: Decimal | None) -> str:
    """Write a number without trailing zeros, a dash for none."""
    return "-" if number is None else f"{number.normalize():f}"


def terms_text(terms: OrderTerms) -> str:
    """Write what is asked of the broker."""
    what = f"{amount(terms.qty)} {terms.symbol}"
    if terms.notional_usd is not None:
        what = f"{amount(terms.notional_usd)} USD of {terms.symbol}"
    prices = _prices_text(terms) or f" {terms.order_type}"
    return f"{terms.side} {what}{prices} {terms.time_in_force}{_exits_text(terms)}"


def _prices_text(terms: OrderTerms) -> str:
    named = {
        "limit": terms.limit_price,
        "stop": terms.stop_price,
        "trailing by": terms.trail_price,
    }
    told = "".join(f" {name} {amount(price)}" for name, price in named.items() if price is not None)
    return told if terms.trail_percent is None else f"{told} trailing by {amount(terms.trail_percent)} %"


def _exits_text(terms: OrderTerms) -> str:
    profit, stop = terms.take_profit, terms.stop_loss
    hours = " extended hours" if terms.extended_hours else ""
    kind = "" if terms.order_class is OrderClass.SIMPLE else f" {terms.order_class}"
    taken = "" if profit is None else f" take-profit {amount(profit.limit_price)}"
    lost = "" if stop is None else f" stop-loss {amount(stop.stop_price)}"
    return f"{hours}{kind}{taken}{lost}"


def _words(event: JournalEvent) -> tuple[str, str, str]:  # noqa: C901 - one case per kind of event
    match event:
        case Decision():
            return "decision", *_decision(event)
        case LimitsSet() | LimitsProposed() | KillEngaged() | KillReleased() | BreakAccepted():
            return "control", *_control(event)
        case LayerSet() | MandateGranted() | MandateRevoked() | TripReset():
            return "control", *_granted(event)
        case EpochTaken(role=role, epoch=epoch, owner=owner, code_version=code):
            return "epoch", f"{role} writes from epoch {epoch} ({owner}, code {code})", QUIET
        case AccountObserved() | BrokerLinkChanged() | Reconciled() | PositionAdopted():
            return "broker", *_broker(event)
        case CashMoved() | BreakFound() | BreakHealed():
            return "broker", *_books(event)
        case Throttled() | ClockCompared() | AssetsObserved() | SessionsObserved() | KillVerified():
            return "broker", *_told(event)
        case ChainCheckpoint(upto_seq=upto, digest=digest):
            return "audit", f"chain up to {upto} is {digest[:16]}", QUIET
        case WatchReported(blind=blind, detail=detail):
            return "audit", f"the watch sees {'NOTHING' if blind else 'the broker'} {detail}", BAD if blind else QUIET
        case _:
            return "order", *_order(event)


def _decision(decision: Decision) -> tuple[str, str]:
    who = f"{decision.agent} {decision.intent_id}"
    if decision.on_behalf_of is not None:
        who = f"{who} for {decision.on_behalf_of} {decision.correlation_id}"
    if decision.held_until is not None and decision.terms is not None:
        until = decision.held_until.astimezone(UTC)
        return f"{who} waits for a person until {until:%H:%M:%S}Z: {terms_text(decision.terms)}", WARNING
    if decision.outcome is Outcome.APPROVED:
        changed = "replace by " if decision.action is Action.REPLACE else ""
        what = changed + terms_text(decision.terms) if decision.terms else str(decision.action)
        orders = ", ".join(decision.order_ids) or decision.order_id or "no order"
        return f"{who} approved: {what} -> {orders}", GOOD
    if decision.outcome is Outcome.WOULD_APPROVE and decision.terms is not None:
        changed = "replace by " if decision.action is Action.REPLACE else ""
        return f"{who} would be approved, nothing was sent: {changed}{terms_text(decision.terms)}", GOOD
    if decision.reason is None:
        return f"{who} {decision.outcome}", WARNING
    measured = ""
    if decision.reason.limit is not None:
        measured = f" ({amount(decision.reason.attempted)} against {amount(decision.reason.limit)})"
    return f"{who} {decision.outcome}: {decision.reason.code}{measured}", BAD


def _granted(event: LayerSet | MandateGranted | MandateRevoked | TripReset) -> tuple[str, str]:
    match event:
        case LayerSet(limits=limits):
            what = "taken away" if limits is None else "set"
            return f"limits of {event.scope} {what}, version {event.version} by {event.by}: {event.reason}", WARNING
        case MandateGranted():
            return f"mandate of {event.agent} version {event.version} by {event.by}: {event.reason}", WARNING
        case MandateRevoked():
            return f"mandate of {event.agent} REVOKED by {event.by}: {event.reason}", BAD
        case TripReset():
            return f"{event.trip} of {event.scope} reset by {event.by}: {event.reason}", GOOD


def _told(event: Throttled | ClockCompared | AssetsObserved | SessionsObserved | KillVerified) -> tuple[str, str]:
    match event:
        case KillVerified():
            return _proof(event)
        case ClockCompared():
            return skew_words(event), QUIET
        case Throttled():
            return f"too many requests, wait {event.retry_after_ms} ms", WARNING
        case AssetsObserved():
            return f"{len(event.assets)} symbols, {sum(one.tradable for one in event.assets)} tradable", QUIET
        case SessionsObserved():
            days = event.sessions
            return f"{len(days)} sessions from {days[0].trading_day}" if days else "no sessions", QUIET


def _control(
    event: LimitsSet | LimitsProposed | KillEngaged | KillReleased | BreakAccepted,
) -> tuple[str, str]:
    match event:
        case LimitsSet():
            return f"limits version {event.version} by {event.by}: {event.reason}", WARNING
        case LimitsProposed(what_if=seen):
            flips = (
                f"{seen.newly_denied} of {seen.decisions} decisions would be denied, {seen.newly_approved} approved"
            )
            return f"limits proposed by {event.by}: {event.reason} ({flips})", WARNING
        case KillEngaged():
            return f"KILL SWITCH {event.mode} for {event.scope} by {event.by}: {event.reason}", f"bold {BAD}"
        case KillReleased():
            return f"kill switch for {event.scope} released by {event.by}: {event.reason}", GOOD
        case BreakAccepted():
            return f"break accepted by {event.by}, {event.kind} {event.key}: {event.reason}", WARNING


def _broker(event: AccountObserved | BrokerLinkChanged | Reconciled | PositionAdopted) -> tuple[str, str]:
    match event:
        case AccountObserved():
            blocked = ", TRADING BLOCKED" if event.trading_blocked else ""
            money = f"equity {amount(event.equity_usd)} cash {amount(event.cash_usd)} USD"
            return f"{money}, {len(event.positions)} positions{blocked}", BAD if blocked else QUIET
        case BrokerLinkChanged():
            return f"link {'up' if event.up else 'DOWN'}: {event.detail}", GOOD if event.up else BAD
        case Reconciled():
            breaks = ", ".join(event.position_breaks)
            text = f"reconciled {event.orders_compared} orders, {event.fills_recovered} fills recovered"
            return text + (f", BREAKS {breaks}" if breaks else ""), BAD if breaks else QUIET
        case PositionAdopted():
            return f"adopted {amount(event.qty)} {event.symbol} at {amount(event.price)}: {event.detail}", WARNING


def _proof(event: KillVerified) -> tuple[str, str]:
    """Tell what the broker showed after a kill; times are milliseconds, all from the word on."""
    heard_ms = event.blocked_after_ms
    blocked = "when the OMS started" if heard_ms is None else f"after {amount(heard_ms)} ms"
    silent_ms = event.silent_after_ms
    silent = "silence not proved" if silent_ms is None else f"silent after {amount(silent_ms)} ms"
    what = f"kill switch {event.mode} for {event.scope} (journal {event.engaged_seq}): blocked {blocked}, {silent}"
    left = f"{event.orders_left} orders and {event.positions_left} positions are there"
    if event.flat_after_ms is not None:
        done_ms = (heard_ms or 0) + event.flat_after_ms
        return f"{what}, done after {amount(done_ms)} ms, {left}", f"bold {GOOD}"
    if event.mode is KillMode.BLOCK_NEW:
        return f"{what}, {left}", GOOD
    return f"{what}, NOT DONE YET: {left}; {event.detail}", f"bold {BAD}"


def _books(event: CashMoved | BreakFound | BreakHealed) -> tuple[str, str]:
    match event:
        case CashMoved():
            return f"cash moved {amount(event.amount_usd)} USD: {event.kind} {event.detail}".rstrip(), NEUTRAL
        case BreakFound():
            return f"BREAK {event.kind} {event.key}: ours {event.ours}, the broker's {event.theirs}", f"bold {BAD}"
        case BreakHealed():
            return f"break healed, {event.kind} {event.key}: {event.detail}", GOOD


_DOUBTS = {OrderUnknown: "unknown", OrderCancelRejected: "cancel rejected", OrderReplaceRejected: "replace rejected"}
_STANDS = {
    OrderWorking: "working",
    OrderHeld: "held for its entry",
    OrderSuspended: "suspended",
    OrderDoneForDay: "done for the day",
}


def _order(event: AnyOrderEvent) -> tuple[str, str]:
    text, style = _order_step(event)
    return f"{event.order_id} {text}", style


def _order_step(event: AnyOrderEvent) -> tuple[str, str]:
    match event:
        case OrderFilled():
            late = " (recovered)" if event.recovered else ""
            what = f"{event.side} {amount(event.qty)} {event.symbol} at {amount(event.price)}"
            return f"filled {what}, {amount(event.cum_qty)} in all{late}", f"bold {GOOD}"
        case OrderRejected():
            return f"rejected by the broker: {event.code} {event.message}", BAD
        case OrderUnknown() | OrderCancelRejected() | OrderReplaceRejected():
            return f"{_DOUBTS[type(event)]}: {event.detail}", WARNING
        case OrderCanceled() | OrderExpired():
            word = "canceled" if isinstance(event, OrderCanceled) else "expired"
            return f"{word} ({event.cause})", WARNING
        case OrderAdopted():
            return f"adopted: {terms_text(event.terms)} (client id {event.client_order_id})", WARNING
        case OrderBusted() | OrderCorrected():
            return _undone(event), f"bold {WARNING}"
        case _:
            return _quiet_step(event), NEUTRAL


def _undone(event: OrderBusted | OrderCorrected) -> str:
    if isinstance(event, OrderBusted):
        return f"BUSTED {amount(event.qty)} at {amount(event.price)}: execution {event.fill_id} no longer counts"
    old, new = (
        f"{amount(event.old_qty)} at {amount(event.old_price)}",
        f"{amount(event.qty)} at {amount(event.price)}",
    )
    return f"CORRECTED {old} to {new}: execution {event.fill_id}"


type _Quiet = (
    OrderAcknowledged
    | OrderWorking
    | OrderHeld
    | OrderSuspended
    | OrderDoneForDay
    | OrderCompleted
    | OrderCancelRequested
    | OrderReplaceRequested
    | OrderReplaced
    | OrderLegAdded
    | OrderReported
)


def _quiet_step(event: _Quiet) -> str:
    match event:
        case OrderAcknowledged():
            return f"acknowledged as {event.broker_order_id} ({event.broker_status})"
        case OrderWorking() | OrderHeld() | OrderSuspended() | OrderDoneForDay():
            return f"{_STANDS[type(event)]} ({event.broker_status})"
        case OrderCompleted():
            return f"complete with {amount(event.cum_qty)}"
        case OrderCancelRequested() | OrderReplaceRequested():
            what = "cancel" if isinstance(event, OrderCancelRequested) else "replace"
            why = event.cause if isinstance(event, OrderCancelRequested) and event.cause is not None else ""
            return f"{what} requested by {event.requested_by} {why}".strip()
        case OrderReplaced():
            return f"replaced: {terms_text(event.terms)}"
        case OrderLegAdded():
            return f"{event.role} of {event.parent_id}: {terms_text(event.terms)} ({event.broker_status})"
        case OrderReported():
            return f"reported {event.broker_event} ({event.broker_status}) {event.detail}".rstrip()
