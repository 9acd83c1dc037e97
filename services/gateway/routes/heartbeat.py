"""Say that an agent is alive: for agents that have a lease, and nothing to ask just now."""

from litestar import post
from litestar.di import NamedDependency

from services.gateway.access import ApiRequest
from services.gateway.answers import HeartbeatAnswer
from services.gateway.api_keys import Scope
from services.gateway.gateway import Gateway
from services.gateway.operation import Operation

_BEAT = Operation(
    name="heartbeat",
    summary="Say that the key's agent is alive; any other request that needs the scope `trade` says so too.",
    scope=Scope.TRADE,
    answers={200: (HeartbeatAnswer, "Heard.")},
)


@post("/v1/heartbeat", status_code=200, opt=_BEAT.as_option(), sync_to_thread=False)
def say_alive(request: ApiRequest, gateway: NamedDependency[Gateway]) -> HeartbeatAnswer:
    """Answer with the lease that holds; the guard has passed the sign of life on already."""
    agent = request.auth.agent
    mandate = gateway.view.state.standing.mandate(agent)
    return HeartbeatAnswer(agent=agent, lease_ms=None if mandate is None else mandate.lease_ms)
