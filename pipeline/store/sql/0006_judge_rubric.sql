-- Two rubrics may ask about the same call under the same name of a criterion.
ALTER TABLE stage_runs ADD COLUMN IF NOT EXISTS rubric_id VARCHAR;
COMMENT ON COLUMN stage_runs.rubric_id IS 'Of stage judge: the rubric the criterion is of; NULL elsewhere';
