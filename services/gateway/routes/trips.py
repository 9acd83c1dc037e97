"""Where trading stopped by itself, and a person's word that lets it go on."""

import asyncio
from contextlib import suppress

from litestar import get, post
from litestar.di import NamedDependency

from contracts import subjects
from contracts.controls import TripReset
from contracts.reasons import RefusalCode
from services.gateway.access import ApiRequest
from services.gateway.api_keys import Scope
from services.gateway.gateway import Gateway
from services.gateway.operation import Operation
from services.gateway.refusals import Refusal, unavailable
from services.gateway.tracing import traceparent_from
from services.gateway.trip_answers import TripResetAnswer, TripResetForm, TripsAnswer, read_trip_reset, trips_shown
from services.runtime.ports import JournalUnavailableError

OPERATORS_EPOCH = 0
SEEN_S_MAX = 1.0
_LIST = Operation(
    name="listTrips",
    summary="Show where trading stopped by itself, why, and what ends it.",
    scope=Scope.READ,
    answers={200: (TripsAnswer, "Everything that has tripped and stands.")},
)
_RESET = Operation(
    name="resetTrip",
    summary="Let trading go on where it stopped by itself. Needs a reason.",
    scope=Scope.CONTROL,
    body=TripResetForm,
    answers={200: (TripResetAnswer, "On the record; a loss that is at its limit trips again when next seen.")},
    refusals=(RefusalCode.INVALID_BODY, RefusalCode.MISSING_REQUIRED_FIELDS, RefusalCode.NOT_FOUND),
)


@get("/v1/trips", opt=_LIST.as_option(), sync_to_thread=False)
def list_trips(gateway: NamedDependency[Gateway]) -> TripsAnswer:
    """Show what has tripped."""
    view = gateway.view
    return TripsAnswer(
        account=gateway.account, trips=trips_shown(view.state, gateway.clock.now()), state_seq=view.seq
    )


@post("/v1/trips/reset", status_code=200, opt=_RESET.as_option())
async def reset_trip(request: ApiRequest, gateway: NamedDependency[Gateway]) -> TripResetAnswer:
    """Put the reset of a trip that stands on the record."""
    form, now = read_trip_reset(await request.body()), gateway.clock.now()
    standing = trips_shown(gateway.view.state, now)
    found = next((trip for trip in standing if (trip.scope, trip.trip) == (form.scope, form.trip)), None)
    if found is None:
        named = [f"{trip.scope} {trip.trip}" for trip in standing]
        message = f"{form.scope[:80]} {form.trip[:40]} has not tripped"
        raise Refusal(RefusalCode.NOT_FOUND, message, details={"tripped": named})
    event = TripReset(
        epoch=OPERATORS_EPOCH,
        at=now,
        scope=found.scope,
        trip=found.trip,
        by=request.auth.subject,
        reason=form.reason.strip(),
    )
    seq = await _append(gateway, event, traceparent_from(request.headers.get("traceparent")))
    return TripResetAnswer(scope=found.scope, trip=found.trip, seq=seq)


async def _append(gateway: Gateway, event: TripReset, trace: str) -> int:
    try:
        seq = await gateway.journal.append(subjects.control(gateway.account), event, traceparent=trace)
    except JournalUnavailableError as error:
        raise unavailable(f"whether the trip is reset is not known ({error}): repeat it") from error
    with suppress(TimeoutError):  # it is on record; that our own view lags must not make it look undone
        async with asyncio.timeout(SEEN_S_MAX):
            await gateway.view.reach(seq)
    return seq
