-- name: position
SELECT notification_id FROM tracking WHERE application_name = :application_name;

-- name: others
SELECT application_name FROM tracking
WHERE application_name LIKE 'JOURNAL\_%' ESCAPE '\' AND application_name <> :application_name
ORDER BY application_name;

-- name: advance
INSERT INTO tracking (application_name, notification_id) VALUES (:application_name, :notification_id)
ON CONFLICT (application_name) DO UPDATE SET notification_id = excluded.notification_id
WHERE tracking.notification_id < excluded.notification_id
RETURNING notification_id;
