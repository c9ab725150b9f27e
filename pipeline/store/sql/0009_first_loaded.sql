-- loaded_at is set again whenever a call is scored again, so the age of a call without a start time was lost.
ALTER TABLE calls ADD COLUMN IF NOT EXISTS first_loaded_at TIMESTAMPTZ;
COMMENT ON COLUMN calls.first_loaded_at IS
    'When the call first came in; the age of a call without a start time, as callqa purge reckons it';
UPDATE calls SET first_loaded_at = loaded_at WHERE first_loaded_at IS NULL;
