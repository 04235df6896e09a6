"""The same in Polars' streaming engine."""

import sys

import polars as pl

revenue = pl.col("revenue")
table = pl.scan_csv(sys.argv[1]).group_by("region", "channel").agg(
    sales=pl.len(), units=pl.col("units").sum(), revenue=revenue.sum(), mean=revenue.mean(), most=revenue.max()
)  # fmt: skip
table.sort("region", "channel").collect(engine="streaming").write_csv("answer.csv")
