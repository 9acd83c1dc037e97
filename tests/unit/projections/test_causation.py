"""The causal tree of a story: recorded causes, nearer ones inferred, nothing lost and nothing twice."""

from collections.abc import Iterator

from msgspec.structs import replace

from contracts.codec import JournalEvent
from projections.causation import Node, tree
from tests.story_events import (
    acknowledged,
    approved,
    cancel_approved,
    cancel_requested,
    canceled,
    filled,
    kill,
    order_id,
    short_day,
    working,
)


def shape(nodes: tuple[Node, ...]) -> list[object]:
    return [(node.seq, shape(node.children)) if node.children else node.seq for node in nodes]


def placed(*written: tuple[str, JournalEvent]) -> list[tuple[int, JournalEvent]]:
    return [(seq, event) for seq, (_, event) in enumerate(written, start=1)]


def sequences(nodes: tuple[Node, ...]) -> Iterator[int]:
    for node in nodes:
        yield node.seq
        yield from sequences(node.children)


def test_a_cancel_hangs_under_its_decision_and_a_fill_under_the_acknowledgement():
    story = placed(
        approved("i"),
        acknowledged("i"),
        filled("i", "x1", "4", "4"),
        cancel_approved("c", order_id("i")),
        cancel_requested("i"),
        canceled("i"),
    )
    assert shape(tree(story)) == [1, (2, [3]), (4, [(5, [6])])]


def test_a_kill_switch_is_the_cause_of_the_cancel_that_follows_it():
    story = placed(approved("i"), acknowledged("i"), working("i"), kill(), cancel_requested("i"), canceled("i"))
    assert shape(tree(story))[-1] == (4, [(5, [6])])
    assert tree(story)[-1].children[0].inferred


def test_a_recorded_cause_is_not_marked_as_inferred():
    story = placed(approved("i"), acknowledged("i"))
    by_decision = [(1, story[0][1]), (2, _caused(story[1][1], 1))]
    (root,) = tree(by_decision)
    assert (root.seq, root.children[0].seq, root.children[0].inferred) == (1, 2, False)


def test_every_event_of_a_day_stands_in_the_tree_once():
    day = placed(*short_day())
    assert sorted(sequences(tree(day))) == [seq for seq, _ in day]


def test_a_cause_that_is_not_in_the_story_makes_a_root():
    story = [(9, _caused(acknowledged("i")[1], 3))]
    assert shape(tree(story)) == [9]


def _caused(event: JournalEvent, seq: int) -> JournalEvent:
    return replace(event, causation_seq=seq)
