-- The tables. No primary keys, foreign keys or indexes: uniqueness comes from the single writer, who deletes
-- a call's rows before inserting them in the same transaction, and `Store.check` verifies it; so the same SQL
-- serves a DuckDB file and a DuckLake (which has no keys). `loaded_at` is one value per transaction: rows of a
-- call lie together, so a filter on it reads only the blocks that hold the call.

CREATE TABLE calls (
    call_id VARCHAR NOT NULL, client VARCHAR, site VARCHAR, queue VARCHAR, team VARCHAR,
    agent_id VARCHAR, agent_name VARCHAR, customer_ref VARCHAR, direction VARCHAR, medium VARCHAR,
    started_at TIMESTAMPTZ, timezone VARCHAR, language VARCHAR, agent_channel INTEGER,
    hold_spans STRUCT(start_s DOUBLE, end_s DOUBLE)[], extra MAP(VARCHAR, VARCHAR),
    path VARCHAR, audio_sha256 VARCHAR, duration_s DOUBLE, channels INTEGER, role_confidence DOUBLE,
    spoken_language VARCHAR,
    transcript_medium VARCHAR, engine VARCHAR, model VARCHAR, engine_fingerprint VARCHAR,
    turn_count INTEGER, transcript_warnings VARCHAR[], warnings VARCHAR[], loaded_at TIMESTAMPTZ
);
COMMENT ON TABLE calls IS 'One row a call: what the telephone system knows about it and how it was transcribed';
COMMENT ON COLUMN calls.call_id IS 'Identity of the call, from its metadata or else from the SHA-256 of the audio';
COMMENT ON COLUMN calls.client IS 'Client (tenant) the call was handled for';
COMMENT ON COLUMN calls.site IS 'Site where the agent works';
COMMENT ON COLUMN calls.queue IS 'Queue or campaign';
COMMENT ON COLUMN calls.team IS 'Team of the agent';
COMMENT ON COLUMN calls.agent_id IS 'Agent, by the source system''s identity';
COMMENT ON COLUMN calls.agent_name IS 'Agent''s name as the source gives it';
COMMENT ON COLUMN calls.customer_ref IS 'Customer reference; the key of erasure requests and of repeat contacts';
COMMENT ON COLUMN calls.direction IS 'inbound, outbound, internal or unknown';
COMMENT ON COLUMN calls.medium IS 'voice, chat or email';
COMMENT ON COLUMN calls.started_at IS 'Start of the call; NULL when the source does not say (never guessed)';
COMMENT ON COLUMN calls.timezone IS 'IANA zone of the site; timezone(timezone, started_at) gives the local time';
COMMENT ON COLUMN calls.language IS 'Language stated by the metadata, ISO 639-1';
COMMENT ON COLUMN calls.agent_channel IS 'Audio channel of the agent when the metadata says so';
COMMENT ON COLUMN calls.hold_spans IS 'Hold periods reported by the telephone system, seconds from the start';
COMMENT ON COLUMN calls.extra IS 'Any other columns of the source: extra[''name'']';
COMMENT ON COLUMN calls.path IS 'File the call came from';
COMMENT ON COLUMN calls.audio_sha256 IS 'SHA-256 of the file''s bytes';
COMMENT ON COLUMN calls.duration_s IS 'Length of the recording in seconds';
COMMENT ON COLUMN calls.channels IS 'Audio channels told apart: 2 = one speaker a channel, 1 = mono, 0 = no audio';
COMMENT ON COLUMN calls.role_confidence IS 'How sure it is who is agent and who customer, 0..1; NULL when the source states roles';
COMMENT ON COLUMN calls.spoken_language IS 'Language of the transcript, ISO 639-1';
COMMENT ON COLUMN calls.transcript_medium IS 'Medium of the transcript: voice, chat or email';
COMMENT ON COLUMN calls.engine IS 'Speech engine that made the transcript';
COMMENT ON COLUMN calls.model IS 'Model of the speech engine';
COMMENT ON COLUMN calls.engine_fingerprint IS 'Changes when the engine''s output could';
COMMENT ON COLUMN calls.turn_count IS 'Number of turns';
COMMENT ON COLUMN calls.transcript_warnings IS 'Warnings of transcription, sentences for people';
COMMENT ON COLUMN calls.warnings IS 'Warnings of annotation, sentences for people';
COMMENT ON COLUMN calls.loaded_at IS 'When the transaction that wrote this row began';

