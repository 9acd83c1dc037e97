"""The kill switches: anybody who may trade may cut risk, only an operator with a reason may let it rise again.

An agent's key may engage the account's switch and the agent's own; a key with `control` may engage any.
"""

import asyncio
from contextlib import suppress

from litestar import post
from litestar.di import NamedDependency

from contracts import subjects
from contracts.controls import KillEngaged, KillReleased
from contracts.enums import KillMode
from contracts.reasons import RefusalCode
from contracts.scopes import ACCOUNT, agent_scope
from contracts.scopes import Scope as Switch
from projections.standing import is_wider, switch_of
from services.gateway.access import ApiRequest, require
from services.gateway.answers import KillAnswer
from services.gateway.api_keys import ApiKey, Scope
from services.gateway.forms import KillForm, read_kill
from services.gateway.gateway import Gateway
from services.gateway.operation import Operation
from services.gateway.refusals import Refusal, unavailable
from services.gateway.tracing import traceparent_from
from services.runtime.ports import JournalUnavailableError

OPERATORS_EPOCH = 0
"""Controls are not fenced: they are accepted from anybody who has the right to state them."""
NO_REASON = "no reason given"
SEEN_S_MAX = 1.0

_KILL = Operation(
    name="setKillSwitch",
    summary="Engage a kill switch (scope trade), or release it (scope control, with a reason).",
    scope=Scope.TRADE,
    body=KillForm,
    answers={200: (KillAnswer, "On the record, and already on its way to the broker's side.")},
    refusals=(RefusalCode.MISSING_REQUIRED_FIELDS, RefusalCode.INVALID_BODY, RefusalCode.KILL_FILE_PRESENT),
)


@post("/v1/controls/kill_switch", status_code=200, opt=_KILL.as_option())
async def set_kill_switch(request: ApiRequest, gateway: NamedDependency[Gateway]) -> KillAnswer:
    """Engage or release a kill switch."""
    form, mode = read_kill(await request.body())
    trace = traceparent_from(request.headers.get("traceparent"))
    if form.enabled:
        return await _engage(gateway, request.auth, form, mode, trace)
    return await _release(gateway, request.auth, form, trace)


async def _engage(gateway: Gateway, key: ApiKey, form: KillForm, mode: KillMode, trace: str) -> KillAnswer:
    """Engage; a narrower mode than the one in force would raise risk, so it changes nothing."""
    switch = switch_of(Switch(form.scope))
    if switch not in {ACCOUNT, agent_scope(key.agent)}:
        require(key, Scope.CONTROL)
    stands = gateway.view.state.standing.kills.get(switch)
    if stands is not None and is_wider(stands.event.mode, mode):
        message = f"{stands.event.mode} is in force already and is wider than {mode}"
        return KillAnswer(kill_switch=True, mode=stands.event.mode, scope=switch, seq=stands.seq, message=message)
    event = KillEngaged(
        epoch=OPERATORS_EPOCH,
        at=gateway.clock.now(),
        mode=mode,
        by=key.subject,
        reason=form.reason or NO_REASON,
        scope=switch,
    )
    return KillAnswer(kill_switch=True, mode=mode, scope=switch, seq=await _append(gateway, event, trace))


async def _release(gateway: Gateway, key: ApiKey, form: KillForm, trace: str) -> KillAnswer:
    require(key, Scope.CONTROL)
    reason = (form.reason or "").strip()
    if not reason:
        message = "a release needs a reason"
        raise Refusal(RefusalCode.MISSING_REQUIRED_FIELDS, message, details={"missing": ["reason"]})
    switch = switch_of(Switch(form.scope))
    if switch == ACCOUNT and gateway.kill_file.is_there():
        message = f"the kill file {gateway.kill_file.path} is there and would engage it again: remove it first"
        raise Refusal(RefusalCode.KILL_FILE_PRESENT, message)
    event = KillReleased(epoch=OPERATORS_EPOCH, at=gateway.clock.now(), by=key.subject, reason=reason, scope=switch)
    return KillAnswer(kill_switch=False, mode=None, scope=switch, seq=await _append(gateway, event, trace))


async def _append(gateway: Gateway, event: KillEngaged | KillReleased, trace: str) -> int:
    """Publish once: the plain subscription to the subject is the fast plane, the stored message the record."""
    try:
        seq = await gateway.journal.append(subjects.control(gateway.account), event, traceparent=trace)
    except JournalUnavailableError as error:
        raise unavailable(f"whether the control took effect is not known ({error}): repeat it") from error
    with suppress(TimeoutError):  # it is on record; that our own view lags must not make it look undone
        async with asyncio.timeout(SEEN_S_MAX):
            await gateway.view.reach(seq)
    return seq
