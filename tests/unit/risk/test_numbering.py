"""Where a decision stands is known only after it was made; what came in between is numbered all the same."""

from decimal import Decimal
from typing import TYPE_CHECKING

from contracts import codec
from contracts.controls import EpochTaken
from contracts.enums import LegRole, OrderType, Role, Side
from contracts.ids import leg_id_for
from contracts.orders import OrderLegAdded, OrderTerms
from projections.state_codec import encode_state
from services.risk.core import RiskCore
from tests.risk_world import AAPL, DEMO, NOW, body, evidence, limits_set, observed, quote, stated

if TYPE_CHECKING:
    from contracts.codec import JournalEvent


def test_an_exit_that_is_known_before_its_entry_has_its_place_is_numbered_like_in_a_replay() -> None:
    taken = EpochTaken(epoch=1, at=NOW, role=Role.RISK, owner="r", code_version="test")
    journal: list[JournalEvent] = [limits_set(), observed(), taken]
    live = RiskCore("test")
    for seq, event in enumerate(journal, 1):
        live.take(seq, event)
    live.go_live(1)
    exits = {"order_class": "bracket", "take_profit": {"limit_price": "110"}, "stop_loss": {"stop_price": "90"}}
    decision = live.decide(stated(body("i", time_in_force="gtc", **exits), "i"), evidence(quote()))
    assert decision.order_id is not None, decision.reason
    added = OrderLegAdded(
        epoch=1,
        at=NOW,
        order_id=leg_id_for(decision.order_id, LegRole.TAKE_PROFIT),
        agent=DEMO,
        parent_id=decision.order_id,
        role=LegRole.TAKE_PROFIT,
        client_order_id="leg",
        broker_order_id="b-2",
        broker_status="held",
        terms=OrderTerms(
            symbol=AAPL, side=Side.SELL, order_type=OrderType.LIMIT, qty=Decimal(10), limit_price=Decimal(110)
        ),
    )
    journal += [decision, added]
    live.take(5, added)
    live.stands(decision, 4)
    replayed = RiskCore("test")
    for seq, event in enumerate(journal, 1):
        replayed.take(seq, codec.decode_event(codec.encode(event)))
    replayed.go_live(2)
    assert encode_state(live.state) == encode_state(replayed.state)
