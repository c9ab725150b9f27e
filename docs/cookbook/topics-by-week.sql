-- What do customers call about?
SELECT week, label AS topic, count(DISTINCT call_id) AS calls
FROM findings
JOIN v_calls USING (call_id)
WHERE kind = 'topic'
GROUP BY ALL
ORDER BY week, calls DESC;
