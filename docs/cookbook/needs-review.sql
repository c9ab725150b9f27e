-- What should a person look at first?
-- Unsure calls, least confident words first.
SELECT s.call_id, s.agent_id, s.review_reasons, round(w.confidence, 2) AS word_confidence
FROM v_scorecards AS s
LEFT JOIN (SELECT call_id, avg(confidence) AS confidence FROM turns GROUP BY call_id) AS w USING (call_id)
WHERE s.outcome = 'needs_review'
ORDER BY w.confidence NULLS LAST
LIMIT 50;
