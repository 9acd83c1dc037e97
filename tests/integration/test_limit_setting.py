"""What `lockgate up` writes of the configured limits: what differs, once, and nothing of what people set."""

from decimal import Decimal

import pytest

from contracts import subjects
from contracts.controls import LayerSet, LimitsSet
from contracts.limits import LimitOverride, LimitSet
from contracts.scopes import FIRM, Scope, agent_scope
from services.runtime.jetstream import JetStreamJournal
from services.runtime.reading import catch_up
from services.supervisor.limit_setting import set_limits
from tests.nats_server import NatsServer
from tests.risk_world import NOW

pytestmark = pytest.mark.anyio
DEMO, EVE = agent_scope("demo"), agent_scope("eve")
TIGHT, TIGHTER = LimitOverride(max_daily_trades=5), LimitOverride(max_daily_trades=4)


def by_hand(scope: Scope, version: int, limits: LimitOverride | None) -> LayerSet:
    return LayerSet(epoch=0, at=NOW, scope=scope, version=version, limits=limits, by="operator ada", reason="test")


async def test_limits_and_layers_are_written_where_they_differ(nats_server: NatsServer) -> None:
    account = await nats_server.fresh_account()
    link = await nats_server.connect("admin")
    journal = JetStreamJournal(link, account)
    layers = {FIRM: TIGHT, DEMO: TIGHT}

    async def written() -> list[tuple[str, int, object]]:
        found: list[tuple[str, int, object]] = []
        async for recorded in catch_up(journal, 0, await journal.last_seq()):
            match recorded.event:
                case LimitsSet(version=version, limits=limits):
                    found.append(("limits", version, limits.max_daily_trades))
                case LayerSet(scope=scope, version=version, limits=limits):
                    found.append((scope, version, limits))
                case _:
                    raise AssertionError(recorded.event)
        return found

    assert await set_limits(link, account, LimitSet(), layers) == 1
    first = [("limits", 1, 100), (DEMO, 1, TIGHT), (FIRM, 1, TIGHT)]
    assert await written() == first
    assert await set_limits(link, account, LimitSet(), layers) == 1
    assert await written() == first

    await journal.append(subjects.control(account), by_hand(EVE, 1, TIGHT))
    await journal.append(subjects.control(account), by_hand(DEMO, 2, LimitOverride(max_turnover_usd=Decimal(1))))
    assert await set_limits(link, account, LimitSet(max_daily_trades=7), {DEMO: TIGHTER}) == 2
    assert (await written())[5:] == [("limits", 2, 7), (DEMO, 3, TIGHTER), (FIRM, 2, None)]
    await link.close()
