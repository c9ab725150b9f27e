-- What a language model was asked about a criterion of a call, and what that cost.
ALTER TABLE stage_runs ADD COLUMN IF NOT EXISTS criterion_id VARCHAR;
COMMENT ON COLUMN stage_runs.criterion_id IS 'Of stage judge: the criterion; NULL elsewhere';
ALTER TABLE stage_runs ADD COLUMN IF NOT EXISTS calls INTEGER;
COMMENT ON COLUMN stage_runs.calls IS 'Of stage judge: requests the answer took when it was asked';
ALTER TABLE stage_runs ADD COLUMN IF NOT EXISTS prompt_tokens BIGINT;
COMMENT ON COLUMN stage_runs.prompt_tokens IS 'Of stage judge: tokens the model read, by its server''s count';
ALTER TABLE stage_runs ADD COLUMN IF NOT EXISTS answer_tokens BIGINT;
COMMENT ON COLUMN stage_runs.answer_tokens IS 'Of stage judge: tokens the model wrote';
ALTER TABLE stage_runs ADD COLUMN IF NOT EXISTS result VARCHAR;
COMMENT ON COLUMN stage_runs.result IS
    'Of stage judge: answered, unsure, unquoted, invented, differs, malformed, too_long, away or budget';
COMMENT ON COLUMN stage_runs.stage IS 'Stage: audio, transcribe, speakers, annotate, score, judge …';
