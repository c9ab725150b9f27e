-- What fails calls outright?
SELECT reason, client, count(*) AS calls
FROM (SELECT client, unnest(autofail_reasons) AS reason FROM v_scorecards)
GROUP BY ALL
ORDER BY calls DESC
LIMIT 50;
