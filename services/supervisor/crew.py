"""The programs of one system, and what each needs to count as up.

NATS needs its streams, the simulator must say where it listens, and every process must call itself ready.
"""

import asyncio
from collections.abc import Mapping

import msgspec

from services.runtime.connection import Connection
from services.runtime.settings import Settings
from services.runtime.topology import TopologyDriftError
from services.supervisor.child import Child
from services.supervisor.credentials import DEMO
from services.supervisor.first_mandates import grant_first
from services.supervisor.household import Household
from services.supervisor.keeper import ComeUp, Keeper, Overseer, UnusableError
from services.supervisor.limit_setting import set_limits
from services.supervisor.programs import PROCESSES, nats_program, process_program, simulator_program
from services.supervisor.provisioning import connect_when_up, provision
from services.supervisor.readiness import ASK_EVERY_S, is_ready


class Crew:
    """The keepers of one system, and the one link on which the supervisor asks after them."""

    def __init__(self, settings: Settings, household: Household, env: Mapping[str, str], overseer: Overseer) -> None:
        """Prepare a keeper for everything that shall run."""
        self._settings = settings
        self._household = household
        self._link: Connection | None = None
        self._limits_set = False
        self._announced: asyncio.Queue[str] = asyncio.Queue(maxsize=1)
        nats = Keeper(nats_program(household.nats_config, env), overseer, self._nats_is_up)
        simulator = household.simulator
        five = [Keeper(process_program(n, settings, env), overseer, self._process_is_up(n)) for n in PROCESSES]
        self.stages: list[list[Keeper]] = [[nats], five]
        if simulator is not None:
            program = simulator_program(settings.home, simulator.port, simulator, env)
            self.stages.insert(1, [Keeper(program, overseer, self._simulator_is_up)])

    @property
    def keepers(self) -> dict[str, Keeper]:
        """Give every keeper by name, in the order in which they start."""
        return {keeper.name: keeper for stage in self.stages for keeper in stage}

    def heard(self, name: str, line: str) -> None:
        """Watch the simulator's lines for the one that says where it listens."""
        if name == "simulator" and '"base_url"' in line and self._announced.empty():
            self._announced.put_nowait(line)

    async def hang_up(self) -> None:
        """Close the link."""
        if self._link is not None:
            await self._link.close()

    async def _nats_is_up(self, _: Child) -> None:
        """Connect, create what a fresh or restarted server lacks, and keep the link."""
        link = await connect_when_up(self._settings.nats_port, self._household.admin_seed)
        await self.hang_up()
        self._link = link
        try:
            await provision(link, self._settings.account)
        except TopologyDriftError as drift:
            raise UnusableError(str(drift)) from drift
        if not self._limits_set:
            settings = self._settings
            await set_limits(link, settings.account, settings.limits, settings.layers)
            await grant_first(link, self._settings.account, DEMO)
            self._limits_set = True

    async def _simulator_is_up(self, _: Child) -> None:
        said = msgspec.json.decode(await self._announced.get(), type=dict[str, str])
        expected = self._household.simulator
        if expected is not None and said.get("base_url") != expected.base_url:
            raise UnusableError(f"it listens at {said.get('base_url')}, not at {expected.base_url}")

    def _process_is_up(self, name: str) -> ComeUp:
        async def wait(child: Child) -> None:
            while not await self._says_ready(name, child.pid):  # noqa: ASYNC110 - it is another process's state
                await asyncio.sleep(ASK_EVERY_S)

        return wait

    async def _says_ready(self, name: str, pid: int) -> bool:
        """Ask on the link of this moment: when NATS was restarted there is a new one."""
        return self._link is not None and await is_ready(self._link, name, pid)
