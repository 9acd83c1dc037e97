"""What a person says of an agent's mandate: what is left out stays as it is, or as it is by default.

One form for a file, a command and an HTTP request, so that a misspelt name is refused by all three.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any

import msgspec
from msgspec.structs import replace

from contracts.base import Moment
from contracts.enums import OrderType
from contracts.ids import EXTERNAL, OPERATOR, AgentId, Symbol, is_symbol, is_token
from contracts.limits import LimitOverride
from contracts.mandates import MANDATE_DAYS, AssetClass, Hours, Mandate, MandateSide, Venue
from projections.mandates import widened

STRATEGY_CHARS_MAX = 64
_NAMES_SHOWN = 5
_NEVER = datetime.max.replace(tzinfo=UTC)


class MandateError(ValueError):
    """What was said makes no mandate; the message says why."""


class MandateLimits(LimitOverride, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The agent's own limits; what is left out adds nothing to the account's."""


class MandateForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one agent may do. Lists left out or null allow all the account does; hours are New York's, in minutes.

    Unless said otherwise: 30 days, buy and sell but no short sales, every order type, paper.
    """

    expires_at: Moment | msgspec.UnsetType = msgspec.UNSET
    symbols: tuple[Symbol, ...] | msgspec.UnsetType | None = msgspec.UNSET
    asset_classes: tuple[AssetClass, ...] | msgspec.UnsetType = msgspec.UNSET
    sides: tuple[MandateSide, ...] | msgspec.UnsetType = msgspec.UNSET
    order_types: tuple[OrderType, ...] | msgspec.UnsetType = msgspec.UNSET
    strategies: (
        tuple[Annotated[str, msgspec.Meta(min_length=1, max_length=STRATEGY_CHARS_MAX)], ...]
        | msgspec.UnsetType
        | None
    ) = msgspec.UNSET
    venues: tuple[Venue, ...] | msgspec.UnsetType = msgspec.UNSET
    hours: Hours | msgspec.UnsetType | None = msgspec.UNSET
    budget_per_day_usd: Decimal | msgspec.UnsetType | None = msgspec.UNSET
    approval_from_usd: Decimal | msgspec.UnsetType | None = msgspec.UNSET
    approval_wait_ms: int | msgspec.UnsetType | None = msgspec.UNSET
    lease_ms: int | msgspec.UnsetType | None = msgspec.UNSET
    limits: MandateLimits | msgspec.UnsetType = msgspec.UNSET


_FIELDS = MandateForm.__struct_fields__


def read_form(table: Mapping[str, Any]) -> MandateForm:
    """Read a form out of plain values, as a file holds them; raise `MandateError` on anything else."""
    try:
        return msgspec.convert(table, MandateForm, strict=False)
    except msgspec.ValidationError as error:
        raise MandateError(str(error)) from error


def agent_named(text: str) -> AgentId:
    """Give the agent of a name; raise `MandateError` when none can be called so, or needs no mandate."""
    if not is_token(text):
        raise MandateError(f"{text[:80]!r} is no agent: 1 to 64 letters, digits, _ or -")
    if text in {OPERATOR, EXTERNAL}:
        raise MandateError(f"{text} needs no mandate: people act under it, or nobody of ours")
    return AgentId(text)


def new_mandate(form: MandateForm, now: datetime) -> Mandate:
    """Make a mandate of what was said and what holds by default; raise `MandateError` when it makes none."""
    mandate = _made(form, now + timedelta(days=MANDATE_DAYS))
    if mandate.expires_at <= now:
        raise MandateError(f"it would expire at {mandate.expires_at.isoformat()}, and that is over")
    return mandate


def supposed_mandate(form: MandateForm) -> Mandate:
    """Make a mandate to be tried on what is past: one without an end of its own has none; as `new_mandate` else."""
    return _made(form, _NEVER)


def tighter_mandate(old: Mandate, form: MandateForm) -> Mandate:
    """Change what was said of a mandate; raise `MandateError` when that would let its agent do more."""
    said = _said(form)
    try:
        new = replace(old, limits=_limits(form, old.limits), **said)
    except ValueError as error:
        raise MandateError(str(error)) from error
    wider = widened(old, new)
    if wider:
        raise MandateError(f"that would widen {', '.join(wider)}: only a new grant may")
    if new == old:
        raise MandateError("that changes nothing")
    return new


def _made(form: MandateForm, expires_at: datetime) -> Mandate:
    said: dict[str, Any] = {"expires_at": expires_at, **_said(form)}
    try:
        return Mandate(limits=_limits(form, LimitOverride()), **said)
    except ValueError as error:
        raise MandateError(str(error)) from error


def _said(form: MandateForm) -> dict[str, Any]:
    """Give what was said by name, without the limits, which are changed one by one."""
    said = {name: getattr(form, name) for name in _FIELDS if name != "limits"}
    said = {name: value for name, value in said.items() if value is not msgspec.UNSET}
    odd = [symbol for symbol in said.get("symbols") or () if not is_symbol(symbol)]
    if odd:
        raise MandateError(f"{', '.join(odd[:_NAMES_SHOWN])}: no symbols; use capital letters, as in AAPL or BRK.B")
    return said


def _limits(form: MandateForm, old: LimitOverride) -> LimitOverride:
    if isinstance(form.limits, msgspec.UnsetType):
        return old
    said = {name: value for name, value in msgspec.structs.asdict(form.limits).items() if value is not None}
    return replace(old, **said)
