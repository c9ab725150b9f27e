-- Which agents do best, and how sure can we be?
-- 95 % interval of the mean score; agents with few calls have wide ones.
SELECT client, team, agent_id, sum(calls) AS calls,
       round(sum(final_score * calls) / sum(calls), 1) AS score,
       round(score - 1.96 * sqrt(sum((standard_error * calls) ** 2)) / sum(calls), 1) AS low,
       round(score + 1.96 * sqrt(sum((standard_error * calls) ** 2)) / sum(calls), 1) AS high,
       round(100.0 * sum(passed) / sum(calls), 1) AS pass_percent
FROM v_agent_week
WHERE week >= (SELECT max(week) FROM v_agent_week) - INTERVAL 12 WEEK
GROUP BY ALL
HAVING sum(calls) >= 5
ORDER BY score DESC NULLS LAST;
