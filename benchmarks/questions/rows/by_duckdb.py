"""The same in DuckDB."""

import sys

import duckdb

duckdb.execute(
    """
    COPY (
        SELECT *, revenue * (1 - discount) AS net, net / units AS each, country || '-' || region AS place
        FROM read_csv(SOURCE) WHERE units > 2
    ) TO 'answer.csv' (HEADER)
    """.replace("SOURCE", "'" + sys.argv[1].replace("'", "''") + "'")
)
