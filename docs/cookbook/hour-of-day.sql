-- When in the day do scores sag?
SELECT local_hour, count(DISTINCT call_id) AS calls, round(avg(final_score), 1) AS score
FROM v_scorecards
WHERE local_hour IS NOT NULL
GROUP BY local_hour
ORDER BY local_hour;
