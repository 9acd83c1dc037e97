"""One row of the table of controls: a state, an intent and a market, and the reason that must come of them."""

from decimal import Decimal
from typing import Any, NamedTuple

from contracts.decisions import Evidence
from contracts.reasons import DenialCode as C
from projections.account import AccountState
from tests.risk_world import DEMO, limits_set, observed, state_of

D = Decimal
READY = (limits_set(), observed())


class Row(NamedTuple):
    code: C
    state: AccountState
    content: bytes
    seen: Evidence
    limit: str | None = None
    attempted: str | None = None
    max_acceptable_qty: str | None = None
    headroom: str | None = None
    agent: str = DEMO


def ready(**limits: Any) -> AccountState:
    return state_of(limits_set(**limits), observed())
