-- What was said at the worst moment of those calls?
SELECT p.call_id, p.agent_id, round(p.lowest_score, 2) AS sentiment, t.start_s, t.text
FROM (FROM v_sentiment_path WHERE role = 'customer' ORDER BY lowest_score LIMIT 20) AS p
JOIN turns AS t ON t.call_id = p.call_id AND t.turn = p.lowest_turn
ORDER BY p.lowest_score;
