"""`lockgate explain` on a trail, with nothing running."""

import json
from pathlib import Path

import pytest

from projections.sql.location import Location
from services.cli.app import main
from services.cli.outcome import FAILED, OK, UNREACHABLE, USAGE
from tests.read_models import opened, stretch
from tests.story_events import ACCOUNT, AgentId, approved, order_id, short_day

EVE = AgentId("eve")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose trail tells a short day, and one intent id that two agents used."""
    folder = tmp_path_factory.mktemp("story")
    store = opened(Location(account=ACCOUNT, path=folder / "audit" / "trail.sqlite3"))
    stretch(store, [*short_day(), approved("i1", agent=EVE)])
    store.close()
    return folder


def explained(home: Path, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["explain", *words, "--home", str(home)]) == OK
    return capsys.readouterr().out


def test_a_filled_intent_is_told_from_the_question_to_the_position(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = explained(home, capsys, "i1", "--agent", "demo")
    headings = ["asked", "decided at", "happened", "\nposition", "headroom after the decision"]
    places = [text.index(heading) for heading in headings]
    assert places == sorted(places)
    assert '"limit_price":"189.12"' in text
    assert "set aside 1891.2 USD: 10 at worst 189.12" in text
    assert "buy 10 AAPL limit 189.12 day: filled, 10 of 10 filled at 189.6 on average" in text
    assert "before 5 AAPL at 180" in text
    assert "after  15 AAPL at 186.4" in text
    assert "position_usd           8108.8" in text


def test_an_order_id_tells_the_same_story(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert explained(home, capsys, str(order_id("i1"))) == explained(home, capsys, "i1", "--agent", "demo")


def test_a_canceled_order_shows_who_asked_and_marks_what_is_void(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = explained(home, capsys, "i2")
    assert "cancel requested by demo" in text
    assert "canceled, 0 of 3 filled" in text
    assert "VOID" in text


def test_a_denied_intent_ends_without_an_order(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = explained(home, capsys, "i3")
    assert "demo i3 denied: MALFORMED" in text
    assert "no order came of it" in text


def test_the_story_is_there_for_programs_too(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = json.loads(explained(home, capsys, "i1", "--agent", "demo", "--json"))
    assert told["order_id"] == order_id("i1")
    assert [fill["fill_id"] for fill in told["fills"]] == ["x1", "x2"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["i1"], USAGE, "say which with --agent"),
        (["nobody"], FAILED, "knows no intent and no order 'nobody'"),
    ],
)
def test_what_cannot_be_told_is_said_with_an_exit_code(
    home: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int, said: str
) -> None:
    assert main(["explain", *words, "--home", str(home)]) == code
    assert said in capsys.readouterr().err


def test_without_a_trail_there_is_nothing_to_reach(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "i1", "--home", str(tmp_path)]) == UNREACHABLE
    assert "does not exist" in capsys.readouterr().err


def test_the_tree_says_what_caused_what(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = explained(home, capsys, "i2")
    tree = text[text.index("because") :].splitlines()[1:]
    marks = [line.split("approved")[0].strip()[:3] for line in tree]
    requested = next(line for line in tree if "cancel requested" in line)
    decided = next(line for line in tree if "approved: cancel" in line)
    assert tree.index(requested) == tree.index(decided) + 1
    assert requested.index("~") > decided.index("11")
    assert marks[0] != marks[1]
    causes = json.loads(explained(home, capsys, "i2", "--json"))["causes"]
    assert (11, [12]) in [(node["seq"], [child["seq"] for child in node["children"]]) for node in causes]
