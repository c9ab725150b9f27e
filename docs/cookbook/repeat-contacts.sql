-- Who had to call again within seven days?
-- First-contact repeats by customer reference.
WITH contact AS (
    SELECT client, queue, customer_ref, started_at,
           lead(started_at) OVER (PARTITION BY client, customer_ref ORDER BY started_at) AS next_at
    FROM calls
    WHERE customer_ref IS NOT NULL AND started_at IS NOT NULL
)
SELECT client, queue, count(*) AS contacts,
       count(*) FILTER (next_at <= started_at + INTERVAL 7 DAY) AS repeated,
       round(100.0 * repeated / count(*), 1) AS repeat_percent
FROM contact
GROUP BY ALL
ORDER BY repeat_percent DESC;
