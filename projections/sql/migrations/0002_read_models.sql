-- Read models, each a fold of the journal's valid events. Quantities are shares, prices and amounts USD; a decimal is text in SQLite, because its numbers are floats. `seq` is always a journal sequence.
CREATE TABLE orders (
    order_id            TEXT PRIMARY KEY,
    agent               TEXT       NOT NULL,
    intent_id           TEXT,
    symbol              TEXT       NOT NULL,
    side                TEXT       NOT NULL,
    order_type          TEXT       NOT NULL,
    time_in_force       TEXT       NOT NULL,
    qty                 ${decimal} NOT NULL,
    limit_price         ${decimal},
    stop_price          ${decimal},
    extended_hours      ${flag}    NOT NULL,
    status              TEXT       NOT NULL,
    is_terminal         ${flag}    NOT NULL,
    reduces             ${flag}    NOT NULL,
    worst_price         ${decimal} NOT NULL,
    filled_qty          ${decimal} NOT NULL,
    filled_notional_usd ${decimal} NOT NULL,
    avg_price           ${decimal},
    broker_order_id     TEXT,
    detail              TEXT       NOT NULL,
    terms               ${json}    NOT NULL,
    valid_until         ${moment},
    decision_seq        ${bigint}  NOT NULL,
    last_seq            ${bigint}  NOT NULL,
    updated_at          ${moment}  NOT NULL
) ${strict};

-- Everything that moved a position: fills, and what was busted, corrected or adopted. `qty` is signed: what it bought (negative: sold).
-- `price` is what was paid or got for each of these shares; the position columns say what the symbol stood at afterwards.
CREATE TABLE fills (
    seq            ${bigint}  NOT NULL,
    type           TEXT       NOT NULL,
    trading_day    ${day}     NOT NULL,
    at             ${moment}  NOT NULL,
    filled_at      ${moment},
    order_id       TEXT,
    fill_id        TEXT,
    agent          TEXT,
    symbol         TEXT       NOT NULL,
    qty            ${decimal} NOT NULL,
    price          ${decimal},
    cash_usd       ${decimal} NOT NULL,
    realized_usd   ${decimal} NOT NULL,
    position_qty   ${decimal} NOT NULL,
    position_price ${decimal} NOT NULL,
    PRIMARY KEY (seq, symbol)
) ${strict};

-- What was held when a day ended, or now; a symbol that is held has a row on each day that the journal knows. Totals count from the journal's beginning.
CREATE TABLE positions_by_day (
    trading_day  ${day}     NOT NULL,
    symbol       TEXT       NOT NULL,
    qty          ${decimal} NOT NULL,
    avg_price    ${decimal} NOT NULL,
    realized_usd ${decimal} NOT NULL,
    cash_usd     ${decimal} NOT NULL,
    last_seq     ${bigint}  NOT NULL,
    PRIMARY KEY (trading_day, symbol)
) ${strict};

-- What one day's fills realised and moved. A fill belongs to the account's day on which it was booked, however late it came.
CREATE TABLE pnl_by_day (
    trading_day  ${day}     NOT NULL,
    symbol       TEXT       NOT NULL,
    realized_usd ${decimal} NOT NULL,
    bought_qty   ${decimal} NOT NULL,
    bought_usd   ${decimal} NOT NULL,
    sold_qty     ${decimal} NOT NULL,
    sold_usd     ${decimal} NOT NULL,
    fills        ${bigint}  NOT NULL,
    last_seq     ${bigint}  NOT NULL,
    PRIMARY KEY (trading_day, symbol)
) ${strict};

-- One row for each decision; `checks` are its controls as they were applied (the view decision_checks has a row for each).
CREATE TABLE decisions (
    seq             ${bigint} PRIMARY KEY,
    at              ${moment}  NOT NULL,
    trading_day     ${day}     NOT NULL,
    received_at     ${moment}  NOT NULL,
    agent           TEXT       NOT NULL,
    intent_id       TEXT       NOT NULL,
    intent_seq      ${bigint}  NOT NULL,
    action          TEXT,
    outcome         TEXT       NOT NULL,
    reason_code     TEXT,
    order_id        TEXT,
    symbol          TEXT,
    side            TEXT,
    qty             ${decimal},
    reserved_usd    ${decimal},
    regime          TEXT,
    state_seq       ${bigint}  NOT NULL,
    limits_version  ${bigint}  NOT NULL,
    code_version    TEXT       NOT NULL,
    reason          ${json},
    checks          ${json}    NOT NULL,
    headroom        ${json}    NOT NULL
) ${strict};

-- What operators and owners wrote: limits, kill switch, and who took the right to write.
CREATE TABLE control_changes (
    seq     ${bigint} PRIMARY KEY,
    at      ${moment} NOT NULL,
    type    TEXT      NOT NULL,
    by_whom TEXT,
    reason  TEXT,
    version ${bigint},
    event   ${json}   NOT NULL
) ${strict};

-- The broker's own figures, as they were seen.
CREATE TABLE account_snapshots (
    seq              ${bigint} PRIMARY KEY,
    at               ${moment}  NOT NULL,
    trading_day      ${day}     NOT NULL,
    equity_usd       ${decimal} NOT NULL,
    last_equity_usd  ${decimal} NOT NULL,
    cash_usd         ${decimal} NOT NULL,
    buying_power_usd ${decimal} NOT NULL,
    trading_blocked  ${flag}    NOT NULL,
    positions        ${json}    NOT NULL
) ${strict};

-- Regime changes; `seq` is the sequence in the stream of regimes, which is not the journal.
CREATE TABLE regime_changes (
    seq        ${bigint} PRIMARY KEY,
    at         ${moment}  NOT NULL,
    symbol     TEXT       NOT NULL,
    regime     TEXT       NOT NULL,
    previous   TEXT,
    confidence ${decimal} NOT NULL,
    reasons    ${json}    NOT NULL
) ${strict};

-- Where the fold stood after a sequence, so that a restart need not begin at the first event. Never truth: it may be missing, or of another schema.
CREATE TABLE fold_state (
    name   TEXT PRIMARY KEY,
    seq    ${bigint} NOT NULL,
    schema TEXT      NOT NULL,
    state  ${bytes}  NOT NULL
) ${strict};

${checks_view};

-- The tables before this migration know nothing of these: all of them are filled again from the journal.
DELETE FROM trail;
DELETE FROM tracking;
