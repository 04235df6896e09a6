"""Sales by region and channel: pandas as most people write it."""

import sys

import pandas as pd

sales = pd.read_csv(sys.argv[1])
table = sales.groupby(["region", "channel"]).agg(
    sales=("units", "size"), units=("units", "sum"), revenue=("revenue", "sum"), mean=("revenue", "mean"), most=("revenue", "max")
)
table.to_csv("answer.csv")
