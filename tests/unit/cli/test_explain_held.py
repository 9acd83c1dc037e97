"""`lockgate explain` on intents that waited for a person."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from contracts import subjects
from contracts.decisions import Decision
from contracts.enums import Action, Outcome, Role
from contracts.ids import OPERATOR, IntentId
from contracts.orders import OrderAcknowledged
from contracts.reasons import DenialCode, Reason
from projections.sql.location import Location
from services.cli.app import main
from services.cli.outcome import OK
from tests.read_models import opened, stretch
from tests.story_events import ACCOUNT, AGENT, OPEN, Written, approved, epoch_taken, limits_set, order_id


def decision_of(written: Written) -> Decision:
    assert isinstance(written[1], Decision)
    return written[1]


def waits(intent_id: str) -> Written:
    subject, _ = written = approved(intent_id)
    reason = Reason(code=DenialCode.NEEDS_APPROVAL, message="waits for a person", attempted=Decimal("1891.2"))
    until = OPEN + timedelta(minutes=15)
    blank: dict[str, Any] = {"order_id": None, "reservation": None, "valid_until": None}
    return subject, replace(
        decision_of(written), outcome=Outcome.HELD, reason=reason, held_until=until, correlation_id=intent_id, **blank
    )


def let_go(word_id: str, intent_id: str) -> Written:
    said = replace(
        decision_of(approved(intent_id)),
        agent=OPERATOR,
        intent_id=IntentId(word_id),
        on_behalf_of=AGENT,
        correlation_id=intent_id,
    )
    return subjects.decision(ACCOUNT, OPERATOR, said.intent_id), said


def refused(word_id: str, intent_id: str) -> Written:
    subject, said = let_go(word_id, intent_id)
    assert isinstance(said, Decision)
    blank: dict[str, Any] = {"order_id": None, "reservation": None, "terms": None}
    return subject, replace(said, action=Action.DISMISS, **blank)


def acknowledged(intent_id: str) -> Written:
    event = OrderAcknowledged(
        epoch=1,
        at=OPEN,
        order_id=order_id(intent_id),
        broker_order_id="b-1",
        broker_status="new",
        correlation_id=intent_id,
    )
    return subjects.order(ACCOUNT, AGENT, order_id(intent_id)), event


@pytest.fixture
def home(tmp_path: Path) -> Path:
    store = opened(Location(account=ACCOUNT, path=tmp_path / "audit" / "trail.sqlite3"))
    start = [epoch_taken(Role.RISK, 1), epoch_taken(Role.OMS, 1), limits_set()]
    words = [waits("i1"), waits("i2"), let_go("w1", "i1"), acknowledged("i1"), refused("w2", "i2")]
    stretch(store, [*start, *words])
    store.close()
    return tmp_path


def explained(home: Path, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["explain", *words, "--home", str(home)]) == OK
    return capsys.readouterr().out


def test_what_waited_is_told_with_the_persons_word_and_the_order_under_it(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = explained(home, capsys, "i1")
    assert f"i1 of demo, order {order_id('i1')}" in text
    assert "demo i1 waits for a person until 14:45:00Z: buy 10 AAPL limit 189.12 day" in text
    assert "_operator w1 for demo i1 approved" in text
    tree = text[text.index("because") :]
    assert tree.index("demo i1 waits") < tree.index("└─ ~ 6") < tree.index("acknowledged as b-1")
    assert "buy 10 AAPL limit 189.12 day: acked, 0 of 10 filled" in text


def test_what_was_refused_is_told_without_an_order(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = explained(home, capsys, "i2")
    assert "_operator w2 for demo i2 approved: dismiss -> no order" in text
    assert "no order came of it" in text


def test_the_order_itself_is_told_from_the_word_that_let_it_go(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "_operator w1 for demo i1 approved" in explained(home, capsys, str(order_id("i1")))
