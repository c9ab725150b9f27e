-- Is it getting better?
-- Weekly score with a moving average of four weeks.
WITH weeks AS (
    SELECT client, week, sum(final_score * calls) / sum(calls) AS score, sum(calls) AS calls
    FROM v_team_week
    GROUP BY ALL
)
SELECT client, week, calls, round(score, 1) AS score,
       round(avg(score) OVER (PARTITION BY client ORDER BY week ROWS 3 PRECEDING), 1) AS moving_average
FROM weeks
ORDER BY client, week;
