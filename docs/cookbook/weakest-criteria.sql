-- Which questions do we fail most?
-- With the words of the question, of the newest rubrics.
SELECT c.question, r.criterion_id, sum(r.no) AS missed, sum(r.undetermined) AS unsure,
       round(100.0 * sum(r.no) / nullif(sum(r.yes) + sum(r.no), 0), 1) AS missed_percent
FROM v_criterion_rates AS r
LEFT JOIN criteria AS c ON c.rubric_hash = r.rubric_hash AND c.criterion_id = r.criterion_id
GROUP BY ALL
ORDER BY missed_percent DESC NULLS LAST, missed DESC
LIMIT 20;