CREATE TABLE ledger (
    path VARCHAR NOT NULL, audio_sha256 VARCHAR, call_id VARCHAR, status VARCHAR NOT NULL, reason VARCHAR,
    stage VARCHAR, error VARCHAR, hint VARCHAR, size_bytes BIGINT, mtime_ns BIGINT, warnings VARCHAR[],
    fingerprint VARCHAR, recorded_at TIMESTAMPTZ
);
COMMENT ON TABLE ledger IS 'What became of every file received, exactly one row a path';
COMMENT ON COLUMN ledger.path IS 'The file as received; sha256:… of it once purged';
COMMENT ON COLUMN ledger.audio_sha256 IS 'SHA-256 of the file''s bytes, where it could be read';
COMMENT ON COLUMN ledger.call_id IS 'The call it became, where it became one';
COMMENT ON COLUMN ledger.status IS 'scored, skipped, failed, quarantined or purged';
COMMENT ON COLUMN ledger.reason IS 'Short machine-readable reason, e.g. duplicate, too_short, truncated';
COMMENT ON COLUMN ledger.stage IS 'Stage that failed';
COMMENT ON COLUMN ledger.error IS 'What happened, a sentence';
COMMENT ON COLUMN ledger.hint IS 'What to do next';
COMMENT ON COLUMN ledger.size_bytes IS 'Size of the file when it was read';
COMMENT ON COLUMN ledger.mtime_ns IS 'Modification time of the file, ns since 1970';
COMMENT ON COLUMN ledger.warnings IS 'Warnings of intake and of the store, sentences for people';
COMMENT ON COLUMN ledger.fingerprint IS 'Of everything the result depends on; the same one means there is nothing to do';
COMMENT ON COLUMN ledger.recorded_at IS 'When this row was last written';

CREATE TABLE stage_runs (
    call_id VARCHAR NOT NULL, stage VARCHAR NOT NULL, fingerprint VARCHAR, engine VARCHAR, model VARCHAR,
    seconds DOUBLE, loaded_at TIMESTAMPTZ
);
COMMENT ON TABLE stage_runs IS 'Which engine did which stage of a call, and how long it took';
COMMENT ON COLUMN stage_runs.call_id IS 'Call';
COMMENT ON COLUMN stage_runs.stage IS 'Stage: audio, transcribe, speakers, annotate, score …';
COMMENT ON COLUMN stage_runs.fingerprint IS 'Of the stage''s input, model and options';
COMMENT ON COLUMN stage_runs.engine IS 'Engine';
COMMENT ON COLUMN stage_runs.model IS 'Model';
COMMENT ON COLUMN stage_runs.seconds IS 'Wall time in seconds';
COMMENT ON COLUMN stage_runs.loaded_at IS 'When the transaction that wrote this row began';

CREATE TABLE turns (
    call_id VARCHAR NOT NULL, turn INTEGER NOT NULL, role VARCHAR, channel INTEGER, start_s DOUBLE, end_s DOUBLE,
    text VARCHAR, confidence DOUBLE, language VARCHAR, sentiment_score DOUBLE, sentiment VARCHAR,
    words STRUCT("text" VARCHAR, start_s DOUBLE, end_s DOUBLE, confidence DOUBLE)[], loaded_at TIMESTAMPTZ
);
COMMENT ON TABLE turns IS 'Who said what when';
COMMENT ON COLUMN turns.call_id IS 'Call';
COMMENT ON COLUMN turns.turn IS 'Position in the conversation, from 0';
COMMENT ON COLUMN turns.role IS 'agent, customer, system or unknown';
COMMENT ON COLUMN turns.channel IS 'Audio channel; NULL when mono or unknown';
COMMENT ON COLUMN turns.start_s IS 'Start, seconds from the start of the recording';
COMMENT ON COLUMN turns.end_s IS 'End, seconds from the start of the recording';
COMMENT ON COLUMN turns.text IS 'What was said, as recognised or written';
COMMENT ON COLUMN turns.confidence IS 'Mean word probability, 0 to 1';
COMMENT ON COLUMN turns.language IS 'Language of the turn, ISO 639-1';
COMMENT ON COLUMN turns.sentiment_score IS '-1 negative to 1 positive';
COMMENT ON COLUMN turns.sentiment IS 'negative, neutral or positive';
COMMENT ON COLUMN turns.words IS 'Words with times and probability';
COMMENT ON COLUMN turns.loaded_at IS 'When the transaction that wrote this row began';

