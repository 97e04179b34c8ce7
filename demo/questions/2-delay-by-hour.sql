-- At what hour should one fly? (late is more than a quarter of an hour)
SELECT hour(date) AS hour, count(*) AS flights,
       round(avg(delay), 1) AS delay_minutes,
       round(100.0 * avg((delay > 15)::INT), 1) AS late_percent
FROM flights
GROUP BY hour
ORDER BY hour
