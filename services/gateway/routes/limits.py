"""Limits in layers: what binds whom, and a layer set or taken away by people with control over the account."""

import asyncio
from contextlib import suppress
from typing import Annotated

import msgspec
from litestar import delete, get, put
from litestar.di import NamedDependency
from litestar.params import PathParameter, QueryParameter

from contracts.ids import OPERATOR, TOKEN_PATTERN, AgentId, is_symbol
from contracts.limits import LimitOverride
from contracts.reasons import RefusalCode
from contracts.scopes import BadScopeError, Scope, ScopeKind, parse_scope, scope_of
from projections.layers import field_fault
from projections.standing import Standing, Whose
from services.gateway.access import ApiRequest
from services.gateway.api_keys import Scope as KeyScope
from services.gateway.gateway import Gateway
from services.gateway.limit_answers import (
    AgentBookAnswer,
    LayerAnswer,
    LayerForm,
    LimitsAnswer,
    book_answer,
    layer_answer,
    limits_answer,
    plain_limits,
)
from services.gateway.operation import Operation, Parameter
from services.gateway.refusals import Refusal, unavailable
from services.gateway.routes.order_changes import REASON
from services.runtime.layer_book import NothingChangesError, Stated, change_layer
from services.runtime.ports import JournalUnavailableError

SEEN_S_MAX = 1.0
NAME_CHARS_MAX = 64
_NAME = {"type": "string", "maxLength": NAME_CHARS_MAX}
_AGENT = Parameter(
    name="agent",
    where="query",
    schema={"type": "string", "pattern": TOKEN_PATTERN},
    description="Whose orders; the key's own agent unless given.",
)
_SCOPE = Parameter(
    name="layer",
    where="path",
    schema={"type": "string"},
    description="firm, account, agent.NAME, strategy.NAME or symbol.SYMBOL.",
)
_SHOW = Operation(
    name="getLimits",
    summary="Show the limits, their layers, and what binds an order of one agent, strategy and symbol.",
    scope=KeyScope.READ,
    parameters=(
        _AGENT,
        Parameter(name="strategy", where="query", schema=_NAME, description="Of this strategy."),
        Parameter(name="symbol", where="query", schema=_NAME, description="In this symbol."),
    ),
    answers={200: (LimitsAnswer, "The limits as of `state_seq`.")},
    refusals=(RefusalCode.NOT_FOUND,),
)
_SET = Operation(
    name="setLayer",
    summary="Say what one layer of limits holds, in place of what it held before. Needs a reason.",
    scope=KeyScope.CONTROL,
    parameters=(_SCOPE,),
    body=LayerForm,
    answers={200: (LayerAnswer, "The layer from here on.")},
    refusals=(
        RefusalCode.INVALID_BODY,
        RefusalCode.MISSING_REQUIRED_FIELDS,
        RefusalCode.NOT_FOUND,
        RefusalCode.VERSION_CONFLICT,
    ),
)
_UNSET = Operation(
    name="unsetLayer",
    summary="Take one layer of limits away. Needs a reason.",
    scope=KeyScope.CONTROL,
    parameters=(_SCOPE, REASON),
    answers={200: (LayerAnswer, "The layer holds nothing from here on.")},
    refusals=(RefusalCode.MISSING_REQUIRED_FIELDS, RefusalCode.NOT_FOUND),
)
_BOOK = Operation(
    name="getAgent",
    summary="Show what belongs to one agent: positions, exposure, the day's figures, its own limits and headroom.",
    scope=KeyScope.READ,
    parameters=(
        Parameter(
            name="agent",
            where="path",
            schema={"type": "string", "pattern": TOKEN_PATTERN},
            description="The agent's name.",
        ),
    ),
    answers={200: (AgentBookAnswer, "The agent's book as of `state_seq`.")},
    refusals=(RefusalCode.NOT_FOUND,),
)
_form = msgspec.json.Decoder(LayerForm)


@get("/v1/risk/limits", opt=_SHOW.as_option())
async def show_limits(
    request: ApiRequest,
    gateway: NamedDependency[Gateway],
    agent: Annotated[str | None, QueryParameter()] = None,
    strategy: Annotated[str | None, QueryParameter(max_length=NAME_CHARS_MAX)] = None,
    symbol: Annotated[str | None, QueryParameter(max_length=NAME_CHARS_MAX)] = None,
) -> LimitsAnswer:
    """Show the limits in layers."""
    name = AgentId(agent or request.auth.agent)
    if not request.auth.may_see(name):
        raise _no_agent(name)
    return limits_answer(gateway.moment(), Whose(name, strategy, (symbol or "").upper()), request.auth)


