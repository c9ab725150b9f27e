-- Warnings that answers depend on are kept with their kind. Before, the kind was told by how the sentence began.
ALTER TABLE calls ADD COLUMN transcript_doubts STRUCT(kind VARCHAR, said VARCHAR, "role" VARCHAR)[];
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
