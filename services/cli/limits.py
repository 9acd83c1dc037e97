"""`lockgate limits`: every version of the limits with who set it and why, and what differs between two."""

import asyncio
from typing import Annotated, Literal

from cyclopts import Parameter

from projections.limits_history import LimitsVersion, changes, history
from services.cli.lines import text_of
from services.cli.outcome import OK, UsageError
from services.cli.source import HERE, Source, events_of, opened
from services.cli.terminal import AsJson, console, say_json

_BOTH = 2
_HASH_SHOWN = 12


def limits(
    what: Literal["history", "diff"],
    /,
    *versions: Annotated[int, Parameter(help="For diff: two version numbers.")],
    source: Source = HERE,
    as_json: AsJson = False,
) -> int:
    """Show the versions of the limits: `history` lists them all, `diff A B` compares two.

    The hash is that of the values: however the same limits are written, it is the same.

    ```
    lockgate limits history
    lockgate limits diff 1 3 --json
    ```

    Args:
        what: history or diff.
        versions: For diff, two version numbers.
        source: The journal to read.
        as_json: Print JSON for programs.
    """
    wanted = {"history": 0, "diff": _BOTH}[what]
    if len(versions) != wanted:
        raise UsageError(f"`limits {what}` takes {wanted or 'no'} version numbers, not {len(versions)}")
    known = asyncio.run(_versions(source))
    return _history(known, as_json=as_json) if what == "history" else _diff(known, versions, as_json=as_json)


async def _versions(source: Source) -> tuple[LimitsVersion, ...]:
    async with opened(source) as journal:
        return history([(told.seq, told.event) async for told in events_of(journal, "reading") if told.admitted])


def _history(known: tuple[LimitsVersion, ...], *, as_json: bool) -> int:
    if as_json:
        say_json(known)
        return OK
    terminal = console()
    for one in known:
        head = f"version {one.version}  {one.at:%Y-%m-%d %H:%M:%S}Z  journal {one.seq}  {one.hash[:_HASH_SHOWN]}"
        terminal.tell(f"{head}  by {one.by}: {one.reason}", "bold")
        if one.proposal is not None:
            text, _ = text_of(one.proposal)
            terminal.tell(f"  {text}")
        for change in one.changes:
            terminal.tell(f"  {change.path}: {change.before} -> {change.after}")
    return OK


def _diff(known: tuple[LimitsVersion, ...], versions: tuple[int, ...], *, as_json: bool) -> int:
    a, b = (_named(known, version) for version in versions)
    found = changes(a.limits, b.limits)
    if as_json:
        say_json({"a": a, "b": b, "changes": found})
        return OK
    terminal = console()
    terminal.tell(f"version {a.version} ({a.hash[:_HASH_SHOWN]}) to {b.version} ({b.hash[:_HASH_SHOWN]})", "bold")
    for change in found:
        terminal.tell(f"  {change.path}: {change.before} -> {change.after}")
    if not found:
        terminal.tell("  the same limits")
    return OK


def _named(known: tuple[LimitsVersion, ...], version: int) -> LimitsVersion:
    for one in known:
        if one.version == version:
            return one
    there = ", ".join(str(one.version) for one in known) or "none"
    raise UsageError(f"there is no version {version} of the limits; there are {there}")