@get("/v1/agents/{agent:str}", opt=_BOOK.as_option())
async def show_agent(
    request: ApiRequest, gateway: NamedDependency[Gateway], agent: Annotated[str, PathParameter()]
) -> AgentBookAnswer:
    """Show one agent's book."""
    name = AgentId(agent)
    at = gateway.moment()
    known = name in at.state.agents.books or name in at.state.standing.mandates or name == request.auth.agent
    if not request.auth.may_see(name) or not known or name == OPERATOR:
        raise _no_agent(name)
    return book_answer(at, name)


@put("/v1/risk/limits/{layer:str}", status_code=200, opt=_SET.as_option())
async def set_layer(
    request: ApiRequest, gateway: NamedDependency[Gateway], layer: Annotated[str, PathParameter()]
) -> LayerAnswer:
    """Set one layer."""
    named = _scope(layer)
    form = _read(await request.body())
    limits = plain_limits(form.limits)
    fault = "a layer without any limit: take it away with DELETE" if limits is None else field_fault(named, limits)
    if fault is not None:
        raise Refusal(RefusalCode.INVALID_BODY, fault)
    return await _write(request, gateway, (named, limits, _reason(form.reason)), form.if_version)


@delete("/v1/risk/limits/{layer:str}", status_code=200, opt=_UNSET.as_option())
async def unset_layer(
    request: ApiRequest,
    gateway: NamedDependency[Gateway],
    layer: Annotated[str, PathParameter()],
    reason: Annotated[str | None, QueryParameter()] = None,
) -> LayerAnswer:
    """Take one layer away."""
    return await _write(request, gateway, (_scope(layer), None, _reason(reason)), None)


type _Wanted = tuple[Scope, LimitOverride | None, str]


async def _write(request: ApiRequest, gateway: Gateway, wanted: _Wanted, if_version: int | None) -> LayerAnswer:
    scope, limits, reason = wanted

    def change(before: LimitOverride | None) -> LimitOverride | None:
        version = layer_answer(gateway.view.state, scope).version
        if if_version not in {None, version}:
            message = f"layer {scope} is at version {version}, not {if_version}: look again"
            raise Refusal(RefusalCode.VERSION_CONFLICT, message, details={"version": version})
        if limits is None and before is None:
            raise Refusal(RefusalCode.NOT_FOUND, f"there is no layer {scope}")
        return limits

    async def standing_at(seq: int) -> Standing:
        try:
            async with asyncio.timeout(SEEN_S_MAX):
                await gateway.view.reach(seq)
        except TimeoutError:
            raise unavailable("our own view of the journal lags: nothing was done") from None
        return gateway.view.state.standing

    stated = Stated(scope, change, request.auth.subject, reason, gateway.clock.now())
    try:
        written = await change_layer(gateway.journal, gateway.account, standing_at, stated)
    except NothingChangesError:
        return layer_answer(gateway.view.state, scope)
    except JournalUnavailableError as error:
        raise unavailable(f"whether the layer stands is not known ({error}): look, and repeat it") from error
    with suppress(TimeoutError):  # it is on record; that our own view lags must not make it look undone
        async with asyncio.timeout(SEEN_S_MAX):
            await gateway.view.reach(written.seq)
    event = written.event
    return LayerAnswer(scope=scope, version=event.version, limits=event.limits, seq=written.seq)


def _read(body: bytes) -> LayerForm:
    try:
        return _form.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal(RefusalCode.INVALID_BODY, f"the body cannot be read: {error}") from error


def _scope(text: str) -> Scope:
    try:
        kind, name = parse_scope(text)
    except BadScopeError as error:
        raise Refusal(RefusalCode.NOT_FOUND, str(error)) from error
    if kind is ScopeKind.SYMBOL:
        name = name.upper()
        if not is_symbol(name):
            raise Refusal(RefusalCode.NOT_FOUND, f"{name[:80]!r} is no symbol")
    return scope_of(kind, name) if name else Scope(kind)


def _reason(text: str | None) -> str:
    reason = (text or "").strip()
    if not reason:
        message = "a change of limits needs a reason"
        raise Refusal(RefusalCode.MISSING_REQUIRED_FIELDS, message, details={"missing": ["reason"]})
    return reason


def _no_agent(name: AgentId) -> Refusal:
    return Refusal(RefusalCode.NOT_FOUND, f"no agent {name[:80]!r} that this key may see")
