-- What were the two worst days of each month? (a window function)
WITH days AS (
    SELECT date::DATE AS day, count(*) AS flights,
           round(avg(delay), 1) AS delay_minutes
    FROM flights
    GROUP BY day
)
SELECT strftime(day, '%B') AS month, day, flights, delay_minutes
FROM days
WHERE flights > 1000
QUALIFY row_number() OVER (
    PARTITION BY month(day) ORDER BY delay_minutes DESC, day) <= 2
ORDER BY day
