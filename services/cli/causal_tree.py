"""A story's causal tree, for people: each event under what caused it."""

from collections.abc import Iterator, Mapping, Sequence

from contracts.codec import JournalEvent
from contracts.controls import KillEngaged
from projections.causation import Node, Placed, tree
from projections.sql.story import Story
from projections.sql.trail import TrailEvent
from services.cli.lines import line_of

type Styled = tuple[str, str]


def placed(told: Story, kills: Sequence[TrailEvent] = ()) -> tuple[Placed, ...]:
    """Put the story's valid events in journal order, with the kill switches that were engaged meanwhile."""
    asked = () if told.asked is None else (told.asked,)
    rows = {row.seq: row for row in (*asked, *told.others, *told.order_events, *kills) if row.admitted}
    return tuple((seq, rows[seq].event) for seq in sorted(rows))


def causes(events: Sequence[Placed]) -> tuple[Node, ...]:
    """Give the tree, without kill switches that caused nothing in this story."""
    by_seq = dict(events)
    return tuple(node for node in tree(events) if node.children or not isinstance(by_seq[node.seq], KillEngaged))


def branches(events: Sequence[Placed]) -> Iterator[Styled]:
    """Draw the tree, one event a line; `~` marks a cause that the event does not itself name."""
    by_seq = dict(events)
    yield "because", "bold"
    for node in causes(events):
        yield from _branch(node, by_seq, "  ", "")


def _branch(node: Node, by_seq: Mapping[int, JournalEvent], lead: str, mark: str) -> Iterator[Styled]:
    line = line_of(node.seq, by_seq[node.seq])
    yield f"{lead}{mark}{'~ ' if node.inferred else ''}{node.seq} {line.clock} {line.kind} {line.text}", line.style
    below = lead + {"": "", "├─ ": "│  ", "└─ ": "   "}[mark]
    for child in node.children:
        last = child is node.children[-1]
        yield from _branch(child, by_seq, below, "└─ " if last else "├─ ")
