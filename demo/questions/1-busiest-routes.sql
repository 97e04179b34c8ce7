-- Which routes are flown most, and how late are they?
SELECT origin, destination, count(*) AS flights,
       round(avg(delay), 1) AS delay_minutes, any_value(distance) AS miles
FROM flights
GROUP BY origin, destination
ORDER BY flights DESC, origin, destination
LIMIT 8
