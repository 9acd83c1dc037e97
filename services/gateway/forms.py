"""Request bodies: read from their bytes straight into exact decimals, never through a float.

The gateway refuses only what cannot be read into the form: a field missing, of the wrong type, or unknown (an
order must not lose a field that its sender counted on). What can be read and makes no sense, such as a quantity
of -10, NaN or 1e400 or a limit price of 0, is an intent like any other: risk denies it, on the record.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any

import msgspec

from contracts.enums import KillMode, OrderType, Side, TimeInForce
from contracts.ids import IntentId, OrderId, Symbol
from contracts.intents import CancelIntent, IntentMeta, SubmitIntent, TokenText
from contracts.reasons import RefusalCode
from contracts.values import is_plain_number
from services.gateway.refusals import Refusal

NumberOrText = Annotated[
    Decimal, msgspec.Meta(description="A decimal as a string, or a JSON number, which is read from its text.")
]
IdempotencyId = Annotated[
    TokenText,
    msgspec.Meta(
        description="Your own id for this request: repeating it returns the original answer and does nothing twice. "
        "Without one the gateway makes one and returns it, and a repeat is a new intent."
    ),
]
MODE_ALIASES = {"cancel_only": KillMode.CANCEL_ALL}
"""A mode name that an earlier system's documentation used."""
REASON_CHARS_MAX = 500


class SubmitForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A wish for one order. Either `qty` or `notional_usd` is required."""

    symbol: str
    side: Side
    order_type: OrderType = msgspec.field(name="type")
    qty: NumberOrText | None = None
    notional_usd: NumberOrText | None = None
    client_intent_id: IdempotencyId | None = None
    limit_price: NumberOrText | None = None
    stop_price: NumberOrText | None = None
    time_in_force: TimeInForce | None = None
    extended_hours: bool = False
    meta: IntentMeta | None = None


class CancelForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A wish to cancel one order; the whole body may be left out."""

    client_intent_id: IdempotencyId | None = None
    reason: Annotated[str, msgspec.Meta(max_length=REASON_CHARS_MAX)] | None = None


class KillForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The kill switch as it should be: on to a mode, or off with a reason."""

    enabled: bool
    mode: Annotated[
        str,
        msgspec.Meta(
            description="block_new (the default), cancel_all or flatten; cancel_only is read as cancel_all.",
            examples=[*KillMode, *MODE_ALIASES],
        ),
    ] = KillMode.BLOCK_NEW
    reason: Annotated[str, msgspec.Meta(max_length=REASON_CHARS_MAX)] | None = None


_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_submit = msgspec.json.Decoder(SubmitForm)
_cancel = msgspec.json.Decoder(CancelForm)
_kill = msgspec.json.Decoder(KillForm)
_NULL = b"null"
_whole = msgspec.json.Decoder(dict[str, Any], float_hook=str)
_NUMBERS = frozenset({"qty", "notional_usd", "limit_price", "stop_price"})
_AMOUNTS = ("qty", "notional_usd")


def read_submit(body: bytes) -> SubmitForm:
    """Read the body of a submit, or refuse it naming every field that is missing."""
    given = {name for name, raw in _read(_object, body).items() if bytes(raw) != _NULL}
    missing = [name for name in ("symbol", "side", "type") if name not in given]
    if not given.intersection(_AMOUNTS):
        missing.insert(2, "qty")
    _refuse_missing(missing)
    _refuse_odd_numbers(body)
    return _read(_submit, body)


def read_cancel(body: bytes) -> CancelForm:
    """Read the body of a cancel; no body at all is fine."""
    return _read(_cancel, body) if body.strip() else CancelForm()


def read_kill(body: bytes) -> tuple[KillForm, KillMode]:
    """Read the body of a kill-switch request and the mode that it means."""
    if "enabled" not in _read(_object, body):
        _refuse_missing(["enabled"])
    form = _read(_kill, body)
    mode = MODE_ALIASES.get(form.mode)
    if mode is None and form.mode not in KillMode:
        modes = [str(known) for known in KillMode]
        message = f"{form.mode[:40]!r} is not a mode: use {', '.join(modes)}"
        raise Refusal(RefusalCode.INVALID_BODY, message, details={"modes": modes})
    return form, mode or KillMode(form.mode)


def submit_intent(form: SubmitForm, intent_id: IntentId) -> SubmitIntent:
    """Say in the project's language what a submit form asks for."""
    return SubmitIntent(
        intent_id=intent_id,
        symbol=Symbol(form.symbol),
        side=form.side,
        order_type=form.order_type,
        qty=form.qty,
        notional_usd=form.notional_usd,
        limit_price=form.limit_price,
        stop_price=form.stop_price,
        time_in_force=form.time_in_force or TimeInForce.DAY,
        extended_hours=form.extended_hours,
        meta=form.meta or IntentMeta(),
    )


def cancel_intent(form: CancelForm, intent_id: IntentId, order_id: OrderId) -> CancelIntent:
    """Say in the project's language what a cancel form asks for."""
    return CancelIntent(intent_id=intent_id, order_id=order_id, meta=IntentMeta(reason=form.reason))


def _refuse_missing(missing: Sequence[str]) -> None:
    if missing:
        message = f"these fields are required: {', '.join(missing)}"
        raise Refusal(RefusalCode.MISSING_REQUIRED_FIELDS, message, details={"missing": list(missing)})


def _refuse_odd_numbers(body: bytes) -> None:
    """Refuse numbers in forms that Python reads and programs do not mean, such as 1_0 or another script's digits."""
    for name, value in _read(_whole, body).items():
        if name in _NUMBERS and isinstance(value, str) and not is_plain_number(value):
            raise Refusal(
                RefusalCode.INVALID_BODY, f"the body cannot be read: Invalid decimal string - at `$.{name}`"
            )


def _read(decoder: msgspec.json.Decoder[Any], body: bytes) -> Any:
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal(RefusalCode.INVALID_BODY, f"the body cannot be read: {error}") from error
