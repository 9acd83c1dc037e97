"""The conditions on which an intent is stated from the command line, and whether it is meant at all."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, TypedDict

from cyclopts import Parameter

from services.cli.manner import number


def _option(told: str) -> Parameter:
    return Parameter(help=told, allow_leading_hyphen=True)


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """What must still be so when risk decides; an intent whose conditions do not hold is denied."""

    if_position: Annotated[str | None, _option("Only if exactly so many shares are held, negative when short.")] = (
        None
    )
    if_state_seq: Annotated[int | None, _option("Only if nothing happened in the symbol since this state_seq.")] = (
        None
    )
    expected_price: Annotated[str | None, _option("Only if the market is not worse than this, with a tolerance.")] = (
        None
    )
    tolerance_bps: Annotated[str | None, _option("How much worse it may be, in basis points.")] = None
    dry_run: Annotated[
        bool, Parameter(negative="", help="Only show how it would be decided: nothing is sent, nothing is set aside.")
    ] = False


FlatConditions = Annotated[Conditions, Parameter(name="*")]
ALWAYS = Conditions()


class Stated(TypedDict):
    """The fields of an intent that say on which conditions it is stated."""

    if_position: Decimal | None
    if_state_seq: int | None
    expected_price: Decimal | None
    price_tolerance_bps: Decimal | None
    dry_run: bool


def stated(conditions: Conditions) -> Stated:
    """Write conditions as an intent has them."""
    return Stated(
        if_position=number("--if-position", conditions.if_position),
        if_state_seq=conditions.if_state_seq,
        expected_price=number("--expected-price", conditions.expected_price),
        price_tolerance_bps=number("--tolerance-bps", conditions.tolerance_bps),
        dry_run=conditions.dry_run,
    )
