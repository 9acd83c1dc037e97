"""Which closing orders a flatten needs now: positions that nothing is closing yet."""

from collections.abc import Iterator

from contracts import subjects
from contracts.codec import encode
from contracts.enums import KillMode, OrderType, Side
from contracts.ids import OPERATOR, AccountId, IntentId
from contracts.intents import IntentMeta, SubmitIntent
from projections.account import AccountState
from services.risk.answer import Stated


def closing_intents(state: AccountState, account: AccountId, read_seq: int) -> Iterator[Stated]:
    """Yield one market order for each position that has no working order left, while the switch says flatten.

    The order is stated as the operator's own intent, so that it is decided and recorded like any other. Its id
    names the kill and the journal sequence at which the position was seen, so a repeat is the same intent.
    """
    if state.kill is None or state.kill.mode is not KillMode.FLATTEN:
        return
    for symbol in sorted(state.positions):
        held = state.exposure.of(symbol)
        if not held.position_qty or held.buy_qty or held.sell_qty:
            continue
        token = subjects.quote(symbol).split(".", 1)[1].replace("/", "-")
        intent_id = IntentId(f"flatten-{state.kill_seq}-{token}-{read_seq}")
        intent = SubmitIntent(
            intent_id=intent_id,
            symbol=symbol,
            side=Side.SELL if held.position_qty > 0 else Side.BUY,
            order_type=OrderType.MARKET,
            qty=abs(held.position_qty),
            meta=IntentMeta(strategy="flatten", reason=state.kill.reason[:2000]),
        )
        yield Stated(account=account, agent=OPERATOR, intent_id=intent_id, body=encode(intent), seq=0)
