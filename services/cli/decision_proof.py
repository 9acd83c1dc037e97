"""Every decision decided again from the journal alone, and what to say of those that come out differently."""

from collections.abc import Iterator

import msgspec

from contracts.base import Value
from contracts.ids import AgentId, IntentId
from projections.differences import Difference, differences
from services.cli.source import Told, events_of
from services.risk.rederive import Divergence, Rederivation
from services.runtime.ports import RawJournal

SHOWN_DIFFERENCES = 12


class FirstDivergence(Value, frozen=True, kw_only=True):
    """One decision with both sides: what is stored, what comes out now."""

    seq: int
    agent: AgentId
    intent_id: IntentId
    code_version: str
    differences: tuple[Difference, ...]
    stored: msgspec.Raw
    derived: msgspec.Raw


class DecisionProof(Value, frozen=True, kw_only=True):
    """What became of the proof; differences of another version's decisions are told apart, they are no corruption."""

    code_version: str
    decisions: int
    versions: dict[str, int]
    divergences: int
    divergences_of_other_versions: int
    first: FirstDivergence | None = None
    first_of_other_version: FirstDivergence | None = None

    @property
    def holds(self) -> bool:
        """Say whether every decision of this version of the code comes out as it stands."""
        return self.divergences == 0


async def prove_decisions(journal: RawJournal, code_version: str) -> DecisionProof:
    """Decide everything again."""
    again = Rederivation(journal.account)
    found: dict[bool, list[Divergence]] = {True: [], False: []}
    counts = {True: 0, False: 0}
    async for told in events_of(journal, "deciding again"):
        for divergence in _taken(again, told):
            ours = divergence.code_version == code_version
            counts[ours] += 1
            if not found[ours]:
                found[ours].append(divergence)
    return DecisionProof(
        code_version=code_version,
        decisions=again.decisions,
        versions=dict(again.versions),
        divergences=counts[True],
        divergences_of_other_versions=counts[False],
        first=_first(found[True]),
        first_of_other_version=_first(found[False]),
    )


def _taken(again: Rederivation, told: Told) -> Iterator[Divergence]:
    return again.take(told.seq, told.event, told.received.body)


def _first(found: list[Divergence]) -> FirstDivergence | None:
    if not found:
        return None
    one = found[0]
    return FirstDivergence(
        seq=one.seq,
        agent=one.decision.agent,
        intent_id=one.decision.intent_id,
        code_version=one.code_version,
        differences=differences(one.stored, one.derived),
        stored=msgspec.Raw(one.stored),
        derived=msgspec.Raw(one.derived),
    )


def told_of(proof: DecisionProof) -> Iterator[tuple[str, str]]:
    """Put the proof into words."""
    others = {version: count for version, count in proof.versions.items() if version != proof.code_version}
    style, verdict = ("green", "all come out byte for byte") if proof.holds else ("bold red", "NOT ALL come out")
    yield f"decisions: {proof.decisions} decided again, {verdict}", style
    for version, count in others.items():
        yield f"  {count} decided by another version ({version}; this is {proof.code_version})", "yellow"
    if proof.divergences_of_other_versions:
        count = proof.divergences_of_other_versions
        yield f"  {count} of those come out differently now: another version decides differently", "yellow"
    for first in (proof.first, proof.first_of_other_version):
        if first is not None:
            yield from _both_sides(first)


def _both_sides(first: FirstDivergence) -> Iterator[tuple[str, str]]:
    yield f"first divergence at sequence {first.seq}: {first.agent} {first.intent_id}", "bold"
    for one in first.differences[:SHOWN_DIFFERENCES]:
        yield f"  {one.path}: stored {one.before!r}, derived {one.after!r}", ""
    if not first.differences:
        yield "  the same values, written differently", ""
    yield f"  stored  {bytes(first.stored).decode()}", ""
    yield f"  derived {bytes(first.derived).decode()}", ""
