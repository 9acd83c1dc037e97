"""The mandate with which a fresh instance's own agent begins, so that it can be tried; from then on people decide."""

from datetime import timedelta

from contracts.controls import MandateGranted
from contracts.ids import AccountId, AgentId
from contracts.mandates import Mandate, MandateSide
from projections.mandates import MandateVersion, newest
from services.runtime.clock import SystemClock
from services.runtime.connection import Connection
from services.runtime.mandate_book import change_mandate, mandates_of
from services.supervisor.limit_setting import CONFIGURATION

FIRST_DAYS = 365
"""A home that was just made works for a year; renewing is a person's decision."""


class _HasOneError(Exception):
    """Somebody was quicker."""


async def grant_first(link: Connection, account: AccountId, agent: AgentId) -> None:
    """Give an agent of whom the journal knows no mandate its first one: paper, and whatever the account allows."""
    if newest(await mandates_of(link, account), agent) is not None:
        return

    def change(stands: MandateVersion | None) -> MandateGranted:
        if stands is not None:
            raise _HasOneError
        now = SystemClock().now()
        mandate = Mandate(expires_at=now + timedelta(days=FIRST_DAYS), sides=tuple(MandateSide))
        return MandateGranted(
            epoch=0, at=now, agent=agent, version=1, mandate=mandate, by=CONFIGURATION, reason="first start"
        )

    try:
        await change_mandate(link, account, agent, change)
    except _HasOneError:
        return
