"""The files that let a person, a program or a process take part: made once, private, addressed anew at each start."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from contracts.ids import AccountId, AgentId
from services.cli.credential_files import AcceptedKey, Participant
from services.runtime.connection import inbox_prefix
from services.runtime.ids import new_api_key
from services.runtime.keys import new_seed, write_private

DEMO = AgentId("demo")
AGENT_SCOPES = ("read", "trade")
OPERATOR_SCOPES = ("read", "trade", "control")


def participant(path: Path, user: str, agent: AgentId, *, account: AccountId, urls: tuple[str, str]) -> Participant:
    """Bring one credentials file up to date: keys stay, addresses are those of this start (HTTP, NATS)."""
    known = msgspec.json.decode(path.read_bytes(), type=Participant) if path.exists() else None
    current = Participant(
        account=account,
        agent=agent,
        http_url=urls[0],
        api_key=known.api_key if known else _new_bearer_key(user),
        nats_url=urls[1],
        nkey_seed=known.nkey_seed if known else new_seed(),
        inbox_prefix=inbox_prefix(user),
    )
    if current != known:
        write_json(path, current)
    return current


def accept(path: Path, participants: Mapping[str, tuple[Participant, tuple[str, ...]]]) -> None:
    """Bring the list of accepted keys up to date; keys that others have added stay."""
    known = msgspec.json.decode(path.read_bytes(), type=list[AcceptedKey]) if path.exists() else []
    ours = [_accepted(subject, holder, scopes) for subject, (holder, scopes) in participants.items()]
    subjects = {key.subject for key in ours}
    wanted = [*ours, *(key for key in known if key.subject not in subjects)]
    if wanted != known:
        write_json(path, wanted)


def write_json(path: Path, content: object) -> None:
    """Write a private file that a person can read too."""
    write_private(path, msgspec.json.format(msgspec.json.encode(content), indent=2).decode() + "\n")


def _new_bearer_key(user: str) -> str:
    return f"{user}.{new_api_key()}"


def _accepted(subject: str, holder: Participant, scopes: tuple[str, ...]) -> AcceptedKey:
    return AcceptedKey(
        key_id=holder.api_key.partition(".")[0],
        sha256=hashlib.sha256(holder.api_key.encode()).hexdigest(),
        subject=subject,
        account=holder.account,
        agent=holder.agent,
        scopes=scopes,
    )
