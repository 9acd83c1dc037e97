"""`lockgate mandate`: what each agent may do: granted, tightened and revoked by people, every version on record."""

import asyncio
from datetime import datetime
from typing import Literal

import msgspec

from contracts.controls import MandateGranted, MandateRevoked
from contracts.ids import AccountId, AgentId
from contracts.mandates import Mandate
from projections.mandates import MandateEvent, MandateVersion, newest
from services.cli.controls import given_reason, person
from services.cli.link import linked, operator_at
from services.cli.mandate_terms import NOTHING, FlatTerms, Terms, form_of
from services.cli.mandate_text import lines_of, summary_of
from services.cli.outcome import OK, CommandError, UsageError
from services.cli.terminal import AsJson, Home, chosen_home, console, say, say_json
from services.runtime.clock import SystemClock
from services.runtime.mandate_book import Change, change_mandate, mandates_of
from services.runtime.mandate_form import MandateError, MandateForm, agent_named, new_mandate, tighter_mandate

type What = Literal["grant", "tighten", "revoke", "list", "show", "history"]
_READING = frozenset({"list", "show", "history"})


def mandate(
    what: What,
    agent: str | None = None,
    /,
    *,
    terms: FlatTerms = NOTHING,
    reason: str | None = None,
    home: Home = None,
    as_json: AsJson = False,
) -> int:
    """Say what an agent may do: grant a mandate, tighten it, revoke it; list, show, and the history of each.

    A grant stands in place of any earlier one, for 30 days unless said otherwise, on paper, without short sales.
    Tightening changes what is named and refuses whatever would let the agent do more. An agent whose mandate is
    revoked or over may still reduce what it holds.

    ```
    lockgate mandate grant demo --symbols AAPL,SPY --budget 25000 --expires 30d --reason "first week"
    lockgate mandate grant demo --file mandate.toml --reason "reviewed"
    lockgate mandate tighten demo --approval-from 4000 --limit max_order_notional_usd=2000 --reason "new model"
    lockgate mandate revoke demo --reason "strange orders"
    lockgate mandate list
    lockgate mandate show demo --json
    lockgate mandate history demo
    ```

    Args:
        what: grant, tighten, revoke, list, show or history.
        agent: Whose mandate.
        terms: What it says.
        reason: Why, for the record; needed for every change.
        home: The instance's folder.
        as_json: Print JSON for programs.
    """
    if what == "list":
        return _list(home, as_json=as_json)
    name = _agent(agent)
    if what in _READING:
        return _read(what, name, home, as_json=as_json)
    stands = asyncio.run(_write(name, _change(what, name, terms, given_reason(reason or "")), home))
    if as_json:
        say_json(stands)
    else:
        say(f"mandate of {name} is version {stands.version}: {summary_of(stands.mandate)}")
    return OK


def _agent(text: str | None) -> AgentId:
    if text is None:
        raise UsageError("name the agent, as in `lockgate mandate show demo`")
    try:
        return agent_named(text)
    except MandateError as error:
        raise UsageError(str(error)) from error


def _change(what: What, agent: AgentId, terms: Terms, reason: str) -> Change:
    now = SystemClock().now()
    if what == "revoke" and terms != NOTHING:
        raise UsageError("`mandate revoke` takes no terms: to allow less, tighten")
    form = form_of(terms, now)

    def change(stands: MandateVersion | None) -> MandateEvent:
        version = 1 if stands is None else stands.version + 1
        if what == "revoke":
            _require(agent, stands)
            return MandateRevoked(epoch=0, at=now, agent=agent, version=version, by=person(), reason=reason)
        made = _made(what, agent, stands, form, now)
        return MandateGranted(epoch=0, at=now, agent=agent, version=version, mandate=made, by=person(), reason=reason)

    return change


def _made(what: What, agent: AgentId, stands: MandateVersion | None, form: MandateForm, now: datetime) -> Mandate:
    try:
        if what == "tighten":
            return tighter_mandate(_require(agent, stands), form)
        return new_mandate(form, now)
    except MandateError as error:
        raise UsageError(f"mandate of {agent}: {error}") from error


def _require(agent: AgentId, stands: MandateVersion | None) -> Mandate:
    if stands is None or stands.mandate is None:
        raise CommandError(f"{agent} has no mandate: `lockgate mandate grant {agent}` gives it one")
    return stands.mandate


async def _write(agent: AgentId, change: Change, home: Home) -> MandateVersion:
    who = operator_at(chosen_home(home))
    async with linked(who) as link:
        return await change_mandate(link, AccountId(who.account), agent, change)


async def _versions(home: Home) -> tuple[MandateVersion, ...]:
    who = operator_at(chosen_home(home))
    async with linked(who) as link:
        return await mandates_of(link, AccountId(who.account))


def _list(home: Home, *, as_json: bool) -> int:
    versions = asyncio.run(_versions(home))
    agents = sorted({one.agent for one in versions})
    standing = [found for agent in agents if (found := newest(versions, agent)) is not None]
    if as_json:
        say_json(standing)
        return OK
    terminal, now = console(), SystemClock().now()
    for one in standing:
        over = one.mandate is None or one.mandate.expires_at <= now
        terminal.tell(f"{one.agent}  version {one.version}  {summary_of(one.mandate)}", "red" if over else "")
    if not standing:
        say("nobody has a mandate")
    return OK


def _read(what: What, agent: AgentId, home: Home, *, as_json: bool) -> int:
    known = [one for one in asyncio.run(_versions(home)) if one.agent == agent]
    if not known:
        raise CommandError(f"{agent} never had a mandate")
    shown = known if what == "history" else known[-1:]
    if as_json:
        say_json(shown if what == "history" else msgspec.to_builtins(shown[0]))
        return OK
    terminal = console()
    for one in shown:
        terminal.tell(
            f"version {one.version}  {one.at:%Y-%m-%d %H:%M:%S}Z  journal {one.seq}  by {one.by}: {one.reason}",
            "bold",
        )
        if what == "show":
            for line in lines_of(one.mandate):
                terminal.tell(f"  {line}")
            continue
        terminal.tell(f"  {summary_of(one.mandate)}")
        for change in one.changes:
            terminal.tell(f"  {change.path}: {change.before} -> {change.after}")
    return OK
