-- What became of everything we received?
SELECT status, reason, files, round(100.0 * files / sum(files) OVER (), 1) AS percent, last_at
FROM v_coverage
ORDER BY files DESC;
