-- The site's own clock, kept: turning times into zones at each question was the slowest part of every view.
ALTER TABLE calls ADD COLUMN started_local TIMESTAMP;
COMMENT ON COLUMN calls.started_local IS 'Start in the site''s own time (UTC where its zone is not known)';
UPDATE calls SET started_local = timezone(
    CASE WHEN timezone IN (SELECT name FROM pg_timezone_names()) THEN timezone ELSE 'UTC' END, started_at)
WHERE started_local IS NULL;
