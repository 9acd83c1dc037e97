"""A story as a person reads it: headings, one fact a line, colours for what passed and what did not."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from contracts.decisions import Check, Decision, Headroom, checks_of
from contracts.enums import Outcome
from contracts.market import Quote
from projections.positions import Position
from projections.sql.story import Story
from projections.sql.trail import TrailEvent
from services.cli.lines import BAD, GOOD, NEUTRAL, QUIET, amount, line_of, terms_text, text_of
from services.cli.sizing_text import sizing_lines

HEADING = "bold"
type Styled = tuple[str, str]


def paragraphs(told: Story) -> Iterator[Styled]:
    """Tell the story from the question to what the account held after it."""
    name = told.intent_id or told.order_id
    yield f"{name} of {told.agent}" + (f", order {told.order_id}" if told.order_id else ""), HEADING
    if told.decision is not None and told.asked is not None:
        yield from _asked(told.decision)
        yield from _decided(told.decision, told.asked)
    yield from _happened(told)
    yield from _after(told)


def _asked(decision: Decision) -> Iterator[Styled]:
    yield "asked", HEADING
    if decision.malformed is not None:
        yield f"  bytes that are not JSON: {decision.malformed[:200]!r}", BAD
    else:
        yield f"  {bytes(decision.intent).decode('utf-8', 'replace')}", NEUTRAL


def _decided(decision: Decision, row: TrailEvent) -> Iterator[Styled]:
    evidence = decision.evidence
    waited_ms = (evidence.decided_at - evidence.received_at).total_seconds() * 1000
    yield f"decided at {_moment(evidence.decided_at)}, {waited_ms:.1f} ms after it was stored", HEADING
    for check in checks_of(decision):
        yield _check(check)
    yield from _evidence(decision)
    text, style = text_of(decision)
    yield f"  {text}", f"bold {style}"
    if decision.reason is not None:
        yield f"  {decision.reason.message}", NEUTRAL
    if decision.reason is not None and decision.reason.max_acceptable_qty is not None:
        yield f"  at most {amount(decision.reason.max_acceptable_qty)} shares would have passed", NEUTRAL
    if decision.sizing is not None:
        yield from ((line, NEUTRAL) for line in sizing_lines(decision.sizing))
    if decision.reservation is not None:
        held = decision.reservation
        yield (
            f"  set aside {amount(held.notional_usd)} USD: {amount(held.qty)} at worst {amount(held.price_usd)}",
            NEUTRAL,
        )
    place = f"journal {row.seq}, on everything up to {decision.state_seq}, limits version {decision.limits_version}"
    yield f"  {place}, epoch {decision.epoch}, code {decision.code_version}", QUIET
    if not row.admitted:
        yield "  VOID: its writer had lost the right to write", BAD


def _check(check: Check) -> Styled:
    measured = f" {amount(check.value)} against {amount(check.limit)}" if check.limit is not None else ""
    if check.limit is None and check.value is not None:
        measured = f" {amount(check.value)}"
    note = f" ({check.note})" if check.note else ""
    mark, style = ("passed", GOOD) if check.passed else ("FAILED", BAD)
    return f"  {mark} {check.name:<24}{measured}{note}", style


def _evidence(decision: Decision) -> Iterator[Styled]:
    evidence = decision.evidence
    if evidence.quote is not None:
        yield f"  on {_quote(evidence.quote, evidence.decided_at)}", QUIET
    if evidence.regime is not None:
        regime = evidence.regime
        yield f"  in regime {regime.regime} ({', '.join(regime.reasons) or 'no reasons given'})", QUIET
    if evidence.stats is not None:
        usual = evidence.stats
        prices = f"last price {amount(usual.last_price)}, prior close {amount(usual.prior_close)}"
        day = f"range {amount(usual.atr_usd)} USD, {amount(usual.daily_volume)} shares"
        yield f"  with {prices}; a usual day's {day}", QUIET
    if evidence.status is not None:
        yield f"  trading status {evidence.status.code} {evidence.status.message}".rstrip(), QUIET


def _quote(quote: Quote, decided_at: datetime) -> str:
    age_ms = (decided_at - quote.at).total_seconds() * 1000
    prices = f"{amount(quote.bid_price)} / {amount(quote.ask_price)}"
    return f"quote {quote.symbol} {prices} of {quote.source}, {age_ms:.0f} ms old"


def _happened(told: Story) -> Iterator[Styled]:
    if told.order_events or told.others:
        yield "happened", HEADING
    for row in sorted((*told.order_events, *told.others), key=lambda row: row.seq):
        line = line_of(row.seq, row.event)
        void = "" if row.admitted else " VOID"
        yield f"{line}{void}", line.style if row.admitted else BAD
    order = told.order
    if order is not None:
        average = f" at {amount(order.avg_price)} on average" if order.avg_price is not None else ""
        done = f"{amount(order.filled_qty)} of {amount(order.terms.qty)} filled{average}"
        yield f"  {terms_text(order.terms)}: {order.status}, {done}", HEADING
    elif told.decision is not None and told.decision.outcome is not Outcome.APPROVED:
        yield "  no order came of it", NEUTRAL


def _after(told: Story) -> Iterator[Styled]:
    if told.position_before is not None and told.position_after is not None:
        yield "position", HEADING
        yield f"  before {_position(told.position_before)}", NEUTRAL
        yield f"  after  {_position(told.position_after)} (journal {told.last_seq})", NEUTRAL
    if told.headroom_after is not None:
        yield "headroom after the decision", HEADING
        yield from _headroom(told.headroom_after)


def _position(position: Position) -> str:
    held = f"{amount(position.qty)} {position.symbol} at {amount(position.avg_price)}"
    return f"{held}, realised {amount(position.realized_usd)} USD"


def _headroom(headroom: Headroom) -> Iterator[Styled]:
    for field in msgspec.structs.fields(headroom):
        value = getattr(headroom, field.name)
        if value is not None:
            yield f"  {field.name:<22} {amount(Decimal(value))}", NEUTRAL


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}"[:-3] + "Z"