CREATE TABLE findings (
    call_id VARCHAR NOT NULL, finding INTEGER NOT NULL, kind VARCHAR, label VARCHAR, turn INTEGER,
    start_s DOUBLE, end_s DOUBLE, text VARCHAR, value DOUBLE, value_text VARCHAR, source VARCHAR,
    loaded_at TIMESTAMPTZ
);
COMMENT ON TABLE findings IS 'Facts heard in a call, with where they were heard';
COMMENT ON COLUMN findings.call_id IS 'Call';
COMMENT ON COLUMN findings.finding IS 'Position among the findings of the call, from 0';
COMMENT ON COLUMN findings.kind IS 'Family: topic, risk, promise, empathy, hold, silence, pii …';
COMMENT ON COLUMN findings.label IS 'Which one of the family, e.g. churn';
COMMENT ON COLUMN findings.turn IS 'Turn it was heard in; NULL for facts of the whole call';
COMMENT ON COLUMN findings.start_s IS 'Start, seconds';
COMMENT ON COLUMN findings.end_s IS 'End, seconds';
COMMENT ON COLUMN findings.text IS 'The words themselves, private data as typed placeholders';
COMMENT ON COLUMN findings.value IS 'Number where one applies, e.g. seconds of silence';
COMMENT ON COLUMN findings.value_text IS 'Normalised value where it is not a number';
COMMENT ON COLUMN findings.source IS 'Versioned name of the component that found it';
COMMENT ON COLUMN findings.loaded_at IS 'When the transaction that wrote this row began';

