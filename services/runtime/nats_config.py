"""Writes the NATS server's configuration: a pure function of paths, ports, accounts and public keys."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from contracts.ids import AccountId, AgentId
from services.runtime.nats_rights import (
    ADMIN,
    OPERATOR_USER,
    PROCESSES,
    Rights,
    agent_rights,
    agent_services,
    agent_streams,
    operator_rights,
    process_rights,
)

CORE_ACCOUNT = "CORE"
MAX_PAYLOAD_BYTES = 8 * 1024 * 1024
_RIGHTS_INDENT = " " * 10


@dataclass(frozen=True, slots=True)
class AgentUser:
    """One agent of one account, and the public key it proves."""

    account: AccountId
    agent: AgentId
    public_key: str


@dataclass(frozen=True, slots=True)
class ServerPlan:
    """Everything the server is told; `users` maps admin, operator and each process to its public key."""

    port: int
    store_dir: Path
    accounts: Sequence[AccountId]
    users: Mapping[str, str]
    agents: Sequence[AgentUser] = field(default=())
    monitor_port: int | None = None
    sync_interval: str = "always"
    """Only an import, which can be begun anew after a power cut, may do with less."""


def server_config(plan: ServerPlan) -> str:
    """Write the configuration text; the same plan gives the same text."""
    monitor = "" if plan.monitor_port is None else f'http: "127.0.0.1:{plan.monitor_port}"\n'
    accounts = "\n".join([_core(plan), *(_agent_account(a) for a in plan.agents), "  SYS { }"])
    return (
        f'listen: "127.0.0.1:{plan.port}"\n'
        f"{monitor}"
        "# An acknowledged message is on the disk: it survives a power cut.\n"
        f'jetstream {{ store_dir: "{plan.store_dir}", sync_interval: {plan.sync_interval} }}\n'
        f"max_payload: {MAX_PAYLOAD_BYTES}\n"
        'ping_interval: "10s"\n'
        "system_account: SYS\n"
        f"accounts {{\n{accounts}\n}}\n"
    )


def _core(plan: ServerPlan) -> str:
    rights = {name: process_rights(name, plan.accounts) for name in PROCESSES}
    rights[OPERATOR_USER] = operator_rights(plan.accounts)
    users = [f"      {{ nkey: {plan.users[ADMIN]} }}  # {ADMIN}"]
    users += [_user(name, plan.users[name], rights[name]) for name in sorted(rights)]
    exports = [_export(kind, subject, a) for a in plan.agents for kind, subject in _shared(a)]
    exports += [f'      {{ stream: "{subject}" }}' for subject in ("quote.>", "regime.>")]
    return (
        f"  {CORE_ACCOUNT} {{\n    jetstream: enabled\n    users: [\n"
        + "\n".join(users)
        + "\n    ]\n    exports: [\n"
        + "\n".join(exports)
        + "\n    ]\n  }"
    )


def _agent_account(user: AgentUser) -> str:
    imports = [("service", s) for s in agent_services(user.account, user.agent)]
    imports += [("stream", s) for s in agent_streams(user.account, user.agent)]
    lines = [f'      {{ {kind}: {{ account: {CORE_ACCOUNT}, subject: "{subject}" }} }}' for kind, subject in imports]
    line = _user(user.agent, user.public_key, agent_rights(user.account, user.agent))
    return (
        f"  {agent_account_name(user)} {{\n    users: [\n{line}\n    ]\n"
        "    imports: [\n" + "\n".join(lines) + "\n    ]\n  }"
    )


def agent_account_name(user: AgentUser) -> str:
    """Name the NATS account of one agent."""
    return f'"AGENT.{user.account}.{user.agent}"'


def _shared(user: AgentUser) -> list[tuple[str, str]]:
    services = [("service", s) for s in agent_services(user.account, user.agent)]
    own = [s for s in agent_streams(user.account, user.agent) if s.startswith("acct.")]
    return services + [("stream", s) for s in own]


def _export(kind: str, subject: str, user: AgentUser) -> str:
    return f'      {{ {kind}: "{subject}", accounts: [{agent_account_name(user)}] }}'


def _user(name: str, public_key: str, rights: Rights) -> str:
    return (
        f"      {{ nkey: {public_key}, permissions: {{  # {name}\n"
        f"{_RIGHTS_INDENT}publish: [{_quoted(rights.publish)}]\n"
        f"{_RIGHTS_INDENT}subscribe: [{_quoted(rights.subscribe)}] }} }}"
    )


def _quoted(subject_list: Sequence[str]) -> str:
    return ", ".join(f'"{subject}"' for subject in subject_list)
