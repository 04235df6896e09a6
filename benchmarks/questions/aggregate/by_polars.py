"""The same in Polars' streaming engine."""

import sys

import polars as pl

LARGE_UNITS = 20

net = pl.col("net")
large = pl.scan_csv(sys.argv[1]).filter(pl.col("units") > LARGE_UNITS).with_columns(net=pl.col("revenue") * (1 - pl.col("discount")))
answer = large.select(
    sales=pl.len(), net=net.sum(), mean_net=net.mean(), largest=net.max(), first_day=pl.col("day").min()
)  # fmt: skip
answer.collect(engine="streaming").write_csv("answer.csv")