CREATE TABLE call_metrics (
    call_id VARCHAR NOT NULL,
    duration_s DOUBLE, turn_count DOUBLE, turns_per_minute DOUBLE, agent_words DOUBLE, customer_words DOUBLE,
    agent_talk_s DOUBLE, customer_talk_s DOUBLE, agent_talk_ratio DOUBLE, agent_talk_share DOUBLE,
    customer_talk_share DOUBLE, silence_s DOUBLE, silence_ratio DOUBLE, dead_air_count DOUBLE,
    dead_air_s DOUBLE, dead_air_longest_s DOUBLE, hold_count DOUBLE, hold_s DOUBLE, hold_longest_s DOUBLE,
    overtalk_count DOUBLE, overtalk_s DOUBLE, overtalk_ratio DOUBLE, overlap_count DOUBLE,
    agent_interruptions DOUBLE, customer_interruptions DOUBLE, agent_wpm DOUBLE, customer_wpm DOUBLE,
    agent_longest_monologue_s DOUBLE, customer_longest_monologue_s DOUBLE, agent_response_s DOUBLE,
    customer_response_s DOUBLE, agent_questions DOUBLE, customer_questions DOUBLE, first_word_s DOUBLE,
    greeting_s DOUBLE, has_greeting DOUBLE, has_closing DOUBLE,
    other MAP(VARCHAR, DOUBLE), unknown VARCHAR[], loaded_at TIMESTAMPTZ
);
COMMENT ON TABLE call_metrics IS 'Conversation metrics, one row a call; NULL means the recording cannot tell, never zero';
COMMENT ON COLUMN call_metrics.call_id IS 'Call';
COMMENT ON COLUMN call_metrics.duration_s IS 'length of the recording in seconds';
COMMENT ON COLUMN call_metrics.turn_count IS 'turns with words in them';
COMMENT ON COLUMN call_metrics.turns_per_minute IS 'turns with words / minutes of recording';
COMMENT ON COLUMN call_metrics.agent_words IS 'words said by the agent';
COMMENT ON COLUMN call_metrics.customer_words IS 'words said by the customer';
COMMENT ON COLUMN call_metrics.agent_talk_s IS 'talk time: sum of the agent''s intervals in seconds (AWS: intervals, not words)';
COMMENT ON COLUMN call_metrics.customer_talk_s IS 'talk time of the customer; the agent''s listen time';
COMMENT ON COLUMN call_metrics.agent_talk_ratio IS 'agent talk time / (agent + customer talk time), 0..1';
COMMENT ON COLUMN call_metrics.agent_talk_share IS 'agent talk time / recording, 0..1 (AWS talk %; both shares may sum past 1)';
COMMENT ON COLUMN call_metrics.customer_talk_share IS 'customer talk time / recording, 0..1';
COMMENT ON COLUMN call_metrics.silence_s IS 'seconds in which nobody speaks, hold and redacted spans not counted';
COMMENT ON COLUMN call_metrics.silence_ratio IS 'silence_s / recording, 0..1';
COMMENT ON COLUMN call_metrics.dead_air_count IS 'silences longer than 3 s between the first and the last word (MiiTel)';
COMMENT ON COLUMN call_metrics.dead_air_s IS 'total of those silences in seconds';
COMMENT ON COLUMN call_metrics.dead_air_longest_s IS 'longest of them in seconds, 0 when there is none';
COMMENT ON COLUMN call_metrics.hold_count IS 'holds: told by the telephone system, announced, or mutual silence too long to be else';
COMMENT ON COLUMN call_metrics.hold_s IS 'total hold in seconds';
COMMENT ON COLUMN call_metrics.hold_longest_s IS 'longest hold in seconds, 0 when there is none';
COMMENT ON COLUMN call_metrics.overtalk_count IS 'stretches longer than 1 s in which both speak (MiiTel)';
COMMENT ON COLUMN call_metrics.overtalk_s IS 'total of those stretches in seconds';
COMMENT ON COLUMN call_metrics.overtalk_ratio IS 'overtalk_s / recording, 0..1';
COMMENT ON COLUMN call_metrics.overlap_count IS 'stretches longer than 0.3 s in which both speak, backchannels too';
COMMENT ON COLUMN call_metrics.agent_interruptions IS 'times the agent started over the customer for over 0.3 s and kept on for over 1 s (TMA: charged to who started second)';
COMMENT ON COLUMN call_metrics.customer_interruptions IS 'times the customer started over the agent likewise';
COMMENT ON COLUMN call_metrics.agent_wpm IS 'agent words / minutes of the agent''s own talk time (TMA: utterance time)';
COMMENT ON COLUMN call_metrics.customer_wpm IS 'customer words / minutes of the customer''s own talk time';
COMMENT ON COLUMN call_metrics.agent_longest_monologue_s IS 'longest the agent spoke with no word by the customer, in seconds';
COMMENT ON COLUMN call_metrics.customer_longest_monologue_s IS 'longest the customer spoke with no word by the agent, in seconds';
COMMENT ON COLUMN call_metrics.agent_response_s IS 'median silence between the customer''s end and the agent''s reply, in seconds';
COMMENT ON COLUMN call_metrics.customer_response_s IS 'median silence between the agent''s end and the customer''s reply, in seconds';
COMMENT ON COLUMN call_metrics.agent_questions IS 'agent turns that ask something';
COMMENT ON COLUMN call_metrics.customer_questions IS 'customer turns that ask something';
COMMENT ON COLUMN call_metrics.first_word_s IS 'seconds to the first word of anyone';
COMMENT ON COLUMN call_metrics.greeting_s IS 'seconds to the agent''s first greeting';
COMMENT ON COLUMN call_metrics.has_greeting IS '1 when the agent greets in the first minute or first three turns, else 0';
COMMENT ON COLUMN call_metrics.has_closing IS '1 when the agent closes (thanks, wishes well, says goodbye) near the end, else 0';
COMMENT ON COLUMN call_metrics.other IS 'Metrics that have no column of their own: other[''name'']';
COMMENT ON COLUMN call_metrics.unknown IS 'Names of the metrics this recording could not tell';
COMMENT ON COLUMN call_metrics.loaded_at IS 'When the transaction that wrote this row began';

CREATE TABLE role_sentiment (
    call_id VARCHAR NOT NULL, role VARCHAR NOT NULL, score DOUBLE, q1 DOUBLE, q2 DOUBLE, q3 DOUBLE, q4 DOUBLE,
    change DOUBLE, lowest_score DOUBLE, lowest_turn INTEGER, loaded_at TIMESTAMPTZ
);
COMMENT ON TABLE role_sentiment IS 'Sentiment of each role over the call';
COMMENT ON COLUMN role_sentiment.call_id IS 'Call';
COMMENT ON COLUMN role_sentiment.role IS 'agent or customer';
COMMENT ON COLUMN role_sentiment.score IS 'Mean sentiment of the role, -1 to 1';
COMMENT ON COLUMN role_sentiment.q1 IS 'First quarter of the call; NULL where the role was silent';
COMMENT ON COLUMN role_sentiment.q2 IS 'Second quarter';
COMMENT ON COLUMN role_sentiment.q3 IS 'Third quarter';
COMMENT ON COLUMN role_sentiment.q4 IS 'Last quarter';
COMMENT ON COLUMN role_sentiment.change IS 'End less start; negative means it got worse';
COMMENT ON COLUMN role_sentiment.lowest_score IS 'Sentiment of the worst turn';
COMMENT ON COLUMN role_sentiment.lowest_turn IS 'The worst turn';
COMMENT ON COLUMN role_sentiment.loaded_at IS 'When the transaction that wrote this row began';

