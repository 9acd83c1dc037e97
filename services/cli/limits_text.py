"""Limits, layers and owners' books as a person reads them."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from msgspec.structs import asdict

from contracts.limits import LimitOverride
from projections.owner_view import OwnerView
from projections.state_view import AccountView
from services.cli.lines import amount


def limits_text(value: Any) -> str:
    """Write a limit."""
    match value:
        case bool():
            return "yes" if value else "no"
        case Decimal():
            return amount(value)
        case tuple():
            parts: tuple[Any, ...] = value
            return ", ".join(part if isinstance(part, str) else part.name for part in parts) or "none"
        case _:
            return str(value)


def held_text(limits: LimitOverride) -> str:
    """Write what a layer holds."""
    return ", ".join(f"{name} {limits_text(value)}" for name, value in asdict(limits).items() if value is not None)


def told_of_owners(shown: AccountView) -> Iterator[tuple[str, str]]:
    """Tell the layers, and each owner's book with what its own limits leave; nothing where there are none."""
    if shown.layers:
        yield "layers", "bold"
        yield from ((f"  {one.scope} version {one.version}: {held_text(one.limits)}", "") for one in shown.layers)
    if shown.owners:
        yield "owners", "bold"
        yield from ((line, "") for one in shown.owners for line in _owner(one))


def _owner(one: OwnerView) -> Iterator[str]:
    held = ", ".join(f"{amount(qty)} {symbol}" for symbol, qty in one.positions.items()) or "nothing"
    exposure = f"exposure gross {amount(one.gross_usd)}, net {amount(one.net_usd)} USD"
    day = f"loss {amount(one.day_loss_usd)} USD, {one.trades} orders today, {one.open_orders} open"
    yield f"  {one.scope} holds {held}; {exposure}; {day}"
    if one.headroom:
        yield "    left: " + ", ".join(f"{name} {amount(left)}" for name, left in one.headroom.items())
