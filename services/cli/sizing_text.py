"""Advice on sizes as a person reads it."""

from collections.abc import Iterator

from contracts.decisions import Sizing
from services.cli.lines import amount


def sizing_lines(sizing: Sizing) -> Iterator[str]:
    """Say how many shares are advised, what a loss at the stop would cost, and what made it fewer."""
    asked = f"advice: {amount(sizing.recommended_qty)} shares ({amount(sizing.requested_qty)} asked for)"
    at_stop = f"{amount(sizing.risk_usd)} USD at risk, {amount(sizing.stop_distance_usd)} USD a share to the stop"
    yield f"  {asked}: {at_stop}"
    for step in sizing.adjustments:
        if step.factor != 1:
            yield f"    × {amount(step.factor)} for {step.name}: {step.note}"
