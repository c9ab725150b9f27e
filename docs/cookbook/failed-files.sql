-- Which files need somebody, and what should they do?
SELECT path, status, reason, stage, error, hint
FROM ledger
WHERE status IN ('failed', 'quarantined')
ORDER BY recorded_at DESC, path
LIMIT 100;
