-- Do scores follow sentiment?
-- Correlation of the final score with the customer's change of mood.
SELECT s.client, count(*) AS calls, round(corr(s.final_score, p.change), 3) AS correlation
FROM v_scorecards AS s
JOIN role_sentiment AS p ON p.call_id = s.call_id AND p.role = 'customer'
GROUP BY s.client
ORDER BY s.client;
