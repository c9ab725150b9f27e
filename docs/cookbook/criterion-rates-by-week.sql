-- How often is each criterion met, week by week?
SELECT client, rubric_id, criterion_id, week, sum(yes) AS yes, sum(no) AS no,
       round(100.0 * sum(yes) / nullif(sum(yes) + sum(no), 0), 1) AS pass_percent
FROM v_criterion_rates
GROUP BY ALL
ORDER BY client, rubric_id, criterion_id, week;
