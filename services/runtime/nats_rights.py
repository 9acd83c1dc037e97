"""Who may publish and hear what: each user's rights as subjects, and what agents' accounts import.

Every agent has a NATS account of its own. Rights alone are not enough: a client may name any reply subject, and the
server's answer is then published there with the server's rights, so an agent inside the journal's account could put
bytes on any journal subject. Across accounts an answer can only come back to the account that asked.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from contracts import subjects
from contracts.ids import OPERATOR, AccountId, AgentId
from services.runtime.connection import inbox_prefix

PROCESSES = ("gateway", "risk", "oms", "regime", "audit")
ADMIN = "admin"
OPERATOR_USER = "operator"
_ASKERS = (ADMIN, OPERATOR_USER, "gateway")
"""Who may ask processes for their health, so who gets answers from them."""


@dataclass(frozen=True, slots=True)
class Rights:
    """What one user may publish and subscribe."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]


def agent_services(account: AccountId, agent: AgentId) -> tuple[str, ...]:
    """List what an agent may call: state its intents, say that it is alive, read its decisions and orders later."""
    stream = subjects.journal_stream(account)
    own = (f"intent.{account}.{agent}.*", subjects.beat(account, agent))
    return (*own, *(f"$JS.API.DIRECT.GET.{stream}.{s}" for s in _own(account, agent)))


def agent_streams(account: AccountId, agent: AgentId) -> tuple[str, ...]:
    """List what an agent may listen to."""
    return (*_own(account, agent), "quote.>", "regime.>")


def agent_rights(account: AccountId, agent: AgentId) -> Rights:
    """Give an agent's rights inside its own account."""
    return Rights(
        publish=agent_services(account, agent),
        subscribe=(f"{inbox_prefix(agent)}.>", *agent_streams(account, agent)),
    )


def process_rights(process: str, accounts: Sequence[AccountId]) -> Rights:
    """Give one process's rights: what it writes, what it reads, its own snapshots and leases."""
    journals = tuple(subjects.journal_stream(a) for a in accounts)
    streams = (*journals, *_READS[process])
    writes = tuple(w.format(a=a) for w in _WRITES[process] for a in accounts)
    return Rights(
        publish=(*writes, *_buckets(process, accounts), *_reading(streams), *_health_answers(process)),
        subscribe=(
            f"{inbox_prefix(process)}.>",
            *_health_questions(process),
            *_HEARS,
            *_journals(accounts),
            *(subjects.beats_of(a) for a in accounts if process == "risk"),
        ),
    )


def operator_rights(accounts: Sequence[AccountId]) -> Rights:
    """Give a person's rights: to act as `_operator`, to control, to read everything, to ask for health."""
    writes = tuple(s for a in accounts for s in (f"intent.{a}.{OPERATOR}.*", f"acct.{a}.control"))
    streams = (*(subjects.journal_stream(a) for a in accounts), *_READS["gateway"])
    return Rights(
        publish=(*writes, *_reading(streams), "$JS.API.STREAM.NAMES", "$JS.API.STREAM.LIST", "$SRV.>"),
        subscribe=(
            f"{inbox_prefix(OPERATOR_USER)}.>",
            *_HEARS,
            *_journals(accounts),
            "intent.>",
            "$JS.EVENT.ADVISORY.>",
        ),
    )


_WRITES = {
    "gateway": ("intent.{a}.*.*", "beat.{a}.*", "acct.{a}.control", "acct.{a}.epoch.gateway", "$SRV.>"),
    "risk": ("acct.{a}.decision.>", "acct.{a}.epoch.risk"),
    "oms": ("acct.{a}.order.>", "acct.{a}.broker", "acct.{a}.control", "acct.{a}.epoch.oms"),
    "regime": ("quote.>", "bar.>", "status.>", "stats.>", "regime.>"),
    "audit": ("acct.{a}.audit", "acct.{a}.epoch.audit"),
}
_READS = {
    "gateway": (subjects.INTENTS_STREAM, subjects.MARKET_STREAM, subjects.REGIME_STREAM),
    "risk": (subjects.INTENTS_STREAM, subjects.MARKET_STREAM, subjects.REGIME_STREAM),
    "oms": (subjects.MARKET_STREAM,),
    "regime": (subjects.MARKET_STREAM, subjects.REGIME_STREAM),
    "audit": (subjects.INTENTS_STREAM, subjects.MARKET_STREAM, subjects.REGIME_STREAM),
}
_HEARS = ("quote.>", "bar.>", "status.>", "stats.>", "regime.>")


def _own(account: AccountId, agent: AgentId) -> tuple[str, ...]:
    return (f"acct.{account}.decision.{agent}.>", f"acct.{account}.order.{agent}.>")


def _journals(accounts: Sequence[AccountId]) -> tuple[str, ...]:
    return tuple(subjects.journal_all(a) for a in accounts)


def _reading(streams: Sequence[str]) -> tuple[str, ...]:
    """Allow reading whole streams by consumers whose names the server chooses.

    No right here names a consumer: creating one under an existing name would edit somebody else's. Nothing is
    durable at the server, so an acknowledgement only lets a reader be sent more.
    """
    return tuple(
        right
        for stream in streams
        for right in (
            f"$JS.API.STREAM.INFO.{stream}",
            f"$JS.API.STREAM.MSG.GET.{stream}",
            f"$JS.API.DIRECT.GET.{stream}",
            f"$JS.API.DIRECT.GET.{stream}.>",
            f"$JS.API.CONSUMER.CREATE.{stream}",
            f"$JS.FC.{stream}.>",
            f"$JS.ACK.{stream}.>",
        )
    )


def _buckets(process: str, accounts: Sequence[AccountId]) -> tuple[str, ...]:
    rights = [f"$JS.API.STREAM.MSG.GET.KV_{bucket}" for bucket in (subjects.SNAPSHOTS_BUCKET, subjects.LEASES_BUCKET)]
    for account in accounts:
        rights.append(f"$KV.{subjects.SNAPSHOTS_BUCKET}.{process}.{account}")
        rights.append(f"$KV.{subjects.LEASES_BUCKET}.{process}.{account}")
    return tuple(rights)


def _health_questions(process: str) -> tuple[str, ...]:
    return tuple(
        s
        for verb in ("PING", "INFO", "STATS")
        for s in (f"$SRV.{verb}", f"$SRV.{verb}.{process}", f"$SRV.{verb}.{process}.*")
    )


def _health_answers(process: str) -> tuple[str, ...]:
    return tuple(f"{inbox_prefix(asker)}.>" for asker in _ASKERS if asker != process)
