-- Who may leave us?
-- Risk findings with the words.
SELECT c.started_at, c.customer_ref, f.call_id, f.label, f.start_s, f.text
FROM findings AS f
JOIN calls AS c USING (call_id)
WHERE f.kind = 'risk'
ORDER BY c.started_at DESC NULLS LAST
LIMIT 100;
