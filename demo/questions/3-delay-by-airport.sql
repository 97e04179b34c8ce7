-- Which big airports start late? (a join with the airports' names)
SELECT a.iata, a.name AS airport, a.city, count(*) AS flights,
       round(avg(f.delay), 1) AS delay_minutes, max(f.delay) AS worst
FROM flights f JOIN airports a ON f.origin = a.iata
GROUP BY ALL
HAVING count(*) > 30000
ORDER BY delay_minutes DESC, a.iata
LIMIT 8
