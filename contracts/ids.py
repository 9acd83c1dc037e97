"""One type per identifier, and the one grammar that lets identifiers stand in NATS subjects."""

import hashlib
import re
from typing import NewType

from contracts.enums import LegRole

AccountId = NewType("AccountId", str)
AgentId = NewType("AgentId", str)
IntentId = NewType("IntentId", str)
OrderId = NewType("OrderId", str)
FillId = NewType("FillId", str)
Symbol = NewType("Symbol", str)

OPERATOR = AgentId("_operator")
"""The agent under which people act; it may cancel any agent's order."""
EXTERNAL = AgentId("_external")
"""The agent to whom orders are booked that did not come through Lockgate."""

TOKEN_PATTERN = r"^[A-Za-z0-9_-]{1,64}(?!\n)$"
"""Accounts, agents and intent ids: one NATS subject token, safe in file names and URLs (`$` alone would let a
trailing newline pass)."""
SYMBOL_PATTERN = r"^[A-Z][A-Z0-9./]{0,20}(?!\n)$"
_TOKEN = re.compile(TOKEN_PATTERN)
_SYMBOL = re.compile(SYMBOL_PATTERN)
_ORDER_ID_BYTES = 15
_LEG_MARKS = {LegRole.TAKE_PROFIT: "tp", LegRole.STOP_LOSS: "sl"}


def is_token(text: str) -> bool:
    """Say whether the text may be an account, agent or intent id."""
    return _TOKEN.fullmatch(text) is not None


def is_symbol(text: str) -> bool:
    """Say whether the text has the form of a symbol (not whether it is traded)."""
    return _SYMBOL.fullmatch(text) is not None


def leg_id_for(parent_id: OrderId, role: LegRole) -> OrderId:
    """Derive the id of an exit that an order brings with it."""
    return OrderId(f"{parent_id}-{_LEG_MARKS[role]}")


def replacement_id_for(order_id: OrderId, decision_seq: int) -> OrderId:
    """Derive the client order id of an order's new terms, so that asking for them twice can only name the same."""
    return OrderId(f"{order_id}-r{decision_seq}")


def order_id_for(account: AccountId, agent: AgentId, intent_id: IntentId) -> OrderId:
    """Derive the order id, also the broker's client order id, so that a repeat can only name the same order."""
    named = f"{account}/{agent}/{intent_id}".encode()
    return OrderId("lg-" + hashlib.blake2b(named, digest_size=_ORDER_ID_BYTES).hexdigest())
