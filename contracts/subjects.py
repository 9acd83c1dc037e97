"""The subject grammar: build and parse, both directions, and nothing else.

A subject is `intent.<account>.<agent>.<intent_id>` or `acct.<account>.<kind>[.<agent>.<id>]`; market subjects
carry a symbol, in which a dot is written as an underscore (BRK.B is `quote.BRK_B`).
"""

import hashlib
from dataclasses import dataclass

from contracts.enums import Role
from contracts.ids import AccountId, AgentId, IntentId, OrderId, Symbol, is_token

INTENTS_STREAM = "INTENTS"
MARKET_STREAM = "MARKET"
REGIME_STREAM = "REGIME"
SNAPSHOTS_BUCKET = "SNAPSHOTS"
LEASES_BUCKET = "LEASES"
MARKET_WIDE = Symbol("_market")

_INTENT_TOKENS = 4
_BEAT_TOKENS = 3
_ODD = "_odd-"


class BadSubjectError(ValueError):
    """The subject is not one of ours."""


@dataclass(frozen=True, slots=True)
class IntentSubject:
    """Who asks for what, as the server vouched for it."""

    account: AccountId
    agent: AgentId
    intent_id: IntentId


def journal_stream(account: AccountId) -> str:
    """Name the stream that is this account's journal."""
    return f"JOURNAL_{account}"


def intent(account: AccountId, agent: AgentId, intent_id: IntentId) -> str:
    """Build the subject on which one intent is stated."""
    return f"intent.{_token(account)}.{_token(agent)}.{_token(intent_id)}"


def parse_intent(subject: str) -> IntentSubject:
    """Read an intent's subject; raise `BadSubjectError` when it is none.

    NATS lets more stand in a subject than an id may hold. Such an intent gets a decision like any other, under an
    id made from the bytes of its own, `_odd-…`: the agent hears of it on the subjects that it listens to anyway. Ids
    that begin so are themselves taken for odd, so that nobody can state the one that another intent was given.
    """
    parts = subject.split(".")
    if len(parts) != _INTENT_TOKENS or parts[0] != "intent" or not all(is_token(p) for p in parts[1:3]):
        raise BadSubjectError(f"{subject[:200]!r} is not intent.<account>.<agent>.<intent_id>")
    given = parts[3]
    fine = is_token(given) and not given.startswith(_ODD)
    stated = given if fine else _ODD + hashlib.blake2b(given.encode(), digest_size=16).hexdigest()
    return IntentSubject(AccountId(parts[1]), AgentId(parts[2]), IntentId(stated))


def intents_of(account: AccountId) -> str:
    """Filter for every intent of one account."""
    return f"intent.{_token(account)}.*.*"


def journal_all(account: AccountId) -> str:
    """Filter for the whole journal of one account."""
    return f"acct.{_token(account)}.>"


def decision(account: AccountId, agent: AgentId, intent_id: IntentId) -> str:
    """Build the subject that holds the one decision on an intent."""
    return f"acct.{_token(account)}.decision.{_token(agent)}.{_token(intent_id)}"


def decisions_of(account: AccountId, agent: AgentId | None = None) -> str:
    """Filter for one agent's decisions, or everybody's."""
    return f"acct.{_token(account)}.decision.{_token(agent) if agent else '*'}.*"


def order(account: AccountId, agent: AgentId, order_id: OrderId) -> str:
    """Build the subject that holds one order's life."""
    return f"acct.{_token(account)}.order.{_token(agent)}.{_token(order_id)}"


def orders_of(account: AccountId, agent: AgentId | None = None) -> str:
    """Filter for one agent's order events, or everybody's."""
    return f"acct.{_token(account)}.order.{_token(agent) if agent else '*'}.*"


def control(account: AccountId) -> str:
    """Build the subject of operators' controls; a plain subscription to it is the kill switch's fast plane."""
    return f"acct.{_token(account)}.control"


def broker(account: AccountId) -> str:
    """Build the subject of what the broker says of the account."""
    return f"acct.{_token(account)}.broker"


def audit(account: AccountId) -> str:
    """Build the subject of the hash chain's checkpoints."""
    return f"acct.{_token(account)}.audit"


def epoch(account: AccountId, role: Role) -> str:
    """Build the subject on which writers of one role take turns."""
    return f"acct.{_token(account)}.epoch.{role}"


def beat(account: AccountId, agent: AgentId) -> str:
    """Build the subject on which an agent says that it is alive; nothing keeps what is said there."""
    return f"beat.{_token(account)}.{_token(agent)}"


def beats_of(account: AccountId) -> str:
    """Filter for every agent's beats in one account."""
    return f"beat.{_token(account)}.*"


def parse_beat(subject: str) -> AgentId:
    """Read whose beat it is; raise `BadSubjectError` when the subject is none."""
    parts = subject.split(".")
    if len(parts) != _BEAT_TOKENS or parts[0] != "beat" or not all(is_token(p) for p in parts[1:]):
        raise BadSubjectError(f"{subject[:200]!r} is not beat.<account>.<agent>")
    return AgentId(parts[2])


def quote(symbol: Symbol) -> str:
    """Build the subject of one symbol's quotes."""
    return f"quote.{_symbol_token(symbol)}"


def bar(timeframe: str, symbol: Symbol) -> str:
    """Build the subject of one symbol's bars."""
    return f"bar.{timeframe}.{_symbol_token(symbol)}"


def status(symbol: Symbol) -> str:
    """Build the subject of one symbol's halts."""
    return f"status.{_symbol_token(symbol)}"


def stats(symbol: Symbol) -> str:
    """Build the subject of what is usual for one symbol."""
    return f"stats.{_symbol_token(symbol)}"


def regime(symbol: Symbol) -> str:
    """Build the subject of one symbol's regime (or the market's, with `MARKET_WIDE`)."""
    return f"regime.{_symbol_token(symbol)}"


def _symbol_token(symbol: Symbol) -> str:
    return symbol.replace(".", "_")


def _token(text: str) -> str:
    if not is_token(text):
        raise BadSubjectError(f"{text!r} cannot stand in a subject: use 1 to 64 letters, digits, _ or -")
    return text
