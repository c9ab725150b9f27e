-- What fails calls outright?
SELECT reason, client, count(DISTINCT call_id) AS calls
FROM (SELECT call_id, client, unnest(autofail_reasons) AS reason FROM v_scorecards)
GROUP BY ALL
ORDER BY calls DESC
LIMIT 50;
