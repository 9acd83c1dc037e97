"""Request bodies: read from their bytes straight into exact decimals, never through a float.

The gateway refuses only what cannot be read into the form: a field missing, of the wrong type, or unknown (an
order must not lose a field that its sender counted on). What can be read and makes no sense, such as a quantity
of -10, NaN or 1e400 or a limit price of 0, is an intent like any other: risk denies it, on the record.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

import msgspec

from contracts.enums import KillMode
from contracts.ids import IntentId, is_token
from contracts.reasons import RefusalCode
from contracts.scopes import ACCOUNT, ScopeText
from contracts.values import is_plain_number
from services.gateway.mandate_answers import ApprovalForm, GrantForm, RevokeForm
from services.gateway.order_forms import CancelForm, ReasonText, ReplaceForm, SubmitForm
from services.gateway.refusals import Refusal
from services.runtime.ids import new_intent_id

MODE_ALIASES = {"cancel_only": KillMode.CANCEL_ALL}
"""A mode name that an earlier system's documentation used."""


class KillForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One kill switch as it should be: on to a mode, or off with a reason."""

    enabled: bool
    scope: Annotated[
        ScopeText,
        msgspec.Meta(
            description="Whose switch: account (firm is the same), agent.NAME, strategy.NAME or symbol.NAME.",
            examples=["account", "agent.demo", "strategy.momo", "symbol.AAPL"],
        ),
    ] = ACCOUNT
    mode: Annotated[
        str,
        msgspec.Meta(
            description="block_new (the default), cancel_all or flatten; cancel_only is read as cancel_all.",
            examples=[*KillMode, *MODE_ALIASES],
        ),
    ] = KillMode.BLOCK_NEW
    reason: ReasonText | None = None


_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_submit = msgspec.json.Decoder(SubmitForm)
_replace = msgspec.json.Decoder(ReplaceForm)
_cancel = msgspec.json.Decoder(CancelForm)
_kill = msgspec.json.Decoder(KillForm)
_grant = msgspec.json.Decoder(GrantForm)
_revoke = msgspec.json.Decoder(RevokeForm)
_approval = msgspec.json.Decoder(ApprovalForm)
_NULL = b"null"
_whole = msgspec.json.Decoder(dict[str, Any], float_hook=str)
_NUMBERS = frozenset(
    {
        "qty",
        "notional_usd",
        "limit_price",
        "stop_price",
        "trail_price",
        "trail_percent",
        "trail",
        "percent",
        "if_position",
        "expected_price",
        "price_tolerance_bps",
    }
)
_PARTS = frozenset({"take_profit", "stop_loss"})
_AMOUNTS = ("qty", "notional_usd")


def read_submit(body: bytes) -> SubmitForm:
    """Read the body of a submit, or refuse it naming every field that is missing."""
    given = {name for name, raw in _read(_object, body).items() if bytes(raw) != _NULL}
    missing = [name for name in ("symbol", "side", "type") if name not in given]
    if not given.intersection(_AMOUNTS):
        missing.insert(2, "qty")
    _refuse_missing(missing)
    _refuse_odd_numbers(_read(_whole, body))
    return _read(_submit, body)


def read_replace(body: bytes) -> ReplaceForm:
    """Read the body of a replace; whether it changes anything, risk says."""
    _refuse_odd_numbers(_read(_whole, body))
    return _read(_replace, body)


def read_cancel(body: bytes) -> CancelForm:
    """Read the body of a cancel; no body at all is fine."""
    return _read(_cancel, body) if body.strip() else CancelForm()


def read_grant(body: bytes) -> GrantForm:
    """Read the body of a grant, or of what tightens one."""
    return _read(_grant, body)


def read_revoke(body: bytes) -> RevokeForm:
    """Read the body of a revocation."""
    return _read(_revoke, body)


def read_approval(body: bytes) -> ApprovalForm:
    """Read a person's word on an intent that waits."""
    return _read(_approval, body)


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


def _refuse_missing(missing: Sequence[str]) -> None:
    if missing:
        message = f"these fields are required: {', '.join(missing)}"
        raise Refusal(RefusalCode.MISSING_REQUIRED_FIELDS, message, details={"missing": list(missing)})


def _refuse_odd_numbers(part: Mapping[str, Any], path: str = "$") -> None:
    """Refuse numbers in forms that Python reads and programs do not mean, such as 1_0 or another script's digits."""
    for name, value in part.items():
        if name in _NUMBERS and isinstance(value, str) and not is_plain_number(value):
            raise _odd_number(f"{path}.{name}")
        if name in _PARTS and isinstance(value, dict):
            _refuse_odd_numbers(value, f"{path}.{name}")


def _odd_number(path: str) -> Refusal:
    return Refusal(RefusalCode.INVALID_BODY, f"the body cannot be read: Invalid decimal string - at `{path}`")


def read_number(name: str, text: str | None) -> Decimal | None:
    """Read a number from a query parameter; what is a number and makes no sense, risk denies."""
    if text is None:
        return None
    try:
        if is_plain_number(text):
            return Decimal(text)
    except InvalidOperation:
        pass
    raise Refusal(RefusalCode.INVALID_BODY, f"{name} {text[:40]!r} is not a number")


def read_id(text: str | None) -> IntentId:
    """Read an idempotency id from a query parameter, or make one when none was given."""
    if text is None:
        return new_intent_id()
    if not is_token(text):
        raise Refusal(
            RefusalCode.INVALID_BODY, f"client_intent_id {text[:80]!r} must be 1 to 64 letters, digits, _, -"
        )
    return IntentId(text)


def _read(decoder: msgspec.json.Decoder[Any], body: bytes) -> Any:
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal(RefusalCode.INVALID_BODY, f"the body cannot be read: {error}") from error
