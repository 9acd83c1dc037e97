"""Every version of the limits and of their layers: who set it, why, and what differs between two."""

import asyncio
from collections.abc import Iterator, Sequence

from contracts.codec import JournalEvent
from contracts.scopes import ACCOUNT
from projections.differences import Difference
from projections.layers_history import LayerVersion, layer_changes, layers_history
from projections.limits_history import LimitsVersion, changes, history
from services.cli.lines import text_of
from services.cli.outcome import OK, UsageError
from services.cli.source import Source, events_of, opened
from services.cli.terminal import console, say_json

_BOTH = 2
_HASH_SHOWN = 12

type Versions = Sequence[LimitsVersion] | Sequence[LayerVersion]


def show_history(source: Source, scopes: tuple[str, ...], *, as_json: bool) -> int:
    """List the versions, oldest first: the account's, and those of the layers that are named, or of all."""
    events = asyncio.run(_events(source))
    limits = history(events) if not scopes or ACCOUNT in scopes else ()
    layers = [one for one in layers_history(events) if not scopes or one.scope in scopes]
    known = sorted((*limits, *layers), key=lambda one: one.seq)
    if as_json:
        say_json(known)
        return OK
    terminal = console()
    for one in known:
        terminal.tell(f"{_head(one)}  by {one.by}: {one.reason}", "bold")
        for line in _told(one):
            terminal.tell(f"  {line}")
    return OK


def show_diff(source: Source, scopes: tuple[str, ...], words: tuple[str, ...], *, as_json: bool) -> int:
    """Compare two versions of the account's limits, or of one layer."""
    if len(words) != _BOTH or not all(word.isascii() and word.isdigit() for word in words) or len(scopes) > 1:
        raise UsageError("`limits diff` takes two version numbers, and one --scope if it is a layer's")
    events = asyncio.run(_events(source))
    if not scopes:
        a, b = (_named(history(events), word) for word in words)
        found = changes(a.limits, b.limits)
    else:
        layers = [one for one in layers_history(events) if one.scope == scopes[0]]
        a, b = (_named(layers, word) for word in words)
        found = layer_changes(a.limits, b.limits)
    if as_json:
        say_json({"a": a, "b": b, "changes": found})
        return OK
    terminal = console()
    terminal.tell(f"version {a.version}{_hash(a)} to {b.version}{_hash(b)}", "bold")
    for line in _changes(found):
        terminal.tell(f"  {line}")
    if not found:
        terminal.tell("  the same limits")
    return OK


async def _events(source: Source) -> list[tuple[int, JournalEvent]]:
    async with opened(source) as journal:
        return [(told.seq, told.event) async for told in events_of(journal, "reading") if told.admitted]


def _head(one: LimitsVersion | LayerVersion) -> str:
    whose = f"{one.scope} " if isinstance(one, LayerVersion) else ""
    mark = f"  {one.hash[:_HASH_SHOWN]}" if isinstance(one, LimitsVersion) else ""
    return f"{whose}version {one.version}  {one.at:%Y-%m-%d %H:%M:%S}Z  journal {one.seq}{mark}"


def _told(one: LimitsVersion | LayerVersion) -> Iterator[str]:
    if isinstance(one, LimitsVersion) and one.proposal is not None:
        yield text_of(one.proposal)[0]
    if isinstance(one, LayerVersion) and one.limits is None:
        yield "taken away"
    yield from _changes(one.changes)


def _changes(found: Sequence[Difference]) -> Iterator[str]:
    for change in found:
        yield f"{change.path}: {change.before} -> {change.after}"


def _hash(one: LimitsVersion | LayerVersion) -> str:
    return f" ({one.hash[:_HASH_SHOWN]})" if isinstance(one, LimitsVersion) else ""


def _named[V: (LimitsVersion, LayerVersion)](known: Sequence[V], word: str) -> V:
    for one in known:
        if one.version == int(word):
            return one
    there = ", ".join(str(one.version) for one in known) or "none"
    raise UsageError(f"there is no version {word} of these limits; there are {there}")
