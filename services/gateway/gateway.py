"""What every route works with: one account's view, the clerk, the keys, and how the system is."""

from collections.abc import Callable
from dataclasses import dataclass

from contracts.ids import AccountId, AgentId
from services.gateway.account_view import AccountView
from services.gateway.api_keys import KeyRing
from services.gateway.clerk import Clerk
from services.gateway.process_watch import ProcessWatch
from services.gateway.state_answers import Moment
from services.runtime.health import ProcessState
from services.runtime.kill_file import KillFile
from services.runtime.ports import Clock, Journal


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """The parts of one gateway.

    `is_linked` says whether NATS is reachable, `own_state` how far we are ourselves; `beat` tells risk that an agent
    was heard of.
    """

    account: AccountId
    mode: str
    broker: str
    version: str
    journal: Journal
    view: AccountView
    clerk: Clerk
    keys: KeyRing
    processes: ProcessWatch
    clock: Clock
    kill_file: KillFile
    is_linked: Callable[[], bool]
    beat: Callable[[AgentId], None]
    own_state: Callable[[], ProcessState]

    def moment(self) -> Moment:
        """Give the account as it stands now."""
        view, now = self.view, self.clock.now()
        return Moment(self.account, view.state, view.seq, view.as_of, now, self.clock.trading_day(now))
