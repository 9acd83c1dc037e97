-- name: digest_at
SELECT digest FROM trail WHERE seq = :seq;

-- name: epochs_upto
SELECT body FROM trail WHERE type = 'epoch.taken' AND admitted AND seq <= :seq ORDER BY seq;

-- name: checkpoint_upto
SELECT body FROM trail WHERE type = 'audit.checkpoint' AND admitted AND seq <= :seq
ORDER BY seq DESC LIMIT 1;

-- name: fact_upto
SELECT seq FROM trail WHERE type <> 'audit.checkpoint' AND seq <= :seq ORDER BY seq DESC LIMIT 1;

-- name: decisions_on_intent
SELECT * FROM trail WHERE intent_id = :intent_id AND type = 'decision' AND (:agent IS NULL OR agent = :agent)
ORDER BY seq;

-- name: decisions_in_story
SELECT * FROM trail WHERE correlation_id = :intent_id AND type = 'decision' AND intent_id <> :intent_id ORDER BY seq;

-- name: rows_of_order
SELECT * FROM trail WHERE order_id = :order_id ORDER BY seq;

-- name: position_changes_upto
SELECT * FROM trail
WHERE symbol = :symbol AND admitted AND seq <= :seq
  AND type IN ('order.filled', 'broker.position_adopted')
ORDER BY seq;

-- name: symbol_of_order
SELECT symbol FROM trail WHERE order_id = :order_id AND symbol IS NOT NULL ORDER BY seq LIMIT 1;

-- name: digests_after
SELECT seq, digest FROM trail WHERE seq > :seq ORDER BY seq LIMIT :rows;

-- name: position
SELECT coalesce(max(seq), 0) FROM trail;
