-- Where do customers wait in silence?
SELECT queue, count(*) AS calls, round(avg(m.dead_air_s), 1) AS dead_air_s,
       round(quantile_cont(m.dead_air_longest_s, 0.9), 1) AS longest_p90_s,
       round(avg(m.hold_s), 1) AS hold_s
FROM call_metrics AS m
JOIN calls USING (call_id)
GROUP BY queue
ORDER BY dead_air_s DESC NULLS LAST;
