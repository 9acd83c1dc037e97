-- One row for each journal message; `type` is the event's tag without its version (order.filled, decision). Times are UTC; in SQLite text of one fixed form, so that text order is time order;
-- digests are SHA-256 in hex. No column holds a time or a number of ours: a rebuilt trail equals the old one.
CREATE TABLE trail (
    seq            ${bigint} PRIMARY KEY,
    subject        TEXT       NOT NULL,
    type           TEXT       NOT NULL,
    version        ${bigint}  NOT NULL,
    at             ${moment}  NOT NULL,
    event_at       ${moment}  NOT NULL,
    agent          TEXT,
    intent_id      TEXT,
    order_id       TEXT,
    symbol         TEXT,
    epoch          ${bigint}  NOT NULL,
    admitted       ${flag}    NOT NULL,
    correlation_id TEXT,
    causation_seq  ${bigint}  NOT NULL,
    traceparent    TEXT,
    digest         TEXT       NOT NULL,
    body           ${bytes}   NOT NULL
) ${strict};

-- How far this database has folded which stream, moved only in the transaction that folds.
CREATE TABLE tracking (
    application_name TEXT PRIMARY KEY,
    notification_id  ${bigint} NOT NULL
) ${strict};
