"""The intents that wait for a person, and the person's word on each."""

from typing import Annotated

from litestar import Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import PathParameter, QueryParameter

from contracts.ids import TOKEN_PATTERN, AgentId, IntentId
from contracts.intents import ApprovalIntent, IntentMeta
from contracts.reasons import RefusalCode
from services.gateway.access import ApiRequest
from services.gateway.answers import IntentAnswer, PendingAnswer
from services.gateway.api_keys import Scope
from services.gateway.decision_answers import intent_answer
from services.gateway.forms import read_approval, read_id
from services.gateway.gateway import Gateway
from services.gateway.mandate_answers import ApprovalForm, ApprovalsAnswer, approvals_answer
from services.gateway.operation import Operation, Parameter
from services.gateway.refusals import Refusal
from services.gateway.routes.intents import ACCEPTED, pending
from services.gateway.routes.mandates import AGENT_NAMED
from services.gateway.routes.order_changes import CLIENT_INTENT_ID, PENDING, REASON, ReasonParameter
from services.gateway.tracing import traceparent_from
from services.runtime.ids import new_intent_id

_WAITING = Parameter(
    name="intent_id",
    where="path",
    schema={"type": "string", "pattern": TOKEN_PATTERN},
    description="The intent that waits.",
)
_LIST = Operation(
    name="listApprovals",
    summary="Show the intents that wait for a person; an agent sees its own.",
    scope=Scope.READ,
    answers={200: (ApprovalsAnswer, "Those that wait now.")},
)
_SAY = Operation(
    name="answerApproval",
    summary="Let an intent go that waits, or refuse it. Needs a reason.",
    scope=Scope.CONTROL,
    parameters=(AGENT_NAMED, _WAITING),
    body=ApprovalForm,
    answers={
        200: (IntentAnswer, "Decided at the market of this moment; one that is denied goes on waiting."),
        ACCEPTED: PENDING,
    },
    refusals=(
        RefusalCode.INVALID_BODY,
        RefusalCode.MISSING_REQUIRED_FIELDS,
        RefusalCode.IDEMPOTENCY_CONFLICT,
    ),
)
_TAKE_BACK = Operation(
    name="takeBackIntent",
    summary="Take back an intent that waits; an agent its own, the operator any.",
    scope=Scope.TRADE,
    parameters=(AGENT_NAMED, _WAITING, CLIENT_INTENT_ID, REASON),
    answers={
        200: (IntentAnswer, "Decided: it waits no more, or was not yours to take back."),
        ACCEPTED: PENDING,
    },
    refusals=(RefusalCode.INVALID_BODY, RefusalCode.IDEMPOTENCY_CONFLICT),
)


@get("/v1/approvals", opt=_LIST.as_option())
async def list_approvals(request: ApiRequest, gateway: NamedDependency[Gateway]) -> ApprovalsAnswer:
    """Show what waits."""
    return approvals_answer(gateway.view.state, request.auth, gateway.clock.now(), gateway.view.seq)


@post("/v1/approvals/{agent:str}/{intent_id:str}", status_code=200, opt=_SAY.as_option())
async def answer_approval(
    request: ApiRequest,
    gateway: NamedDependency[Gateway],
    agent: Annotated[str, PathParameter()],
    intent_id: Annotated[str, PathParameter()],
) -> Response[IntentAnswer] | Response[PendingAnswer]:
    """State the person's word as an intent of the key's own, and answer with the decision on it."""
    form = read_approval(await request.body())
    if not form.reason.strip():
        message = "a person's word has a reason"
        raise Refusal(RefusalCode.MISSING_REQUIRED_FIELDS, message, details={"missing": ["reason"]})
    intent = ApprovalIntent(
        intent_id=IntentId(form.client_intent_id or new_intent_id()),
        agent=AgentId(agent),
        held_intent_id=IntentId(intent_id),
        approve=form.approve,
        meta=IntentMeta(reason=form.reason.strip()),
    )
    return await _decided(request, gateway, intent)


@delete("/v1/approvals/{agent:str}/{intent_id:str}", status_code=200, opt=_TAKE_BACK.as_option())
async def take_back(
    request: ApiRequest,
    gateway: NamedDependency[Gateway],
    agent: Annotated[str, PathParameter()],
    intent_id: Annotated[str, PathParameter()],
    client_intent_id: Annotated[str | None, QueryParameter()] = None,
    reason: ReasonParameter = None,
) -> Response[IntentAnswer] | Response[PendingAnswer]:
    """State that an intent is not wanted any more, and answer with the decision on it."""
    intent = ApprovalIntent(
        intent_id=read_id(client_intent_id),
        agent=AgentId(agent),
        held_intent_id=IntentId(intent_id),
        approve=False,
        meta=IntentMeta(reason=reason),
    )
    return await _decided(request, gateway, intent)


async def _decided(
    request: ApiRequest, gateway: Gateway, intent: ApprovalIntent
) -> Response[IntentAnswer] | Response[PendingAnswer]:
    trace = traceparent_from(request.headers.get("traceparent"))
    statement = await gateway.clerk.state(request.auth.agent, intent, trace)
    if statement.decided is None:
        return pending(statement.intent_id)
    return Response(intent_answer(statement.decided, repeated=statement.repeated))
