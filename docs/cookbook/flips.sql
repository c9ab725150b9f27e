-- Which calls change between pass and fail under the new rubric?
SELECT rubric_id, old_version, new_version, old_outcome, new_outcome, count(*) AS calls,
       round(avg(change), 1) AS mean_change, min(call_id) AS example
FROM v_flips
GROUP BY ALL
ORDER BY calls DESC;
