"""Whether the system as a whole can trade; open to anybody on this machine, so it tells no account figures."""

from http import HTTPStatus

from litestar import Response, get
from litestar.di import NamedDependency

from services.gateway.answers import HealthAnswer, ProcessAnswer
from services.gateway.gateway import Gateway
from services.gateway.operation import Operation
from services.gateway.process_watch import is_ready

_HEALTH = Operation(
    name="getHealth",
    summary="Say whether all five processes are ready.",
    scope=None,
    answers={
        200: (HealthAnswer, "Every process is ready."),
        503: (HealthAnswer, "`not_ready` names the processes that are not."),
    },
)


@get("/health", opt=_HEALTH.as_option())
async def show_health(gateway: NamedDependency[Gateway]) -> Response[HealthAnswer]:
    """Ask every process how it is."""
    states = {"gateway": str(gateway.own_state()), **await gateway.processes.states()}
    not_ready = tuple(name for name, state in states.items() if not is_ready(state))
    answer = HealthAnswer(
        status="degraded" if not_ready else "ok",
        mode=gateway.mode,
        broker=gateway.broker,
        account=gateway.account,
        processes={name: ProcessAnswer(state=state) for name, state in states.items()},
        not_ready=not_ready,
    )
    return Response(answer, status_code=HTTPStatus.SERVICE_UNAVAILABLE if not_ready else HTTPStatus.OK)
