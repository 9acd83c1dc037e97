-- One row for each journal message; `type` is the event's tag without its version (order.filled, decision). Times are UTC text of one fixed form, so that text order is time order;
-- digests are SHA-256 in hex. No column holds a time or a number of ours: a rebuilt trail equals the old one.
CREATE TABLE trail (
    seq            INTEGER PRIMARY KEY,
    subject        TEXT    NOT NULL,
    type           TEXT    NOT NULL,
    version        INTEGER NOT NULL,
    at             TEXT    NOT NULL,
    event_at       TEXT    NOT NULL,
    agent          TEXT,
    intent_id      TEXT,
    order_id       TEXT,
    symbol         TEXT,
    epoch          INTEGER NOT NULL,
    admitted       INTEGER NOT NULL,
    correlation_id TEXT,
    causation_seq  INTEGER NOT NULL,
    traceparent    TEXT,
    digest         TEXT    NOT NULL,
    body           BLOB    NOT NULL
) STRICT;

CREATE INDEX trail_by_type        ON trail (type, seq);
CREATE INDEX trail_by_at          ON trail (at);
CREATE INDEX trail_by_intent      ON trail (intent_id, seq) WHERE intent_id IS NOT NULL;
CREATE INDEX trail_by_order       ON trail (order_id, seq) WHERE order_id IS NOT NULL;
CREATE INDEX trail_by_symbol      ON trail (symbol, seq) WHERE symbol IS NOT NULL;
CREATE INDEX trail_by_correlation ON trail (correlation_id, seq) WHERE correlation_id IS NOT NULL;

-- How far this database has folded which journal, moved only in the transaction that folds.
CREATE TABLE tracking (
    application_name TEXT PRIMARY KEY,
    notification_id  INTEGER NOT NULL
) STRICT;
