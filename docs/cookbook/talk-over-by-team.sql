-- Which teams talk over customers?
-- Interruptions per ten minutes of call; mono recordings cannot tell and are left out.
SELECT team, count(*) AS calls,
       round(avg(m.overtalk_ratio) * 100, 2) AS overtalk_percent,
       round(600 * sum(m.agent_interruptions) / sum(m.duration_s), 2) AS interruptions_per_10_min
FROM call_metrics AS m
JOIN calls USING (call_id)
WHERE m.overtalk_ratio IS NOT NULL
GROUP BY team
ORDER BY overtalk_percent DESC;
