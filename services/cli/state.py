"""`lockgate state` and `lockgate diff`: the account at any place of its journal, and what changed between two."""

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated

import msgspec
from cyclopts import Parameter

from contracts.decisions import Headroom
from contracts.scopes import ACCOUNT
from projections import account
from projections.account import EMPTY
from projections.differences import Difference, differences
from projections.state_view import AccountView, OrderView, Place, PositionView, view_of
from projections.trading_state import ScopeState
from services.cli.limits_text import told_of_owners
from services.cli.lines import amount, terms_text, text_of
from services.cli.outcome import OK
from services.cli.points import Point, is_past, point_of
from services.cli.source import HERE, Source, events_of, opened
from services.cli.terminal import AsJson, console, say_json
from services.runtime.ports import RawJournal

HEADING = "bold"
type Styled = tuple[str, str]


def state(
    *, at: Annotated[str | None, Parameter(name="--at")] = None, source: Source = HERE, as_json: AsJson = False
) -> int:
    """Show the account as it stood: trading state, positions, open orders, headroom, limits.

    ```
    lockgate state
    lockgate state --at 812
    lockgate state --at 2026-11-23T14:30:05Z --json
    ```

    Args:
        at: A journal sequence or a time; the present when left out. Of a time, everything written up to it counts.
        source: The journal to read.
        as_json: Print JSON for programs.
    """
    (shown,) = asyncio.run(_views(source, [None if at is None else point_of(at)]))
    if as_json:
        say_json(shown)
        return OK
    terminal = console()
    for text, style in paragraphs(shown):
        terminal.tell(text, style)
    return OK


def diff(a: str, b: str, /, *, source: Source = HERE, as_json: AsJson = False) -> int:
    """Show what changed in the account between two places: positions, orders, headroom, limits, trading state.

    ```
    lockgate diff 700 812
    lockgate diff 2026-11-23T14:30Z 2026-11-23T15:30Z --json
    ```

    Args:
        a: A journal sequence or a time.
        b: A later (or earlier) one.
        source: The journal to read.
        as_json: Print JSON for programs.
    """
    before, after = asyncio.run(_views(source, [point_of(a), point_of(b)]))
    found = tuple(one for one in differences(before, after) if not one.path.startswith("place."))
    if as_json:
        say_json({"a": before.place, "b": after.place, "differences": found})
        return OK
    terminal = console()
    terminal.tell(f"from sequence {before.place.seq} to {after.place.seq}: {len(found)} differences", HEADING)
    for one in found:
        terminal.tell(f"  {one.path:<44} {_side(one.before)} -> {_side(one.after)}", _style(one))
    return OK


async def _views(source: Source, points: list[Point | None]) -> list[AccountView]:
    async with opened(source) as journal:
        return await _views_at(journal, points)


async def _views_at(journal: RawJournal, points: list[Point | None]) -> list[AccountView]:
    """Fold the journal once, and look at each point; what a writer wrote after it had lost its right counts not."""
    folded, place = EMPTY, Place(account=journal.account, seq=0, at=None)
    views: dict[int, AccountView] = {}
    async for told in events_of(journal, "folding"):
        for number, point in enumerate(points):
            if number not in views and point is not None and is_past(point, told.seq, told.event):
                views[number] = view_of(folded, place)
        if len(views) == len(points):
            break
        if told.admitted:
            folded = account.evolve(folded, told.event, told.seq)
        place = Place(account=journal.account, seq=told.seq, at=told.event.at)
    return [views.get(number) or view_of(folded, place) for number in range(len(points))]


def paragraphs(shown: AccountView) -> Iterator[Styled]:
    """Tell a view to a person."""
    place, day, exposure = shown.place, shown.day, shown.exposure
    when = "before the first event" if place.at is None else f"{place.at:%Y-%m-%d %H:%M:%S.%f} UTC"
    yield f"account {place.account} after sequence {place.seq}, {when}", HEADING
    style = "green" if shown.trading_state == "active" else "bold red"
    yield f"trading {shown.trading_state}" + (f" ({', '.join(shown.halts)})" if shown.halts else ""), style
    for kill in shown.kills:
        since = f"since {kill.since:%Y-%m-%d %H:%M:%S} UTC, journal {kill.seq}"
        yield f"  kill switch {kill.mode} for {kill.scope} by {kill.by}: {kill.reason} ({since})", ""
        yield f"    {'no proof yet' if kill.proof is None else text_of(kill.proof)[0]}", ""
    yield from _modes(shown.modes)
    yield f"limits version {shown.limits_version}", ""
    equity = f"equity {amount(day.equity_usd)}, loss {amount(day.loss_usd)}, drawdown {amount(day.drawdown_usd)} USD"
    yield f"day {day.trading_day or '-'}: {day.orders} orders, {equity}", ""
    yield f"exposure gross {amount(exposure.gross_usd)}, net {amount(exposure.net_usd)} USD", ""
    yield f"positions ({len(shown.positions)})", HEADING
    yield from ((_position(one), "") for one in shown.positions)
    yield f"open orders ({len(shown.open_orders)})", HEADING
    yield from ((_order(one), "") for one in shown.open_orders)
    yield "headroom", HEADING
    yield from _headroom(shown.headroom)
    yield from told_of_owners(shown)
    for told in shown.warnings:
        yield f"warning {told.name}: {told.message} ({told.source}; {told.certainty})", "yellow"


def _modes(modes: tuple[ScopeState, ...]) -> Iterator[Styled]:
    """Tell what each agent, strategy and symbol may do that is not as free as the account."""
    for told in modes:
        own = [cause for cause in told.causes if cause.scope == told.scope]
        if own and told.scope != ACCOUNT:
            yield f"  {told.scope} {told.state} ({', '.join(cause.name for cause in own)})", "bold red"
        for cause in (cause for cause in own if cause.name != "kill_switch"):  # those have their own lines
            since = "" if cause.since is None else f"since {cause.since:%Y-%m-%d %H:%M:%S} UTC"
            told_more = " ".join(part for part in (since, cause.detail) if part)
            if told_more:
                yield f"    {cause.name}: {told_more}", ""


def _position(one: PositionView) -> str:
    profit = f"realised {amount(one.realized_usd)}, unrealised {amount(one.unrealized_usd)} USD"
    return f"  {amount(one.qty)} {one.symbol} at {amount(one.avg_price)}, marked {amount(one.mark_price)}: {profit}"


def _order(one: OrderView) -> str:
    filled = f"{amount(one.filled_qty)} filled, {amount(one.reserved_usd)} USD set aside"
    return f"  {one.order_id} of {one.agent} {one.status}: {terms_text(one.terms)}, {filled}"


def _headroom(left: Headroom) -> Iterator[Styled]:
    for name, value in msgspec.structs.asdict(left).items():
        if value is not None:
            yield f"  {name:<22} {amount(Decimal(value))}", ""


def _side(value: object) -> str:
    return "-" if value is None else str(value)


def _style(one: Difference) -> str:
    if one.before is None:
        return "green"
    return "red" if one.after is None else ""
