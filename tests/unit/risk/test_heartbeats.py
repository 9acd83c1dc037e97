"""Leases: entries of an agent that falls silent go, once and by a decision like any other; exits stay."""

from datetime import timedelta
from typing import Any

from contracts.codec import decode_intent
from contracts.controls import MandateGranted, MandateRevoked
from contracts.enums import Action, Outcome
from contracts.ids import OPERATOR
from contracts.intents import CancelAllIntent
from contracts.mandates import Mandate
from projections import account
from services.risk.answer import Stated
from services.risk.decider import decide
from services.risk.heartbeats import Heartbeats
from tests.risk_world import (
    DEMO,
    NOW,
    PAPER,
    STAMP,
    answer,
    body,
    bought,
    evidence,
    limits_set,
    observed,
    quote,
    state_of,
)
from tests.risk_world import stated as told

LEASE_MS = 2_000


def granted(version: int = 1, lease_ms: int | None = LEASE_MS) -> MandateGranted:
    mandate = Mandate(expires_at=NOW + timedelta(days=1), lease_ms=lease_ms)
    return MandateGranted(epoch=0, at=NOW, agent=DEMO, version=version, mandate=mandate, by="test", reason="test")


READY: tuple[Any, ...] = (limits_set(), observed(), granted())
ENTRY = answer(state_of(*READY), body(qty="1"))
WAITING = state_of(*READY, ENTRY)


def canceled(beats: Heartbeats, state: Any, now_ms: int) -> list[Stated]:
    return list(beats.cancels(state, now_ms))


def watching() -> Heartbeats:
    beats = Heartbeats(PAPER, 7)
    assert canceled(beats, WAITING, 0) == []
    return beats


def test_who_is_silent_for_longer_than_its_lease_loses_its_entries_once() -> None:
    beats = watching()
    assert canceled(beats, WAITING, LEASE_MS) == []
    (stated,) = canceled(beats, WAITING, LEASE_MS + 1)
    intent = decode_intent(stated.body)
    assert isinstance(intent, CancelAllIntent)
    assert (stated.agent, stated.seq, intent.agent, intent.entries_only) == (OPERATOR, 0, DEMO, True)
    assert "lease of demo expired" in str(intent.meta.reason)
    assert canceled(beats, WAITING, 10 * LEASE_MS) == []


def test_the_cancel_is_decided_and_recorded_like_any_other() -> None:
    (stated,) = canceled(watching(), WAITING, LEASE_MS + 1)
    decision = decide(WAITING, stated, evidence(), STAMP)
    assert (decision.outcome, decision.action) == (Outcome.APPROVED, Action.CANCEL_ALL)
    assert (decision.order_ids, decision.intent_seq) == ((ENTRY.order_id,), 0)


def test_a_sign_of_life_gives_a_full_lease_and_another_silence_another_cancel() -> None:
    beats = watching()
    beats.hear(DEMO, 1_500)
    assert canceled(beats, WAITING, 1_500 + LEASE_MS) == []
    (first,) = canceled(beats, WAITING, 1_501 + LEASE_MS)
    beats.hear(DEMO, 9_000)
    assert canceled(beats, WAITING, 9_000 + LEASE_MS) == []
    (second,) = canceled(beats, WAITING, 9_001 + LEASE_MS)
    assert first.intent_id != second.intent_id


def test_exits_orders_of_others_and_agents_without_a_lease_are_left_alone() -> None:
    held = state_of(*READY, bought("10"))
    exits = account.evolve(held, answer(held, body(side="sell", qty="5")), 9)
    assert canceled(watching(), exits, 10 * LEASE_MS) == []
    of_eve = account.evolve(state_of(*READY), answer(state_of(*READY), body(qty="1"), agent="eve"), 9)
    assert canceled(watching(), of_eve, 10 * LEASE_MS) == []
    for control in (
        granted(2, None),
        MandateRevoked(epoch=0, at=NOW, agent=DEMO, version=2, by="test", reason="test"),
    ):
        assert canceled(watching(), account.evolve(WAITING, control, 9), 10 * LEASE_MS) == []


def test_a_new_mandate_and_a_new_process_begin_with_a_full_lease() -> None:
    beats = watching()
    renewed = account.evolve(WAITING, granted(2), 9)
    assert canceled(beats, renewed, 10 * LEASE_MS) == []
    assert canceled(beats, renewed, 11 * LEASE_MS) == []
    assert len(canceled(beats, renewed, 11 * LEASE_MS + 1)) == 1
    restarted = Heartbeats(PAPER, 8)
    assert canceled(restarted, WAITING, 50 * LEASE_MS) == []
    assert len(canceled(restarted, WAITING, 51 * LEASE_MS + 1)) == 1


def test_an_entry_that_appears_during_a_silence_goes_at_once() -> None:
    beats = Heartbeats(PAPER, 7)
    assert canceled(beats, state_of(*READY), 0) == []
    assert canceled(beats, state_of(*READY), 10 * LEASE_MS) == []
    assert len(canceled(beats, WAITING, 10 * LEASE_MS + 1)) == 1


def test_an_entry_that_a_person_lets_go_during_a_silence_goes_too() -> None:
    beats = watching()
    assert len(canceled(beats, WAITING, LEASE_MS + 1)) == 1
    more = account.evolve(
        WAITING, decide(WAITING, told(body("let-go", qty="2"), "let-go"), evidence(quote()), STAMP), 9
    )
    assert len(canceled(beats, more, LEASE_MS + 2)) == 1
    assert canceled(beats, more, LEASE_MS + 3) == []
