-- Views analysts start from. Made anew whenever this file changes, so they are no part of the migrations.
-- A column without a comment here has that of the first table or view it is read from.

CREATE OR REPLACE VIEW v_calls AS
SELECT calls.* EXCLUDE (hold_spans, transcript_medium, engine_fingerprint, started_local),
       started_local AS local_time, hour(started_local) AS local_hour,
       CAST(date_trunc('week', started_local) AS DATE) AS week
FROM calls;
COMMENT ON VIEW v_calls IS 'Calls with the site''s own time and its week (Monday)';
COMMENT ON COLUMN v_calls.local_time IS 'Start in the site''s own time (UTC where its zone is not known)';
COMMENT ON COLUMN v_calls.local_hour IS 'Hour of the start in the site''s own time, 0 to 23';
COMMENT ON COLUMN v_calls.week IS 'Monday of the week of the start, in the site''s own time';

CREATE OR REPLACE VIEW v_scorecards AS
SELECT scorecards.* EXCLUDE (is_latest, loaded_at), scorecards.loaded_at AS scored_at,
       v_calls.* EXCLUDE (call_id, loaded_at, first_loaded_at, warnings, transcript_warnings, transcript_doubts)
FROM scorecards JOIN v_calls USING (call_id) WHERE is_latest;
COMMENT ON VIEW v_scorecards IS 'The newest scorecard of each call and rubric, with the call';
COMMENT ON COLUMN v_scorecards.scored_at IS 'When the scorecard was stored';

CREATE OR REPLACE VIEW v_answers AS
SELECT answers.* EXCLUDE (is_latest, loaded_at), client, team, agent_id, queue, direction, started_at, week, rubric_id
FROM answers JOIN v_calls USING (call_id) LEFT JOIN rubrics USING (rubric_hash) WHERE is_latest;
COMMENT ON VIEW v_answers IS 'Answers of the newest scorecards, with the call';

CREATE OR REPLACE VIEW v_agent_week AS
SELECT client, team, agent_id, any_value(agent_name) AS agent_name, week, rubric_id, count(*) AS calls,
       avg(final_score) AS final_score, stddev_samp(final_score) / sqrt(count(final_score)) AS standard_error,
       count(*) FILTER (outcome = 'pass') AS passed, count(*) FILTER (outcome = 'fail') AS failed,
       count(*) FILTER (outcome = 'needs_review') AS to_review,
       count(*) FILTER (len(autofail_reasons) > 0) AS auto_failed, count(final_score) AS scored
FROM v_scorecards GROUP BY client, team, agent_id, week, rubric_id;
COMMENT ON VIEW v_agent_week IS 'Scores of each agent by the week of the site''s own time';
COMMENT ON COLUMN v_agent_week.calls IS 'Scorecards of this agent, week and rubric';
COMMENT ON COLUMN v_agent_week.final_score IS 'Mean final score of those that have one, 0 to 100';
COMMENT ON COLUMN v_agent_week.standard_error IS 'Standard error of the mean; 1.96 of them each way make the 95 % interval';
COMMENT ON COLUMN v_agent_week.passed IS 'Calls that passed';
COMMENT ON COLUMN v_agent_week.failed IS 'Calls that failed';
COMMENT ON COLUMN v_agent_week.to_review IS 'Calls a person should decide';
COMMENT ON COLUMN v_agent_week.auto_failed IS 'Calls that failed whatever their points';
COMMENT ON COLUMN v_agent_week.scored IS 'Scorecards with a score; the weights by which means of several weeks are combined';

CREATE OR REPLACE VIEW v_team_week AS
SELECT client, team, week, rubric_id, count(*) AS calls, count(DISTINCT agent_id) AS agents,
       avg(final_score) AS final_score, stddev_samp(final_score) / sqrt(count(final_score)) AS standard_error,
       count(*) FILTER (outcome = 'pass') AS passed, count(*) FILTER (outcome = 'fail') AS failed,
       count(*) FILTER (outcome = 'needs_review') AS to_review,
       count(*) FILTER (len(autofail_reasons) > 0) AS auto_failed, count(final_score) AS scored
FROM v_scorecards GROUP BY client, team, week, rubric_id;
COMMENT ON VIEW v_team_week IS 'Scores of each team by the week of the site''s own time';
COMMENT ON COLUMN v_team_week.calls IS 'Scorecards of this team, week and rubric';
COMMENT ON COLUMN v_team_week.final_score IS 'Mean final score of those that have one, 0 to 100';
COMMENT ON COLUMN v_team_week.standard_error IS 'Standard error of the mean; 1.96 of them each way make the 95 % interval';
COMMENT ON COLUMN v_team_week.passed IS 'Calls that passed';
COMMENT ON COLUMN v_team_week.failed IS 'Calls that failed';
COMMENT ON COLUMN v_team_week.to_review IS 'Calls a person should decide';
COMMENT ON COLUMN v_team_week.auto_failed IS 'Calls that failed whatever their points';
COMMENT ON COLUMN v_team_week.scored IS 'Scorecards with a score; the weights by which means of several weeks are combined';
COMMENT ON COLUMN v_team_week.agents IS 'Agents among them';

