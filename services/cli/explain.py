"""`lockgate explain`: the whole story of one intent or order, out of the audit trail."""

import contextlib
from pathlib import Path

import msgspec

from contracts.controls import KillEngaged
from contracts.ids import AgentId
from projections.causation import Placed
from projections.sql.database import DatabaseUnavailableError
from projections.sql.story import AmbiguousIdError, Story, story
from projections.sql.trail import EventFilter, events
from services.audit.location import read_models_of
from services.cli.causal_tree import branches, causes, placed
from services.cli.outcome import OK, CommandError, UnreachableError, UsageError
from services.cli.story_text import paragraphs
from services.cli.terminal import AsJson, Home, chosen_home, console, say_json
from services.runtime.setting_values import SettingsError
from services.runtime.settings import load_settings

KILL_ENGAGED = str(KillEngaged.__struct_config__.tag)


def explain(
    intent_or_order_id: str, /, *, agent: str | None = None, home: Home = None, as_json: AsJson = False
) -> int:
    """Tell the whole story of one intent or order.

    What was asked, every check with its value and limit, the evidence, the decision, what the broker said, the
    fills, position and headroom afterwards, and as a tree what caused what. It is read from the trail that the
    audit process keeps, so it works while nothing runs.

    ```
    lockgate explain tour-1
    lockgate explain lg-abc123 --json
    ```

    Args:
        intent_or_order_id: An intent id or an order id.
        agent: Whose intent, when several agents used the same id.
        home: The instance's folder.
        as_json: Print JSON for programs.
    """
    told, chain = _story(chosen_home(home), intent_or_order_id, AgentId(agent) if agent else None)
    if as_json:
        say_json(msgspec.structs.asdict(told) | {"causes": causes(chain)})
        return OK
    terminal = console()
    for text, style in (*paragraphs(told), *branches(chain)):
        terminal.tell(text, style)
    return OK


def _story(home: Path, story_id: str, agent: AgentId | None) -> tuple[Story, tuple[Placed, ...]]:
    """Read the story, and its events with the kill switches that were engaged while it went on."""
    try:
        with contextlib.closing(read_models_of(load_settings(home)).open_reader()) as reader:
            told = story(reader, story_id, agent)
            kills = () if told is None else events(reader, _kills_during(told))
    except SettingsError as error:
        raise UsageError(str(error)) from error
    except (FileNotFoundError, DatabaseUnavailableError) as error:
        raise UnreachableError(str(error)) from error
    except AmbiguousIdError as error:
        raise UsageError(f"{error}: say which with --agent") from error
    if told is None:
        raise CommandError(
            f"the trail knows no intent and no order {story_id!r} (it is written a moment after the fact)"
        )
    return told, placed(told, kills)


def _kills_during(told: Story) -> EventFilter:
    first_seq = told.asked.seq if told.asked is not None else told.order_events[0].seq
    return EventFilter(type=KILL_ENGAGED, after_seq=first_seq, upto_seq=told.last_seq)
