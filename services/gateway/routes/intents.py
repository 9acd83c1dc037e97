"""State an intent, and look up what became of it."""

from typing import Annotated

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import PathParameter, QueryParameter

from contracts.ids import TOKEN_PATTERN, AgentId, IntentId, is_token
from contracts.reasons import RefusalCode
from services.gateway.access import ApiRequest
from services.gateway.answers import IntentAnswer, IntentStory, PendingAnswer
from services.gateway.api_keys import Scope
from services.gateway.decision_answers import intent_answer, intent_story
from services.gateway.forms import read_submit
from services.gateway.gateway import Gateway
from services.gateway.operation import Operation, Parameter
from services.gateway.order_forms import SubmitForm, submit_intent
from services.gateway.refusals import Refusal
from services.gateway.tracing import traceparent_from
from services.runtime.ids import new_intent_id

ACCEPTED = 202
STILL_WAITING = "the decision was not seen in time: look again at `location`, or repeat the same request"

_SUBMIT = Operation(
    name="submitIntent",
    summary="State an intent for one order, as the key's agent, and wait a moment for the decision.",
    scope=Scope.TRADE,
    body=SubmitForm,
    answers={
        200: (IntentAnswer, "Decided: `status` says how. A denial is a decision too."),
        ACCEPTED: (
            PendingAnswer,
            "On record, but not decided within the wait, or held for a person; Location says where to look.",
        ),
    },
    also={ACCEPTED: IntentAnswer},
    refusals=(
        RefusalCode.MISSING_REQUIRED_FIELDS,
        RefusalCode.INVALID_BODY,
        RefusalCode.IDEMPOTENCY_CONFLICT,
        RefusalCode.TOO_LARGE,
    ),
)
_LOOK = Operation(
    name="getIntent",
    summary="Show the decision on an intent, with every check, and the order that came of it.",
    scope=Scope.READ,
    parameters=(
        Parameter(name="intent_id", where="path", schema={"type": "string"}, description="The intent's id."),
        Parameter(
            name="agent",
            where="query",
            schema={"type": "string", "pattern": TOKEN_PATTERN},
            description="Whose intent; the key's own agent unless given.",
        ),
    ),
    answers={
        200: (IntentStory, "Decided."),
        ACCEPTED: (PendingAnswer, "Stated, but not decided yet."),
    },
    refusals=(RefusalCode.NOT_FOUND,),
)


@post("/v1/intents", status_code=200, opt=_SUBMIT.as_option())
async def submit(
    request: ApiRequest, gateway: NamedDependency[Gateway]
) -> Response[IntentAnswer] | Response[PendingAnswer]:
    """State an intent and answer with its decision."""
    form = read_submit(await request.body())
    intent = submit_intent(form, IntentId(form.client_intent_id or new_intent_id()))
    trace = traceparent_from(request.headers.get("traceparent"))
    statement = await gateway.clerk.state(request.auth.agent, intent, trace)
    if statement.decided is None:
        return pending(statement.intent_id)
    answer = intent_answer(statement.decided, repeated=statement.repeated)
    if answer.held_until is None:
        return Response(answer)
    return Response(answer, status_code=ACCEPTED, headers={"location": f"/v1/intents/{answer.intent_id}"})


@get("/v1/intents/{intent_id:str}", opt=_LOOK.as_option())
async def look(
    request: ApiRequest,
    gateway: NamedDependency[Gateway],
    intent_id: Annotated[str, PathParameter()],
    agent: Annotated[str | None, QueryParameter()] = None,
) -> Response[IntentStory] | Response[PendingAnswer]:
    """Show one intent of one agent."""
    whose = AgentId(agent or request.auth.agent)
    if not is_token(intent_id) or not is_token(whose) or not request.auth.may_see(whose):
        raise _unknown(intent_id)
    decided = await gateway.clerk.decision(whose, IntentId(intent_id))
    if decided is not None:
        return Response(intent_story(decided, gateway.view.state, gateway.account))
    if await gateway.clerk.is_stated(whose, IntentId(intent_id)):
        return pending(IntentId(intent_id), agent)
    raise _unknown(intent_id)


def pending(intent_id: IntentId, agent: str | None = None) -> Response[PendingAnswer]:
    """Send the caller away with the place to look later; `agent` when it is not the caller's own."""
    location = f"/v1/intents/{intent_id}" + (f"?agent={agent}" if agent else "")
    answer = PendingAnswer(intent_id=intent_id, location=location, message=STILL_WAITING)
    return Response(answer, status_code=ACCEPTED, headers={"location": location})


def _unknown(intent_id: str) -> Refusal:
    return Refusal(RefusalCode.NOT_FOUND, f"no intent {intent_id[:80]!r} was stated by this agent")
