-- Where do people and the machine disagree?
-- Kappa near 0 is no better than chance; look at the question's wording first.
SELECT rubric_id, criterion_id, sum(reviews) AS answers,
       round(100 * sum(agreement * reviews) / sum(reviews), 1) AS agreement_percent,
       round(sum(kappa * reviews) / sum(reviews) FILTER (kappa IS NOT NULL), 2) AS kappa,
       sum(false_yes) AS machine_too_kind, sum(false_no) AS machine_too_strict
FROM v_agreement
LEFT JOIN rubrics USING (rubric_hash)
GROUP BY rubric_id, criterion_id
ORDER BY agreement_percent;