CREATE TABLE rubrics (
    rubric_hash VARCHAR NOT NULL, rubric_id VARCHAR, version VARCHAR, title VARCHAR, pass_mark DOUBLE,
    source VARCHAR, file VARCHAR, loaded_at TIMESTAMPTZ
);
COMMENT ON TABLE rubrics IS 'Every rubric that ever scored a call, with its text';
COMMENT ON COLUMN rubrics.rubric_hash IS 'Of the rubric''s content; scorecards refer to it';
COMMENT ON COLUMN rubrics.rubric_id IS 'Name of the rubric across its versions';
COMMENT ON COLUMN rubrics.version IS 'Version its author gave';
COMMENT ON COLUMN rubrics.title IS 'Title for people';
COMMENT ON COLUMN rubrics.pass_mark IS 'Final score from which a call passes';
COMMENT ON COLUMN rubrics.source IS 'The rubric as text (YAML), enough to score again';
COMMENT ON COLUMN rubrics.file IS 'File or shipped name it was read from';
COMMENT ON COLUMN rubrics.loaded_at IS 'When it was first used';

CREATE TABLE criteria (
    rubric_hash VARCHAR NOT NULL, criterion_id VARCHAR NOT NULL, criterion INTEGER, section_id VARCHAR,
    section_title VARCHAR, question VARCHAR, guidance VARCHAR, points DOUBLE, weight DOUBLE, counts VARCHAR,
    critical BOOLEAN, loaded_at TIMESTAMPTZ
);
COMMENT ON TABLE criteria IS 'The questions of every rubric, as people read them';
COMMENT ON COLUMN criteria.rubric_hash IS 'Rubric';
COMMENT ON COLUMN criteria.criterion_id IS 'Criterion of the rubric';
COMMENT ON COLUMN criteria.criterion IS 'Position in the rubric, from 0';
COMMENT ON COLUMN criteria.section_id IS 'Section of the rubric';
COMMENT ON COLUMN criteria.section_title IS 'Title of the section';
COMMENT ON COLUMN criteria.question IS 'The question put to the call';
COMMENT ON COLUMN criteria.guidance IS 'For people: what yes, no and not applicable mean';
COMMENT ON COLUMN criteria.points IS 'Points possible';
COMMENT ON COLUMN criteria.weight IS 'Weight of the criterion';
COMMENT ON COLUMN criteria.counts IS 'score, bonus, penalty or info';
COMMENT ON COLUMN criteria.critical IS 'Belongs to the critical score';
COMMENT ON COLUMN criteria.loaded_at IS 'When the transaction that wrote this row began';

CREATE TABLE scorecards (
    call_id VARCHAR NOT NULL, rubric_hash VARCHAR NOT NULL, rubric_id VARCHAR, rubric_version VARCHAR,
    raw_score DOUBLE, final_score DOUBLE, critical_score DOUBLE, pass_mark DOUBLE, outcome VARCHAR,
    autofail_reasons VARCHAR[], review_reasons VARCHAR[], warnings VARCHAR[], is_latest BOOLEAN,
    loaded_at TIMESTAMPTZ
);
COMMENT ON TABLE scorecards IS 'One call answered against one rubric; older rubrics'' scores are kept';
COMMENT ON COLUMN scorecards.call_id IS 'Call';
COMMENT ON COLUMN scorecards.rubric_hash IS 'Rubric, exactly this text of it';
COMMENT ON COLUMN scorecards.rubric_id IS 'Name of the rubric across its versions';
COMMENT ON COLUMN scorecards.rubric_version IS 'Version its author gave';
COMMENT ON COLUMN scorecards.raw_score IS '0 to 100 before auto-fails; NULL when nothing could be scored';
COMMENT ON COLUMN scorecards.final_score IS '0 to 100 after the rubric''s auto-fail policy';
COMMENT ON COLUMN scorecards.critical_score IS '0 to 100 over the critical criteria alone';
COMMENT ON COLUMN scorecards.pass_mark IS 'Final score needed to pass';
COMMENT ON COLUMN scorecards.outcome IS 'pass, fail, needs_review or not_scored';
COMMENT ON COLUMN scorecards.autofail_reasons IS 'Why the call failed whatever its points';
COMMENT ON COLUMN scorecards.review_reasons IS 'Why a person should look at it';
COMMENT ON COLUMN scorecards.warnings IS 'Warnings of scoring, sentences for people';
COMMENT ON COLUMN scorecards.is_latest IS 'True for the newest scorecard of this call and rubric_id';
COMMENT ON COLUMN scorecards.loaded_at IS 'When the transaction that wrote this row began';

