"""The same in DuckDB."""

import sys

import duckdb

duckdb.execute(
    """
    COPY (
        SELECT count(*) AS sales, sum(net) AS net, avg(net) AS mean_net, max(net) AS largest, min(day) AS first_day
        FROM (SELECT day, revenue * (1 - discount) AS net FROM read_csv(SOURCE) WHERE units > 20)
    ) TO 'answer.csv' (HEADER)
    """.replace("SOURCE", "'" + sys.argv[1].replace("'", "''") + "'")
)
