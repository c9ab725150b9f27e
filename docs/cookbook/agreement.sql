-- Where do people and the machine disagree?
-- Kappa near 0 is no better than chance; look at the question's wording first.
SELECT criterion_id, sum(reviews) AS reviews, round(avg(agreement) * 100, 1) AS agreement_percent,
       round(avg(kappa), 2) AS kappa, sum(false_yes) AS machine_too_kind, sum(false_no) AS machine_too_strict
FROM v_agreement
GROUP BY criterion_id
ORDER BY agreement_percent;
