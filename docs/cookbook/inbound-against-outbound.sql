-- Do inbound and outbound differ?
SELECT direction, rubric_id, count(*) AS calls, round(avg(final_score), 1) AS score,
       round(avg(m.agent_talk_ratio) * 100, 1) AS agent_talk_percent, round(avg(m.duration_s) / 60, 1) AS minutes
FROM v_scorecards AS s
LEFT JOIN call_metrics AS m USING (call_id)
GROUP BY ALL
ORDER BY direction, rubric_id;
