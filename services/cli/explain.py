"""`lockgate explain`: the whole story of one intent or order, out of the audit trail."""

import contextlib
from pathlib import Path

from contracts.ids import AgentId
from projections.sql.database import DatabaseUnavailableError
from projections.sql.story import AmbiguousIdError, Story, story
from services.audit.location import read_models_of
from services.cli.outcome import OK, CommandError, UnreachableError, UsageError
from services.cli.story_text import paragraphs
from services.cli.terminal import AsJson, Home, chosen_home, console, say_json
from services.runtime.setting_values import SettingsError
from services.runtime.settings import load_settings


def explain(
    intent_or_order_id: str, /, *, agent: str | None = None, home: Home = None, as_json: AsJson = False
) -> int:
    """Tell the whole story of one intent or order.

    What was asked, every check with its value and limit, the evidence, the decision, what the broker said, the
    fills, and position and headroom afterwards. It is read from the trail that the audit process keeps, so it
    works while nothing runs.

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
    told = _story(chosen_home(home), intent_or_order_id, AgentId(agent) if agent else None)
    if as_json:
        say_json(told)
        return OK
    terminal = console()
    for text, style in paragraphs(told):
        terminal.tell(text, style)
    return OK


def _story(home: Path, story_id: str, agent: AgentId | None) -> Story:
    try:
        with contextlib.closing(read_models_of(load_settings(home)).open_reader()) as reader:
            told = story(reader, story_id, agent)
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
    return told
