-- Where is the proof that it was said?
-- The quote and the second of every critical yes, with the rubric's text (rubrics.source by rubric_hash), matcher, model and recording behind it.
SELECT a.call_id, a.agent_id, a.criterion_id, e.role, e.start_s, e.end_s, e.quote, e.rule,
       s.rubric_id, s.rubric_version, s.rubric_hash, s.scorer, s.scored_at, s.engine, s.model, s.audio_sha256
FROM v_answers AS a
JOIN v_scorecards AS s USING (call_id, rubric_hash)
JOIN evidence AS e
  ON e.call_id = a.call_id AND e.rubric_hash = a.rubric_hash AND e.criterion_id = a.criterion_id AND e.kind = 'evidence'
WHERE a.critical AND a.answer = 'yes'
ORDER BY a.started_at DESC NULLS LAST, a.call_id, e.start_s;
