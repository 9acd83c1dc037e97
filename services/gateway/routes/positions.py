"""Close positions: each with a market order for what working exits leave of it, decided by risk like any other."""

import asyncio
import hashlib
from typing import Annotated

from litestar import Response, delete
from litestar.di import NamedDependency
from litestar.params import PathParameter, QueryParameter

from contracts.ids import AgentId, IntentId, Symbol
from contracts.intents import CloseIntent, IntentMeta
from contracts.reasons import RefusalCode
from services.gateway.access import ApiRequest
from services.gateway.answers import ClosesAnswer, IntentAnswer, PendingAnswer
from services.gateway.api_keys import Scope
from services.gateway.decision_answers import intent_answer, position_close
from services.gateway.forms import read_id, read_number
from services.gateway.gateway import Gateway
from services.gateway.operation import Operation, Parameter
from services.gateway.routes.intents import ACCEPTED, pending
from services.gateway.routes.order_changes import CLIENT_INTENT_ID, DRY_RUN, PENDING, REASON, ReasonParameter
from services.gateway.tracing import traceparent_from

_DIGEST_BYTES = 12
_NUMBER = {"type": "string", "format": "decimal"}
_CLOSE = Operation(
    name="closePosition",
    summary="Close a position at the market: all of it, or `qty` shares, or `percent` of it.",
    scope=Scope.TRADE,
    parameters=(
        Parameter(name="symbol", where="path", schema={"type": "string"}, description="What is held."),
        Parameter(name="qty", where="query", schema=_NUMBER, description="So many shares; all unless given."),
        Parameter(
            name="percent",
            where="query",
            schema=_NUMBER,
            description="So much of what working exits leave: above 0 to 100, with up to 9 decimals.",
        ),
        Parameter(
            name="if_position",
            where="query",
            schema=_NUMBER,
            description="Only if exactly so many are held; negative when short.",
        ),
        Parameter(
            name="if_state_seq",
            where="query",
            schema={"type": "integer"},
            description="Only if nothing happened in the symbol since this `state_seq`.",
        ),
        Parameter(
            name="expected_price",
            where="query",
            schema=_NUMBER,
            description="Only if the market is no worse than this, within `price_tolerance_bps`.",
        ),
        Parameter(
            name="price_tolerance_bps", where="query", schema=_NUMBER, description="Goes with `expected_price`."
        ),
        DRY_RUN,
        CLIENT_INTENT_ID,
        REASON,
    ),
    answers={
        200: (IntentAnswer, "Decided; `order_id` is the closing order."),
        ACCEPTED: PENDING,
    },
    refusals=(RefusalCode.INVALID_BODY, RefusalCode.IDEMPOTENCY_CONFLICT),
)
_CLOSE_ALL = Operation(
    name="closeAllPositions",
    summary="Close every position at the market, one decision each.",
    scope=Scope.TRADE,
    parameters=(CLIENT_INTENT_ID, REASON),
    answers={200: (ClosesAnswer, "One entry for each position; what one comes to does not hold the others up.")},
    refusals=(RefusalCode.INVALID_BODY, RefusalCode.IDEMPOTENCY_CONFLICT),
)


@delete("/v1/positions/{symbol:str}", status_code=200, opt=_CLOSE.as_option())
async def close_position(  # noqa: PLR0913, PLR0917 - the framework reads each query parameter from the signature
    request: ApiRequest,
    gateway: NamedDependency[Gateway],
    symbol: Annotated[str, PathParameter()],
    qty: Annotated[str | None, QueryParameter()] = None,
    percent: Annotated[str | None, QueryParameter()] = None,
    if_position: Annotated[str | None, QueryParameter()] = None,
    if_state_seq: Annotated[int | None, QueryParameter()] = None,
    expected_price: Annotated[str | None, QueryParameter()] = None,
    price_tolerance_bps: Annotated[str | None, QueryParameter()] = None,
    dry_run: Annotated[bool, QueryParameter()] = False,  # noqa: FBT002 - read by name from the query
    client_intent_id: Annotated[str | None, QueryParameter()] = None,
    reason: ReasonParameter = None,
) -> Response[IntentAnswer] | Response[PendingAnswer]:
    """State a close and answer with its decision."""
    intent = CloseIntent(
        intent_id=read_id(client_intent_id),
        symbol=Symbol(symbol),
        qty=read_number("qty", qty),
        percent=read_number("percent", percent),
        if_position=read_number("if_position", if_position),
        if_state_seq=if_state_seq,
        expected_price=read_number("expected_price", expected_price),
        price_tolerance_bps=read_number("price_tolerance_bps", price_tolerance_bps),
        dry_run=dry_run,
        meta=IntentMeta(reason=reason),
    )
    trace = traceparent_from(request.headers.get("traceparent"))
    statement = await gateway.clerk.state(request.auth.agent, intent, trace)
    if statement.decided is None:
        return pending(statement.intent_id)
    return Response(intent_answer(statement.decided, repeated=statement.repeated))


@delete("/v1/positions", status_code=200, opt=_CLOSE_ALL.as_option())
async def close_all_positions(
    request: ApiRequest,
    gateway: NamedDependency[Gateway],
    client_intent_id: Annotated[str | None, QueryParameter()] = None,
    reason: ReasonParameter = None,
) -> ClosesAnswer:
    """State a close for each position; a repeat finds the decisions of the first time, also on what is gone now."""
    whole_id = read_id(client_intent_id)
    trace = traceparent_from(request.headers.get("traceparent"))
    agent = request.auth.agent
    intents = [
        CloseIntent(intent_id=part_id(whole_id, symbol), symbol=symbol, meta=IntentMeta(reason=reason))
        for symbol in await _symbols(gateway, agent, whole_id)
    ]
    statements = await asyncio.gather(*(gateway.clerk.state(agent, intent, trace) for intent in intents))
    closes = [position_close(intent.symbol, one) for intent, one in zip(intents, statements, strict=True)]
    return ClosesAnswer(intent_id=whole_id, closes=tuple(closes))


async def _symbols(gateway: Gateway, agent: AgentId, whole_id: IntentId) -> list[Symbol]:
    """Name what is held, and what an earlier request with this id has closed."""
    positions = gateway.view.state.positions
    return [
        symbol
        for symbol in sorted(positions)
        if positions[symbol].qty or await gateway.clerk.decision(agent, part_id(whole_id, symbol)) is not None
    ]


def part_id(whole_id: IntentId, symbol: Symbol) -> IntentId:
    """Derive the id of one close among several, so that a repeat can only name the same one."""
    named = f"{whole_id}/{symbol}".encode()
    return IntentId("close-" + hashlib.blake2b(named, digest_size=_DIGEST_BYTES).hexdigest())
