-- name: load
SELECT seq, schema, state FROM fold_state WHERE name = :name;

-- name: save
INSERT INTO fold_state (name, seq, schema, state) VALUES (:name, :seq, :schema, :state)
ON CONFLICT (name) DO UPDATE SET seq = excluded.seq, schema = excluded.schema, state = excluded.state;
