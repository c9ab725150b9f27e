-- Kinds kept beside the sentences they are said in. Before, they were told by the words of the sentence.

ALTER TABLE calls ADD COLUMN IF NOT EXISTS transcript_doubts STRUCT(kind VARCHAR, said VARCHAR, "role" VARCHAR)[];
COMMENT ON COLUMN calls.transcript_doubts IS
    'Those of transcript_warnings that answers depend on; kind: recognised_weakly, other_language, too_quiet or clipped; role: whose words, NULL for anybody''s';
UPDATE calls SET transcript_doubts = list_transform(
    list_filter(transcript_warnings,
                lambda w: regexp_matches(w, '^(recognised weakly|it was heard as|too quiet|clipped)')),
    lambda w: {
        'kind': CASE WHEN starts_with(w, 'recognised weakly') THEN 'recognised_weakly'
                     WHEN starts_with(w, 'it was heard as') THEN 'other_language'
                     WHEN starts_with(w, 'too quiet') THEN 'too_quiet' ELSE 'clipped' END,
        'said': w,
        'role': nullif(regexp_extract(w, '^too quiet: the (\w+)''s ', 1), '')})
WHERE transcript_doubts IS NULL;

ALTER TABLE answers ADD COLUMN IF NOT EXISTS awaits VARCHAR;
COMMENT ON COLUMN answers.awaits IS
    'people: a suggestion until they have confirmed answers like it; judge: it could not be asked; NULL: nothing';
UPDATE answers SET awaits = 'judge' WHERE awaits IS NULL AND contains(reason, 'the judge could not be asked');
UPDATE answers SET awaits = 'people' WHERE awaits IS NULL AND contains(reason, 'a suggestion that does not count');
