-- At what hour should one fly? (share of flights that are more than a quarter of an hour late)
SELECT hour(date) AS hour, count(*) AS flights, round(avg(delay), 1) AS delay_minutes,
       round(100.0 * count(*) FILTER (delay > 15) / count(*), 1) AS late_percent
FROM flights
GROUP BY hour
ORDER BY hour
