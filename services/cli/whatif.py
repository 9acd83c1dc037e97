"""`lockgate whatif`: the same stretch of the journal, decided under other limits, mandates and regime thresholds."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from msgspec.structs import asdict

from contracts import subjects
from contracts.controls import LimitsProposed
from contracts.limits import LimitSet
from services.cli.controls import given_reason, person
from services.cli.events import From, To
from services.cli.limits_file import Proposed, proposed_in
from services.cli.lines import amount
from services.cli.outcome import OK, CommandError, UsageError
from services.cli.points import Stretch, stretch_of
from services.cli.source import HERE, Source, events_of, opened
from services.cli.terminal import AsJson, console, say_json
from services.risk.whatif import WhatIf
from services.risk.whatif_regimes import ThresholdsTried
from services.risk.whatif_report import Both, Flip, WhatIfReport, summary_of
from services.runtime.clock import SystemClock
from services.runtime.jetstream import JetStreamJournal
from services.runtime.ports import RawJournal

type Styled = tuple[str, str]


def whatif(
    *,
    limits: Annotated[Path, Parameter(name="--limits")],
    propose: Annotated[str | None, Parameter(name="--propose")] = None,
    from_: From = None,
    to: To = None,
    source: Source = HERE,
    as_json: AsJson = False,
) -> int:
    """Decide a stretch of the journal again with other limits, mandates or thresholds; say what would have changed.

    Which decisions flip, what bound how often, the peak exposure and the profit against what happened. What is
    assumed of fills that never were is said with the answer. Nothing is changed; with `--propose` the limits are put
    on the record as a proposal with a summary of the answer, and `lockgate limits history` shows both once they hold.

    ```
    echo 'max_order_notional_usd = 2500' > tighter.toml
    lockgate whatif --limits tighter.toml
    lockgate whatif --limits tighter.toml --from 2026-11-23 --to 2026-11-24 --json
    echo 'mandates.demo.symbols = ["AAPL"]' > narrow.toml
    lockgate whatif --limits narrow.toml
    echo 'regime.spread_max_bps = 20' > calm.toml
    lockgate whatif --limits calm.toml
    lockgate whatif --limits tighter.toml --propose "Monday's orders were too large"
    ```

    Args:
        limits: A file (TOML or .json) with the limits to change, and layers in the form of the settings file
            (`[firm]`, `[agents.NAME]`, `[strategies.NAME]`, `[symbols.SYMBOL]`); what it does not name stays. A
            `[mandates.AGENT]` in the form of `mandate grant --file` stands in place of that agent's mandate for the
            whole stretch, and does not expire unless it says when; with `revoked = true` the agent has none.
            `[regime]` with `quote_age_max_ms` or `spread_max_bps` tries other thresholds of UNTRADEABLE.
        propose: Put these limits on the record as a proposal, for this reason.
        from_: Begin at this sequence or time; with the first event when left out.
        to: End at this sequence or time.
        source: The journal to read.
        as_json: Print JSON for programs.
    """
    proposed = proposed_in(limits)
    reason = None if propose is None else _reason(propose, source, to, proposed)
    found = asyncio.run(_asked(source, proposed, stretch_of(from_, to), reason))
    if as_json:
        say_json(found)
        return OK
    terminal = console()
    for text, style in paragraphs(found):
        terminal.tell(text, style)
    return OK


def _reason(propose: str, source: Source, to: str | None, proposed: Proposed) -> str:
    if proposed.layers:
        raise UsageError("a proposal is of the account's limits: set layers with `lockgate limits set`")
    if proposed.mandates:
        raise UsageError("a proposal is of the account's limits: grant mandates with `lockgate mandate grant`")
    if proposed.thresholds is not None:
        raise UsageError("a proposal is of the account's limits: set thresholds in [regime] of the settings file")
    if to is not None:
        raise UsageError("a proposal changes the limits that hold now, so it is weighed up to now: leave --to out")
    if source.journal is not None:
        raise UsageError("an export takes no proposals: leave --journal or --propose out")
    return given_reason(propose)


async def _asked(source: Source, proposed: Proposed, stretch: Stretch, propose: str | None = None) -> WhatIfReport:
    async with opened(source) as journal:
        first_seq = await _first_seq(journal, stretch)
        limits, layers, mandates, thresholds = proposed
        asked = WhatIf(journal.account, limits, first_seq, layers, mandates, thresholds)
        async for told in events_of(journal, "deciding again"):
            if stretch.is_over(told.seq, told.event):
                break
            asked.take(told.seq, told.event)
        found = asked.finish()
        if propose is not None and asked.limits is not None and isinstance(journal, JetStreamJournal):
            await _propose(journal, asked.limits, propose, found)
    return found


async def _propose(journal: JetStreamJournal, limits: LimitSet, reason: str, found: WhatIfReport) -> None:
    event = LimitsProposed(
        epoch=0, at=SystemClock().now(), limits=limits, by=person(), reason=reason, what_if=summary_of(found)
    )
    await journal.append(subjects.control(journal.account), event)


async def _first_seq(journal: RawJournal, stretch: Stretch) -> int:
    """Find where the stretch begins."""
    if stretch.first is None or isinstance(stretch.first, int):
        return stretch.first or 1
    async for told in events_of(journal, "looking for the beginning"):
        if stretch.has_begun(told.seq, told.event):
            return told.seq
    raise CommandError(f"nothing was written from {stretch.first} on")


def paragraphs(found: WhatIfReport) -> Iterator[Styled]:
    """Tell a report to a person."""
    yield f"sequences {found.first_seq} to {found.last_seq}: {found.decisions} decisions made again with", "bold"
    yield from ((f"  {one.path} {one.after} instead of {one.before}", "") for one in found.changes)
    if found.thresholds is not None:
        yield _tried(found.thresholds, found.other_regimes), ""
    yield f"{len(found.flips)} decisions flip", "bold"
    yield from (_flip(one) for one in found.flips)
    if found.consequences:
        yield f"and {len(found.consequences)} that follow from those", "bold"
        yield from (_flip(one) for one in found.consequences)
    yield "denied by", "bold"
    yield from ((f"  {one.code:<24} {one.was} then, {one.would_be} with these limits", "") for one in found.bound)
    yield "figures", "bold"
    yield _figure("peak gross exposure", found.peak_gross)
    yield _figure("peak net exposure", found.peak_net)
    yield _figure("profit over the stretch", found.profit)
    yield f"  {found.orders_left_out} orders left out, {found.orders_assumed} assumed", ""
    yield "assumed", "bold"
    yield from ((f"  {told}", "dim") for told in found.assumptions)


def _tried(thresholds: ThresholdsTried, other_regimes: int) -> str:
    named = [f"{name} {value}" for name, value in asdict(thresholds).items() if value is not None]
    return f"  regime thresholds tried: {', '.join(named)}; {other_regimes} decisions see another regime"


def _flip(one: Flip) -> Styled:
    code = one.would_be_code or one.was_code
    what = f"{one.agent} {one.intent_id} {one.action or '-'} {one.symbol or ''}".rstrip()
    style = "green" if one.would_be == "approved" else "red"
    return f"  {one.seq:>8} {what}: {one.was} -> {one.would_be} ({code}: {one.message})", style


def _figure(name: str, both: Both) -> Styled:
    change = both.would_be_usd - both.was_usd
    sides = f"{amount(both.was_usd)} then, {amount(both.would_be_usd)} with these limits"
    return f"  {name:<24} {sides} ({'+' if change > 0 else ''}{amount(change)} USD)", ""
