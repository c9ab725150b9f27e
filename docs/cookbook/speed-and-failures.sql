-- How fast is the machine, by stage?
-- Seconds of work for a minute of recording.
SELECT s.stage, s.engine, s.model, count(*) AS runs, round(sum(s.seconds), 1) AS seconds,
       round(60 * sum(s.seconds) / nullif(sum(c.duration_s), 0), 2) AS seconds_per_minute
FROM stage_runs AS s
JOIN calls AS c USING (call_id)
GROUP BY ALL
ORDER BY seconds DESC;
