-- Are long flights later? (over the 200,000 records that came as JSON)
SELECT 500 * (distance // 500) AS miles_from, count(*) AS flights,
       round(avg(delay), 1) AS delay_minutes,
       round(stddev(delay), 1) AS spread
FROM flights_sample
GROUP BY miles_from
ORDER BY miles_from
