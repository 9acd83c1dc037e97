"""`lockgate sim`: look into the simulator, and make it misbehave on command."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from services.cli.outcome import OK, UsageError
from services.cli.steering import simulator_at, steer
from services.cli.terminal import AsJson, Home, Terminal, chosen_home, console, say_json

What = Literal["state", "fault"]
Options = Annotated[str, Parameter(allow_leading_hyphen=True)]
_NAME_WIDTH = 22
_COUNTED = ("matches", "hits", "stands", "recent")


def sim(
    what: What,
    name: str | None = None,
    which: str | None = None,
    /,
    *,
    home: Home = None,
    as_json: AsJson = False,
    **options: Options,
) -> int:
    """Look into the simulator, and make it misbehave on command.

    `sim state` shows its books: the truth that the journal must equal. `sim fault list` shows the faults that are
    set and every kind there is with its options; `sim fault clear` clears all, or the one named. `sim fault NAME`
    sets one; options without a number of times or seconds stand until cleared, and equal seeds strike equally.

    ```
    lockgate sim state
    lockgate sim fault list
    lockgate sim fault drop_update --event fill --symbol AAPL --times 2
    lockgate sim fault accept_then_504 --probability 0.3 --seed 7 --seconds 60
    lockgate sim fault stall --accept true --times 1
    lockgate sim fault clear f1
    ```

    Args:
        what: state or fault.
        name: For a fault: list, clear, or the fault's name.
        which: For clear: the id of one fault; all of them when left out.
        home: The instance's folder.
        as_json: Print JSON for programs.
        options: A fault's options; `sim fault list` names them.
    """
    if what == "state":
        _refuse_more("sim state", (name, which), options)
        return _state(home, as_json=as_json)
    if name is None or name == "list":
        _refuse_more("sim fault list", (which,), options)
        return _list(home, as_json=as_json)
    if name == "clear":
        _refuse_more("sim fault clear", (), options)
        return _clear(home, which, as_json=as_json)
    _refuse_more(f"sim fault {name}", (which,), {})
    return _set(home, {"fault": name, **options}, as_json=as_json)


def _refuse_more(command: str, words: Sequence[str | None], options: Mapping[str, str]) -> None:
    more = [word for word in words if word is not None] + [f"--{option}" for option in options]
    if more:
        raise UsageError(f"`{command}` takes no {' '.join(more)}")


def _ask(home: Home, method: str, command: str, body: dict[str, Any] | None = None) -> Any:
    return asyncio.run(steer(simulator_at(chosen_home(home)), method, command, body))


def _state(home: Home, *, as_json: bool) -> int:
    found = _ask(home, "GET", "state")
    if as_json:
        say_json(found)
        return OK
    terminal = console()
    terminal.tell(f"cash {found['cash']} USD   reserved {found['reserved']} USD   orders {found['orders_total']}")
    twice = [client_id for client_id, count in found["orders_by_client_id"].items() if count > 1]
    if twice:
        terminal.tell(f"sent more than once: {', '.join(twice)}", "red")
    for symbol, qty in sorted(found["positions"].items()):
        terminal.tell(f"position {symbol} {qty}")
    for order in found["open_orders"]:
        terminal.tell(_order_line(order))
    return OK


def _order_line(order: Mapping[str, Any]) -> str:
    asked = order["qty"] if order["notional"] is None else f"{order['notional']} USD"
    price = "".join(f" {name} {order[f'{name}_price']}" for name in ("limit", "stop") if order[f"{name}_price"])
    terms = f"{order['side']} {asked} {order['symbol']} {order['type']}{price}"
    return f"order {order['client_order_id']} {terms}: {order['status']}, {order['filled_qty']} filled"


def _list(home: Home, *, as_json: bool) -> int:
    found = _ask(home, "GET", "faults")
    if as_json:
        say_json(found)
        return OK
    terminal = console()
    terminal.tell("set:" if found["faults"] else "no fault is set", "bold")
    for fault in found["faults"]:
        _tell_fault(terminal, fault)
    terminal.tell("kinds:", "bold")
    for name, kind in sorted(found["kinds"].items()):
        terminal.tell(f"  {name:<{_NAME_WIDTH}}{kind['summary']}")
        terminal.tell(f"  {'':<{_NAME_WIDTH}}{_as_options(kind['options'])}", "dim")
    return OK


def _clear(home: Home, fault_id: str | None, *, as_json: bool) -> int:
    found = _ask(home, "DELETE", "faults" if fault_id is None else f"faults/{fault_id}")
    if as_json:
        say_json(found)
    else:
        console().tell(f"cleared {', '.join(found['cleared']) or 'nothing: no fault was set'}")
    return OK


def _set(home: Home, wanted: Mapping[str, str], *, as_json: bool) -> int:
    """Set a fault; hyphens may stand for the underscores in names."""
    body = {option.replace("-", "_"): value for option, value in wanted.items()}
    found = _ask(home, "POST", "faults", {**body, "fault": body["fault"].replace("-", "_")})
    if as_json:
        say_json(found)
    else:
        _tell_fault(console(), found)
    return OK


def _tell_fault(terminal: Terminal, fault: Mapping[str, Any]) -> None:
    said = {name: value for name, value in fault.items() if name not in {"id", "fault", *_COUNTED}}
    options = " ".join(f"{name}={_text(value)}" for name, value in said.items())
    spent = "" if fault["stands"] else ", spent"
    counts = f"{fault['hits']} of {fault['matches']} matches struck{spent}"
    terminal.tell(f"  {fault['id']} {fault['fault']} {options}".rstrip() + f"  ({counts})")


def _text(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _as_options(names: Sequence[str]) -> str:
    return " ".join(f"--{name.replace('_', '-')}" for name in names)
