"""What binds whom, and the layers that people set: read from the journal, written with a reason."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from contracts.ids import AccountId
from contracts.limits import LimitOverride, LimitSet
from contracts.rails import RAILS
from contracts.scopes import ACCOUNT, BadScopeError, Scope, ScopeKind, parse_scope, scope_of
from projections.layers import NOTHING, Bound, bound_by, bounds_over, field_fault
from projections.layers_history import layer_changes
from projections.standing import Standing, Whose
from services.cli.controls import given_reason, person
from services.cli.limits_file import layer_in
from services.cli.limits_text import held_text, limits_text
from services.cli.link import linked, operator_at
from services.cli.outcome import OK, CommandError, UsageError
from services.cli.source import Source, events_of, opened
from services.cli.terminal import console, say, say_json
from services.runtime.clock import SystemClock
from services.runtime.jetstream import JetStreamJournal
from services.runtime.layer_book import (
    Controls,
    NothingChangesError,
    Stated,
    Written,
    change_layer,
    controls_of,
    controls_upto,
)
from services.runtime.setting_values import SettingsError, limit_value

_KINDS = {field.name: field.type for field in msgspec.structs.fields(LimitOverride)}
_EMPTY_ALLOWS_NOTHING = frozenset({"symbol_allowlist", "regimes_allowed"})
type _Change = Callable[[LimitOverride | None], LimitOverride | None]


def show(source: Source, scopes: tuple[str, ...], *, as_json: bool) -> int:
    """Say what binds an order of these, which layer each limit stands in, and what bounds their own books."""
    whose = _whose(scopes)
    controls = asyncio.run(_controls(source))
    if controls.limits is None:
        raise CommandError("no limits are set: start Lockgate with `lockgate up`")
    view = _view(controls.limits, controls, whose)
    if as_json:
        say_json(view)
        return OK
    terminal = console()
    for text, style in _paragraphs(controls, view, scopes):
        terminal.tell(text, style)
    return OK


def set_layer(source: Source, scopes: tuple[str, ...], words: tuple[str, ...], reason: str) -> int:
    """Change what is named in one layer."""
    scope = _one(scopes)
    named = _named(words)

    def change(before: LimitOverride | None) -> LimitOverride | None:
        limits = replace(before or NOTHING, **named)
        fault = field_fault(scope, limits)
        if fault is not None:
            raise UsageError(f"{scope}: {fault}")
        return None if limits == NOTHING else limits

    return _write(source, scope, change, reason)


def unset_layer(source: Source, scopes: tuple[str, ...], reason: str) -> int:
    """Take one layer away."""
    return _write(source, _one(scopes), lambda _: None, reason)


def show_rails(*, as_json: bool) -> int:
    """Print the table of rails: what each means, its recommended number, and who asks for it."""
    if as_json:
        say_json(list(RAILS.values()))
        return OK
    terminal = console()
    for rail in RAILS.values():
        terminal.tell(f"{rail.name:<28} {limits_text(rail.value)} {rail.unit}", "bold")
        terminal.tell(f"  {rail.meaning} ({rail.source})")
    return OK


def _write(source: Source, scope: Scope, change: _Change, reason: str) -> int:
    why = given_reason(reason)
    try:
        written = asyncio.run(_written(source, Stated(scope, change, person(), why, SystemClock().now())))
    except NothingChangesError as error:
        raise CommandError(str(error)) from error
    event = written.event
    say(f"layer {scope} is version {event.version} (journal sequence {written.seq})")
    for one in layer_changes(written.before, event.limits):
        say(f"  {one.path}: {one.before} -> {one.after}")
    return OK


async def _written(source: Source, stated: Stated) -> Written:
    if source.journal is not None:
        raise UsageError("an export takes no changes: leave --journal out")
    who = operator_at(source.folder)
    account = AccountId(who.account)
    async with linked(who) as link:

        async def standing_at(seq: int) -> Standing:
            return controls_of(await controls_upto(link, account, seq)).standing

        return await change_layer(JetStreamJournal(link, account), account, standing_at, stated)


async def _controls(source: Source) -> Controls:
    async with opened(source) as journal:
        return controls_of([(told.seq, told.event) async for told in events_of(journal, "reading")])


def _scope(text: str) -> tuple[ScopeKind, str]:
    try:
        return parse_scope(text)
    except BadScopeError as error:
        raise UsageError(str(error)) from error


def _one(scopes: tuple[str, ...]) -> Scope:
    if len(scopes) != 1:
        raise UsageError("name one layer, for example --scope agent.demo")
    kind, name = _scope(scopes[0])
    if kind is ScopeKind.SYMBOL:
        name = name.upper()
    return scope_of(kind, name) if name else Scope(kind)


def _whose(scopes: tuple[str, ...]) -> Whose:
    named: dict[ScopeKind, str] = {}
    for text in scopes:
        kind, name = _scope(text)
        if named.setdefault(kind, name) != name:
            raise UsageError(f"name one {kind} only")
    symbol = named.get(ScopeKind.SYMBOL, "").upper()
    return Whose(named.get(ScopeKind.AGENT, ""), named.get(ScopeKind.STRATEGY), symbol)


def _named(words: tuple[str, ...]) -> dict[str, Any]:
    """Read what a layer should hold: files, and NAME=VALUE over them; an empty value takes a limit away."""
    named: dict[str, Any] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals:
            named |= layer_in(Path(word))
        elif name not in _KINDS:
            raise UsageError(f"{name}: no limit of a layer; there are {', '.join(_KINDS)}")
        else:
            named[name] = _value(name, text)
    if not named:
        raise UsageError("say what the layer should hold, for example max_daily_trades=20")
    return named


def _value(name: str, text: str) -> Any:
    try:
        return limit_value(name, text, _KINDS[name]) if text.strip() else None
    except SettingsError as error:
        raise UsageError(str(error)) from error


def _view(limits: LimitSet, controls: Controls, whose: Whose) -> dict[str, Any]:
    standing = controls.standing
    own = bounds_over(standing, limits, whose)
    return {
        "limits_version": controls.version,
        "layers_version": standing.version,
        "layers": {scope: layer for scope, layer in sorted(standing.layers.items()) if layer.limits is not None},
        "bounds": {name: _shown(bound) for name, bound in bound_by(standing, limits, whose).items()},
        "own_books": {"agent": own.agent, "strategy": own.strategy},
    }


def _shown(bound: Bound) -> dict[str, Any]:
    return {"value": bound.value, "scope": bound.scope, "mandate": bound.is_mandate}


def _is_told(name: str, value: Any) -> bool:
    return name != "waivers" and value is not None and (value != () or name in _EMPTY_ALLOWS_NOTHING)


def _paragraphs(controls: Controls, view: Mapping[str, Any], scopes: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    yield f"limits version {view['limits_version']}, layers and mandates version {view['layers_version']}", "bold"
    for scope, layer in view["layers"].items():
        yield f"layer {scope} version {layer.version}: {held_text(layer.limits)}", ""
    yield f"what binds an order {'of ' + ', '.join(scopes) if scopes else 'of anybody'}", "bold"
    for name, bound in view["bounds"].items():
        if _is_told(name, bound["value"]):
            where = f"{bound['scope']}{', the mandate' if bound['mandate'] else ''}"
            yield (
                f"  {name:<28} {limits_text(bound['value']):<24} {where}",
                "" if bound["scope"] == ACCOUNT else "cyan",
            )
    for owner, limits in view["own_books"].items():
        if limits is not None:
            yield f"what binds the {owner}'s own book: {held_text(limits)}", ""
    for waiver in () if controls.limits is None else controls.limits.waivers:
        yield f"without {waiver.rail} until {waiver.until:%Y-%m-%d %H:%M}Z by {waiver.by}: {waiver.reason}", "yellow"
