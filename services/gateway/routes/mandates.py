"""Mandates: what each agent may do, as people with control over the account say."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Annotated

from litestar import delete, get, patch, put
from litestar.di import NamedDependency
from litestar.params import PathParameter

from contracts import subjects
from contracts.controls import MandateGranted, MandateRevoked
from contracts.ids import TOKEN_PATTERN, AgentId
from contracts.mandates import Mandate
from contracts.reasons import RefusalCode
from projections.mandates import MandateEvent
from projections.standing import Granted
from services.gateway.access import ApiRequest
from services.gateway.api_keys import Scope
from services.gateway.forms import read_grant, read_revoke
from services.gateway.gateway import Gateway
from services.gateway.mandate_answers import (
    GrantForm,
    MandateAnswer,
    MandatesAnswer,
    RevokeForm,
    mandate_answer,
    mandates_answer,
)
from services.gateway.operation import Operation, Parameter
from services.gateway.refusals import Refusal, unavailable
from services.gateway.tracing import traceparent_from
from services.runtime.mandate_form import MandateError, agent_named, new_mandate, tighter_mandate
from services.runtime.ports import ConflictError, JournalUnavailableError

OPERATORS_EPOCH = 0
SEEN_S_MAX = 1.0
ATTEMPTS_MAX = 5
"""So often another control may come between looking and writing before we give up."""
AGENT_NAMED = Parameter(
    name="agent",
    where="path",
    schema={"type": "string", "pattern": TOKEN_PATTERN},
    description="The agent's name.",
)
_STANDS = (MandateAnswer, "What the agent may do from here on.")
_WRITING = (
    RefusalCode.INVALID_BODY,
    RefusalCode.MISSING_REQUIRED_FIELDS,
    RefusalCode.NOT_FOUND,
    RefusalCode.VERSION_CONFLICT,
)
_LIST = Operation(
    name="listMandates",
    summary="Show what each agent may do; an agent sees its own mandate.",
    scope=Scope.READ,
    answers={200: (MandatesAnswer, "Every mandate that the key may see.")},
)
_SHOW = Operation(
    name="getMandate",
    summary="Show what one agent may do.",
    scope=Scope.READ,
    parameters=(AGENT_NAMED,),
    answers={200: (MandateAnswer, "The mandate, or that it was revoked.")},
    refusals=(RefusalCode.NOT_FOUND,),
)
_GRANT = Operation(
    name="grantMandate",
    summary="Say what an agent may do, in place of what was said before. Needs a reason.",
    scope=Scope.CONTROL,
    parameters=(AGENT_NAMED,),
    body=GrantForm,
    answers={200: _STANDS},
    refusals=_WRITING,
)
_TIGHTEN = Operation(
    name="tightenMandate",
    summary="Change what is named of an agent's mandate; whatever would let it do more is refused. Needs a reason.",
    scope=Scope.CONTROL,
    parameters=(AGENT_NAMED,),
    body=GrantForm,
    answers={200: _STANDS},
    refusals=_WRITING,
)
_REVOKE = Operation(
    name="revokeMandate",
    summary="Let an agent take no new risk any more; what it holds it may still reduce. Needs a reason.",
    scope=Scope.CONTROL,
    parameters=(AGENT_NAMED,),
    body=RevokeForm,
    answers={200: _STANDS},
    refusals=_WRITING,
)

type Change = Callable[[Granted | None, int], MandateEvent]
"""Makes the event of the next version out of what stands."""


@get("/v1/mandates", opt=_LIST.as_option())
async def list_mandates(request: ApiRequest, gateway: NamedDependency[Gateway]) -> MandatesAnswer:
    """Show the mandates that the key may see."""
    return mandates_answer(gateway.view.state, request.auth, gateway.clock.now(), gateway.view.seq)


@get("/v1/mandates/{agent:str}", opt=_SHOW.as_option())
async def show_mandate(
    request: ApiRequest, gateway: NamedDependency[Gateway], agent: Annotated[str, PathParameter()]
) -> MandateAnswer:
    """Show one mandate; to others than its agent and operators it does not exist."""
    name = AgentId(agent)
    found = mandate_answer(gateway.view.state, name, gateway.clock.now()) if request.auth.may_see(name) else None
    if found is None:
        raise _none(agent)
    return found


@put("/v1/mandates/{agent:str}", status_code=200, opt=_GRANT.as_option())
async def grant_mandate(
    request: ApiRequest, gateway: NamedDependency[Gateway], agent: Annotated[str, PathParameter()]
) -> MandateAnswer:
    """Grant a mandate."""
    form = read_grant(await request.body())
    return await _grant(request, gateway, agent, form, lambda _: new_mandate(form, gateway.clock.now()))


@patch("/v1/mandates/{agent:str}", status_code=200, opt=_TIGHTEN.as_option())
async def tighten_mandate(
    request: ApiRequest, gateway: NamedDependency[Gateway], agent: Annotated[str, PathParameter()]
) -> MandateAnswer:
    """Tighten a mandate."""
    form = read_grant(await request.body())
    return await _grant(request, gateway, agent, form, lambda granted: tighter_mandate(_of(agent, granted), form))


@delete("/v1/mandates/{agent:str}", status_code=200, opt=_REVOKE.as_option())
async def revoke_mandate(
    request: ApiRequest, gateway: NamedDependency[Gateway], agent: Annotated[str, PathParameter()]
) -> MandateAnswer:
    """Revoke a mandate."""
    form = read_revoke(await request.body())
    name, reason = _named(agent), _reason(form.reason)

    def change(granted: Granted | None, version: int) -> MandateRevoked:
        _of(agent, granted)
        now, by = gateway.clock.now(), request.auth.subject
        return MandateRevoked(epoch=OPERATORS_EPOCH, at=now, agent=name, version=version, by=by, reason=reason)

    return await _write(request, gateway, name, change, form.if_version)


async def _grant(
    request: ApiRequest, gateway: Gateway, agent: str, form: GrantForm, made: Callable[[Granted | None], Mandate]
) -> MandateAnswer:
    name, reason = _named(agent), _reason(form.reason)

    def change(granted: Granted | None, version: int) -> MandateGranted:
        try:
            mandate = made(granted)
        except MandateError as error:
            raise Refusal(RefusalCode.INVALID_BODY, str(error)) from error
        return MandateGranted(
            epoch=OPERATORS_EPOCH,
            at=gateway.clock.now(),
            agent=name,
            version=version,
            mandate=mandate,
            by=request.auth.subject,
            reason=reason,
        )

    return await _write(request, gateway, name, change, form.if_version)


async def _write(
    request: ApiRequest, gateway: Gateway, agent: AgentId, change: Change, if_version: int | None
) -> MandateAnswer:
    """Write the next version, never over a control that we had not read."""
    trace = traceparent_from(request.headers.get("traceparent"))
    for _ in range(ATTEMPTS_MAX):
        newest_seq = await _caught_up(gateway)
        granted = gateway.view.state.standing.mandates.get(agent)
        version = 0 if granted is None else granted.version
        if if_version not in {None, version}:
            message = f"the mandate of {agent} is at version {version}, not {if_version}: look again"
            raise Refusal(RefusalCode.VERSION_CONFLICT, message, details={"version": version})
        with suppress(ConflictError):
            seq = await _append(gateway, change(granted, version + 1), newest_seq, trace)
            return _answer(gateway, agent, seq)
    raise unavailable("other controls came in between: repeat the request")


async def _caught_up(gateway: Gateway) -> int:
    """See everything that was controlled so far; give the sequence of the newest control."""
    newest = await gateway.journal.last_on(subjects.control(gateway.account))
    if newest is None:
        return 0
    try:
        async with asyncio.timeout(SEEN_S_MAX):
            await gateway.view.reach(newest.seq)
    except TimeoutError:
        raise unavailable("our own view of the journal lags: nothing was done") from None
    return newest.seq


async def _append(gateway: Gateway, event: MandateEvent, expected_seq: int, trace: str) -> int:
    subject = subjects.control(gateway.account)
    try:
        seq = await gateway.journal.append(subject, event, expected_seq=expected_seq, traceparent=trace)
    except JournalUnavailableError as error:
        raise unavailable(f"whether the mandate stands is not known ({error}): look, and repeat it") from error
    with suppress(TimeoutError):  # it is on record; that our own view lags must not make it look undone
        async with asyncio.timeout(SEEN_S_MAX):
            await gateway.view.reach(seq)
    return seq


def _answer(gateway: Gateway, agent: AgentId, seq: int) -> MandateAnswer:
    stands = mandate_answer(gateway.view.state, agent, gateway.clock.now())
    if stands is None:
        raise unavailable(f"the mandate stands at sequence {seq} and was not seen yet: look again")
    return MandateAnswer(
        agent=agent, version=stands.version, in_force=stands.in_force, mandate=stands.mandate, seq=seq
    )


def _named(agent: str) -> AgentId:
    try:
        return agent_named(agent)
    except MandateError as error:
        raise Refusal(RefusalCode.INVALID_BODY, str(error)) from error


def _reason(text: str) -> str:
    if not text.strip():
        message = "what an agent may do is changed for a reason"
        raise Refusal(RefusalCode.MISSING_REQUIRED_FIELDS, message, details={"missing": ["reason"]})
    return text.strip()


def _of(agent: str, granted: Granted | None) -> Mandate:
    if granted is None or granted.mandate is None:
        raise _none(agent)
    return granted.mandate


def _none(agent: str) -> Refusal:
    return Refusal(RefusalCode.NOT_FOUND, f"{agent[:80]!r} has no mandate")
