"""Show the account and what risk measures new orders against."""

from litestar import get
from litestar.di import NamedDependency

from services.gateway.access import ApiRequest
from services.gateway.answers import RiskStateAnswer, StateAnswer
from services.gateway.api_keys import Scope
from services.gateway.gateway import Gateway
from services.gateway.operation import Operation
from services.gateway.state_answers import risk_state_answer, state_answer

_STATE = Operation(
    name="getState",
    summary="Show the account: money, positions, open orders, and what may still be done.",
    scope=Scope.READ,
    answers={200: (StateAnswer, "The account as of `state_seq`.")},
)
_RISK = Operation(
    name="getRiskState",
    summary="Show limits, exposure, headroom, the day's counters and the kill switch.",
    scope=Scope.READ,
    answers={200: (RiskStateAnswer, "Risk as of `state_seq`.")},
)


@get("/v1/state", opt=_STATE.as_option(), sync_to_thread=False)
def show_state(request: ApiRequest, gateway: NamedDependency[Gateway]) -> StateAnswer:
    """Show the account."""
    return state_answer(gateway.moment(), gateway.mode, request.auth)


@get("/v1/risk/state", opt=_RISK.as_option(), sync_to_thread=False)
def show_risk_state(gateway: NamedDependency[Gateway]) -> RiskStateAnswer:
    """Show what risk measures new orders against."""
    return risk_state_answer(gateway.moment())
