-- Is the night shift worse?
-- By the site's own clock, 22:00 to 06:00. Passes among passes and fails.
SELECT site, CASE WHEN local_hour >= 22 OR local_hour < 6 THEN 'night' ELSE 'day' END AS shift,
       count(DISTINCT call_id) AS calls, round(avg(final_score), 1) AS score,
       round(100.0 * count(*) FILTER (outcome = 'pass')
             / nullif(count(*) FILTER (outcome IN ('pass', 'fail')), 0), 1) AS pass_percent
FROM v_scorecards
WHERE local_hour IS NOT NULL
GROUP BY ALL
ORDER BY site, shift;
