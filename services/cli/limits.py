"""`lockgate limits`: what binds whom, the layers that people set, and every version with who set it and why."""

from typing import Annotated, Literal, NamedTuple

from cyclopts import Parameter

from services.cli.limits_layers import set_layer, show, show_rails, unset_layer
from services.cli.limits_versions import show_diff, show_history
from services.cli.outcome import UsageError
from services.cli.source import HERE, Source
from services.cli.terminal import AsJson

Scopes = Annotated[
    list[str] | None,
    Parameter(name="--scope", help="firm, account, agent.NAME, strategy.NAME or symbol.SYMBOL.", negative=""),
]
type _What = Literal["show", "set", "unset", "history", "diff", "rails"]


class _Asked(NamedTuple):
    source: Source
    scopes: tuple[str, ...]
    words: tuple[str, ...]
    reason: str
    as_json: bool


_TAKES_WORDS = frozenset({"set", "diff"})


def limits(
    what: _What,
    /,
    *words: str,
    scope: Scopes = None,
    reason: str | None = None,
    source: Source = HERE,
    as_json: AsJson = False,
) -> int:
    """Show the limits and their layers, set a layer, and compare versions.

    The tightest of all layers binds an order: the account's own limits, the firm's, the symbol's, the agent's and its
    mandate's, the strategy's. `show` says what binds whom and where it stands. `set` changes what it names in one
    layer; what is left out stays, and `NAME=` takes one limit away. A hash is that of the values: however the same
    limits are written, it is the same.

    ```
    lockgate limits show
    lockgate limits show --scope agent.demo --scope symbol.AAPL
    lockgate limits set --scope agent.demo max_daily_trades=20 max_gross_exposure_usd=5000 --reason "first week"
    lockgate limits set --scope firm firm.toml --reason "new policy"
    lockgate limits unset --scope agent.demo --reason "it did well"
    lockgate limits history
    lockgate limits diff 1 3 --json
    lockgate limits diff 1 2 --scope agent.demo
    lockgate limits rails
    ```

    Args:
        what: show, set, unset, history, diff or rails.
        words: For set, a file (TOML or .json) or NAME=VALUE; for diff, two version numbers.
        scope: Whose limits; `show` takes several, of an agent, a strategy and a symbol.
        reason: Why, for the record; needed to set and unset.
        source: The journal to read.
        as_json: Print JSON for programs.
    """
    scopes = tuple(scope or ())
    if words and what not in _TAKES_WORDS:
        raise UsageError(f"`limits {what}` takes no {' '.join(words)}")
    return _run(what, _Asked(source, scopes, words, reason or "", as_json))


def _run(what: _What, asked: _Asked) -> int:
    source, scopes, words, reason, as_json = asked
    match what:
        case "show":
            return show(source, scopes, as_json=as_json)
        case "set":
            return set_layer(source, scopes, words, reason)
        case "unset":
            return unset_layer(source, scopes, reason)
        case "history":
            return show_history(source, scopes, as_json=as_json)
        case "diff":
            return show_diff(source, scopes, words, as_json=as_json)
        case "rails":
            return show_rails(as_json=as_json)
