"""The read models' tables as the writers see them: columns in order, and the key by which a row is replaced.

Values are whole numbers, text, bytes or nothing: decimals, times, days, flags (0, 1) and JSON are written as text or
numbers that both databases take, so one row serves both.
"""

from dataclasses import dataclass

type Cell = int | str | bytes | None
type Row = tuple[Cell, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Table:
    """One table; with `replaces`, a row stands for its key's latest state, else it is written once.

    Each is itself and no other, which is quick to find in a mapping.
    """

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...] = ("seq",)
    replaces: bool = False


def _columns(names: str) -> tuple[str, ...]:
    return tuple(names.split())


TRAIL = Table(
    "trail",
    _columns(
        "seq subject type version at event_at agent intent_id order_id symbol epoch admitted correlation_id "
        "causation_seq traceparent digest body"
    ),
)
ORDERS = Table(
    "orders",
    _columns(
        "order_id agent intent_id symbol side order_type time_in_force qty limit_price stop_price "
        "extended_hours status is_terminal reduces worst_price filled_qty filled_notional_usd avg_price "
        "broker_order_id detail terms valid_until decision_seq last_seq updated_at"
    ),
    key=("order_id",),
    replaces=True,
)
FILLS = Table(
    "fills",
    _columns(
        "seq type trading_day at filled_at order_id fill_id agent symbol qty price cash_usd realized_usd "
        "position_qty position_price"
    ),
)
POSITIONS_BY_DAY = Table(
    "positions_by_day",
    ("trading_day", "symbol", "qty", "avg_price", "realized_usd", "cash_usd", "last_seq"),
    key=("trading_day", "symbol"),
    replaces=True,
)
PNL_BY_DAY = Table(
    "pnl_by_day",
    _columns("trading_day symbol realized_usd bought_qty bought_usd sold_qty sold_usd fills last_seq"),
    key=("trading_day", "symbol"),
    replaces=True,
)
DECISIONS = Table(
    "decisions",
    _columns(
        "seq at trading_day received_at agent intent_id intent_seq action outcome reason_code order_id symbol "
        "side qty reserved_usd regime state_seq limits_version code_version reason checks headroom"
    ),
)
CONTROL_CHANGES = Table("control_changes", ("seq", "at", "type", "by_whom", "reason", "version", "event"))
ACCOUNT_SNAPSHOTS = Table(
    "account_snapshots",
    _columns("seq at trading_day equity_usd last_equity_usd cash_usd buying_power_usd trading_blocked positions"),
)
REGIME_CHANGES = Table("regime_changes", ("seq", "at", "symbol", "regime", "previous", "confidence", "reasons"))

JOURNAL_TABLES = (
    TRAIL,
    ORDERS,
    FILLS,
    POSITIONS_BY_DAY,
    PNL_BY_DAY,
    DECISIONS,
    CONTROL_CHANGES,
    ACCOUNT_SNAPSHOTS,
)
"""What is folded from the journal alone."""
TABLES = (*JOURNAL_TABLES, REGIME_CHANGES)


class Changes:
    """What a batch of events does to the tables: rows to add, and the latest rows of keys."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.added: dict[Table, list[Row]] = {table: [] for table in TABLES if not table.replaces}
        self.replaced: dict[Table, list[Row]] = {table: [] for table in TABLES if table.replaces}

    def add(self, table: Table, row: Row) -> None:
        """Write a new row."""
        self.added[table].append(row)
