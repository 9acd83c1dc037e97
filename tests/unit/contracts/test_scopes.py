"""Scopes as text: what a limit or a switch applies to."""

import msgspec
import pytest

from contracts.codec import UndecodableError, decode_event
from contracts.scopes import BadScopeError, ScopeKind, ScopeText, agent_scope, parse_scope, scope_of, symbol_scope


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("firm", (ScopeKind.FIRM, "")),
        ("account", (ScopeKind.ACCOUNT, "")),
        ("agent.ada", (ScopeKind.AGENT, "ada")),
        ("strategy.mean reversion", (ScopeKind.STRATEGY, "mean reversion")),
        ("symbol.BRK.B", (ScopeKind.SYMBOL, "BRK.B")),
    ],
)
def test_a_scope_is_read_as_it_is_written(text: str, parts: tuple[ScopeKind, str]) -> None:
    assert parse_scope(text) == parts
    assert msgspec.convert(text, ScopeText) == text


@pytest.mark.parametrize("text", ["", "agent", "agent.", "account.x", "firm.", "planet.earth", "symbol", "agent.\n"])
def test_what_names_nothing_is_no_scope(text: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(text, ScopeText)
    if not text.startswith("agent.\n"):
        with pytest.raises(BadScopeError):
            parse_scope(text)


def test_an_event_with_a_scope_that_names_nothing_cannot_be_read() -> None:
    body = (
        b'{"type":"control.kill_released.v1","epoch":0,"at":"2026-11-23T14:30:00Z","by":"a","reason":"b","scope":""}'
    )
    with pytest.raises(UndecodableError, match="scope"):
        decode_event(body)


def test_scopes_are_named_by_kind_and_name() -> None:
    assert scope_of(ScopeKind.STRATEGY, "momentum") == "strategy.momentum"
    assert (agent_scope("ada"), symbol_scope("BRK.B")) == ("agent.ada", "symbol.BRK.B")
