"""Trips as answers, and the form in which a person resets one."""

from datetime import datetime
from decimal import Decimal

import msgspec

from contracts.ids import AccountId
from contracts.reasons import RefusalCode
from contracts.scopes import Scope
from projections.account import AccountState
from projections.guard import TripEnd, TripName
from services.gateway.answers import Answer
from services.gateway.order_forms import ReasonText
from services.gateway.refusals import Refusal


class TripAnswer(Answer, frozen=True, kw_only=True):
    """Why trading stopped by itself in one scope; `seq` is the journal sequence of the event that tripped it.

    What ends it beside a person: `recovery` of the figure, a `cooldown`, or nothing else (`person`); before `until`
    nothing but a person does. `measured` and `limit` are USD, basis points, or a count.
    """

    scope: Scope
    trip: TripName
    since: datetime
    detail: str
    seq: int
    ends: TripEnd
    until: datetime | None
    measured: Decimal
    limit: Decimal


class TripsAnswer(Answer, frozen=True, kw_only=True):
    """Everything that has tripped and stands, as of journal sequence `state_seq`."""

    account: AccountId
    trips: tuple[TripAnswer, ...]
    state_seq: int


class TripResetAnswer(Answer, frozen=True, kw_only=True):
    """The trip is reset; `seq` is the journal sequence that says so."""

    scope: Scope
    trip: TripName
    seq: int


class TripResetForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which trip a person lets go, and why."""

    scope: str
    trip: str
    reason: ReasonText


_reset = msgspec.json.Decoder(TripResetForm)


def read_trip_reset(body: bytes) -> TripResetForm:
    """Read the body of a reset."""
    try:
        form = _reset.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal(RefusalCode.INVALID_BODY, f"the body cannot be read: {error}") from error
    if not form.reason.strip():
        message = "a reset needs a reason"
        raise Refusal(RefusalCode.MISSING_REQUIRED_FIELDS, message, details={"missing": ["reason"]})
    return form


def trips_shown(state: AccountState, now: datetime) -> tuple[TripAnswer, ...]:
    """Show what has tripped and stands, in the order of scopes."""
    return tuple(
        TripAnswer(
            scope=trip.scope,
            trip=trip.name,
            since=trip.since,
            detail=trip.detail,
            seq=trip.seq,
            ends=trip.ends,
            until=trip.until,
            measured=trip.measured,
            limit=trip.limit,
        )
        for _, trips in sorted(state.guard.trips.items())
        for trip in trips
        if trip.stands(now)
    )
