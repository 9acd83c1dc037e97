"""What a limit, a kill switch or a halt applies to: the firm, the account, one agent, one strategy, one symbol."""

import re
from enum import StrEnum
from typing import Annotated, NewType

import msgspec

Scope = NewType("Scope", str)
"""`firm`, `account`, or a kind and a name: `agent.alpha`, `strategy.mean_reversion`, `symbol.BRK.B`."""

ScopeText = Annotated[Scope, msgspec.Meta(pattern=r"^(firm|account|(agent|strategy|symbol)\.[^\n]{1,64})(?!\n)$")]

_NAME = re.compile(r"[^\n]{1,64}")

FIRM = Scope("firm")
ACCOUNT = Scope("account")


class ScopeKind(StrEnum):
    """The layers in which limits stand, widest first."""

    FIRM = "firm"
    ACCOUNT = "account"
    AGENT = "agent"
    STRATEGY = "strategy"
    SYMBOL = "symbol"


class BadScopeError(ValueError):
    """The text names nothing that a limit or a switch could apply to."""


def scope_of(kind: ScopeKind, name: str) -> Scope:
    """Name one agent, strategy or symbol."""
    return Scope(f"{kind}.{name}")


def agent_scope(name: str) -> Scope:
    """Name one agent."""
    return Scope(f"agent.{name}")


def strategy_scope(name: str) -> Scope:
    """Name one strategy."""
    return Scope(f"strategy.{name}")


def symbol_scope(name: str) -> Scope:
    """Name one symbol."""
    return Scope(f"symbol.{name}")


def parse_scope(text: str) -> tuple[ScopeKind, str]:
    """Give a scope's kind and its name, empty for firm and account; raise `BadScopeError` on anything else."""
    kind, dot, name = text.partition(".")
    is_wide = kind in {ScopeKind.FIRM, ScopeKind.ACCOUNT}
    if kind not in set(ScopeKind) or bool(dot) is is_wide or (dot and not _NAME.fullmatch(name)):
        raise BadScopeError(f"{text[:80]!r} is no scope: use firm, account, agent.NAME, strategy.NAME or symbol.NAME")
    return ScopeKind(kind), name
