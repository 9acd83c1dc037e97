"""One run of the whole system from one integer: it works under hazards, then all calms down and must come to rest."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from contracts.controls import KillEngaged, LimitsSet
from contracts.enums import KillMode, Role
from contracts.ids import AccountId
from contracts.limits import LimitSet
from tests.simulation.agents import NAMES, Agent
from tests.simulation.chance import Chance
from tests.simulation.crew import SERVES, Crew, simulated_edges
from tests.simulation.hazards import HAZARDS, WEATHERS, Hazard, release
from tests.simulation.market import OPENING, Market
from tests.simulation.server import Server
from tests.simulation.venue import Temper, Venue
from tests.simulation.venue_port import Wire
from tests.simulation.virtual_loop import VirtualLoop
from tests.simulation.weather import Weather
from tests.waived_rails import ALL_WAIVED

PAPER = AccountId("paper")
MIDDAY = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)
BEFORE_MIDNIGHT = datetime(2026, 11, 24, 4, 59, 45, tzinfo=UTC)
"""In New York, where the exchange's day changes."""
SETTLE_S_MAX = 120.0
BACK_S_MAX = 20
LIMITS = LimitSet(
    max_order_notional_usd=Decimal(2_500),
    max_position_notional_usd=Decimal(3_000),
    max_gross_exposure_usd=Decimal(6_000),
    max_net_exposure_usd=Decimal(5_000),
    max_daily_loss_usd=Decimal(50_000),
    max_drawdown_usd=Decimal(50_000),
    max_daily_trades=500,
    order_rate_per_min=60,
    decision_ttl_ms=3_000,
    intent_age_max_ms=6_000,
    symbol_allowlist=tuple(OPENING),
    waivers=ALL_WAIVED,
)


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how hard a run is; drawn from its seed unless told otherwise."""

    active_s: float
    think_s: float
    hazard_every_s: float
    start: datetime
    hazards: tuple[tuple[int, Hazard], ...]
    weather: dict[str, float] = field(default_factory=dict)


def plan_of(seed: int) -> Plan:
    """Draw a plan: every run is exposed to some hazards and spared others, so that rare mixtures come about."""
    chance = Chance(seed, "plan")
    hazards = tuple(one for one in HAZARDS if chance.happens(0.55))
    weather = {name: chance.between(0, worst) for name, worst in WEATHERS.items() if chance.happens(0.5)}
    return Plan(
        active_s=chance.between(12, 30),
        think_s=chance.between(0.3, 1.2),
        hazard_every_s=chance.between(0.8, 6),
        start=BEFORE_MIDNIGHT if chance.happens(0.2) else MIDDAY,
        hazards=hazards,
        weather=weather,
    )


class World:
    """Everything there is in one run."""

    snapshot_every = 30
    """Events; far more often than in life, so that starts from snapshots are the rule."""

    def __init__(self, seed: int, plan: Plan | None = None, limits: LimitSet = LIMITS) -> None:
        self.seed = seed
        self.plan = plan or plan_of(seed)
        self.limits = limits
        self.limits_version = 1
        self.manual_orders = 0
        self.is_over = False
        self.flattens = False
        self.loop = VirtualLoop()
        self.server = Server(self.loop, self.plan.start, PAPER)
        self.chance = Chance(seed, "hazards")
        self.venue = Venue(self.server, Chance(seed, "venue"), Temper())
        self.wire = Wire(self.venue, Chance(seed, "wire"), Weather(**self.plan.weather))
        self.venue.tell = self.wire.push
        self.venue.carries = self.chance.happens(0.3)
        self.market = Market(self.server, self.venue, Chance(seed, "market"))
        self.crew = Crew(self.server, self.wire, seed, self.plan.start)
        self.agents = [Agent(name, self.server, self.venue, Chance(seed, name)) for name in NAMES]
        self.unsettled: str | None = None

    def run(self) -> None:
        """Live through the whole run."""
        self.live(self._run())

    def live[T](self, work: Coroutine[Any, Any, T]) -> T:
        """Do some work in this world, and end everything that it began."""
        with simulated_edges(self.snapshot_every):
            try:
                return self.loop.run_until_complete(work)
            finally:
                self.server.unwinding = True
                self.loop.unwind()

    def late_ids(self) -> set[str]:
        """Name, as the journal does, the orders that the broker filled after it had called them canceled."""
        late = [self.venue.by_client_id[client_id] for client_id in self.venue.filled_late]
        return {order.name for order in late}

    def note(self, template: str, *facts: object) -> None:
        self.server.note("world", template, *facts)

    async def _run(self) -> None:
        self._open()
        agents = [self.loop.create_task(self._trade(agent)) for agent in self.agents]
        hazards = self.loop.create_task(self._endanger())
        await asyncio.sleep(self.plan.active_s)
        for task in (*agents, hazards):
            task.cancel()
        await self._calm_down()
        self.unsettled = await self._settle()

    def _open(self) -> None:
        now = self.server.clock.now()
        self.server.control(
            LimitsSet(epoch=0, at=now, version=1, limits=self.limits, by="configuration", reason="start")
        )
        self.market.open()
        for role in SERVES:
            self.crew.begin(role)

    async def _trade(self, agent: Agent) -> None:
        while True:
            await asyncio.sleep(agent.chance.between(0, 2 * self.plan.think_s))
            await agent.act()

    async def _endanger(self) -> None:
        while self.plan.hazards:
            await asyncio.sleep(self.chance.between(0, 2 * self.plan.hazard_every_s))
            self.chance.weighted(self.plan.hazards)(self)

    async def _calm_down(self) -> None:
        """Take every danger away, and end every order: by hand or by flattening the account."""
        self.note("all calms down")
        self.wire.weather = Weather()
        self.venue.calm = self.crew.calm = self.market.still = True
        self.crew.wake_all()
        for runtimes in self.crew.running.values():
            for runtime in runtimes:
                runtime.process.fuse = None
        release(self)
        self.is_over = True
        await self._all_back()
        mode = KillMode.FLATTEN if self.chance.happens(0.4) else KillMode.CANCEL_ALL
        now = self.server.clock.now()
        self.server.control(KillEngaged(epoch=0, at=now, mode=mode, by="operator", reason="the end"))
        self.flattens = mode is KillMode.FLATTEN

    async def _all_back(self) -> None:
        """Wait until every process is back and has read what waited for it, so that the last word comes last."""
        for _ in range(BACK_S_MAX):
            await asyncio.sleep(1)
            if self.crew.is_whole:
                break
        await asyncio.sleep(1)

    async def _settle(self) -> str | None:
        """Wait until nothing is open and nothing is unread; say what still is when that takes too long."""
        until = self.loop.time() + SETTLE_S_MAX
        restless = "nothing looked at"
        while self.loop.time() < until:
            await asyncio.sleep(2)
            before = len(self.server.journal.events)
            restless = self._restless()
            if restless is None:
                await asyncio.sleep(6)  # one more comparison with the broker must change nothing
                if self._restless() is None and len(self.server.journal.events) - before < 4:
                    return None
        return f"not at rest after {SETTLE_S_MAX:g} s: {restless}"

    def _restless(self) -> str | None:
        if not self.crew.is_whole:
            return "not every process runs"
        open_there = [order.client_order_id for order in self.venue.orders if order.is_open]
        if open_there:
            return f"open at the broker: {open_there}"
        if self.flattens and any(holding.qty for holding in self.venue.holdings.values()):
            return f"not flat: {[(s, h.qty) for s, h in self.venue.holdings.items() if h.qty]}"
        oms = self.crew.one_of(Role.OMS)
        told = {} if oms is None else oms.facts()
        if told.get("open_orders") or told.get("in_hand") or told.get("differences") or told.get("link") != "up":
            return f"the OMS says {told}"
        behind = [role for role in (Role.RISK, Role.OMS) if self._is_behind(role)]
        return f"{behind} have not read everything" if behind else None

    def _is_behind(self, role: Role) -> bool:
        runtime = self.crew.one_of(role)
        core = None if runtime is None else runtime.process.core
        return core is None or core.read_seq < len(self.server.journal.events)