CREATE TABLE sections (
    call_id VARCHAR NOT NULL, rubric_hash VARCHAR NOT NULL, section_id VARCHAR NOT NULL, section INTEGER,
    score DOUBLE, weight DOUBLE, auto_failed BOOLEAN, is_latest BOOLEAN, loaded_at TIMESTAMPTZ
);
COMMENT ON TABLE sections IS 'Section scores of a scorecard';
COMMENT ON COLUMN sections.call_id IS 'Call';
COMMENT ON COLUMN sections.rubric_hash IS 'Rubric';
COMMENT ON COLUMN sections.section_id IS 'Section of the rubric';
COMMENT ON COLUMN sections.section IS 'Position of the section, from 0';
COMMENT ON COLUMN sections.score IS '0 to 100; NULL when nothing in it applied';
COMMENT ON COLUMN sections.weight IS 'Weight of the section';
COMMENT ON COLUMN sections.auto_failed IS 'An auto-fail criterion of the section fired';
COMMENT ON COLUMN sections.is_latest IS 'Belongs to the newest scorecard of this call and rubric_id';
COMMENT ON COLUMN sections.loaded_at IS 'When the transaction that wrote this row began';

CREATE TABLE answers (
    call_id VARCHAR NOT NULL, rubric_hash VARCHAR NOT NULL, section_id VARCHAR, criterion_id VARCHAR NOT NULL,
    criterion INTEGER, answer VARCHAR, points DOUBLE, max_points DOUBLE, weight DOUBLE, critical BOOLEAN,
    scored BOOLEAN, reason VARCHAR,
    searched STRUCT(what VARCHAR, "role" VARCHAR, start_s DOUBLE, end_s DOUBLE, turns INTEGER),
    is_latest BOOLEAN, loaded_at TIMESTAMPTZ
);
COMMENT ON TABLE answers IS 'The answer to every criterion of a scorecard';
COMMENT ON COLUMN answers.call_id IS 'Call';
COMMENT ON COLUMN answers.rubric_hash IS 'Rubric';
COMMENT ON COLUMN answers.section_id IS 'Section of the rubric';
COMMENT ON COLUMN answers.criterion_id IS 'Criterion of the rubric';
COMMENT ON COLUMN answers.criterion IS 'Position of the criterion in the scorecard, from 0';
COMMENT ON COLUMN answers.answer IS 'yes, no, na or undetermined';
COMMENT ON COLUMN answers.points IS 'Points earned; NULL when not applicable or undetermined';
COMMENT ON COLUMN answers.max_points IS 'Points possible';
COMMENT ON COLUMN answers.weight IS 'Weight of the criterion';
COMMENT ON COLUMN answers.critical IS 'Belongs to the critical score';
COMMENT ON COLUMN answers.scored IS 'False for criteria that are answered but carry no points';
COMMENT ON COLUMN answers.reason IS 'The answer explained in a sentence';
COMMENT ON COLUMN answers.searched IS 'Where the rule looked, so that a miss can be checked';
COMMENT ON COLUMN answers.is_latest IS 'Belongs to the newest scorecard of this call and rubric_id';
COMMENT ON COLUMN answers.loaded_at IS 'When the transaction that wrote this row began';

