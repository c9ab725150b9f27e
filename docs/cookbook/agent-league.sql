-- Which agents do best, and how sure can we be?
-- 95 % interval of the mean score; agents with few calls have wide ones. Passes among passes and fails.
SELECT client, team, agent_id, count(DISTINCT call_id) AS calls, round(avg(final_score), 1) AS score,
       round(avg(final_score) - 1.96 * stddev_samp(final_score) / sqrt(count(final_score)), 1) AS low,
       round(avg(final_score) + 1.96 * stddev_samp(final_score) / sqrt(count(final_score)), 1) AS high,
       round(100.0 * count(*) FILTER (outcome = 'pass')
             / nullif(count(*) FILTER (outcome IN ('pass', 'fail')), 0), 1) AS pass_percent
FROM v_scorecards
WHERE week >= (SELECT max(week) FROM v_calls) - INTERVAL 12 WEEK
GROUP BY ALL
HAVING count(DISTINCT call_id) >= 5
ORDER BY score DESC NULLS LAST;
