-- Silences that the customer takes to look something up are pauses, and no longer counted as silence.

COMMENT ON COLUMN call_metrics.silence_s IS
    'seconds in which nobody speaks, hold, the customer''s own pauses and redacted spans not counted';
