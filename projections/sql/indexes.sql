-- What questions are found by; made when a database is opened, or at the end of a rebuild, which is quicker without.
CREATE INDEX IF NOT EXISTS trail_by_type        ON trail (type, seq);
CREATE INDEX IF NOT EXISTS trail_by_at          ON trail (at);
CREATE INDEX IF NOT EXISTS trail_by_intent      ON trail (intent_id, seq) WHERE intent_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS trail_by_order       ON trail (order_id, seq) WHERE order_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS trail_by_symbol      ON trail (symbol, seq) WHERE symbol IS NOT NULL;
CREATE INDEX IF NOT EXISTS trail_by_correlation ON trail (correlation_id, seq) WHERE correlation_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS orders_open          ON orders (symbol) WHERE NOT is_terminal;
CREATE INDEX IF NOT EXISTS orders_by_symbol     ON orders (symbol, last_seq);
CREATE INDEX IF NOT EXISTS orders_by_agent      ON orders (agent, last_seq);
CREATE INDEX IF NOT EXISTS fills_by_order       ON fills (order_id, seq) WHERE order_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS fills_by_day         ON fills (trading_day, symbol);
CREATE INDEX IF NOT EXISTS decisions_by_agent   ON decisions (agent, seq);
CREATE INDEX IF NOT EXISTS decisions_by_reason  ON decisions (reason_code, seq) WHERE reason_code IS NOT NULL;
CREATE INDEX IF NOT EXISTS regimes_by_symbol    ON regime_changes (symbol, seq);