CREATE OR REPLACE VIEW v_criterion_rates AS
SELECT rubric_hash, section_id, criterion_id, client, week, CAST(sum(n) AS BIGINT) AS answers,
       CAST(coalesce(sum(n) FILTER (answer = 'yes'), 0) AS BIGINT) AS yes,
       CAST(coalesce(sum(n) FILTER (answer = 'no'), 0) AS BIGINT) AS no,
       CAST(coalesce(sum(n) FILTER (answer = 'na'), 0) AS BIGINT) AS na,
       CAST(coalesce(sum(n) FILTER (answer = 'undetermined'), 0) AS BIGINT) AS undetermined,
       yes / nullif(yes + no, 0) AS pass_rate, any_value(rubric_id) AS rubric_id
FROM (SELECT any_value(v_answers.rubric_hash) AS rubric_hash, any_value(v_answers.section_id) AS section_id,
             any_value(v_answers.criterion_id) AS criterion_id, any_value(v_answers.rubric_id) AS rubric_id,
             client, week, answer, count(*) AS n
      FROM v_answers  -- twelve million rows, once; one number is a cheaper key than three texts
           ANTI JOIN (SELECT call_id, rubric_hash FROM scorecards
                      WHERE outcome = 'not_scored' AND len(review_reasons) > 0) USING (call_id, rubric_hash)
      GROUP BY hash(v_answers.rubric_hash, v_answers.section_id, v_answers.criterion_id), client, week, answer)
GROUP BY rubric_hash, section_id, criterion_id, client, week;
COMMENT ON VIEW v_criterion_rates IS 'How often each criterion was met, by client and week; without voicemails and calls without speech';
COMMENT ON COLUMN v_criterion_rates.answers IS 'Answers of newest scorecards';
COMMENT ON COLUMN v_criterion_rates.yes IS 'Answered yes';
COMMENT ON COLUMN v_criterion_rates.no IS 'Answered no';
COMMENT ON COLUMN v_criterion_rates.na IS 'Not applicable';
COMMENT ON COLUMN v_criterion_rates.undetermined IS 'The machine was not sure';
COMMENT ON COLUMN v_criterion_rates.pass_rate IS 'yes / (yes + no), 0 to 1; NULL when nothing was decided';

CREATE OR REPLACE VIEW v_coverage AS
SELECT status, reason, count(*) AS files, count(DISTINCT audio_sha256) AS recordings,
       sum(size_bytes) AS size_bytes, min(recorded_at) AS first_at, max(recorded_at) AS last_at
FROM ledger GROUP BY status, reason;
COMMENT ON VIEW v_coverage IS 'Every file received by what became of it';
COMMENT ON COLUMN v_coverage.files IS 'Files, by path';
COMMENT ON COLUMN v_coverage.recordings IS 'Different recordings among them, by content';
COMMENT ON COLUMN v_coverage.size_bytes IS 'Their size together';
COMMENT ON COLUMN v_coverage.first_at IS 'When the first of them was recorded in the ledger';
COMMENT ON COLUMN v_coverage.last_at IS 'When the last of them was';

CREATE OR REPLACE VIEW v_flips AS
SELECT old.call_id, old.rubric_id, old.rubric_version AS old_version, new.rubric_version AS new_version,
       old.rubric_hash AS old_hash, new.rubric_hash AS new_hash,
       old.outcome AS old_outcome, new.outcome AS new_outcome,
       old.why AS old_why, new.why AS new_why,
       old.final_score AS old_score, new.final_score AS new_score,
       new.final_score - old.final_score AS change, old.loaded_at AS old_at, new.loaded_at AS new_at
FROM scorecards AS old JOIN scorecards AS new
  ON old.call_id = new.call_id AND old.rubric_id = new.rubric_id AND new.is_latest AND NOT old.is_latest
