-- Which customers left angrier than they came?
-- Last quarter against first; the moment to listen to.
SELECT call_id, agent_id, round(change, 2) AS change, round(q1, 2) AS start, round(q4, 2) AS finish,
       lowest_start_s, lowest_quote
FROM v_sentiment_path
WHERE role = 'customer' AND change IS NOT NULL
ORDER BY change
LIMIT 20;
