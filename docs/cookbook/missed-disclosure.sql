-- Which calls missed something mandatory, or may have, and what came closest?
SELECT a.started_at, a.call_id, a.agent_id, a.criterion_id, a.answer, a.reason,
       e.start_s, e.quote AS nearest, round(e.strength, 2) AS strength
FROM v_answers AS a
JOIN v_scorecards AS s USING (call_id, rubric_hash)
LEFT JOIN evidence AS e
  ON e.call_id = a.call_id AND e.rubric_hash = a.rubric_hash AND e.criterion_id = a.criterion_id AND e.kind = 'nearest'
WHERE a.critical AND a.answer IN ('no', 'undetermined') AND s.outcome <> 'not_scored'
ORDER BY a.answer, a.started_at DESC NULLS LAST, a.call_id;
