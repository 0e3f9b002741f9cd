"""Statements built to burn time and memory; none may end well within two seconds and 500 MB."""

from __future__ import annotations

DOUBLING = "WITH c0 AS (SELECT 1 AS a), " + ", ".join(
    f"c{at} AS NOT MATERIALIZED (SELECT x.a FROM c{at - 1} x UNION ALL SELECT y.a FROM c{at - 1} y)"
    for at in range(1, 29)
)
BURNING = (
    "SELECT len(range(100000000))",
    "SELECT len(range(1000000000))",
    "SELECT md5(repeat('x', 1000000000))",
    "SELECT length(repeat('ab', 2000000000))",
    "SELECT levenshtein(repeat('a', 100000), repeat('b', 100000))",
    "SELECT damerau_levenshtein(repeat('a', 40000), repeat('b', 40000))",
    f"{DOUBLING} SELECT count(*) FROM c28",
    "SELECT list_sort(range(200000000))[1]",
    "SELECT list_sum(list_transform(range(100000000), lambda x: x * x))",
    "SELECT count(*) FROM range(10000000) a, range(10000000) b",
    "SELECT count(DISTINCT a.range * 7919 + b.range) FROM range(100000) a, range(100000) b",
    "SELECT sum(a.range) FROM generate_series(1, 1000000000) a(range), range(1000) b",
    "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT max(n) FROM r",
    "WITH RECURSIVE r(t) AS (SELECT 'x' UNION ALL SELECT t || t FROM r) SELECT max(length(t)) FROM r",
    "SELECT a.range FROM range(100000000000) a WHERE a.range % 50000 = 49999 AND md5(a.range::VARCHAR) = 'x'",
    "SELECT string_agg(repeat('x', 1000), ',') FROM range(10000000)",
    "SELECT list(a.range) FROM range(1000000000) a",
    "SELECT map_from_entries(list_transform(range(50000000), lambda x: {'k': x, 'v': x}))",
    "SELECT a.range, row_number() OVER (ORDER BY hash(a.range)) FROM range(500000000) a ORDER BY 2 LIMIT 1",
    "SELECT * FROM range(300000000) ORDER BY hash(range) DESC LIMIT 4000000",
    "SELECT regexp_replace(repeat('ab', 50000000), '(a|b)+?c', '', 'g')",
    "SELECT length(regexp_replace(repeat('a', 200000000), 'a', 'bbbbbbbb', 'g'))",
    "SELECT array_to_string(list_transform(range(100000000), lambda x: x::VARCHAR), '')",
    "SELECT unnest(range(1000000000))",
    "SELECT length(lpad('x', 2000000000, 'y'))",
    "SELECT jaro_winkler_similarity(repeat('ab', 4000000), repeat('ba', 4000000))",
    "SELECT count(*) FROM (SELECT a.range FROM range(30000) a GROUP BY CUBE (a.range, a.range % 7, hash(a.range) % 97, "
    "a.range % 3, a.range % 11, a.range % 13, a.range % 5, a.range % 17, a.range % 19, a.range % 23, a.range % 29))",
    "SELECT quantile_cont(a.range * b.range, 0.5) FROM range(100000) a, range(100000) b",
    "SELECT [[[x + y + z for x in range(1000)] for y in range(1000)] for z in range(1000)]",
    "SELECT histogram(a.range * 1000003 + b.range) FROM range(100000) a, range(100000) b",
)