CREATE TABLE evidence (
    call_id VARCHAR NOT NULL, rubric_hash VARCHAR NOT NULL, criterion_id VARCHAR NOT NULL, kind VARCHAR NOT NULL,
    evidence INTEGER, turn INTEGER, role VARCHAR, start_s DOUBLE, end_s DOUBLE, quote VARCHAR, rule VARCHAR,
    strength DOUBLE, loaded_at TIMESTAMPTZ
);
COMMENT ON TABLE evidence IS 'The quotes an answer rests on, and for a miss the nearest candidate';
COMMENT ON COLUMN evidence.call_id IS 'Call';
COMMENT ON COLUMN evidence.rubric_hash IS 'Rubric';
COMMENT ON COLUMN evidence.criterion_id IS 'Criterion of the rubric';
COMMENT ON COLUMN evidence.kind IS 'evidence, or nearest for the closest miss';
COMMENT ON COLUMN evidence.evidence IS 'Position among the criterion''s evidence, from 0';
COMMENT ON COLUMN evidence.turn IS 'Turn it was said in';
COMMENT ON COLUMN evidence.role IS 'Who said it';
COMMENT ON COLUMN evidence.start_s IS 'Start, seconds';
COMMENT ON COLUMN evidence.end_s IS 'End, seconds';
COMMENT ON COLUMN evidence.quote IS 'The words';
COMMENT ON COLUMN evidence.rule IS 'The rule that fired';
COMMENT ON COLUMN evidence.strength IS '0 to 1; 1 is exact';
COMMENT ON COLUMN evidence.loaded_at IS 'When the transaction that wrote this row began';

CREATE TABLE reviews (
    review_id VARCHAR NOT NULL, call_id VARCHAR NOT NULL, rubric_hash VARCHAR, criterion_id VARCHAR,
    machine_answer VARCHAR, human_answer VARCHAR, reviewer VARCHAR, reviewed_at TIMESTAMPTZ, reason VARCHAR,
    state VARCHAR, source VARCHAR, sample_id VARCHAR, extra MAP(VARCHAR, VARCHAR), loaded_at TIMESTAMPTZ
);
COMMENT ON TABLE reviews IS 'What people answered where the machine had answered';
COMMENT ON COLUMN reviews.review_id IS 'Identity of the review; importing the same one again changes nothing';
COMMENT ON COLUMN reviews.call_id IS 'Call';
COMMENT ON COLUMN reviews.rubric_hash IS 'Rubric';
COMMENT ON COLUMN reviews.criterion_id IS 'Criterion; NULL for a review of the whole call';
COMMENT ON COLUMN reviews.machine_answer IS 'Answer of the machine when it was reviewed';
COMMENT ON COLUMN reviews.human_answer IS 'Answer of the person';
COMMENT ON COLUMN reviews.reviewer IS 'Who reviewed';
COMMENT ON COLUMN reviews.reviewed_at IS 'When it was reviewed';
COMMENT ON COLUMN reviews.reason IS 'Why, in the reviewer''s words';
COMMENT ON COLUMN reviews.state IS 'State of the review, e.g. submitted, disputed, accepted';
COMMENT ON COLUMN reviews.source IS 'File it was imported from';
COMMENT ON COLUMN reviews.sample_id IS 'Sample the call was reviewed for';
COMMENT ON COLUMN reviews.extra IS 'Anything else the reviewer sent';
COMMENT ON COLUMN reviews.loaded_at IS 'When the transaction that wrote this row began';

CREATE TABLE samples (
    sample_id VARCHAR NOT NULL, call_id VARCHAR NOT NULL, method VARCHAR, stratum VARCHAR, seed BIGINT,
    probability DOUBLE, reason VARCHAR, reviewer VARCHAR, created_at TIMESTAMPTZ, extra MAP(VARCHAR, VARCHAR),
    loaded_at TIMESTAMPTZ
);
COMMENT ON TABLE samples IS 'Calls chosen for review, and how they were chosen';
COMMENT ON COLUMN samples.sample_id IS 'One draw of calls';
COMMENT ON COLUMN samples.call_id IS 'Call';
COMMENT ON COLUMN samples.method IS 'random, stratified, risk …';
COMMENT ON COLUMN samples.stratum IS 'Stratum the call was drawn from';
COMMENT ON COLUMN samples.seed IS 'Seed of the draw';
COMMENT ON COLUMN samples.probability IS 'Chance the call had of being drawn; NULL for risk lists';
COMMENT ON COLUMN samples.reason IS 'Why it was chosen, for people';
COMMENT ON COLUMN samples.reviewer IS 'Who is to review it';
COMMENT ON COLUMN samples.created_at IS 'When it was drawn';
COMMENT ON COLUMN samples.extra IS 'Anything else about the draw';
COMMENT ON COLUMN samples.loaded_at IS 'When the transaction that wrote this row began';
