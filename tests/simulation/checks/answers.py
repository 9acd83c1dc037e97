"""Every intent gets exactly one decision, and no process ends as none should."""

from collections.abc import Iterator

from contracts import subjects
from tests.simulation.world import World


def every_intent_is_decided_once(world: World) -> Iterator[str]:
    """Count the decisions on each intent's own subject."""
    stored: dict[str, int] = {}
    for recorded in world.server.journal.events:
        if ".decision." in recorded.subject:
            stored[recorded.subject] = stored.get(recorded.subject, 0) + 1
    for message in world.server.inbox._messages:
        stated = subjects.parse_intent(message.subject)
        count = stored.get(subjects.decision(stated.account, stated.agent, stated.intent_id), 0)
        if count != 1:
            yield f"the intent {message.subject} (#{message.seq}) has {count} decisions"


def nothing_broke(world: World) -> Iterator[str]:
    """Report what ended a process that no restart would cure, what nobody caught, and what never came to rest."""
    yield from world.crew.broken
    yield from world.loop.complaints
    if world.unsettled is not None:
        yield world.unsettled
