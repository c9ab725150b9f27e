-- Is it getting better?
-- Weekly score with a moving average of four weeks.
WITH weeks AS (
    SELECT client, week, sum(calls) AS calls, sum(final_score * scored) / nullif(sum(scored), 0) AS score
    FROM v_team_week
    WHERE week IS NOT NULL
    GROUP BY ALL
)
SELECT client, week, calls, round(score, 1) AS score,
       round(avg(score) OVER (PARTITION BY client ORDER BY week
                              RANGE BETWEEN INTERVAL 3 WEEK PRECEDING AND CURRENT ROW), 1) AS moving_average
FROM weeks
ORDER BY client, week;
