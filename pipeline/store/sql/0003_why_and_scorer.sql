-- Why an outcome is no pass is worded once, where the scorecard is made; what answered is kept, so that a
-- re-score asks again only what could have another answer.
ALTER TABLE scorecards ADD COLUMN why VARCHAR;
COMMENT ON COLUMN scorecards.why IS 'Why it did not pass, in a sentence; empty when it did';
ALTER TABLE scorecards ADD COLUMN scorer VARCHAR;
COMMENT ON COLUMN scorecards.scorer IS 'Fingerprint of what gave the answers: scoring, matcher, confidence floor';
UPDATE scorecards SET scorer = '', why = CASE
    WHEN outcome = 'pass' THEN ''
    WHEN len(autofail_reasons) > 0 THEN 'auto-fail: ' || array_to_string(autofail_reasons, '; ')
    WHEN len(review_reasons) > 0 THEN array_to_string(review_reasons, '; ')
    ELSE coalesce('missed ' || (
        SELECT string_agg(a.criterion_id, ', ' ORDER BY (a.max_points - coalesce(a.points, 0)) * a.weight DESC)
        FROM answers AS a
        WHERE a.call_id = scorecards.call_id AND a.rubric_hash = scorecards.rubric_hash
          AND a.answer = 'no' AND a.scored), '') END
WHERE why IS NULL;
