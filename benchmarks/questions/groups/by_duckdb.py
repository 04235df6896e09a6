"""The same in DuckDB."""

import sys

import duckdb

duckdb.execute(
    """
    COPY (
        SELECT region, channel, count(*) AS sales, sum(units) AS units, sum(revenue) AS revenue, avg(revenue) AS mean,
            max(revenue) AS most
        FROM read_csv(SOURCE) GROUP BY region, channel ORDER BY region, channel
    ) TO 'answer.csv' (HEADER)
    """.replace("SOURCE", "'" + sys.argv[1].replace("'", "''") + "'")
)
