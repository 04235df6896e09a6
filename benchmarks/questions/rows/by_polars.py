"""The same in Polars' streaming engine."""

import sys

import polars as pl

sales = pl.scan_csv(sys.argv[1]).filter(pl.col("units") > 2)  # noqa: PLR2004 - a script as people write it
sales = sales.with_columns(net=pl.col("revenue") * (1 - pl.col("discount")))
sales = sales.with_columns(each=pl.col("net") / pl.col("units"), place=pl.col("country") + "-" + pl.col("region"))
sales.sink_csv("answer.csv")