WHERE old.outcome <> new.outcome;
COMMENT ON VIEW v_flips IS 'Calls whose outcome differs between an older rubric and the newest, and why';
COMMENT ON COLUMN v_flips.old_version IS 'Version of the older rubric';
COMMENT ON COLUMN v_flips.new_version IS 'Version of the newest rubric';
COMMENT ON COLUMN v_flips.old_hash IS 'Text of the older rubric';
COMMENT ON COLUMN v_flips.new_hash IS 'Text of the newest rubric';
COMMENT ON COLUMN v_flips.old_outcome IS 'Outcome under the older rubric';
COMMENT ON COLUMN v_flips.new_outcome IS 'Outcome under the newest rubric';
COMMENT ON COLUMN v_flips.old_why IS 'Why it did not pass under the older rubric';
COMMENT ON COLUMN v_flips.new_why IS 'Why it does not pass under the newest rubric';
COMMENT ON COLUMN v_flips.old_score IS 'Final score under the older rubric';
COMMENT ON COLUMN v_flips.new_score IS 'Final score under the newest rubric';
COMMENT ON COLUMN v_flips.change IS 'New score less old score';
COMMENT ON COLUMN v_flips.old_at IS 'When the older scorecard was stored';
COMMENT ON COLUMN v_flips.new_at IS 'When the newest scorecard was stored';

CREATE OR REPLACE VIEW v_agreement AS
WITH pairs AS (
    SELECT rubric_hash, criterion_id, machine_answer, human_answer,
           coalesce(nullif(extra['machine_grade'], ''), machine_answer) AS machine_said,
           coalesce(nullif(extra['grade'], ''), human_answer) AS human_said
    FROM reviews
    WHERE criterion_id IS NOT NULL AND machine_answer IN ('yes', 'no', 'na') AND human_answer IS NOT NULL
    QUALIFY row_number() OVER (PARTITION BY call_id, rubric_hash, criterion_id, lower(reviewer)
                               ORDER BY extra['how'] IS NOT NULL, reviewed_at DESC, review_id) = 1
    -- each reviewer's last word; an answer confirmed with the whole call counts where none was given
), margins AS (
    SELECT rubric_hash, criterion_id, answer,
           count(*) FILTER (who = 'machine') AS by_machine, count(*) FILTER (who = 'human') AS by_human
    FROM (SELECT rubric_hash, criterion_id, machine_said AS answer, 'machine' AS who FROM pairs
          UNION ALL SELECT rubric_hash, criterion_id, human_said, 'human' FROM pairs)
    GROUP BY rubric_hash, criterion_id, answer
), chance AS (
    SELECT rubric_hash, criterion_id, sum(by_machine * by_human) AS products
    FROM margins GROUP BY rubric_hash, criterion_id
), agreed AS (
    SELECT rubric_hash, criterion_id, count(*) AS reviews, avg(CAST(machine_said = human_said AS INTEGER)) AS agreement,
           count(*) FILTER (machine_answer = 'yes' AND human_answer = 'no') AS false_yes,
           count(*) FILTER (machine_answer = 'no' AND human_answer = 'yes') AS false_no
    FROM pairs GROUP BY rubric_hash, criterion_id
)
SELECT agreed.rubric_hash, agreed.criterion_id, reviews, agreement, false_yes, false_no,
       CASE WHEN products < reviews * reviews
            THEN (agreement - products / (reviews * reviews)) / (1 - products / (reviews * reviews)) END AS kappa
FROM agreed JOIN chance ON agreed.rubric_hash IS NOT DISTINCT FROM chance.rubric_hash
  AND agreed.criterion_id = chance.criterion_id;
COMMENT ON VIEW v_agreement IS 'Machine against people by criterion: agreement and Cohen''s kappa';
COMMENT ON COLUMN v_agreement.reviews IS 'Last words of reviewers, one a call and reviewer';
COMMENT ON COLUMN v_agreement.agreement IS 'Share in which machine and person gave the same answer, of a graded criterion the same grade, 0 to 1';
COMMENT ON COLUMN v_agreement.false_yes IS 'Machine yes, person no';
COMMENT ON COLUMN v_agreement.false_no IS 'Machine no, person yes';
COMMENT ON COLUMN v_agreement.kappa IS 'Cohen''s kappa: agreement beyond chance, 1 is perfect, 0 no better than chance';

CREATE OR REPLACE VIEW v_sentiment_path AS
SELECT call_id, role, q1, q2, q3, q4, score, change, lowest_score, lowest_turn, lowest_start_s, lowest_quote,
       client, team, agent_id, started_at, week
FROM role_sentiment JOIN v_calls USING (call_id)
LEFT JOIN (SELECT call_id, label AS role, start_s AS lowest_start_s, text AS lowest_quote
           FROM findings WHERE kind = 'lowest_point') USING (call_id, role);
COMMENT ON VIEW v_sentiment_path IS 'Sentiment of each role through the quarters of the call';
COMMENT ON COLUMN v_sentiment_path.lowest_start_s IS 'Start of the worst turn, seconds; NULL where no turn is negative';
COMMENT ON COLUMN v_sentiment_path.lowest_quote IS 'The words of the worst turn, private data as typed placeholders; NULL where no turn is negative';
