-- What was said at the worst moment of those calls?
SELECT call_id, agent_id, round(lowest_score, 2) AS sentiment, lowest_start_s, lowest_quote
FROM v_sentiment_path
WHERE role = 'customer'
ORDER BY lowest_score
LIMIT 20;
